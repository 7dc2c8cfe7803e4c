//! Role `mounts`: puts the real thing where an ask mount stands, and the ask mount back.
//!
//! It stands in the sandbox's outer user namespace, outside its pid namespace, with a copy of the host's mounts of its
//! own. Reads nothing an agent wrote, looks nothing up that a link could turn elsewhere, and asks no FUSE mount for
//! anything: that would wait for role `files`. What fails leaves things as before, or ends the role.

use crate::base::{HostPath, InnerPath, unhex};
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, Sys, file, process, socket};
use crate::wire::codec;
use crate::wire::mounts::{FromMounts, ToMounts};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// The longest message, bytes.
const MOST_BYTES: usize = 64 << 10;
/// The most entries of one sandbox.
const MOST_ENTRIES: usize = 4096;

/// Serves until the socket closes; gives the exit code.
pub fn serve(socket: OwnedFd) -> u8 {
    let mut buffer = vec![0; MOST_BYTES];
    let mut state = State::Outside;
    loop {
        let Ok((length, descriptor)) = socket::receive(socket.as_fd(), &mut buffer, true) else { return 1 };
        if length == 0 {
            return 0;
        }
        let message = codec::decode::<ToMounts>(buffer.get(..length).unwrap_or_default());
        let Ok(message) = message else { return 1 };
        let (next, (answer, shown)) = match state.obey(message, descriptor) {
            Ok((next, shown)) => (Some(next), (FromMounts::Done {}, shown)),
            Err(Failure { what, errno, state }) => {
                (state, (FromMounts::Failed { what: what.to_owned(), errno: errno as i32 }, None))
            }
        };
        let Ok(bytes) = codec::encode(&answer) else { return 1 };
        if socket::send(socket.as_fd(), &bytes, shown.as_ref().map(AsFd::as_fd), true).is_err() {
            return 0;
        }
        match next {
            Some(next) => state = next,
            None => return 1, // it is not known where we stand: better none than a wrong one
        }
    }
}

/// What failed; `state` is where we stand then, if that is known.
struct Failure {
    what: &'static str,
    errno: Errno,
    state: Option<State>,
}

