//! Tree: the host's files, each opened once; what `plan` knows of a path comes from the descriptor it will mount.
//!
//! Never opens a file for reading or writing: every descriptor is O_PATH. [`FakeTree`] stands in for it in tests.

use crate::base::{HostPath, components_from_end};
use crate::sys::Errno;
use crate::sys::file::{self, Identity};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What a plan may ask of the host's files.
pub trait Tree {
    /// Opens what `path` names. Without `follow`, a symlink at its end is the object itself.
    /// # Errors
    /// As open(2): `ENOENT`, `EACCES` without search permission, `ELOOP`.
    fn open(&self, path: &HostPath, follow: bool) -> io::Result<Object>;

    /// The text of a symlink, as written.
    /// # Errors
    /// `EINVAL` when it is no symlink.
    fn read_link(&self, path: &HostPath) -> io::Result<PathBuf>;
}

/// What kind of object a path leads to (inode(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Folder,
    /// A symbolic link that was not followed.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Kind {
    /// From the type bits of `st_mode`; `None` for bits that no Linux filesystem gives.
    fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & libc::S_IFMT {
            libc::S_IFREG => Self::File,
            libc::S_IFDIR => Self::Folder,
            libc::S_IFLNK => Self::Symlink,
            libc::S_IFCHR => Self::CharDevice,
            libc::S_IFBLK => Self::BlockDevice,
            libc::S_IFIFO => Self::Fifo,
            libc::S_IFSOCK => Self::Socket,
            _ => return None,
        })
    }
}

/// A file of the host, held from the first look to the mount, so that no rename in between gives another one.
#[derive(Debug)]
pub struct Object {
    /// O_PATH and close-on-exec. `None` only from a [`FakeTree`].
    pub fd: Option<OwnedFd>,
    /// What it is.
    pub kind: Kind,
    /// Device number of its filesystem.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Somebody may execute it (any of the three bits); the kernel decides who at exec.
    pub executable: bool,
    /// Where it lies with every symlink followed, as the kernel names it.
    pub canonical: HostPath,
}

/// The real tree.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostTree;

impl Tree for HostTree {
    fn open(&self, path: &HostPath, follow: bool) -> io::Result<Object> {
        let no_follow = if follow { 0 } else { libc::O_NOFOLLOW };
        let flags = libc::O_PATH | libc::O_CLOEXEC | no_follow;
        let (fd, canonical) = match open_as_written(path, flags) {
            // A link is on the way, or this kernel cannot say: then the kernel is asked for the name.
            Err(Errno::ELOOP | Errno::ENOSYS | Errno::EPERM) => {
                let fd = file::open(&path.to_cstring(), flags)?;
                let name = name_of(&fd)?;
                (fd, name)
            }
            opened => (opened?, path.clone()),
        };
        let Identity { dev, ino, mode } = file::kind_and_identity(fd.as_fd())?;
        let kind = Kind::from_mode(mode).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        let executable = kind == Kind::File && mode & 0o111 != 0;
        Ok(Object { fd: Some(fd), kind, dev, ino, executable, canonical })
    }

    fn read_link(&self, path: &HostPath) -> io::Result<PathBuf> {
        std::fs::read_link(path.as_path())
    }
}

/// Opens a path that has no link in it: its name is then the one written, and nobody has to be asked for it.
fn open_as_written(path: &HostPath, flags: i32) -> Result<OwnedFd, Errno> {
    let resolve = file::RESOLVE_NO_SYMLINKS | file::RESOLVE_NO_MAGICLINKS;
    file::openat2(file::working_folder(), &path.to_cstring(), flags, 0, resolve)
}

/// RACE: the name holds at this moment; whoever may rename the file may change it. The child looks it up again in its
/// own mount namespace, and goes on only if device and inode are those of the descriptor (`launch::build::check_same`).
fn name_of(fd: &OwnedFd) -> io::Result<HostPath> {
    let name = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    HostPath::new(name).map_err(|broken| io::Error::other(format!("its name {broken}")))
}

/// What a [`FakeTree`] knows of one path.
#[derive(Debug, Clone)]
enum Node {
    Plain(Kind),
    Link(PathBuf),
    /// A folder in which we may look up nothing.
    Closed,
}

/// A tree made of words, for tests of what is pure. Folders above an entry exist by themselves.
#[derive(Debug, Clone, Default)]
pub struct FakeTree {
    nodes: BTreeMap<PathBuf, Node>,
}

impl FakeTree {
    /// Only `/`.
    pub fn new() -> Self {
        Self { nodes: BTreeMap::from([(PathBuf::from("/"), Node::Plain(Kind::Folder))]) }
    }

    /// Adds an object and the folders above it.
    #[must_use]
    pub fn with(self, path: &str, kind: Kind) -> Self {
        self.put(path, Node::Plain(kind))
    }

