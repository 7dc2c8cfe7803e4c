//! Ready: everything the child will need, laid out in memory before the clone.
//!
//! Plain data. After the clone nothing is parsed, formatted or allocated: the child reads these fields and makes calls.

use super::egress::ReadyEgress;
use super::guard::GuardPlan;
use crate::profile::Observe;
use crate::sys::limits::Resource;
use crate::sys::process::{ExecStrings, Pid};
use crate::sys::seccomp::Instruction;
use crate::sys::signal::SignalSet;
use crate::sys::terminal::WindowSize;
use std::ffi::{CStr, CString};
use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

/// Everything the child needs.
#[derive(Debug)]
pub struct Ready {
    /// CLONE_NEW* flags of the clone; 0 in a run without namespaces.
    pub namespaces: u64,
    /// What a run without namespaces has instead of them.
    pub bare: Option<ReadyBare>,
    /// Id maps of the outer and the inner user namespace.
    pub maps: Maps,
    /// Building the view, in order.
    pub steps: Vec<ReadyStep>,
    /// Use mount(2) throughout: this kernel or a filter above us lacks the mount API by descriptor.
    pub classic_mounts: bool,
    /// Loopback is brought up.
    pub loopback: bool,
    /// The way to the proxy of a filtered network.
    pub egress: Option<ReadyEgress>,
    /// Host name inside.
    pub host_name: CString,
    /// rlimits, in order.
    pub limits: Vec<(Resource, u64)>,
    /// Landlock: the ruleset with all rules known before, and those that need a look inside.
    pub ruleset: Option<ReadyRuleset>,
    /// The system call filter.
    pub filter: Vec<Instruction>,
    /// The second filter and its plan, when protected names do not exist yet, or calls are observed.
    pub guard: Option<(Vec<Instruction>, GuardPlan)>,
    /// How much of the calls is observed, and where init tells of it.
    pub observe: Option<(Observe, OwnedFd)>,
    /// What is tried before the agent starts.
    pub probes: Probes,
    /// Tell the launcher the inode numbers of the namespaces.
    pub tell_namespaces: bool,
    /// Hand the launcher the outer user namespace and the mount namespace: something may be mounted later.
    pub hand_over_namespaces: bool,
    /// Which of stdin, stdout and stderr are a person's terminal. The agent never gets one of these.
    pub terminals: [bool; 3],
    /// The pseudo-terminal, when a standard descriptor is a terminal.
    pub terminal: Option<ReadyTerminal>,
    /// The command.
    pub command: ReadyCommand,
    /// Descriptors the agent gets beside stdio, by number.
    pub pass: Vec<RawFd>,
    /// Signals blocked when we were started.
    pub signals: SignalSet,
    /// The most the run may take by the clock; init ends it when the launcher, stopped or busy, did not.
    pub wall_time: Option<Duration>,
    /// The umask we were started with.
    pub umask: u32,
    /// Our end of the message socket.
    pub control: OwnedFd,
    /// Where a failure is written; its closing without a word means that exec happened.
    pub failure: OwnedFd,
    /// `/dev/null` of the host, for init's standard descriptors.
    pub null: OwnedFd,
}

/// The text of the id maps, one line each.
#[derive(Debug)]
pub struct Maps {
    /// Outer: 0 inside is the user outside.
    pub outer_uid: Vec<u8>,
    /// The same for the group.
    pub outer_gid: Vec<u8>,
    /// Inner: the user's own number again.
    pub inner_uid: Vec<u8>,
    /// The same for the group.
    pub inner_gid: Vec<u8>,
}

/// One step of the view, in the child's words. `at` is relative to the new root.
#[derive(Debug)]
pub struct ReadyStep {
    /// Where.
    pub at: CString,
    /// What.
    pub act: ReadyAct,
    /// Which step of the plan it belongs to, for messages.
    pub entry: u16,
}

/// What the child does.
#[derive(Debug)]
pub enum ReadyAct {
    /// mkdir.
    Folder,
    /// An empty file to mount on.
    EmptyFile,
    /// symlink with this target.
    Symlink(CString),
    /// A host object: the canonical path, and who must be found there.
    Bind {
        /// Canonical path in the old root.
        source: CString,
        /// Device number seen before the clone.
        dev: u64,
        /// Inode number seen before the clone.
        ino: u64,
        /// Mount attributes, for it and all mounts below it.
        attributes: u64,
        /// With classic mounts: `.` for itself and paths below `at` of its submounts, with all flags each must have.
        remounts: Vec<(CString, u64)>,
    },
    /// A new filesystem.
    Filesystem {
        /// `tmpfs`, `devpts` or `proc`.
        kind: &'static CStr,
        /// Parameters; a value of `None` is a flag.
        parameters: Vec<(&'static CStr, CString)>,
        /// The same as one string, for mount(2).
        data: CString,
        /// Mount attributes.
        attributes: u64,
    },
    /// A read-only file with these bytes.
    Data(Vec<u8>),
    /// Covered by an empty folder.
    MaskFolder,
    /// Covered by an empty file. The flag: it may be missing.
    MaskFile(bool),
    /// FUSE, whose device goes to the launcher.
    Ask {
        /// Which entry.
        number: u16,
        /// It is a folder, otherwise a file.
        folder: bool,
    },
    /// Mounted on itself read-only, if it is there (parts of /proc).
    ReadOnlyIfThere,
}

/// Landlock for the child.
#[derive(Debug)]
pub struct ReadyRuleset {
    /// The ruleset.
    pub ruleset: OwnedFd,
    /// Rules for objects that exist only inside: absolute inner path and rights.
    pub inner: Vec<(CString, u64)>,
    /// Rights on the pseudo-terminal itself, where it comes from the host's /dev/pts.
    pub terminal: u64,
    /// Flags of landlock_restrict_self.
    pub flags: u32,
}

/// For a run without namespaces.
#[derive(Debug)]
pub struct ReadyBare {
    /// The filter that closes sockets and System V objects of the host.
    pub reach: Vec<Instruction>,
    /// A ruleset of the agent alone: its signals do not reach init. Needs Landlock ABI 6.
    pub seal: Option<OwnedFd>,
    /// The launcher, which no signal from inside may reach when there is a seal.
    pub launcher: Pid,
}

/// What is tried from inside before the agent starts.
#[derive(Debug)]
pub struct Probes {
    /// A host file that exists and must not be found by its path.
    pub planted_path: Option<CString>,
    /// The folder that holds it, by descriptor, and its name: Landlock must refuse it although we hold the folder.
    pub planted_at: Option<(OwnedFd, CString)>,
    /// Try a 32-bit call in a child of its own; the filter must end it.
    pub foreign_abi: bool,
}

/// The pseudo-terminal.
#[derive(Debug)]
pub struct ReadyTerminal {
    /// The agent has the foreground, and with it the keys, from its start; otherwise once it wants them.
    pub keys_at_once: bool,
    /// Rows and columns at the start.
    pub size: WindowSize,
    /// The multiplexer inside.
    pub multiplexer: CString,
}

/// The command.
#[derive(Debug)]
pub struct ReadyCommand {
    /// Path inside.
    pub program: CString,
    /// Arguments.
    pub argv: ExecStrings,
    /// `/bin/sh PROGRAM ARGUMENTS`, for a script without `#!` (ENOEXEC), as execvp(3) does.
    pub shell_argv: ExecStrings,
    /// Environment.
    pub envp: ExecStrings,
    /// Working folder inside.
    pub chdir: CString,
}
