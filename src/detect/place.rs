//! Rule files as they lie in a folder.
//!
//! Never takes a part of a folder: a file that cannot be read, or is too much, is an error.

use super::engine::{Engine, MOST_RULES};
use super::rule::MOST_BYTES;
use crate::base::Escaped;
use crate::profile::ProfileError;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path; `shipped/NAME` for one that is built in.
    pub name: String,
    /// Its content.
    pub text: String,
    /// It is built in.
    pub embedded: bool,
}

/// The files of a folder that end in `.yml` or `.yaml`, by name.
/// # Errors
/// What cannot be read, in words.
pub fn folder(path: &Path) -> Result<Vec<RuleFile>, String> {
    let failed = |path: &Path, error: &std::io::Error| {
        format!("read rules {}: {error}", Escaped(path.as_os_str().as_encoded_bytes()))
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| failed(path, &error))? {
        let entry = entry.map_err(|error| failed(path, &error))?.path();
        if entry.extension().is_some_and(|end| end == "yml" || end == "yaml") {
            paths.push(entry);
        }
        if paths.len() > MOST_RULES {
            let shown = Escaped(path.as_os_str().as_encoded_bytes()).to_string();
            return Err(format!("read rules {shown}: more than {MOST_RULES} files"));
        }
    }
    paths.sort_unstable();
    paths.iter().map(|path| one(path).map_err(|error| failed(path, &error))).collect()
}

fn one(path: &Path) -> std::io::Result<RuleFile> {
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(invalid("is no plain file"));
    }
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST_BYTES {
        return Err(invalid("is longer than 32 KiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| invalid("is no UTF-8"))?;
    let name = path.to_str().ok_or_else(|| invalid("its path is no UTF-8"))?.to_owned();
    Ok(RuleFile { name, text, embedded: false })
}

/// The engine of these files.
/// # Errors
/// Everything that is wrong with them.
pub fn engine(files: &[RuleFile]) -> Result<Engine, Vec<ProfileError>> {
    Engine::new(files.iter().map(|file| (&*file.name, &*file.text)))
}
