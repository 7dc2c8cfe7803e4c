//! `aisandbox audit bundle`: a record to hand on, with a program of one page that checks it by the format alone.
//!
//! Never copies a key, and never writes over anything.

use super::print;
use crate::audit::AuditError;
use crate::audit::log::segments;
use crate::base::Escaped;
use std::fs::{DirBuilder, OpenOptions};
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
    let make = |name: &str| OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(name));
    DirBuilder::new().mode(0o700).create(to).map_err(failed)?;
    segments(log, &mut |name, bytes| make(name).and_then(|mut file| file.write_all(bytes)).map_err(failed))?;
    make("verify.py").and_then(|mut file| file.write_all(VERIFIER.as_bytes())).map_err(failed)?;
    let run = log.file_name().unwrap_or_default().as_encoded_bytes();
    let to = Escaped(to.as_os_str().as_encoded_bytes());
    print(out, &format!("{to}: run {}; check it there: python3 verify.py --root IDENTITY .", Escaped(run)))
}
