//! One `filesystem` entry: from keys as written to a place in the view, variables replaced.
//!
//! Never looks at the host: whether a path exists is for `plan` to find out.

use super::ask;
use super::context::{Context, Unexpanded};
use super::decode::At;
use super::lint;
use super::protect;
use super::written_entry::{AccessWord, EntryKeys};
use crate::base::{HostPath, InnerPath, PathError, Source};
use crate::profile::{Access, FsEntry, ProfileError, Protect};

/// Makes the entry, or says everything that is wrong with it.
pub(super) fn read(keys: At<EntryKeys>, context: &Context) -> Result<FsEntry, Vec<ProfileError>> {
    let At { value: mut keys, asked } = keys;
    let mut errors = Vec::new();
    let (Some(path), Some(access)) = (keys.path.take(), keys.access.clone()) else {
        return Err(errors); // the decoder has said what is missing
    };
    errors.extend(senseless(&keys, access.value));
    let noexec = keys.noexec.as_ref().is_some_and(|noexec| noexec.value);
    let optional = keys.optional.take().is_some_and(|optional| optional.value);
    let protect = keep(protected(keys.protect.take()), &mut errors).unwrap_or_default();
    let source = keys.source.take().and_then(|source| keep(host_path(&source, context), &mut errors));
    let inner = keep(inner_path(&path, context), &mut errors);
    if let Some(inner) = &inner {
        errors.extend(lint::entry(&path, inner, access.value, context));
    }
    let access = keep(what(keys, &access, context), &mut errors);
    match (inner, access) {
        (Some(path), Some(access)) if errors.is_empty() => {
            Ok(FsEntry { path, source, access, optional, noexec, protect, asked })
        }
        _ => Err(errors),
    }
}

fn keep<T>(made: Result<T, Vec<ProfileError>>, errors: &mut Vec<ProfileError>) -> Option<T> {
    made.map_err(|wrong| errors.extend(wrong)).ok()
}

/// Keys that mean nothing for this access: whoever wrote one expects something that will not happen.
fn senseless(keys: &EntryKeys, access: AccessWord) -> Vec<ProfileError> {
    use AccessWord::{Ask, Dev, File, Mask, Ro, Rw, Stage, Symlink, Tmpfs};
    fn place<T>(key: &Option<At<T>>) -> Option<&Source> {
        key.as_ref().map(|at| &at.asked)
    }
    let rows: [(&str, Option<&Source>, &[AccessWord]); 16] = [
        ("source", place(&keys.source), &[Ro, Rw, Dev, Stage, Ask]),
        ("size", place(&keys.size), &[Tmpfs]),
        ("mode", place(&keys.mode), &[Tmpfs]),
        ("content", place(&keys.content), &[File]),
        ("target", place(&keys.target), &[Symlink]),
        ("actions", place(&keys.actions), &[Ask]),
        ("lease", place(&keys.lease), &[Ask]),
        ("uses", place(&keys.uses), &[Ask]),
        ("bytes", place(&keys.bytes), &[Ask]),
        ("transform", place(&keys.transform), &[Ask]),
        ("rules", place(&keys.rules), &[Ask]),
        ("programs", place(&keys.programs), &[Ask]),
        ("on_revoke", place(&keys.on_revoke), &[Ask]),
        ("revocable", place(&keys.revocable), &[Ask]),
        ("optional", place(&keys.optional), &[Ro, Rw, Dev, Stage, Ask, Mask]),
        ("noexec", place(&keys.noexec), &[Ro, Rw, Tmpfs, Stage, Ask]),
    ];
    let protect = ("protect", place(&keys.protect), &[Rw, Stage] as &[AccessWord]);
    let wrong = rows.into_iter().chain([protect]).filter(|(_, _, sensible)| !sensible.contains(&access));
    wrong
        .filter_map(|(key, asked, sensible)| {
            let asked = asked?.clone();
            let message = format!("`{key}` means nothing with `access: {}`", word(access));
            let known: Vec<&str> = sensible.iter().map(|access| word(*access)).collect();
            Some(ProfileError::new(asked, message).hint(format!("it is for {}", known.join(", "))))
        })
        .collect()
}

