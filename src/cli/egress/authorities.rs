//! Where the files lie by which programs inside know their authorities: the distribution's, and those of Python and Java.
//!
//! Never names a place that a program inside could change, and none that is reached through a link: what lies there is the
//! machine's, and a file over it takes nothing from the agent's own folders.

use crate::base::InnerPath;
use crate::host::bundles::BUNDLES;
use crate::plan::trust::{BROUGHT, CERTIFI, Places, STORES};
use crate::profile::{Access, FsEntry};
use std::fs;
use std::path::{Path, PathBuf};

/// The most files of one kind: each is a mount.
const MOST: usize = 32;

/// What is there, of this view.
pub(super) fn find(view: &[FsEntry], home: &Path) -> Places {
    let system = BUNDLES.iter().filter_map(|path| real(Path::new(path))).collect();
    let brought = BROUGHT.iter().flat_map(|folder| matching(&format!("{folder}/{CERTIFI}"), home));
    let stores = STORES.iter().flat_map(|path| matching(path, home));
    let shown = |path: &InnerPath| is_shown(path, view);
    Places {
        system,
        brought: brought.filter(shown).take(MOST).collect(),
        stores: stores.filter(shown).take(MOST).collect(),
    }
}

/// The path, when it is the file's own. A link would lead to another of them, or to a place that the view may not have.
fn real(path: &Path) -> Option<InnerPath> {
    let own = fs::canonicalize(path).is_ok_and(|real| real == path) && path.is_file();
    if own { InnerPath::new(path).ok() } else { None }
}

/// Whether the view has the host's file there, read-only.
fn is_shown(path: &InnerPath, view: &[FsEntry]) -> bool {
    let above = view.iter().filter(|entry| entry.path.contains(path));
    let nearest = above.max_by_key(|entry| entry.path.as_path().components().count());
    nearest.is_some_and(|entry| entry.access == Access::Ro && entry.source.is_none())
}

/// Files that a pattern names: `~` at its beginning is the home, `*` in a name any part of it.
fn matching(pattern: &str, home: &Path) -> Vec<InnerPath> {
    let (mut found, rest) = match pattern.strip_prefix("~/") {
        Some(rest) => (vec![home.to_owned()], rest),
        None => (vec![PathBuf::from("/")], pattern.trim_start_matches('/')),
    };
    for name in rest.split('/') {
        found = match name.split_once('*') {
            None => found.into_iter().map(|folder| folder.join(name)).collect(),
            Some((begin, end)) => found.iter().flat_map(|folder| named(folder, begin, end)).collect(),
        };
    }
    found.iter().filter_map(|path| real(path)).collect()
}

/// What a folder holds whose name begins and ends so, sorted.
fn named(folder: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let fits = |name: &String| name.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end));
    let mut names: Vec<String> = names.filter(fits).collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::view::door_source;

    fn entry(path: &Path, access: Access) -> FsEntry {
        FsEntry::plain(InnerPath::new(path).unwrap(), access, door_source())
    }

    #[test]
    fn files_of_read_only_places_are_found_and_no_others() {
        let home = std::env::temp_dir().canonicalize().unwrap();
        let home = home.join(format!("aisandbox-authorities-{}", std::process::id()));
        let make = |path: &str| {
            fs::create_dir_all(home.join(path).parent().unwrap()).unwrap();
            fs::write(home.join(path), "").unwrap();
        };
        let (shown, linked) = (".pyenv/versions/3.13.1", ".pyenv/versions/3.13");
        for python in [shown, ".pyenv/versions/3.12.0", ".asdf/installs/python/3.9"] {
            make(&format!("{python}/lib/python3.x/site-packages/certifi/cacert.pem"));
        }
        std::os::unix::fs::symlink(home.join(shown), home.join(linked)).unwrap();
        make(".sdkman/candidates/java/21/lib/security/cacerts");
        make(".sdkman/candidates/java/21/lib/security/blocked.certs");
        let at = |path: &str| home.join(path);
        let view = [
            entry(&home, Access::Tmpfs { size_bytes: None, mode: None }),
            entry(&at(".pyenv"), Access::Ro),
            entry(&at(".pyenv/versions/3.12.0"), Access::Rw),
            entry(&at(".sdkman"), Access::Ro),
        ];
        let found = find(&view, &home);
        let below = |found: &[InnerPath]| -> Vec<String> {
            let own = found.iter().filter_map(|path| path.as_path().strip_prefix(&home).ok());
            own.map(|path| path.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            below(&found.brought),
            [format!("{shown}/lib/python3.x/site-packages/certifi/cacert.pem")]
        );
        assert_eq!(below(&found.stores), [".sdkman/candidates/java/21/lib/security/cacerts"]);
        fs::remove_dir_all(&home).unwrap();
    }
}
