//! The FUSE session of one entry: the only file that names `fuser`.
//!
//! Turns its calls into ours and our answers into its own. Never decides, and never lets the kernel remember: every
//! lifetime is zero, so that nothing stale stays after a verdict or a withdrawal.

use super::call::{Answer, Attributes, Call, Change, Kind};
use super::entry::{Caller, Entry, Reply};
use super::opened::Write;
use crate::sys::Errno;
use fuser::{
    AccessFlags, BsdFileFlags, Config, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, Session, SessionACL,
    TimeOrNow, WriteFlags,
};
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long the kernel may remember an answer: not at all.
const LIFETIME: Duration = Duration::ZERO;
/// The most bytes of one read or write.
pub(super) const MOST_DATA: u32 = 128 * 1024;

/// Serves one entry until its mount is gone.
/// # Errors
/// What reading the descriptor gave.
pub(super) fn run(entry: Arc<Entry>, fuse: OwnedFd) -> io::Result<()> {
    // Whose calls come is the mount's to say.
    Session::from_fd(Shown(entry), fuse, SessionACL::All, Config::default())?.run()
}

struct Shown(Arc<Entry>);

impl Shown {
    fn pass(&self, request: &Request, call: Call, reply: Reply) {
        self.0.call(Caller { unique: request.unique().0, pid: request.pid() }, call, reply);
    }
}

fn code(errno: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(errno as i32)
}

/// The errno of an answer that is not the one its call gets.
fn fail(answer: &Answer) -> fuser::Errno {
    match answer {
        Answer::Fail(errno) => code(*errno),
        _ => fuser::Errno::EIO,
    }
}

fn attributes(shown: &Attributes) -> FileAttr {
    FileAttr {
        ino: INodeNo(shown.node),
        size: shown.size,
        blocks: shown.size.div_ceil(512),
        atime: shown.accessed,
        mtime: shown.modified,
        ctime: shown.changed,
        crtime: SystemTime::UNIX_EPOCH,
        kind: file_type(shown.kind),
        perm: shown.mode,
        nlink: shown.links,
        uid: shown.uid,
        gid: shown.gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Folder => FileType::Directory,
        Kind::File => FileType::RegularFile,
        Kind::Link => FileType::Symlink,
    }
}

fn moment(time: TimeOrNow) -> Option<SystemTime> {
    match time {
        TimeOrNow::SpecificTime(time) => Some(time),
        TimeOrNow::Now => None,
    }
}

fn entry_reply(reply: ReplyEntry) -> Reply {
    Box::new(move |answer| match answer {
        Answer::Shown(shown) => reply.entry(&LIFETIME, &attributes(&shown), Generation(0)),
        other => reply.error(fail(&other)),
    })
}

fn attributes_reply(reply: ReplyAttr) -> Reply {
    Box::new(move |answer| match answer {
        Answer::Shown(shown) => reply.attr(&LIFETIME, &attributes(&shown)),
        other => reply.error(fail(&other)),
    })
}

fn empty_reply(reply: ReplyEmpty) -> Reply {
    Box::new(move |answer| match answer {
        Answer::Done => reply.ok(),
        other => reply.error(fail(&other)),
    })
}

/// Read and written past the page cache: what was withdrawn cannot be had from there, and every byte is counted.
fn open_reply(reply: ReplyOpen, flags: FopenFlags) -> Reply {
    Box::new(move |answer| match answer {
        Answer::Opened(handle) => reply.opened(FileHandle(handle), flags),
        other => reply.error(fail(&other)),
    })
}

