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

/// A filter that is compiled into this program, text and instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShippedFilter {
    /// seccomp/agent.yaml.
    Agent,
    /// seccomp/strict.yaml.
    Strict,
}

impl ShippedFilter {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Agent, Self::Strict];

    /// The name profiles use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Strict => "strict",
        }
    }

    /// The file's text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Agent => include_str!("../../seccomp/agent.yaml"),
            Self::Strict => include_str!("../../seccomp/strict.yaml"),
        }
    }

    /// The filter it extends.
    pub const fn extends(self) -> Option<Self> {
        match self {
            Self::Agent => None,
            Self::Strict => Some(Self::Agent),
        }
    }

    /// What it says, read from the text in this program.
    /// # Errors
    /// Never for the files that are shipped; a test reads them.
    pub fn file(self) -> Result<FilterFile, Vec<ProfileError>> {
        Ok(finish(self.name(), texts_of(self))?.0)
    }
}

/// A filter of our own processes, which no profile can name: these texts put together, parents first.
/// # Errors
/// Everything that is wrong with one of them.
pub fn own_filter(name: &str, texts: &[&'static str]) -> Result<FilterFile, Vec<ProfileError>> {
    let text = |text: &&'static str| FilterText { name: name.to_owned(), text: Cow::Borrowed(*text) };
    Ok(finish(name, texts.iter().map(text).collect())?.0)
}

/// A filter file, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFilter {
    /// Every file that went in, parents first.
    pub texts: Vec<FilterText>,
    /// What they say together.
    pub content: FilterContent,
}

/// One file a filter was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterText {
    /// As errors call it: `agent.yaml`, or the path of the file.
    pub name: String,
    /// What it says.
    pub text: Cow<'static, str>,
}

/// What a filter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterContent {
    /// A shipped filter, byte for byte with all it extends, wherever it was found. It is not read: `plan` has its
    /// instructions.
    Shipped(ShippedFilter),
    /// Any other.
    Own(FilterFile),
}

impl FoundFilter {
    /// The rules, for those who explain them.
    /// # Errors
    /// Never for what [`find_filter`] found.
    pub fn file(&self) -> Result<Cow<'_, FilterFile>, Vec<ProfileError>> {
        match &self.content {
            FilterContent::Shipped(shipped) => shipped.file().map(Cow::Owned),
            FilterContent::Own(file) => Ok(Cow::Borrowed(file)),
        }
    }
}

/// Where a plain name is looked for, before the shipped filters.
const FOLDERS: &[&str] = &["/etc/aisandbox/seccomp", "/usr/share/aisandbox/seccomp"];
/// The most bytes a filter file may have.
const MAX_BYTES: u64 = 1 << 20;
/// The most files `extends` may chain.
const MAX_CHAIN: usize = 8;

/// Finds a filter and reads it with all it extends. A reference with a slash is a path; a plain name is looked for in
/// /etc/aisandbox/seccomp and /usr/share/aisandbox/seccomp, and then among the shipped ones.
/// # Errors
/// When there is no such filter, its file cannot be read, or everything that is wrong with what a file says.
pub fn find_filter(reference: &Named) -> Result<FoundFilter, Vec<ProfileError>> {
    find_in(reference, FOLDERS)
}

fn find_in(reference: &Named, folders: &[&str]) -> Result<FoundFilter, Vec<ProfileError>> {
    let first = text_in(reference, folders).map_err(|error| vec![error])?;
    if let Some(shipped) = shipped_whole(&first, folders) {
        let mut texts = texts_of(shipped);
        texts.pop();
        texts.push(first);
        return Ok(FoundFilter { texts, content: FilterContent::Shipped(shipped) });
    }
    let texts = chain(first, folders)?;
    let (file, texts) = finish(&reference.value, texts)?;
    Ok(FoundFilter { texts, content: FilterContent::Own(file) })
}

/// The shipped filter that this text is, when what it extends is found to be the shipped one too: an administrator's
/// own `agent` changes what the shipped `strict` says.
fn shipped_whole(text: &FilterText, folders: &[&str]) -> Option<ShippedFilter> {
    let shipped = ShippedFilter::ALL.into_iter().find(|shipped| shipped.text() == text.text)?;
    let Some(parent) = shipped.extends() else { return Some(shipped) };
    let reference = Named { value: parent.name().to_owned(), asked: Source::line(text.name.as_str(), 1) };
    let found = text_in(&reference, folders).ok()?;
    (shipped_whole(&found, folders) == Some(parent)).then_some(shipped)
}

/// The texts of a shipped filter, parents first.
fn texts_of(shipped: ShippedFilter) -> Vec<FilterText> {
    let mut texts = shipped.extends().map(texts_of).unwrap_or_default();
    texts.push(FilterText { name: format!("{}.yaml", shipped.name()), text: Cow::Borrowed(shipped.text()) });
    texts
}

/// The file and all it extends, parents first.
fn chain(first: FilterText, folders: &[&str]) -> Result<Vec<FilterText>, Vec<ProfileError>> {
    let mut texts = vec![first];
    while let Some(extends) =
        texts.first().map(|text| decode(&text.name, &text.text)).transpose()?.and_then(|file| file.extends)
    {
        if texts.len() >= MAX_CHAIN {
            let error =
                ProfileError::new(extends.asked, format!("`extends` chains more than {MAX_CHAIN} files"));
            return Err(vec![error.hint("does a filter extend itself?")]);
        }
        texts.insert(0, text_in(&extends, folders).map_err(|error| vec![error])?);
    }
    Ok(texts)
}

