//! A granted entry: what a call may do is decided here, by the actions that were granted.
//!
//! Never follows a symlink, never makes a link or a device, and never lets a call through that no action names. The
//! names are changed in `change.rs`, what is open is read and written in `opened.rs`.

use super::budget::Budget;
use super::call::{Answer, Attributes, Call, Kind, OPEN_FOR_EXEC, ROOT, action_of_open, check_name};
use super::entry::{Caller, Place};
use super::held::{Held, Shape};
use super::object::{Found, Object, identity_of, reopen, time};
use super::opened::Opened;
use super::report::{Refusal, Report};
use super::tree::{Identity, Tree};
use crate::sys::{Errno, listing, name};
use crate::wire::subject::Action;
use nix::sys::stat::FileStat;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The most names one listing has.
const MOST_LISTED: usize = 1 << 18;
/// The most handles of one entry.
const MOST_OPEN: usize = 4096;
/// The most files whose shown length is remembered.
const MOST_LENGTHS: usize = 1 << 16;
/// The most callers that are remembered as sent to walk again.
const MOST_SENT: usize = 4096;
/// Who owns what is not the person's own (the kernel's overflow id).
const OTHER: u32 = 65534;

/// What the Guardian granted.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) object: OwnedFd,
    pub(super) actions: Vec<Action>,
    pub(super) bytes: Option<u64>,
}

/// A granted entry.
pub(super) struct Served {
    place: Place,
    pub(super) shape: Arc<Shape>,
    pub(super) object: Object,
    actions: BTreeSet<Action>,
    pub(super) budget: Budget,
    pub(super) report: Arc<Report>,
    tree: Mutex<Tree>,
    open: Mutex<HashMap<u64, Arc<Opened>>>,
    numbers: Arc<AtomicU64>,
    held: Mutex<HashMap<u64, Weak<Held>>>,
    lengths: Mutex<HashMap<Identity, u64>>,
    /// Callers that were sent to walk again, with the node they came by.
    sent: Mutex<BTreeSet<(u32, u64)>>,
    ended: AtomicBool,
}

impl Served {
    pub(super) fn new(
        place: &Place,
        shape: Arc<Shape>,
        grant: Grant,
        report: Arc<Report>,
        numbers: Arc<AtomicU64>,
    ) -> Self {
        Self {
            place: place.clone(),
            shape,
            object: Object::new(grant.object, place.folder),
            actions: grant.actions.into_iter().collect(),
            budget: Budget::new(grant.bytes),
            report,
            tree: Mutex::new(Tree::new(Arc::clone(&numbers))),
            open: Mutex::default(),
            numbers,
            held: Mutex::default(),
            lengths: Mutex::default(),
            sent: Mutex::default(),
            ended: AtomicBool::new(false),
        }
    }

    /// A call where the real thing stands in this place by now. A lookup gets the truth: mkdir(2) and its relatives do
    /// not walk again when it fails, but they do when making the name fails. Everything else is ESTALE, and the kernel
    /// walks again to the real thing. Who comes back holds a handle from before, and is served here.
    pub(super) fn call_beside(&self, caller: Caller, call: &Call) -> Answer {
        let mut sent = self.lock(&self.sent);
        let key = (caller.pid, call.node());
        if !matches!(call, Call::Lookup { .. }) && !sent.remove(&key) {
            if sent.len() >= MOST_SENT {
                sent.clear();
            }
            sent.insert(key);
            return Answer::Fail(Errno::ESTALE);
        }
        drop(sent);
        self.call(caller, call)
    }