impl Filesystem for Shown {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Shared mappings of files that are read past the cache (Linux 6.6); without it they fail with ENODEV.
        let _without = config.add_capabilities(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP);
        // A kernel that reads ahead less keeps its own number.
        let _less = config.set_max_readahead(MOST_DATA);
        config.set_max_write(MOST_DATA).map(drop).map_err(|_| io::ErrorKind::InvalidInput.into())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.pass(request, Call::Lookup { parent: parent.0, name: name.to_owned() }, entry_reply(reply));
    }

    fn forget(&self, _: &Request, node: INodeNo, count: u64) {
        if let Some(served) = self.0.served() {
            served.forget(node.0, count);
        }
    }

    fn getattr(&self, request: &Request, node: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        let call = Call::Attributes { node: node.0, handle: handle.map(|handle| handle.0) };
        self.pass(request, call, attributes_reply(reply));
    }

    fn setattr(
        &self,
        request: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let owner = uid.is_some() || gid.is_some();
        let (accessed, modified) = (atime.map(moment), mtime.map(moment));
        let change = Change { mode, owner, size, accessed, modified };
        let call = Call::Change { node: node.0, handle: handle.map(|handle| handle.0), change };
        self.pass(request, call, attributes_reply(reply));
    }

    fn readlink(&self, request: &Request, node: INodeNo, reply: ReplyData) {
        let reply = move |answer| match answer {
            Answer::Text(text) => reply.data(&text),
            other => reply.error(fail(&other)),
        };
        self.pass(request, Call::ReadLink { node: node.0 }, Box::new(reply));
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        let (parent, name) = (parent.0, name.to_owned());
        let call = if mode & libc::S_IFMT == libc::S_IFREG {
            Call::Make { parent, name, mode: mode & !umask }
        } else {
            Call::MakeOther { parent, name }
        };
        self.pass(request, call, entry_reply(reply));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let call = Call::MakeFolder { parent: parent.0, name: name.to_owned(), mode: mode & !umask };
        self.pass(request, call, entry_reply(reply));
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let call = Call::Remove { parent: parent.0, name: name.to_owned(), folder: false };
        self.pass(request, call, empty_reply(reply));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let call = Call::Remove { parent: parent.0, name: name.to_owned(), folder: true };
        self.pass(request, call, empty_reply(reply));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, _: &Path, reply: ReplyEntry) {
        self.pass(request, Call::MakeOther { parent: parent.0, name: name.to_owned() }, entry_reply(reply));
    }

    fn link(&self, request: &Request, _: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.pass(request, Call::MakeOther { parent: parent.0, name: name.to_owned() }, entry_reply(reply));
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        let (parent, new_parent, flags) = (parent.0, new_parent.0, flags.bits());
        self.pass(request, Call::Rename { parent, name, new_parent, new_name, flags }, empty_reply(reply));
    }

    fn open(&self, request: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let call = Call::Open { node: node.0, flags: flags.0 };
        self.pass(request, call, open_reply(reply, FopenFlags::FOPEN_DIRECT_IO));
    }

    fn opendir(&self, request: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let call = Call::OpenFolder { node: node.0 };
        self.pass(request, call, open_reply(reply, FopenFlags::empty()));
    }

    fn access(&self, request: &Request, node: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        self.pass(request, Call::Access { node: node.0, mask: mask.bits() }, empty_reply(reply));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let call = Call::Create { parent: parent.0, name: name.to_owned(), mode: mode & !umask, flags };
        let reply = move |answer| match answer {
            Answer::Created(shown, handle) => {
                let (handle, flags) = (FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO);
                reply.created(&LIFETIME, &attributes(&shown), Generation(0), handle, flags);
            }
            other => reply.error(fail(&other)),
        };
        self.pass(request, call, Box::new(reply));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(0, 0, 0, 0, 0, 4096, 255, 4096);
    }

    fn read(
        &self,
        request: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(served) = self.0.served() else { return reply.error(fuser::Errno::EIO) };
        match served.read(handle.0, offset, size.min(MOST_DATA), request.pid()) {
            Ok(data) => reply.data(&data),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn write(
        &self,
        request: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        how: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some(served) = self.0.served() else { return reply.error(fuser::Errno::EIO) };
        let mapped = how.contains(WriteFlags::FUSE_WRITE_CACHE);
        let at_end = flags.0 & libc::O_APPEND != 0;
        let pid = request.pid();
        match served.write(&Write { handle: handle.0, offset, data, mapped, at_end, pid }) {
            Ok(count) => reply.written(u32::try_from(count).unwrap_or(0)),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, handle: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Nothing is held back here, so there is nothing to flush; a withdrawn handle says so.
        match self.0.served().is_some_and(|served| served.holds(handle.0)) {
            true => reply.ok(),
            false => reply.error(fuser::Errno::EIO),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, handle: FileHandle, data_only: bool, reply: ReplyEmpty) {
        let Some(served) = self.0.served() else { return reply.error(fuser::Errno::EIO) };
        match served.sync(handle.0, data_only) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        if let Some(served) = self.0.served() {
            served.release(handle.0);
        }
        reply.ok();
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let Some(served) = self.0.served() else { return reply.error(fuser::Errno::EIO) };
        let listed = served.list(handle.0, offset, |next, found| {
            reply.add(INodeNo(found.inode), next, file_type(found.kind), &found.name)
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        if let Some(served) = self.0.served() {
            served.release(handle.0);
        }
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }
}
