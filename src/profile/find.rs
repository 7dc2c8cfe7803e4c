//! Which file a reference means, and its text, read once.
//!
//! Never picks a file of the working folder by a plain name: an agent may write there, so a file there counts only
//! when somebody named it with a slash or its ending. Never passes over a file that exists and cannot be used.

use super::context::Context;
use super::nearest::nearest;
use super::parse::MAX_BYTES;
use super::shipped;
use crate::base::Source;
use crate::profile::ProfileError;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of a profile.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// As errors call it.
    pub(super) name: Arc<str>,
    /// Its text.
    pub(super) text: Arc<str>,
    /// Where its own parents are looked for.
    pub(super) place: Place,
    /// Which file it is, whatever it is called.
    pub(super) id: FileId,
}

/// Where a reference is written, which decides what it may mean.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// How many folders of the search are passed over: what the administrator wrote is never changed by a file of
    /// a weaker folder.
    pub(super) level: usize,
    /// What relative paths start from; `None` where there is no folder.
    pub(super) folder: Option<PathBuf>,
    /// The plain name of the file itself; a parent of this name is the next one of the search.
    pub(super) own: Option<String>,
}

/// A file's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileId {
    /// Compiled in.
    Shipped(&'static str),
    /// Device and inode.
    Disk(u64, u64),
    /// Given as text.
    Text,
}

/// One profile that can be asked for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// One line for people; what is wrong, where it cannot be read.
    pub description: String,
    /// The file, or `built in`.
    pub place: String,
    /// Another of the same name comes first.
    pub shadowed: bool,
}

/// Finds and reads what `reference` means. A slash or the ending `.yaml` makes it a path, else it is a name.
pub(super) fn find(
    reference: &str,
    asked: &Source,
    from: &Place,
    context: &Context,
) -> Result<Found, ProfileError> {
    if reference.contains('/') || reference.ends_with(".yaml") || reference.ends_with(".yml") {
        return by_path(reference, asked, from, context);
    }
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if reference.is_empty() || !reference.bytes().all(fit) {
        let error = ProfileError::new(asked.clone(), format!("not a profile's name: `{reference}`"));
        return Err(error.hint("names have letters, digits, `.`, `_`, `-`; a path has a slash: ./x.yaml"));
    }
    by_name(reference, asked, from, context)
}

fn by_path(reference: &str, asked: &Source, from: &Place, context: &Context) -> Result<Found, ProfileError> {
    let text = context.expand(reference);
    let text =
        text.map_err(|why| ProfileError { asked: asked.clone(), message: why.message, hint: why.hint })?;
    let path = match &from.folder {
        Some(folder) => folder.join(&text),
        None if text.starts_with('/') => PathBuf::from(&text),
        None => {
            let message = format!("`{reference}` is a relative path in a profile that has no folder");
            return Err(ProfileError::new(asked.clone(), message).hint("write a name or an absolute path"));
        }
    };
    match open(&path, from.level, asked, context)? {
        Some(found) => Ok(found),
        None => Err(ProfileError::new(asked.clone(), format!("open {}: no such file", path.display()))
            .hint("`aisandbox profile list` shows the profiles that have a name")),
    }
}

fn by_name(name: &str, asked: &Source, from: &Place, context: &Context) -> Result<Found, ProfileError> {
    // A profile that builds on its own name means the one it stands in front of.
    let level = if from.own.as_deref() == Some(name) { from.level + 1 } else { from.level };
    for (level, folder) in context.search.iter().enumerate().skip(level) {
        if let Some(found) = open(&folder.join(format!("{name}.yaml")), level, asked, context)? {
            return Ok(found);
        }
    }
    let shipped = shipped::PROFILES.iter().find(|(known, _)| *known == name);
    match shipped {
        Some((name, text)) if level <= context.search.len() => Ok(built_in(name, text, context)),
        _ => {
            let known: Vec<String> = list(context).into_iter().map(|listed| listed.name).collect();
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(other) => format!("did you mean `{other}`? A file is given with a slash: ./{name}.yaml"),
                None => "`aisandbox profile list` shows all; a file is given with a slash: ./x.yaml".into(),
            };
            Err(ProfileError::new(asked.clone(), format!("no profile has the name `{name}`")).hint(hint))
        }
    }
}

fn built_in(name: &'static str, text: &'static str, context: &Context) -> Found {
    let place = Place { level: context.search.len(), folder: None, own: Some(name.to_owned()) };
    Found { name: format!("{name}.yaml").into(), text: text.into(), place, id: FileId::Shipped(name) }
}

/// Reads a file; `None` when there is none.
fn open(path: &Path, level: usize, asked: &Source, context: &Context) -> Result<Option<Found>, ProfileError> {
    let failed = |why: String| ProfileError::new(asked.clone(), format!("open {}: {why}", path.display()));
    // O_NONBLOCK: a FIFO or a device of that name must not make us wait before we see what it is.
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
    {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    let about = file.metadata().map_err(|error| failed(error.to_string()))?;
    if !about.is_file() {
        return Err(failed("is not a regular file".into()));
    }
    if about.mode() & 0o002 != 0 {
        return Err(failed("everybody on this machine can write it".into()).hint("chmod o-w it"));
    }
    if about.uid() != 0 && about.uid() != context.uid {
        let why = format!("belongs to user {}, neither to root nor to you", about.uid());
        return Err(failed(why).hint("copy it and read the copy"));
    }
    let text = text_of(file).map_err(failed)?;
    let folder = path.parent().map(Path::to_path_buf);
    let own = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let place = Place { level, folder, own };
    let name = path.display().to_string().into();
    Ok(Some(Found { name, text: text.into(), place, id: FileId::Disk(about.dev(), about.ino()) }))
}

fn text_of(file: File) -> Result<String, String> {
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err("has more than 1 MiB".into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8")
    })
}

/// Every profile that has a name, in the order of the search.
pub fn list(context: &Context) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    let mut installed = Vec::new();
    for folder in &context.search {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut paths: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
        paths.sort();
        for path in paths {
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let asked = Source::built_in("the list of profiles");
            let text = open(&path, 0, &asked, context).map(|found| found.map(|found| found.text));
            let description = match text {
                Ok(Some(text)) => {
                    installed.extend(shipped::name_of(&text));
                    description(&text)
                }
                Ok(None) => continue,
                Err(error) => format!("({})", error.message),
            };
            push(&mut all, name, description, path.display().to_string());
        }
    }
    // What a package installed byte for byte is the same profile, not a second one.
    for (name, text) in shipped::PROFILES.iter().filter(|(name, _)| !installed.contains(name)) {
        push(&mut all, name, description(text), "built in".into());
    }
    all
}

fn push(all: &mut Vec<Listed>, name: &str, description: String, place: String) {
    let shadowed = all.iter().any(|listed| listed.name == name);
    all.push(Listed { name: name.to_owned(), description, place, shadowed });
}

fn description(text: &str) -> String {
    super::load::description(text)
        .unwrap_or_else(|| "(has errors; `aisandbox profile validate` names them)".into())
}
