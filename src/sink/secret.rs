//! Secrets by the places that hold them: a file, a variable, or a credential that systemd hands over.
//!
//! Never in the configuration, never shown, and gone from memory when dropped.

use super::keys::SecretKeys;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The most bytes of a secret or a file of certificates.
const MOST_BYTES: u64 = 1 << 20;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In a file that others cannot read.
    File(PathBuf),
    /// In a variable of the environment.
    Environment(String),
    /// In `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A secret that was read.
pub(super) struct Hidden(Zeroizing<String>);

impl Hidden {
    /// The text, for who must hand it on.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The same behind a word.
    pub(super) fn behind(&self, word: &str) -> Self {
        if word.is_empty() {
            Self(self.0.clone())
        } else {
            Self(Zeroizing::new(format!("{word} {}", *self.0)))
        }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Hidden")
    }
}

impl SecretPlace {
    /// Of the keys as written; `None` unless it is exactly one.
    pub(super) fn of(keys: SecretKeys) -> Option<Self> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '=', '\0']) && name != "..";
        match (keys.file, keys.environment, keys.credential) {
            (Some(file), None, None) => {
                Some(PathBuf::from(file)).filter(|path| path.is_absolute()).map(Self::File)
            }
            (None, Some(name), None) => Some(name).filter(|name| is_name(name)).map(Self::Environment),
            (None, None, Some(name)) => Some(name).filter(|name| is_name(name)).map(Self::Credential),
            _ => None,
        }
    }

    /// Reads it: one line, without the newline.
    /// # Errors
    /// In words that do not hold it.
    pub(super) fn read(&self) -> Result<Hidden, String> {
        let text = match self {
            Self::Environment(name) => {
                let value = std::env::var(name).map_err(|_| format!("the variable {name} is not set"))?;
                Zeroizing::new(value.into_bytes())
            }
            Self::File(path) => read_private(path)?,
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| format!("no credential {name}: CREDENTIALS_DIRECTORY is not set"))?;
                read_private(&Path::new(&folder).join(name))?
            }
        };
        let text = std::str::from_utf8(&text).map_err(|_| format!("{self}: no UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        if text.is_empty() || text.contains(|letter: char| letter.is_control()) {
            return Err(format!("{self}: must be one line"));
        }
        Ok(Hidden(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "the secret in {}", path.display()),
            Self::Environment(name) => write!(out, "the secret in the variable {name}"),
            Self::Credential(name) => write!(out, "the credential {name}"),
        }
    }
}

/// Reads a file of certificates.
/// # Errors
/// In words.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = open(path)?;
    let read = file.take(MOST_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| format!("read {}: {error}", path.display()))?;
    Ok(bytes)
}

/// Reads a file that nobody else may read or change.
/// # Errors
/// In words that do not hold what is in it.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("read {}: {error}", path.display());
    let file = open(path)?;
    let facts = file.metadata().map_err(failed)?;
    let owners = [0, nix::unistd::geteuid().as_raw()];
    if !owners.contains(&facts.uid()) || facts.mode() & 0o037 != 0 {
        let mode = facts.mode() & 0o7777;
        return Err(format!(
            "{}: others may read or change it (uid {}, mode {mode:04o})\nhint: chmod 0600",
            path.display(),
            facts.uid()
        ));
    }
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(usize::try_from(facts.len().min(MOST_BYTES)).unwrap_or(0)));
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn open(path: &Path) -> Result<File, String> {
    let failed = |error: std::io::Error| format!("read {}: {error}", path.display());
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = file.map_err(failed)?;
    if file.metadata().map_err(failed)?.is_file() {
        Ok(file)
    } else {
        Err(format!("{}: no file", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_that_others_could_read_is_refused_and_none_is_ever_shown() {
        let path = std::env::temp_dir().join(format!("aisandbox-secret-{}", std::process::id()));
        std::fs::write(&path, "s3cr3t\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let place = SecretPlace::File(path.clone());
        for open in [0o644, 0o604, 0o660] {
            mode(open);
            assert!(place.read().unwrap_err().contains("others may read"), "{open:o}");
        }
        mode(0o600);
        let hidden = place.read().unwrap();
        assert_eq!((hidden.expose(), format!("{hidden:?}")), ("s3cr3t", "Hidden".to_owned()));
        std::fs::write(&path, "two\nlines").unwrap();
        assert!(!place.read().unwrap_err().contains("two"));
        std::fs::remove_file(path).unwrap();
    }
}
