//! The file of a witness's own key, as C2SP signed-note writes a private key. Made once; 0600.
//!
//! Never leaves a key that cannot be read in its place: then the collector does not start.

use crate::audit::log::Cosigner;
use crate::base::to_hex;
use crate::crypto::{Secret, sha256_parts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

const BEGIN: &str = "PRIVATE+KEY+";
/// What marks a key as one of timestamped cosignatures.
const KIND: u8 = 4;
const MOST_BYTES: u64 = 1024;

/// The key in this folder; made where there is none and a name is given.
/// # Errors
/// Why there is none.
pub(super) fn open(root: &Path, name: Option<&str>) -> Result<Cosigner, String> {
    let path = root.join("witness.key");
    match File::open(&path) {
        Ok(file) => read(&file, name),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = name.ok_or("this store has no key of a witness yet: give it a --name")?;
            make(&path, name)
        }
        Err(error) => Err(format!("open the witness's key: {error}")),
    }
}

fn read(file: &File, name: Option<&str>) -> Result<Cosigner, String> {
    let facts = file.metadata().map_err(|error| error.to_string())?;
    if facts.mode() & 0o077 != 0 {
        return Err("the witness's key is open to others (chmod 0600)".to_owned());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MOST_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| format!("read the witness's key: {error}"))?;
    let bad = || "the file of the witness's key holds none".to_owned();
    let rest = text.trim_end().strip_prefix(BEGIN).ok_or_else(bad)?;
    let (kept, rest) = rest.split_once('+').ok_or_else(bad)?;
    let (_, code) = rest.split_once('+').ok_or_else(bad)?;
    let bytes = Zeroizing::new(STANDARD.decode(code).map_err(|_| bad())?);
    let (kind, seed) = bytes.split_first().ok_or_else(bad)?;
    let mut seed = Zeroizing::new(<[u8; 32]>::try_from(seed).map_err(|_| bad())?);
    if *kind != KIND || name.is_some_and(|name| name != kept) {
        return Err(format!(
            "the key of this store is of the witness {}",
            crate::base::escape(kept.as_bytes())
        ));
    }
    let secret = Secret::take(&mut seed).map_err(|errno| errno.to_string())?;
    Cosigner::new(kept, secret).map_err(|_| bad())
}

fn make(path: &Path, name: &str) -> Result<Cosigner, String> {
    let secret = Secret::random().map_err(|errno| errno.to_string())?;
    let code = Zeroizing::new(STANDARD.encode(Zeroizing::new([&[KIND][..], secret.expose()].concat())));
    let cosigner =
        Cosigner::new(name, secret).map_err(|_| "a name has no space, no + and no more than 255 bytes")?;
    let id = cosigner.witness().text();
    let id = id.split('+').nth(1).unwrap_or_default();
    let text = Zeroizing::new(format!("{BEGIN}{name}+{id}+{}\n", code.as_str()));
    let failed = |error: std::io::Error| format!("make the witness's key: {error}");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(cosigner)
}

/// A short digest of a public key, for people to compare.
pub(super) fn digest(text: &str) -> String {
    to_hex(sha256_parts(&[text.as_bytes()]).bytes()).get(..16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_the_same_ever_after() {
        let root = std::env::temp_dir().join(format!("aisandbox-witness-{}", std::process::id()));
        std::fs::create_dir(&root).unwrap();
        assert!(open(&root, None).is_err(), "there is none, and no name for one");
        let made = open(&root, Some("w.example")).unwrap().witness().text();
        assert_eq!(open(&root, None).unwrap().witness().text(), made);
        assert_eq!(open(&root, Some("w.example")).unwrap().witness().text(), made);
        assert!(open(&root, Some("other")).unwrap_err().contains("w.example"));
        let path = root.join("witness.key");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        assert!(open(&root, None).unwrap_err().contains("open to others"));
        std::fs::remove_dir_all(root).unwrap();
    }
}
