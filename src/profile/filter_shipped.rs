//! Where filter files are: compiled into this program, installed by a package, or written by an administrator.
//!
//! Never judges a file by where it lies: whoever chooses the profile chooses the filter.

use super::filter_decode::decode;
use super::filter_file::{FilterFile, FilterRule};
use super::{Named, ProfileError};
use crate::base::Source;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A filter that is compiled into this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippedFilter {
    /// Its name.
    pub name: &'static str,
    /// Its file of seccomp/.
    pub text: &'static str,
    /// The filter it extends.
    pub extends: Option<&'static str>,
}

/// The shipped filters.
pub const SHIPPED_FILTERS: &[ShippedFilter] = &[
    ShippedFilter { name: "agent", text: include_str!("../../seccomp/agent.yaml"), extends: None },
    ShippedFilter { name: "strict", text: include_str!("../../seccomp/strict.yaml"), extends: Some("agent") },
];

/// Where a plain name is looked for, before the shipped filters.
const FOLDERS: &[&str] = &["/etc/aisandbox/seccomp", "/usr/share/aisandbox/seccomp"];
/// The most bytes a filter file may have.
const MAX_BYTES: u64 = 1 << 20;
/// The most files `extends` may chain.
const MAX_CHAIN: usize = 8;

/// The text of a filter file, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSource {
    /// What errors call it: `agent.yaml`, or the path of the file.
    pub name: String,
    /// What it says.
    pub text: Cow<'static, str>,
    /// The shipped filter it is, byte for byte with all it extends, wherever it was found. `plan` knows the
    /// instructions of those without reading them.
    pub shipped: Option<&'static str>,
}

/// Finds a filter: a reference with a slash is a path; a plain name is looked for in /etc/aisandbox/seccomp and
/// /usr/share/aisandbox/seccomp, and then among the shipped ones.
/// # Errors
/// When there is no such filter, or its file cannot be read.
pub fn find_filter(reference: &Named) -> Result<FilterSource, ProfileError> {
    let source = find_in(reference, FOLDERS)?;
    Ok(FilterSource { shipped: source.shipped.filter(|name| parents_are_shipped(name, FOLDERS)), ..source })
}

/// Finds a filter and reads it with all it extends.
/// # Errors
/// Everything that is wrong with the first file that has errors.
pub fn load_filter(reference: &Named) -> Result<FilterFile, Vec<ProfileError>> {
    load_in(reference, FOLDERS)
}

/// Reads a filter that was found, with all it extends.
/// # Errors
/// Everything that is wrong with the first file that has errors.
pub fn read_filter(name: &str, source: &FilterSource) -> Result<FilterFile, Vec<ProfileError>> {
    merge(name, source, FOLDERS, 1)
}

fn load_in(reference: &Named, folders: &[&str]) -> Result<FilterFile, Vec<ProfileError>> {
    let source = find_in(reference, folders).map_err(|error| vec![error])?;
    merge(&reference.value, &source, folders, 1)
}

/// An administrator's own `agent` changes what the shipped `strict` extends.
fn parents_are_shipped(name: &str, folders: &[&str]) -> bool {
    let Some(shipped) = SHIPPED_FILTERS.iter().find(|shipped| shipped.name == name) else { return false };
    let Some(parent) = shipped.extends else { return true };
    let reference =
        Named { value: parent.to_owned(), asked: Source::built_in("the parent of a shipped filter") };
    let same = find_in(&reference, folders).is_ok_and(|source| source.shipped == Some(parent));
    same && parents_are_shipped(parent, folders)
}

/// A rule of the child takes the place of every rule the parent has for the same call.
fn merge(
    name: &str,
    source: &FilterSource,
    folders: &[&str],
    depth: usize,
) -> Result<FilterFile, Vec<ProfileError>> {
    let child = decode(&source.name, &source.text)?;
    let mut file = FilterFile {
        name: name.to_owned(),
        description: child.description,
        default: child.default,
        rules: Vec::new(),
    };
    if let Some(extends) = &child.extends {
        let parent = parent(extends, folders, depth)?;
        file.rules = parent.rules.into_iter().filter_map(|rule| without(rule, &child.rules)).collect();
    }
    file.rules.extend(child.rules);
    Ok(file)
}

fn parent(extends: &Named, folders: &[&str], depth: usize) -> Result<FilterFile, Vec<ProfileError>> {
    if depth >= MAX_CHAIN {
        let error =
            ProfileError::new(extends.asked.clone(), format!("`extends` chains more than {MAX_CHAIN} files"));
        return Err(vec![error.hint("does a filter extend itself?")]);
    }
    let source = find_in(extends, folders).map_err(|error| vec![error])?;
    merge(&extends.value, &source, folders, depth + 1)
}