    /// A call on a name or node.
    pub(super) fn call(&self, caller: Caller, call: &Call) -> Answer {
        if self.ended.load(Ordering::Acquire) {
            return Answer::Fail(Errno::ESTALE);
        }
        let answer = match call {
            Call::Lookup { parent, name } => self.lookup(*parent, name).map(Answer::Shown),
            Call::Attributes { node, handle } => self.attributes(*node, *handle).map(Answer::Shown),
            Call::Change { node, handle, change } => {
                self.change(caller, *node, *handle, change).map(Answer::Shown)
            }
            Call::ReadLink { node } => self.read_link(caller, *node).map(Answer::Text),
            Call::Make { parent, name, mode } => self.make(caller, *parent, name, *mode).map(Answer::Shown),
            Call::MakeFolder { parent, name, mode } => {
                self.make_folder(caller, *parent, name, *mode).map(Answer::Shown)
            }
            Call::MakeOther { parent, name } => Err(self.refuse_in(caller, Action::Create, *parent, name)),
            Call::Remove { parent, name, folder } => {
                self.remove(caller, *parent, name, *folder).map(|()| Answer::Done)
            }
            Call::Rename { parent, name, new_parent, new_name, flags } => {
                self.rename(caller, (*parent, name), (*new_parent, new_name), *flags).map(|()| Answer::Done)
            }
            Call::Open { node, flags } => self.open(caller, *node, *flags).map(Answer::Opened),
            Call::OpenFolder { node } => self.open_folder(caller, *node).map(Answer::Opened),
            Call::Access { node, mask } => self.access(*node, *mask).map(|()| Answer::Done),
            Call::Create { parent, name, mode, flags } => self
                .create(caller, *parent, name, *mode, *flags)
                .map(|(shown, handle)| Answer::Created(shown, handle)),
        };
        answer.unwrap_or_else(Answer::Fail)
    }