fn word(access: AccessWord) -> &'static str {
    AccessWord::WORDS.iter().find(|(_, other)| *other == access).map_or("?", |(word, _)| word)
}

fn what(keys: EntryKeys, access: &At<AccessWord>, context: &Context) -> Result<Access, Vec<ProfileError>> {
    Ok(match access.value {
        AccessWord::Ro => Access::Ro,
        AccessWord::Rw => Access::Rw,
        AccessWord::Dev => Access::Dev,
        AccessWord::Stage => Access::Stage,
        AccessWord::Dir => Access::Dir,
        AccessWord::Mask => Access::Mask,
        AccessWord::DevFs => Access::DevFs,
        AccessWord::Proc => Access::Proc,
        AccessWord::Tmpfs => Access::Tmpfs {
            size_bytes: keys.size.map(|size| size.value.0),
            mode: keys.mode.map(|mode| mode.value.0),
        },
        AccessWord::File => {
            let content =
                keys.content.ok_or_else(|| missing(&access.asked, "content", "\"\" makes an empty file"))?;
            Access::File { content: content.value.into_bytes() }
        }
        AccessWord::Symlink => {
            let target =
                keys.target.ok_or_else(|| missing(&access.asked, "target", "say where the link leads"))?;
            Access::Symlink { target: link_target(&target, context)? }
        }
        AccessWord::Ask => Access::Ask(ask::read(keys, &access.asked)?),
    })
}

/// A key that must be there.
pub(super) fn missing(asked: &Source, key: &str, hint: &str) -> Vec<ProfileError> {
    vec![ProfileError::new(asked.clone(), format!("`{key}` is missing")).hint(hint)]
}

fn link_target(target: &At<String>, context: &Context) -> Result<String, Vec<ProfileError>> {
    let text = expand(target, context)?;
    if text.is_empty() || text.len() > 4095 || text.contains(char::is_control) {
        let message = "the target is empty, too long or holds a control character";
        return Err(vec![ProfileError::new(target.asked.clone(), message)]);
    }
    Ok(text)
}

fn protected(words: Option<At<Vec<At<String>>>>) -> Result<Vec<Protect>, Vec<ProfileError>> {
    let mut protects: Vec<Protect> = Vec::new();
    let mut errors = Vec::new();
    for word in words.into_iter().flat_map(|words| words.value) {
        match protect::read(&word.value) {
            Ok(more) => grow(&mut protects, more),
            Err((message, hint)) => errors.push(ProfileError { asked: word.asked, message, hint }),
        }
    }
    if errors.is_empty() { Ok(protects) } else { Err(errors) }
}

/// Adds what is not there yet. A path once protected whole is never protected as a name only.
pub(super) fn grow(protects: &mut Vec<Protect>, more: Vec<Protect>) {
    for protect in more {
        match protects.iter_mut().find(|known| known.path == protect.path) {
            Some(known) => known.name_only &= protect.name_only,
            None => protects.push(protect),
        }
    }
}

/// An inner path, its variables replaced.
pub(super) fn inner_path(path: &At<String>, context: &Context) -> Result<InnerPath, Vec<ProfileError>> {
    InnerPath::new(expand(path, context)?).map_err(|error| vec![no_path(path, &error)])
}

/// A host path, its variables replaced.
pub(super) fn host_path(path: &At<String>, context: &Context) -> Result<HostPath, Vec<ProfileError>> {
    HostPath::new(expand(path, context)?).map_err(|error| vec![no_path(path, &error)])
}

fn no_path(path: &At<String>, error: &PathError) -> ProfileError {
    let hint = "write an absolute path, `~/…`, or one that begins with a variable such as $PWD";
    ProfileError::new(path.asked.clone(), format!("`{}` {error}", path.value)).hint(hint)
}

/// The text with its variables replaced; the error points at the line.
pub(super) fn expand(text: &At<String>, context: &Context) -> Result<String, Vec<ProfileError>> {
    context.expand(&text.value).map_err(|Unexpanded { message, hint }| {
        vec![ProfileError { asked: text.asked.clone(), message, hint }]
    })
}