fn without(mut rule: FilterRule, replaced: &[FilterRule]) -> Option<FilterRule> {
    rule.calls.retain(|call| !replaced.iter().any(|other| other.calls.contains(call)));
    (!rule.calls.is_empty()).then_some(rule)
}

fn find_in(reference: &Named, folders: &[&str]) -> Result<FilterSource, ProfileError> {
    let name = reference.value.as_str();
    if name.contains('/') {
        return read(Path::new(name)).map_err(|error| unreadable(reference, Path::new(name), &error));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || !name.chars().all(plain) {
        let error = ProfileError::new(reference.asked.clone(), format!("`{name}` is no name of a filter"));
        return Err(error.hint("a name has letters, digits, `-` and `_`; a path has a slash"));
    }
    for folder in folders {
        let path = PathBuf::from(format!("{folder}/{name}.yaml"));
        match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map_err(|error| unreadable(reference, &path, &error)),
        }
    }
    let shipped = SHIPPED_FILTERS.iter().find(|shipped| shipped.name == name);
    let ShippedFilter { name, text, .. } = shipped.ok_or_else(|| missing(reference, folders))?;
    Ok(FilterSource { name: format!("{name}.yaml"), text: Cow::Borrowed(text), shipped: Some(name) })
}

fn read(path: &Path) -> io::Result<FilterSource> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(io::Error::other("longer than 1 MiB"));
    }
    let shipped = SHIPPED_FILTERS.iter().find(|shipped| shipped.text == text).map(|shipped| shipped.name);
    Ok(FilterSource { name: path.to_string_lossy().into_owned(), text: Cow::Owned(text), shipped })
}

fn unreadable(reference: &Named, path: &Path, error: &io::Error) -> ProfileError {
    let message = format!("read filter {}: {error}", path.display());
    ProfileError::new(reference.asked.clone(), message)
}

fn missing(reference: &Named, folders: &[&str]) -> ProfileError {
    let shipped: Vec<&str> = SHIPPED_FILTERS.iter().map(|shipped| shipped.name).collect();
    let message = format!("there is no filter `{}` in {}", reference.value, folders.join(", "));
    ProfileError::new(reference.asked.clone(), message)
        .hint(format!("shipped: {}; a path has a slash", shipped.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(value: &str) -> Named {
        Named { value: value.to_owned(), asked: Source::line("cowork.yaml", 9) }
    }

    #[test]
    fn the_table_says_what_the_shipped_files_extend() {
        for shipped in SHIPPED_FILTERS {
            let decoded = decode(shipped.name, shipped.text).unwrap();
            assert_eq!(decoded.extends.map(|parent| parent.value).as_deref(), shipped.extends);
        }
    }

    #[test]
    fn an_administrators_filter_comes_before_the_shipped_one_and_changes_what_extends_it() {
        let folder = std::env::temp_dir().join(format!("aisandbox-filters-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let folders = [folder.to_str().unwrap()];
        assert!(parents_are_shipped("strict", &folders));
        std::fs::write(folder.join("agent.yaml"), SHIPPED_FILTERS[0].text).unwrap();
        assert_eq!(find_in(&named("agent"), &folders).unwrap().shipped, Some("agent"));
        assert!(parents_are_shipped("strict", &folders));
        let own = "version: 1\ndefault: ENOSYS\nrules: [{calls: [read], action: kill, comment: none}]\n";
        std::fs::write(folder.join("agent.yaml"), own).unwrap();
        assert_eq!(find_in(&named("agent"), &folders).unwrap().shipped, None);
        assert!(!parents_are_shipped("strict", &folders));
        assert_eq!(load_in(&named("agent"), &folders).unwrap().rules.len(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_filter_that_is_not_there_names_who_asked_and_what_there_is() {
        let error = find_in(&named("agnet"), &["/nowhere"]).unwrap_err().to_string();
        assert!(error.starts_with("cowork.yaml:9: there is no filter `agnet`"), "{error}");
        assert!(error.contains("shipped: agent, strict"), "{error}");
        assert!(find_in(&named("../etc"), &[]).unwrap_err().to_string().contains("read filter ../etc"));
        assert!(find_in(&named(".."), &["/"]).unwrap_err().to_string().contains("no name of a filter"));
        assert!(find_in(&named("/dev/null"), &[]).unwrap_err().to_string().contains("not a regular file"));
    }

    #[test]
    fn a_filter_that_extends_itself_is_an_error() {
        let folder = std::env::temp_dir().join(format!("aisandbox-loop-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let own = "version: 1\nextends: own\ndefault: ENOSYS\nrules: [{calls: [read], action: allow, comment: none}]\n";
        std::fs::write(folder.join("own.yaml"), own).unwrap();
        let errors = load_in(&named("own"), &[folder.to_str().unwrap()]).unwrap_err();
        assert!(errors[0].to_string().contains("more than 8 files"), "{errors:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