    /// Whether this was granted.
    pub(super) fn may(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Says no, and tells the Guardian.
    pub(super) fn refuse(&self, pid: u32, action: Action, path: &[u8], spent: bool) -> Errno {
        let (entry, name) = (self.place.number, path.to_vec());
        self.report.refused(Refusal { entry, action, name, spent, pid });
        if spent { Errno::EDQUOT } else { Errno::EACCES }
    }

    /// The same for a name in a folder's node.
    pub(super) fn refuse_in(&self, caller: Caller, action: Action, parent: u64, name: &OsStr) -> Errno {
        let path = self.tree().path_in(parent, name).map(|(path, _)| path).unwrap_or_default();
        self.refuse(caller.pid, action, &path, false)
    }

    /// Goes on only when all of these were granted, and nothing is served whose content must stay as it is.
    pub(super) fn need(&self, caller: Caller, needed: &[Action], path: &[u8]) -> Result<(), Errno> {
        let changes = |action: &Action| !matches!(action, Action::Read | Action::Execute);
        let fixed = matches!(*self.shape, Shape::Programs(_));
        let lacking = needed.iter().find(|action| !self.may(**action) || (fixed && changes(action)));
        lacking.map_or(Ok(()), |action| Err(self.refuse(caller.pid, *action, path, false)))
    }

    pub(super) fn lookup(&self, parent: u64, name: &OsStr) -> Result<Attributes, Errno> {
        check_name(name)?;
        let (path, _) = self.tree().path_in(parent, name)?;
        let found = self.object.look(&path)?;
        let node = self.tree().remember(parent, name, identity_of(&found.stat, self.shape.holds()))?;
        Ok(self.shown(node, &found.stat, found.kind, &path))
    }

    /// Looks at a node, and checks that it is the file it was.
    pub(super) fn look(&self, node: u64) -> Result<(Vec<u8>, Found), Errno> {
        let (path, identity) = self.tree().path(node)?;
        let found = match self.object.look(&path) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) if node != ROOT => Err(Errno::ESTALE),
            other => other,
        }?;
        match identity {
            Some(identity) if identity != identity_of(&found.stat, self.shape.holds()) => Err(Errno::ESTALE),
            _ => Ok((path, found)),
        }
    }

    pub(super) fn attributes(&self, node: u64, handle: Option<u64>) -> Result<Attributes, Errno> {
        if let Some(opened) = handle.and_then(|handle| self.opened(handle).ok())
            && let Some(stat) = opened.stat()
        {
            return Ok(self.shown(node, &stat?, Kind::File, &opened.path));
        }
        let (path, found) = self.look(node)?;
        Ok(self.shown(node, &found.stat, found.kind, &path))
    }

    pub(super) fn shown(&self, node: u64, stat: &FileStat, kind: Kind, path: &[u8]) -> Attributes {
        let own = |id: u32, mine: u32, shown: u32| if id == mine { shown } else { OTHER };
        let mut mode = stat.st_mode & 0o777;
        if kind == Kind::File && !self.may(Action::Execute) {
            mode &= !0o111;
        }
        let size = match (kind, &*self.shape) {
            (Kind::File, Shape::Redacted(_)) => self.shown_length(node, stat, path),
            _ => u64::try_from(stat.st_size).unwrap_or(0),
        };
        Attributes {
            node,
            kind,
            size,
            mode: u16::try_from(mode).unwrap_or(0),
            links: u32::try_from(stat.st_nlink).unwrap_or(1),
            uid: own(stat.st_uid, nix::unistd::geteuid().as_raw(), self.place.uid),
            gid: own(stat.st_gid, nix::unistd::getegid().as_raw(), self.place.gid),
            accessed: time(stat.st_atime, stat.st_atime_nsec),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// How long a file is once it is redacted; zero for one that will not be shown.
    fn shown_length(&self, node: u64, stat: &FileStat, path: &[u8]) -> u64 {
        if let Some(held) = self.lock(&self.held).get(&node).and_then(Weak::upgrade) {
            return u64::try_from(held.content.len()).unwrap_or(0);
        }
        let identity = identity_of(stat, true);
        if let Some(length) = self.lock(&self.lengths).get(&identity) {
            return *length;
        }
        let opened = self.object.open(path, libc::O_RDONLY, 0);
        let held = opened.and_then(|(fd, _)| self.shape.load(fd));
        let length = held.map_or(0, |held| u64::try_from(held.content.len()).unwrap_or(0));
        let mut lengths = self.lock(&self.lengths);
        if lengths.len() >= MOST_LENGTHS {
            lengths.clear();
        }
        lengths.insert(identity, length);
        length
    }

    fn read_link(&self, caller: Caller, node: u64) -> Result<Vec<u8>, Errno> {
        let (path, found) = self.look(node)?;
        self.need(caller, &[Action::Read], &path)?;
        let mut text = vec![0; 4096];
        let length = name::read_link(found.fd.as_fd(), c"", &mut text)?;
        text.truncate(length);
        Ok(text)
    }

    fn access(&self, node: u64, mask: i32) -> Result<(), Errno> {
        let (_, found) = self.look(node)?;
        let folder = found.kind == Kind::Folder;
        let any = |actions: &[Action]| actions.iter().any(|action| self.may(*action));
        let execute = self.may(Action::Execute) && found.stat.st_mode & 0o111 != 0;
        let write =
            if folder { [Action::Create, Action::Delete] } else { [Action::Append, Action::Overwrite] };
        let fixed = matches!(*self.shape, Shape::Programs(_));
        let no = (mask & libc::R_OK != 0 && !any(&[Action::Read, Action::Execute]))
            || (mask & libc::W_OK != 0 && (fixed || !any(&write)))
            || (mask & libc::X_OK != 0 && !folder && !execute);
        if no { Err(Errno::EACCES) } else { Ok(()) }
    }

    /// Whether an open for these flags is allowed.
    pub(super) fn check_open(&self, caller: Caller, flags: i32, path: &[u8]) -> Result<(), Errno> {
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
        let reads = flags & libc::O_ACCMODE != libc::O_WRONLY;
        let refuse = |action| Err(self.refuse(caller.pid, action, path, false));
        let at_end = flags & libc::O_APPEND != 0;
        match &*self.shape {
            _ if flags & OPEN_FOR_EXEC != 0 && !self.may(Action::Execute) => refuse(Action::Execute),
            Shape::Programs(_) if writes => refuse(action_of_open(flags)),
            Shape::Programs(_) if !self.may(Action::Read) && !self.may(Action::Execute) => {
                refuse(Action::Read)
            }
            Shape::Programs(_) => Ok(()),
            // What is shown has another length than what is there: only the end is the same place in both.
            Shape::Redacted(_) if writes && (reads || !at_end) => refuse(Action::Overwrite),
            _ if writes && !self.may(Action::Append) && !self.may(Action::Overwrite) => {
                refuse(action_of_open(flags))
            }
            _ if reads && flags & OPEN_FOR_EXEC == 0 && !self.may(Action::Read) => refuse(Action::Read),
            _ => Ok(()),
        }
    }

    fn open(&self, caller: Caller, node: u64, flags: i32) -> Result<u64, Errno> {
        let (path, found) = self.look(node)?;
        if found.kind != Kind::File {
            return Err(Errno::EACCES);
        }
        self.check_open(caller, flags, &path)?;
        if self.shape.holds() && flags & libc::O_ACCMODE == libc::O_RDONLY {
            let held = self.held(caller, node, &path, &found)?;
            return self.keep(Opened::held(path, held));
        }
        // The very file that was looked at, opened through its descriptor.
        let fd = reopen(found.fd.as_fd(), self.flags_beneath(flags))?;
        self.keep(Opened::file(path, fd, flags, !self.may(Action::Overwrite)))
    }

    /// How a file is opened for these flags of the agent. Without the right to overwrite, the kernel itself puts
    /// every write at the end.
    pub(super) fn flags_beneath(&self, flags: i32) -> i32 {
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
        let append = writes && (!self.may(Action::Overwrite) || flags & libc::O_APPEND != 0);
        (flags & libc::O_ACCMODE)
            | libc::O_NONBLOCK
            | libc::O_NOCTTY
            | if append { libc::O_APPEND } else { 0 }
    }

    /// The content of a file that is shown as a whole. While one has it open, all see the same.
    fn held(&self, caller: Caller, node: u64, path: &[u8], found: &Found) -> Result<Arc<Held>, Errno> {
        if let Some(held) = self.lock(&self.held).get(&node).and_then(Weak::upgrade) {
            return Ok(held);
        }
        let fd = reopen(found.fd.as_fd(), libc::O_RDONLY | libc::O_NONBLOCK)?;
        let action = if self.may(Action::Read) { Action::Read } else { Action::Execute };
        let held = self.shape.load(fd).map_err(|errno| match errno {
            Errno::EACCES => self.refuse(caller.pid, action, path, false),
            other => other,
        })?;
        self.report.moved(self.place.number, 0, 0, held.redacted);
        let held = Arc::new(held);
        let mut all = self.lock(&self.held);
        all.retain(|_, held| held.strong_count() > 0);
        all.insert(node, Arc::downgrade(&held));
        Ok(held)
    }

    fn open_folder(&self, caller: Caller, node: u64) -> Result<u64, Errno> {
        let (path, found) = self.look(node)?;
        self.need(caller, &[Action::Read], &path)?;
        let fd = reopen(found.fd.as_fd(), libc::O_RDONLY | libc::O_DIRECTORY)?;
        let names = listing::names(fd.as_fd(), MOST_LISTED)?;
        self.keep(Opened::folder(node, path, &names))
    }

    /// Gives a handle to what was opened.
    /// # Errors
    /// `EMFILE` at the limit.
    pub(super) fn keep(&self, opened: Opened) -> Result<u64, Errno> {
        let mut open = self.lock(&self.open);
        if self.ended.load(Ordering::Acquire) {
            return Err(Errno::ESTALE);
        }
        if open.len() >= MOST_OPEN {
            return Err(Errno::EMFILE);
        }
        let handle = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        open.insert(handle, Arc::new(opened));
        Ok(handle)
    }

    /// What a handle stands for.
    /// # Errors
    /// `EIO` for one that was withdrawn.
    pub(super) fn opened(&self, handle: u64) -> Result<Arc<Opened>, Errno> {
        self.lock(&self.open).get(&handle).cloned().ok_or(Errno::EIO)
    }

    pub(super) fn release(&self, handle: u64) {
        self.lock(&self.open).remove(&handle);
    }

    pub(super) fn forget(&self, node: u64, count: u64) {
        self.tree().forget(node, count);
    }

    /// Nothing is served any more; gives every node.
    pub(super) fn end(&self) -> Vec<u64> {
        self.ended.store(true, Ordering::Release);
        self.lock(&self.open).clear();
        self.report.flush();
        self.tree().all()
    }

    pub(super) fn number(&self) -> u16 {
        self.place.number
    }

    pub(super) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.lock(&self.tree)
    }

    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
