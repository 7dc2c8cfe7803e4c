//! Protected places of one writable folder: which exist and get a mount, and which names must stay free.
//!
//! Looks at each component of a pattern once. Never creates anything: a name that does not exist is given to the
//! guard (`launch::guard`), which refuses to make it.

use crate::base::{HostPath, InnerPath, Source};
use crate::host::{Kind, Object, Tree};
use crate::profile::Protect;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// A protected name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The deepest folder on the way that exists, seen from inside.
    pub folder: InnerPath,
    /// The components from there, such as `.vscode/tasks.json`.
    pub rest: String,
    /// The pattern as written, for messages.
    pub pattern: String,
    /// Who asked for the folder's protection.
    pub asked: Source,
}

/// What was found below one folder. Paths are relative to it.
#[derive(Debug, Default)]
pub struct Places {
    /// What gets a mount on itself: the flag says read-only; a folder without it is pinned (it cannot be renamed or
    /// removed while something protected is below it: rename(2) gives EBUSY for a mount point).
    pub mounts: Vec<(PathBuf, Object, bool)>,
    /// Existing folder, missing components, pattern.
    pub missing: Vec<(PathBuf, String, String)>,
    seen: BTreeSet<PathBuf>,
}

impl Places {
    /// Walks every pattern below `base`, the canonical path of a writable folder.
    pub fn find(patterns: &[Protect], base: &HostPath, tree: &dyn Tree) -> Self {
        let mut places = Self::default();
        for pattern in patterns {
            places.walk(pattern, base, tree);
        }
        places.mounts.sort_by(|a, b| a.0.components().cmp(b.0.components()));
        places
    }

    fn walk(&mut self, pattern: &Protect, base: &HostPath, tree: &dyn Tree) {
        let mut at = PathBuf::new();
        let parts: Vec<&str> = pattern.path.split('/').filter(|part| !part.is_empty()).collect();
        for (place, part) in parts.iter().enumerate() {
            let rest = || parts.get(place..).unwrap_or_default().join("/");
            let here = at.join(part);
            let Ok(host) = base.join(&here) else { return };
            let last = place + 1 == parts.len();
            match tree.open(&host, false).map(|object| (object.kind, object)) {
                Err(_) => return self.miss(&at, rest(), pattern),
                Ok((Kind::Symlink, _)) => {
                    let behind = parts.get(place + 1..).unwrap_or_default();
                    let Some(inside) = self.follow(&at, part, behind, pattern, base, tree) else { return };
                    at = inside;
                    if last {
                        let Ok(end) =
                            base.join(&at).map_err(drop).and_then(|end| tree.open(&end, false).map_err(drop))
                        else {
                            return;
                        };
                        self.end(at, end, pattern);
                        return;
                    }
                }
                Ok((_, object)) if last => return self.end(here, object, pattern),
                Ok((Kind::Folder, object)) => {
                    self.mount(here.clone(), object, false);
                    at = here;
                }
                Ok(_) => return self.miss(&at, rest(), pattern),
            }
        }
    }

    /// Where a link ends, relative to `base`, if that is inside it. Every link of the chain is kept from being
    /// replaced by its name, and every folder on the way is pinned: what could be moved off could be made again,
    /// unguarded. The first name that is missing is guarded with all behind it.
    fn follow(
        &mut self,
        from: &Path,
        link: &str,
        behind: &[&str],
        pattern: &Protect,
        base: &HostPath,
        tree: &dyn Tree,
    ) -> Option<PathBuf> {
        let mut at = from.to_path_buf();
        let mut left = vec![PathBuf::from(link)];
        for _ in 0..MAX_STEPS {
            let Some(part) = left.pop() else { return Some(at) };
            if part.as_os_str() == ".." {
                if !at.pop() {
                    return None;
                }
                continue;
            }
            let here = at.join(&part);
            let host = base.join(&here).ok()?;
            match tree.open(&host, false).map(|object| (object.kind, object)) {
                Err(_) => {
                    let mut rest = part;
                    rest.extend(left.iter().rev());
                    rest.extend(behind);
                    self.miss(&at, rest.to_str()?.to_owned(), pattern);
                    return None;
                }
                Ok((Kind::Symlink, _)) => {
                    self.miss(&at, part.to_str()?.to_owned(), pattern);
                    let text = tree.read_link(&host).ok()?;
                    if text.is_absolute() {
                        at = PathBuf::new();
                    }
                    left.extend(components(&below(&text, base, tree)?));
                }
                Ok((Kind::Folder, object)) => {
                    self.mount(here.clone(), object, false);
                    at = here;
                }
                Ok(_) => at = here,
            }
        }
        None
    }

