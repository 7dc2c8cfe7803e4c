//! Protected places of one writable folder: which exist and get a mount, and which names must stay free.
//!
//! Looks at each component of a pattern once. Never takes a place for free because it could not be looked at, and never
//! creates anything: a name that does not exist is given to the guard (`launch::guard`), which refuses to make it.

use super::place::absent;
use crate::base::{HostPath, InnerPath, Source, components_from_end};
use crate::host::{Kind, Object, Tree};
use crate::profile::Protect;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

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

/// Links followed before a pattern is called a loop, as the kernel counts them (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A place that could not be looked at: it is not known whether something is there, so nothing may start.
pub type Stuck = (HostPath, io::Error);

impl Places {
    /// Walks every pattern below `base`, the canonical path of a writable folder.
    /// # Errors
    /// [`Stuck`]. A folder that may not be looked into is none: it becomes read-only as a whole.
    pub fn find(patterns: &[Protect], base: &HostPath, tree: &dyn Tree) -> Result<Self, Stuck> {
        let mut places = Self::default();
        for pattern in patterns {
            places.walk(pattern, base, tree)?;
        }
        places.mounts.sort_by(|a, b| a.0.components().cmp(b.0.components()));
        Ok(places)
    }

    fn walk(&mut self, pattern: &Protect, base: &HostPath, tree: &dyn Tree) -> Result<(), Stuck> {
        let mut at = PathBuf::new();
        let mut left = components_from_end(Path::new(&pattern.path));
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                // No link is on the way to here, so the folder above is the one the text names.
                if at.pop() {
                    continue;
                }
                return Ok(());
            }
            let Ok(host) = base.join(at.join(&part)) else { return Ok(()) };
            let object = match look(tree, &host) {
                Ok(object) => object,
                Err(error) if absent(&error) => {
                    return self.miss(&at, rest(&part, &left), pattern, &host);
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.close(&at) => {
                    return Ok(());
                }
                Err(error) => return Err((host, error)),
            };
            let here = at.join(object.canonical.file_name().unwrap_or(&part));
            match object.kind {
                Kind::Symlink => {
                    // The link is kept from being replaced by its name; what it leads to is protected as well.
                    self.miss(&at, part, pattern, &host)?;
                    links += 1;
                    let target = tree.read_link(&host).map_err(|error| (host.clone(), error))?;
                    let Some(below) = below(&target, &host, base, tree).filter(|_| links <= MAX_LINKS) else {
                        return Ok(());
                    };
                    if target.is_absolute() {
                        at.clear();
                    }
                    left.extend(components_from_end(&below));
                }
                _ if left.is_empty() => {
                    self.end(here, object, pattern);
                    return Ok(());
                }
                Kind::Folder => {
                    self.mount(here.clone(), object, false);
                    at = here;
                }
                _ => return self.miss(&at, rest(&part, &left), pattern, &host),
            }
        }
        Ok(())
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

    /// Makes a pinned folder read-only: what is in it cannot be seen now, and a chmod would uncover it later.
    fn close(&mut self, at: &Path) -> bool {
        let known = self.mounts.iter_mut().find(|known| known.0 == at);
        known.map(|known| known.2 = true).is_some()
    }

    fn miss(
        &mut self,
        at: &Path,
        rest: impl Into<PathBuf>,
        pattern: &Protect,
        host: &HostPath,
    ) -> Result<(), Stuck> {
        // Only a link leads to such a name. It cannot be guarded, so it must not be taken for guarded.
        let rest = rest.into().into_os_string().into_string();
        let rest = rest.map_err(|_| (host.clone(), io::Error::other("the name is not UTF-8")))?;
        self.missing.push((at.to_path_buf(), rest, pattern.path.clone()));
        Ok(())
    }
}

/// The object of exactly this name. RACE: a folder on the way may have become a link since it was looked at; then the
/// kernel names what was found otherwise, and nothing is taken from there.
fn look(tree: &dyn Tree, host: &HostPath) -> io::Result<Object> {
    let object = tree.open(host, false)?;
    if object.canonical.parent() == host.parent() {
        Ok(object)
    } else {
        Err(io::Error::other("its folder was replaced meanwhile"))
    }
}

/// Where a link leads: below `base` when it is absolute, from its folder when not. `None`: outside of `base`.
fn below(target: &Path, link: &HostPath, base: &HostPath, tree: &dyn Tree) -> Option<PathBuf> {
    if !target.is_absolute() {
        return Some(target.to_owned());
    }
    if let Ok(below) = target.strip_prefix(base.as_path()) {
        return Some(below.to_owned());
    }
    // Another spelling of the same folder, perhaps: where the link ends is known if it ends anywhere.
    let end = tree.open(link, true).ok()?.canonical;
    end.as_path().strip_prefix(base.as_path()).ok().map(Path::to_path_buf)
}

