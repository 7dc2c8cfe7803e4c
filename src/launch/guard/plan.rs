//! The plan of the guard: which names may not appear, as a tree of folders laid out before the clone.
//!
//! Pure: knows paths, opens nothing.

use crate::base::InnerPath;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, PathBuf};

/// A protected path that may not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// A folder that exists and that the agent cannot move: a mount point, best the root of the writable tree.
    /// What lies between it and the protected name may exist or not.
    pub folder: InnerPath,
    /// The protected path below it.
    pub below: PathBuf,
    /// The number of the pattern that protects it, for the record.
    pub pattern: u16,
}

/// Names that may not appear, by folder. Folders refer to each other by their place in the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardPlan {
    /// All folders; a folder that is reached through another comes after it.
    pub folders: Vec<GuardedFolder>,
    /// Places that ask, by their paths inside the sandbox: a look into one of them may wait for a person.
    pub asks: Vec<CString>,
}

/// A folder with names to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedFolder {
    /// Its path inside the sandbox when it is there from the start; `None` when it is reached by a way.
    pub path: Option<CString>,
    /// What is watched in it.
    pub names: Vec<GuardedName>,
}

/// One watched name. Compared without regard to ASCII case, for filesystems that fold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedName {
    /// The name, without slash or NUL.
    pub name: CString,
    /// What may become of it.
    pub kind: NameKind,
    /// The pattern that asks for it.
    pub pattern: u16,
}

/// What may become of a watched name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// Nothing may be created, linked or renamed there.
    Forbidden,
    /// On the way to a forbidden name: only mkdir may make it, and the folder made is this one of the plan.
    Way(usize),
}

impl GuardPlan {
    /// Builds the tree. Of two entries of which one lies on the way of the other, the shorter one forbids both.
    pub fn from_missing(entries: &[Missing]) -> Self {
        let mut plan = Self::default();
        for entry in entries {
            let names: Vec<CString> = entry.below.components().filter_map(name_of).collect();
            let mut folder = plan.root(entry.folder.to_cstring());
            for (place, name) in names.iter().enumerate() {
                match plan.enter(folder, name, entry.pattern, place + 1 == names.len()) {
                    NameKind::Way(next) => folder = next,
                    NameKind::Forbidden => break,
                }
            }
        }
        plan
    }

    /// Says whether there is nothing to guard, so that no call need be trapped.
    pub fn is_empty(&self) -> bool {
        self.folders.iter().all(|folder| folder.names.is_empty())
    }

    fn root(&mut self, path: CString) -> usize {
        let known = self.folders.iter().position(|folder| folder.path.as_ref() == Some(&path));
        known.unwrap_or_else(|| self.push(Some(path)))
    }

    fn push(&mut self, path: Option<CString>) -> usize {
        self.folders.push(GuardedFolder { path, names: Vec::new() });
        self.folders.len() - 1
    }

    /// Puts a name into a folder, or meets it there.
    fn enter(&mut self, folder: usize, name: &CString, pattern: u16, last: bool) -> NameKind {
        let same = |known: &&mut GuardedName| known.name.as_bytes().eq_ignore_ascii_case(name.as_bytes());
        if let Some(known) = self.folders.get_mut(folder).and_then(|at| at.names.iter_mut().find(same)) {
            if last {
                known.kind = NameKind::Forbidden;
            }
            return known.kind;
        }
        let kind = if last { NameKind::Forbidden } else { NameKind::Way(self.push(None)) };
        if let Some(at) = self.folders.get_mut(folder) {
            at.names.push(GuardedName { name: name.clone(), kind, pattern });
        }
        kind
    }
}

fn name_of(part: Component<'_>) -> Option<CString> {
    match part {
        Component::Normal(name) => CString::new(name.as_bytes()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(below: &str, pattern: u16) -> Missing {
        Missing { folder: InnerPath::new("/w").unwrap(), below: PathBuf::from(below), pattern }
    }

    fn names(plan: &GuardPlan, folder: usize) -> Vec<(&str, NameKind)> {
        plan.folders[folder].names.iter().map(|name| (name.name.to_str().unwrap(), name.kind)).collect()
    }

    #[test]
    fn paths_with_a_common_beginning_share_their_way() {
        let plan = GuardPlan::from_missing(&[missing(".git/hooks", 1), missing(".git/config", 2)]);
        assert_eq!(names(&plan, 0), [(".git", NameKind::Way(1))]);
        assert_eq!(names(&plan, 1), [("hooks", NameKind::Forbidden), ("config", NameKind::Forbidden)]);
    }

    #[test]
    fn a_forbidden_name_on_the_way_forbids_all_below() {
        for order in [[".git", ".git/hooks"], [".git/hooks", ".git"]] {
            let plan = GuardPlan::from_missing(&[missing(order[0], 1), missing(order[1], 2)]);
            assert_eq!(names(&plan, 0), [(".git", NameKind::Forbidden)]);
        }
    }

    #[test]
    fn names_that_differ_in_case_only_are_one() {
        let plan = GuardPlan::from_missing(&[missing(".GIT/hooks", 1), missing(".git/config", 2)]);
        assert_eq!(plan.folders[0].names.len(), 1);
    }

    #[test]
    fn a_plan_without_entries_is_empty() {
        assert!(GuardPlan::from_missing(&[]).is_empty());
        assert!(!GuardPlan::from_missing(&[missing("x", 0)]).is_empty());
    }
}
