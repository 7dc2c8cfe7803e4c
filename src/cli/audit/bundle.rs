//! `aisandbox audit bundle`: a record to hand on, with a program of one page that checks it by the format alone.
//!
//! Never copies a key, and never writes over anything.

use super::print;
use crate::audit::AuditError;
use crate::base::Escaped;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Checks a bundle with nothing but Python.
const VERIFIER: &str = include_str!("../../../packaging/audit/verify.py");

pub(super) fn write(log: &Path, to: &Path, out: &mut dyn Write) -> Result<(), AuditError> {
    let failed = |error: std::io::Error| AuditError::Io {
        what: "write the bundle",
        path: to.to_owned(),
        errno: crate::sys::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    copy(log, to).map_err(failed)?;
    let run = log.file_name().unwrap_or_default().as_encoded_bytes();
    let to = Escaped(to.as_os_str().as_encoded_bytes());
    print(out, &format!("{to}: run {}; check it there: python3 verify.py --root IDENTITY .", Escaped(run)))
}

fn copy(log: &Path, to: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    let make = |name: &str| OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(name));
    for number in 0u32.. {
        let name = format!("{number:08}.seg");
        match File::open(log.join(&name)) {
            Ok(mut from) => std::io::copy(&mut from, &mut make(&name)?)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && number > 0 => break,
            Err(error) => return Err(error),
        };
    }
    make("verify.py")?.write_all(VERIFIER.as_bytes())
}