/// What is missing from a name on. Before a `..` there is enough: that folder cannot be made, so nothing is behind it.
fn rest(part: &OsString, left: &[OsString]) -> PathBuf {
    [part].into_iter().chain(left.iter().rev()).take_while(|part| *part != "..").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FakeTree;
    use std::os::unix::ffi::OsStrExt;

    fn whole(path: &str) -> Protect {
        Protect { path: path.into(), name_only: false, group: None }
    }

    fn found(patterns: &[&str], tree: &dyn Tree) -> Places {
        let patterns: Vec<Protect> = patterns.iter().map(|path| whole(path)).collect();
        Places::find(&patterns, &HostPath::new("/w").unwrap(), tree).unwrap()
    }

    fn mounts(places: &Places) -> Vec<(&str, bool)> {
        places.mounts.iter().map(|(at, _, read_only)| (at.to_str().unwrap(), *read_only)).collect()
    }

    fn missing(places: &Places) -> Vec<(&str, &str)> {
        places.missing.iter().map(|(at, rest, _)| (at.to_str().unwrap(), rest.as_str())).collect()
    }

    #[test]
    fn what_a_link_leads_to_is_protected_and_every_folder_on_the_way_is_pinned() {
        let tree = FakeTree::new()
            .with("/w/a/b/cfg/tasks.json", Kind::File)
            .with_link("/w/.vscode", "./a/../a/b/cfg");
        let places = found(&[".vscode"], &tree);
        assert_eq!(mounts(&places), [("a", false), ("a/b", false), ("a/b/cfg", true)]);
        assert_eq!(missing(&places), [("", ".vscode")]);
    }

    #[test]
    fn what_a_dangling_link_leads_to_cannot_be_made() {
        let tree = FakeTree::new().with("/w/x", Kind::Folder).with_link("/w/.envrc", "x/later/../y");
        assert_eq!(missing(&found(&[".envrc"], &tree)), [("", ".envrc"), ("x", "later")]);
        let absolute = FakeTree::new().with("/w", Kind::Folder).with_link("/w/.envrc", "/w/env");
        assert_eq!(missing(&found(&[".envrc"], &absolute)), [("", ".envrc"), ("", "env")]);
    }

    #[test]
    fn a_link_to_a_name_that_cannot_be_guarded_starts_nothing() {
        let patterns = [whole(".envrc")];
        let base = HostPath::new("/w").unwrap();
        for (target, starts) in [(&b"later\xff"[..], false), (b"later", true)] {
            let folder = FakeTree::new().with("/w", Kind::Folder).with_link("/w/.envrc", "later");
            let tree = Pointed(folder, PathBuf::from(std::ffi::OsStr::from_bytes(target)));
            assert_eq!(Places::find(&patterns, &base, &tree).is_ok(), starts, "{target:?}");
        }
    }

    /// A tree whose links all have this text.
    struct Pointed(FakeTree, PathBuf);

    impl Tree for Pointed {
        fn open(&self, path: &HostPath, follow: bool) -> io::Result<Object> {
            self.0.open(path, follow)
        }

        fn read_link(&self, _path: &HostPath) -> io::Result<PathBuf> {
            Ok(self.1.clone())
        }
    }

    #[test]
    fn a_link_that_leaves_the_folder_or_leads_to_itself_is_kept_by_its_name() {
        for target in ["../elsewhere", "/etc/x", ".envrc"] {
            let tree = FakeTree::new().with("/w", Kind::Folder).with_link("/w/.envrc", target);
            let places = found(&[".envrc"], &tree);
            assert!(places.mounts.is_empty(), "{target}");
            assert!(missing(&places).iter().all(|known| *known == ("", ".envrc")), "{target}");
        }
    }

    /// A tree where one path gives this error, or is found elsewhere.
    struct Odd(FakeTree, &'static str, Result<&'static str, i32>);

    impl Tree for Odd {
        fn open(&self, path: &HostPath, follow: bool) -> io::Result<Object> {
            match (path.as_path() == Path::new(self.1), self.2) {
                (true, Err(raw)) => Err(io::Error::from_raw_os_error(raw)),
                (true, Ok(elsewhere)) => self.0.open(&HostPath::new(elsewhere).unwrap(), follow),
                _ => self.0.open(path, follow),
            }
        }

        fn read_link(&self, path: &HostPath) -> io::Result<PathBuf> {
            self.0.read_link(path)
        }
    }

    fn odd(answer: Result<&'static str, i32>) -> Odd {
        let tree =
            FakeTree::new().with("/w/.claude/settings.json", Kind::File).with("/x/settings.json", Kind::File);
        Odd(tree, "/w/.claude/settings.json", answer)
    }

    #[test]
    fn a_folder_that_cannot_be_looked_into_becomes_read_only() {
        let places = found(&[".claude/settings.json", ".claude/hooks"], &odd(Err(libc::EACCES)));
        assert_eq!(mounts(&places), [(".claude", true)]);
        assert_eq!(missing(&places), [(".claude", "hooks")]);
    }

    #[test]
    fn a_place_that_cannot_be_looked_at_is_no_missing_one() {
        let patterns = [whole(".claude/settings.json")];
        let base = HostPath::new("/w").unwrap();
        for answer in [Err(libc::EMFILE), Err(libc::EIO), Ok("/x/settings.json")] {
            assert!(Places::find(&patterns, &base, &odd(answer)).is_err(), "{answer:?}");
        }
        let there = Places::find(&patterns, &base, &odd(Ok("/w/.claude/settings.json"))).unwrap();
        assert_eq!(mounts(&there), [(".claude", false), (".claude/settings.json", true)]);
    }

    #[test]
    fn every_link_of_a_chain_is_kept_and_a_missing_end_is_guarded() {
        let tree = FakeTree::new().with_link("/w/.git", "l").with_link("/w/l", "./gone/git");
        let places = found(&[".git/hooks"], &tree);
        let missing: Vec<&str> = places.missing.iter().map(|(_, rest, _)| rest.as_str()).collect();
        assert_eq!(missing, [".git", "l", "gone/git/hooks"]);
    }
}