    /// Adds a symlink and the folders above it.
    #[must_use]
    pub fn with_link(self, path: &str, target: &str) -> Self {
        self.put(path, Node::Link(PathBuf::from(target)))
    }

    /// Adds a folder whose names we may not look up.
    #[must_use]
    pub fn with_closed(self, path: &str) -> Self {
        self.put(path, Node::Closed)
    }

    fn put(mut self, path: &str, node: Node) -> Self {
        let path = PathBuf::from(path);
        for above in path.ancestors().skip(1) {
            self.nodes.entry(above.to_path_buf()).or_insert(Node::Plain(Kind::Folder));
        }
        self.nodes.insert(path, node);
        self
    }

    /// Walks as the kernel does, component by component, forty links at most (path_resolution(7)).
    fn resolve(&self, path: &Path, follow: bool) -> io::Result<PathBuf> {
        let mut left: Vec<OsString> = components_from_end(path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            if matches!(self.nodes.get(&at), Some(Node::Closed)) {
                return Err(io::Error::from_raw_os_error(libc::EACCES));
            }
            let next = at.join(&part);
            match self.nodes.get(&next).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))? {
                Node::Link(target) if follow || !left.is_empty() => {
                    links += 1;
                    if links > 40 {
                        return Err(io::Error::from_raw_os_error(libc::ELOOP));
                    }
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    left.extend(components_from_end(target));
                }
                _ => at = next,
            }
        }
        Ok(at)
    }
}

impl Tree for FakeTree {
    fn open(&self, path: &HostPath, follow: bool) -> io::Result<Object> {
        let found = self.resolve(path.as_path(), follow)?;
        let place = self.nodes.keys().position(|known| *known == found).unwrap_or(0);
        let kind = match self.nodes.get(&found) {
            Some(Node::Plain(kind)) => *kind,
            Some(Node::Closed) => Kind::Folder,
            _ => Kind::Symlink,
        };
        let canonical = HostPath::new(found).map_err(io::Error::other)?;
        let executable = kind == Kind::File;
        let ino = u64::try_from(place).unwrap_or(0) + 1;
        Ok(Object { fd: None, kind, dev: 1, ino, executable, canonical })
    }

    fn read_link(&self, path: &HostPath) -> io::Result<PathBuf> {
        match self.nodes.get(&self.resolve(path.as_path(), false)?) {
            Some(Node::Link(target)) => Ok(target.clone()),
            _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> HostPath {
        HostPath::new(text).unwrap()
    }

    #[test]
    fn a_symlink_is_followed_only_when_asked() {
        let folder = std::env::temp_dir().join(format!("aisandbox-tree-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let link = folder.join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let followed = HostTree.open(&HostPath::new(&link).unwrap(), true);
        let itself = HostTree.open(&HostPath::new(&link).unwrap(), false);
        let text = HostTree.read_link(&HostPath::new(&link).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(followed.as_ref().unwrap().kind, Kind::CharDevice);
        assert_eq!(followed.unwrap().canonical, path("/dev/null"));
        assert_eq!(itself.unwrap().kind, Kind::Symlink);
        assert_eq!(text.unwrap(), PathBuf::from("/dev/null"));
    }

    #[test]
    fn an_object_stays_the_same_file_after_a_rename() {
        let folder = std::env::temp_dir().join(format!("aisandbox-tree-r-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("first")).unwrap();
        let held = HostTree.open(&HostPath::new(folder.join("first")).unwrap(), true).unwrap();
        std::fs::rename(folder.join("first"), folder.join("second")).unwrap();
        std::fs::create_dir(folder.join("first")).unwrap();
        let second = HostTree.open(&HostPath::new(folder.join("second")).unwrap(), true).unwrap();
        let first = HostTree.open(&HostPath::new(folder.join("first")).unwrap(), true).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((held.dev, held.ino), (second.dev, second.ino));
        assert_ne!(held.ino, first.ino);
    }

    #[test]
    fn what_is_not_there_is_enoent() {
        let refused = HostTree.open(&path("/proc/self/no-such-entry"), true).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn a_fake_tree_walks_links_as_the_kernel_does() {
        let tree = FakeTree::new()
            .with("/usr/bin/tool", Kind::File)
            .with_link("/bin", "usr/bin")
            .with_link("/loop", "/loop")
            .with_link("/usr/up", "../usr/bin");
        assert_eq!(tree.open(&path("/bin/tool"), false).unwrap().canonical, path("/usr/bin/tool"));
        assert_eq!(tree.open(&path("/usr/up/tool"), true).unwrap().kind, Kind::File);
        assert_eq!(tree.open(&path("/bin"), false).unwrap().kind, Kind::Symlink);
        assert_eq!(tree.open(&path("/usr"), true).unwrap().kind, Kind::Folder);
        let endless = tree.open(&path("/loop"), true).unwrap_err();
        assert_eq!(endless.raw_os_error(), Some(libc::ELOOP));
        assert!(tree.open(&path("/etc"), true).is_err());
    }
}