/// Puts the files together. A child's rule takes the place of every rule its parents have for the same call.
fn finish(name: &str, texts: Vec<FilterText>) -> Result<(FilterFile, Vec<FilterText>), Vec<ProfileError>> {
    let mut rules: Vec<FilterRule> = Vec::new();
    let mut last = None;
    for text in &texts {
        let file = decode(&text.name, &text.text)?;
        rules = rules.into_iter().filter_map(|rule| without(rule, &file.rules)).collect();
        rules.extend(file.rules);
        last = Some((file.description, file.default));
    }
    let (description, default) = last.ok_or_else(Vec::new)?;
    Ok((FilterFile { name: name.to_owned(), description, default, rules }, texts))
}

fn without(mut rule: FilterRule, replaced: &[FilterRule]) -> Option<FilterRule> {
    rule.calls.retain(|call| !replaced.iter().any(|other| other.calls.contains(call)));
    (!rule.calls.is_empty()).then_some(rule)
}

fn text_in(reference: &Named, folders: &[&str]) -> Result<FilterText, ProfileError> {
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
    let shipped = ShippedFilter::ALL.into_iter().find(|shipped| shipped.name() == name);
    let shipped = shipped.ok_or_else(|| missing(reference, folders))?;
    Ok(FilterText { name: format!("{name}.yaml"), text: Cow::Borrowed(shipped.text()) })
}

fn read(path: &Path) -> io::Result<FilterText> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(io::Error::other("longer than 1 MiB"));
    }
    Ok(FilterText { name: path.to_string_lossy().into_owned(), text: Cow::Owned(text) })
}

fn unreadable(reference: &Named, path: &Path, error: &io::Error) -> ProfileError {
    let message = format!("read filter {}: {error}", path.display());
    ProfileError::new(reference.asked.clone(), message)
}

fn missing(reference: &Named, folders: &[&str]) -> ProfileError {
    let shipped = ShippedFilter::ALL.map(ShippedFilter::name);
    let message = format!("there is no filter `{}` in {}", reference.value, folders.join(", "));
    ProfileError::new(reference.asked.clone(), message)
        .hint(format!("shipped: {}; a path has a slash", shipped.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::filter_file::FilterAction;
    use super::*;

    fn named(value: &str) -> Named {
        Named { value: value.to_owned(), asked: Source::line("cowork.yaml", 9) }
    }

    #[test]
    fn the_table_says_what_the_shipped_files_extend() {
        for shipped in ShippedFilter::ALL {
            let decoded = decode(shipped.name(), shipped.text()).ok().unwrap();
            let extends = decoded.extends.map(|parent| parent.value);
            assert_eq!(extends.as_deref(), shipped.extends().map(ShippedFilter::name));
        }
    }

    #[test]
    fn an_administrators_filter_comes_before_the_shipped_one_and_changes_what_extends_it() {
        let folder = std::env::temp_dir().join(format!("aisandbox-filters-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let folders = [folder.to_str().unwrap()];
        let strict = || find_in(&named("strict"), &folders).unwrap();
        assert_eq!(strict().content, FilterContent::Shipped(ShippedFilter::Strict));
        assert_eq!(strict().texts.len(), 2);
        std::fs::write(folder.join("agent.yaml"), ShippedFilter::Agent.text()).unwrap();
        assert_eq!(strict().content, FilterContent::Shipped(ShippedFilter::Strict));
        let own = "version: 1\ndefault: ENOSYS\nrules: [{calls: [read], action: kill, comment: none}]\n";
        std::fs::write(folder.join("agent.yaml"), own).unwrap();
        let FilterContent::Own(changed) = strict().content else { panic!() };
        let shipped = ShippedFilter::Strict.file().unwrap();
        assert!(changed.rules.iter().any(|rule| rule.action == FilterAction::Kill));
        assert!(changed.rules.len() < shipped.rules.len());
        assert!(strict().texts[0].name.ends_with("/agent.yaml"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_filter_that_is_not_there_names_who_asked_and_what_there_is() {
        let error = find_in(&named("agnet"), &["/nowhere"]).unwrap_err()[0].to_string();
        assert!(error.starts_with("cowork.yaml:9: there is no filter `agnet`"), "{error}");
        assert!(error.contains("shipped: agent, strict"), "{error}");
        assert!(find_in(&named("../etc"), &[]).unwrap_err()[0].to_string().contains("read filter ../etc"));
        assert!(find_in(&named(".."), &["/"]).unwrap_err()[0].to_string().contains("no name of a filter"));
        assert!(find_in(&named("/dev/null"), &[]).unwrap_err()[0].to_string().contains("not a regular file"));
    }

    #[test]
    fn a_filter_that_extends_itself_is_an_error() {
        let folder = std::env::temp_dir().join(format!("aisandbox-loop-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let own = "version: 1\nextends: own\ndefault: ENOSYS\nrules: [{calls: [read], action: allow, comment: none}]\n";
        std::fs::write(folder.join("own.yaml"), own).unwrap();
        let errors = find_in(&named("own"), &[folder.to_str().unwrap()]).unwrap_err();
        assert!(errors[0].to_string().contains("more than 8 files"), "{errors:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