    fn end(&mut self, at: PathBuf, object: Object, pattern: &Protect) {
        let read_only = !(pattern.name_only && matches!(object.kind, Kind::Folder));
        self.mount(at, object, read_only);
    }

    fn mount(&mut self, at: PathBuf, object: Object, read_only: bool) {
        if self.seen.insert(at.clone()) {
            self.mounts.push((at, object, read_only));
        } else if read_only && let Some(known) = self.mounts.iter_mut().find(|known| known.0 == at) {
            known.2 = true;
        }
    }

    fn miss(&mut self, at: &Path, rest: String, pattern: &Protect) {
        self.missing.push((at.to_path_buf(), rest, pattern.path.clone()));
    }
}

/// Steps of a chain of links before it counts as a loop.
const MAX_STEPS: usize = 256;

/// The text of a link, relative to `base` when it was absolute; `None` when that leads outside.
fn below(text: &Path, base: &HostPath, tree: &dyn Tree) -> Option<PathBuf> {
    if text.is_relative() {
        return Some(text.to_path_buf());
    }
    if let Ok(rest) = text.strip_prefix(base.as_path()) {
        return Some(rest.to_path_buf());
    }
    let end = tree.open(&HostPath::new(text).ok()?, true).ok()?.canonical;
    end.as_path().strip_prefix(base.as_path()).ok().map(Path::to_path_buf)
}

/// The components of a link's text, last first.
fn components(text: &Path) -> Vec<PathBuf> {
    let wanted = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    text.components().rev().filter(wanted).map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FakeTree;

    #[test]
    fn every_folder_on_the_way_to_the_end_of_a_link_is_pinned() {
        let tree = FakeTree::new().with("/w/x/gitdir", Kind::Folder).with_link("/w/.git", "x/gitdir");
        let hooks = Protect { path: ".git/hooks".into(), name_only: false, group: None };
        let places = Places::find(&[hooks], &HostPath::new("/w").unwrap(), &tree);
        let pinned: Vec<(&Path, bool)> =
            places.mounts.iter().map(|(at, _, locked)| (at.as_path(), *locked)).collect();
        assert_eq!(pinned, [(Path::new("x"), false), (Path::new("x/gitdir"), false)]);
        let missing: Vec<(&Path, &str)> =
            places.missing.iter().map(|(at, rest, _)| (at.as_path(), rest.as_str())).collect();
        assert_eq!(missing, [(Path::new(""), ".git"), (Path::new("x/gitdir"), "hooks")]);
    }

    #[test]
    fn every_link_of_a_chain_is_kept_and_a_missing_end_is_guarded() {
        let tree = FakeTree::new().with_link("/w/.git", "l").with_link("/w/l", "./gone/git");
        let hooks = Protect { path: ".git/hooks".into(), name_only: false, group: None };
        let places = Places::find(&[hooks], &HostPath::new("/w").unwrap(), &tree);
        let missing: Vec<&str> = places.missing.iter().map(|(_, rest, _)| rest.as_str()).collect();
        assert_eq!(missing, [".git", "l", "gone/git/hooks"]);
    }
}