type Step<T> = Result<T, (&'static str, Errno)>;

/// Names the call an errno is of.
fn during<T>(what: &'static str, done: Sys<T>) -> Step<T> {
    done.map_err(|errno| (what, errno))
}

enum State {
    /// Where the launcher started us.
    Outside,
    /// In the outer user namespace, with the host's mounts.
    Beside(Host),
    /// The same, and the sandbox's mounts are known.
    Ready(Room),
}

impl State {
    fn obey(
        self,
        message: ToMounts,
        descriptor: Option<OwnedFd>,
    ) -> Result<(Self, Option<OwnedFd>), Failure> {
        match (self, message, descriptor) {
            (Self::Outside, ToMounts::UserNamespace {}, Some(namespace)) => Host::enter(&namespace)
                .map(|host| (Self::Beside(host), None))
                .map_err(|(what, errno)| Failure { what, errno, state: None }),
            (Self::Beside(host), ToMounts::MountNamespace {}, Some(inside)) => {
                Ok((Self::Ready(Room { host, inside, entries: BTreeMap::new() }), None))
            }
            (Self::Ready(mut room), message, None) => match room.change(message) {
                Ok(shown) => Ok((Self::Ready(room), shown)),
                Err((what, errno)) => {
                    let state = room.host.enter_again().is_ok().then_some(Self::Ready(room));
                    Err(Failure { what, errno, state })
                }
            },
            (state, _, _) => Err(Failure { what: "out of order", errno: Errno::EPROTO, state: Some(state) }),
        }
    }
}

/// Our own copy of the host's mounts.
struct Host {
    namespace: OwnedFd,
    root: OwnedFd,
}

impl Host {
    /// Enters the outer user namespace, where we hold every capability, and copies the host's mounts: those of the copy
    /// belong to that namespace, so trees can be cloned from it. What is mounted on the host later is not in it.
    fn enter(user: &OwnedFd) -> Step<Self> {
        during("setns user", process::enter_namespace(user.as_fd(), libc::CLONE_NEWUSER))?;
        during("unshare", process::unshare(libc::CLONE_NEWNS))?;
        let root = during("open /", file::open(c"/", libc::O_PATH | libc::O_DIRECTORY))?;
        during("make private", mount::make_private(root.as_fd()))?;
        let namespace = during("open ns/mnt", file::open(c"/proc/self/ns/mnt", libc::O_RDONLY))?;
        Ok(Self { namespace, root })
    }

    fn enter_again(&self) -> Sys<()> {
        process::enter_namespace(self.namespace.as_fd(), libc::CLONE_NEWNS)
    }
}

/// One place that can be attached.
struct Entry {
    inner: Inner,
    host: CString,
    dev: u64,
    ino: u64,
    noexec: bool,
    /// The device of the ask mount's own filesystem: what tells it from the real thing.
    ask: u64,
    /// A copy of the ask mount, while the real thing stands in its place. It keeps that filesystem, which the agent's
    /// Landlock rule is about.
    kept: Option<OwnedFd>,
}

/// A place inside: the folder that holds it and its name, both without a slash in front.
struct Inner {
    folder: CString,
    name: CString,
}

impl Inner {
    fn of(path: &InnerPath) -> Option<Self> {
        let bytes = |path: &OsStr| CString::new(path.as_bytes()).ok();
        let folder = path.parent()?;
        let folder = folder.as_path().strip_prefix("/").ok()?.as_os_str();
        let folder = if folder.is_empty() { OsStr::new(".") } else { folder };
        Some(Self { folder: bytes(folder)?, name: bytes(path.file_name()?)? })
    }

    /// Stands in the folder and gives what is mounted on the name. No link is followed, and the folders on the way
    /// cannot be moved by the agent: the plan pins each that it could write in.
    fn enter(&self) -> Sys<OwnedFd> {
        let root = file::open(c"/", libc::O_PATH | libc::O_DIRECTORY)?;
        let folder = file::open_beneath(root.as_fd(), &self.folder)?;
        file::enter_folder(folder.as_fd())?;
        file::open_beneath(folder.as_fd(), &self.name)
    }
}

/// A sandbox.
struct Room {
    host: Host,
    inside: OwnedFd,
    entries: BTreeMap<u16, Entry>,
}

impl Room {
    /// Gives the tree that was mounted, if one was: what is opened through it has the attributes of that mount.
    fn change(&mut self, message: ToMounts) -> Step<Option<OwnedFd>> {
        match message {
            ToMounts::Entry { entry, inner_hex, host_hex, dev, ino, noexec } => {
                let known = self.entries.contains_key(&entry) || self.entries.len() >= MOST_ENTRIES;
                let inner = unhex(&inner_hex).and_then(|path| InnerPath::new(OsStr::from_bytes(&path)).ok());
                let host = unhex(&host_hex).and_then(|path| HostPath::new(OsStr::from_bytes(&path)).ok());
                let (Some(inner), Some(host), false) = (inner.as_ref().and_then(Inner::of), host, known)
                else {
                    return Err(("entry", Errno::EINVAL));
                };
                self.add(entry, inner, (relative(&host), dev, ino), noexec).map(|()| None)
            }
            ToMounts::Attach { entry, read_only } => self.attach(entry, read_only).map(Some),
            ToMounts::Detach { entry } => self.detach(entry).map(|()| None),
            ToMounts::UserNamespace {} | ToMounts::MountNamespace {} => Err(("out of order", Errno::EPROTO)),
        }
    }

    fn add(
        &mut self,
        number: u16,
        inner: Inner,
        (host, dev, ino): (CString, u64, u64),
        noexec: bool,
    ) -> Step<()> {
        self.enter_inside()?;
        let top = during("open the place", inner.enter())?;
        let ask = during("look at the place", file::device_unasked(top.as_fd()))?;
        self.entries.insert(number, Entry { inner, host, dev, ino, noexec, ask, kept: None });
        during("setns mnt", self.host.enter_again())
    }

    fn attach(&mut self, number: u16, read_only: bool) -> Step<OwnedFd> {
        let entry = self.entries.get(&number).ok_or(("entry", Errno::ENOENT))?;
        let tree = clone_object(&self.host, entry, read_only)?;
        self.enter_inside()?;
        let entry = self.entries.get_mut(&number).ok_or(("entry", Errno::ENOENT))?;
        let top = during("open the place", entry.inner.enter())?;
        if during("look at the place", file::device_unasked(top.as_fd()))? == entry.ask {
            entry.kept = Some(during("keep the ask mount", mount::clone_tree(top.as_fd(), c"", false))?);
        }
        replace(entry, &tree, &top)?;
        during("setns mnt", self.host.enter_again())?;
        Ok(tree)
    }

    fn detach(&mut self, number: u16) -> Step<()> {
        self.enter_inside()?;
        let entry = self.entries.get_mut(&number).ok_or(("entry", Errno::ENOENT))?;
        let top = during("open the place", entry.inner.enter())?;
        if during("look at the place", file::device_unasked(top.as_fd()))? != entry.ask {
            let kept = entry.kept.take().ok_or(("kept ask mount", Errno::EBADF))?;
            if let Err(failed) = replace(entry, &kept, &top) {
                entry.kept = Some(kept);
                return Err(failed);
            }
        }
        during("setns mnt", self.host.enter_again())
    }

    fn enter_inside(&self) -> Step<()> {
        during("setns mnt", process::enter_namespace(self.inside.as_fd(), libc::CLONE_NEWNS))
    }
}

/// Beneath first, then the one on top goes: at every moment one of the two stands there.
fn replace(entry: &Entry, tree: &OwnedFd, top: &OwnedFd) -> Step<()> {
    during("move_mount beneath", mount::attach_beneath(tree.as_fd(), top.as_fd()))?;
    during("detach", mount::detach(&entry.inner.name))
}

/// The object the plan saw, as a tree of its own. With all mounts below it: those of the host are locked together.
fn clone_object(host: &Host, entry: &Entry, read_only: bool) -> Step<OwnedFd> {
    let object = during("open the object", file::open_beneath(host.root.as_fd(), &entry.host))?;
    let found = during("look at the object", file::kind_and_identity(object.as_fd()))?;
    if (found.dev, found.ino) != (entry.dev, entry.ino) {
        return Err(("compare the object", Errno::ESTALE));
    }
    let tree = during("open_tree", mount::clone_tree(object.as_fd(), c"", true))?;
    let mut attributes = attr::NOSUID | attr::NODEV;
    attributes |= if read_only { attr::RDONLY } else { 0 };
    attributes |= if entry.noexec { attr::NOEXEC } else { 0 };
    during("mount_setattr", mount::set_attributes(tree.as_fd(), attributes, true))?;
    Ok(tree)
}

fn relative(path: &HostPath) -> CString {
    let bytes = path.as_path().as_os_str().as_bytes();
    let tail = bytes.strip_prefix(b"/").unwrap_or(bytes);
    CString::new(if tail.is_empty() { b"." } else { tail }).unwrap_or_default()
}
