//! The nodes the kernel knows of one served object: where each is below it, and which file that was.
//!
//! Holds no descriptor: a node is a path and an identity, and the path is walked again for each call, beneath the
//! object and through no symlink. When another file stands there by then, the node is stale. Never grows past a limit.

use super::call::ROOT;
use crate::sys::Errno;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most nodes of one entry.
const MOST_NODES: usize = 1 << 17;
/// The longest path below the entry, as the kernel takes it (PATH_MAX, with its NUL).
const MOST_PATH: usize = 4096;
/// No path of that length has more components.
const MOST_DEPTH: usize = 2048;

/// Which file it is. `version` is the time of its last change where its content is shown as a whole, else 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) version: i128,
}

#[derive(Debug)]
struct Node {
    parent: u64,
    name: OsString,
    identity: Identity,
    lookups: u64,
}

/// The table.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: HashMap<u64, Node>,
    names: HashMap<(u64, OsString), u64>,
    numbers: Arc<AtomicU64>,
    most: usize,
}

impl Tree {
    pub(super) fn new(numbers: Arc<AtomicU64>) -> Self {
        Self { nodes: HashMap::new(), names: HashMap::new(), numbers, most: MOST_NODES }
    }

    /// The path of a node below the object, and which file it must be; the object itself is the empty path.
    /// # Errors
    /// `ESTALE` for a node that is not known, `ENAMETOOLONG`.
    pub(super) fn path(&self, node: u64) -> Result<(Vec<u8>, Option<Identity>), Errno> {
        let mut parts: Vec<&OsStr> = Vec::new();
        let mut at = node;
        while at != ROOT {
            let found = self.nodes.get(&at).ok_or(Errno::ESTALE)?;
            parts.push(&found.name);
            at = found.parent;
            if parts.len() > MOST_DEPTH {
                return Err(Errno::ENAMETOOLONG);
            }
        }
        let mut path = Vec::new();
        for part in parts.iter().rev() {
            append(&mut path, part)?;
        }
        Ok((path, self.nodes.get(&node).map(|found| found.identity)))
    }

    /// The path of a name in a folder's node.
    /// # Errors
    /// As [`Self::path`].
    pub(super) fn path_in(&self, parent: u64, name: &OsStr) -> Result<(Vec<u8>, Option<Identity>), Errno> {
        let (mut path, identity) = self.path(parent)?;
        append(&mut path, name)?;
        Ok((path, identity))
    }

    /// The node of a name that was looked up: the one it had when it is the same file, else a new one.
    /// # Errors
    /// `ENFILE` at the limit.
    pub(super) fn remember(&mut self, parent: u64, name: &OsStr, identity: Identity) -> Result<u64, Errno> {
        let key = (parent, name.to_owned());
        if let Some(number) = self.names.get(&key)
            && let Some(node) = self.nodes.get_mut(number)
            && node.identity == identity
        {
            node.lookups = node.lookups.saturating_add(1);
            return Ok(*number);
        }
        if self.nodes.len() >= self.most {
            return Err(Errno::ENFILE);
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        self.nodes.insert(number, Node { parent, name: name.to_owned(), identity, lookups: 1 });
        self.names.insert(key, number);
        Ok(number)
    }

    /// The kernel let go of so many of its lookups.
    pub(super) fn forget(&mut self, number: u64, count: u64) {
        let Some(node) = self.nodes.get_mut(&number) else { return };
        node.lookups = node.lookups.saturating_sub(count);
        if node.lookups > 0 {
            return;
        }
        if let Some(node) = self.nodes.remove(&number) {
            let key = (node.parent, node.name);
            if self.names.get(&key) == Some(&number) {
                self.names.remove(&key);
            }
        }
    }

    /// We moved a name: its node has another path now.
    pub(super) fn moved(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) {
        let Some(number) = self.names.remove(&(from.0, from.1.to_owned())) else { return };
        if let Some(node) = self.nodes.get_mut(&number) {
            (node.parent, node.name) = (to.0, to.1.to_owned());
            self.names.insert((to.0, to.1.to_owned()), number);
        }
    }

    /// Every node.
    pub(super) fn all(&self) -> Vec<u64> {
        self.nodes.keys().copied().chain([ROOT]).collect()
    }
}

fn append(path: &mut Vec<u8>, name: &OsStr) -> Result<(), Errno> {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
    if path.len() < MOST_PATH { Ok(()) } else { Err(Errno::ENAMETOOLONG) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(most: usize) -> Tree {
        Tree { most, ..Tree::new(Arc::new(AtomicU64::new(ROOT))) }
    }

    fn file(ino: u64) -> Identity {
        Identity { dev: 1, ino, version: 0 }
    }

    #[test]
    fn a_node_goes_with_its_last_lookup_and_its_number_never_comes_back() {
        let mut tree = tree(10);
        let name = OsStr::new("a");
        let first = tree.remember(ROOT, name, file(7)).unwrap();
        assert_eq!(tree.remember(ROOT, name, file(7)), Ok(first));
        tree.forget(first, 1);
        assert_eq!(tree.path(first).unwrap(), (b"a".to_vec(), Some(file(7))), "one lookup is left");
        tree.forget(first, u64::MAX);
        assert_eq!(tree.path(first), Err(Errno::ESTALE));
        assert!(tree.names.is_empty() && tree.nodes.is_empty());
        assert_ne!(tree.remember(ROOT, name, file(7)), Ok(first));
    }

    #[test]
    fn another_file_under_the_same_name_is_another_node() {
        let mut tree = tree(10);
        let old = tree.remember(ROOT, OsStr::new("a"), file(7)).unwrap();
        let new = tree.remember(ROOT, OsStr::new("a"), file(8)).unwrap();
        assert_ne!(old, new);
        tree.forget(old, 1);
        assert_eq!(tree.remember(ROOT, OsStr::new("a"), file(8)), Ok(new), "the new one keeps its name");
    }

    #[test]
    fn the_table_ends_at_its_limit_and_has_room_again_after_a_forget() {
        let mut tree = tree(2);
        let first = tree.remember(ROOT, OsStr::new("a"), file(1)).unwrap();
        tree.remember(ROOT, OsStr::new("b"), file(2)).unwrap();
        assert_eq!(tree.remember(ROOT, OsStr::new("c"), file(3)), Err(Errno::ENFILE));
        tree.forget(first, 1);
        assert!(tree.remember(ROOT, OsStr::new("c"), file(3)).is_ok());
    }

    #[test]
    fn a_path_follows_a_move_and_ends_where_the_kernel_ends_one() {
        let mut tree = tree(5000);
        let folder = tree.remember(ROOT, OsStr::new("f"), file(1)).unwrap();
        let inside = tree.remember(folder, OsStr::new("x"), file(2)).unwrap();
        tree.moved((ROOT, OsStr::new("f")), (ROOT, OsStr::new("g")));
        assert_eq!(tree.path(inside).unwrap().0, b"g/x");
        let mut at = inside;
        for ino in 3..3000 {
            at = tree.remember(at, OsStr::new("d"), file(ino)).unwrap();
        }
        assert_eq!(tree.path(at), Err(Errno::ENAMETOOLONG));
    }
}
