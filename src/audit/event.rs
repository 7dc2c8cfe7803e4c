//! What a run leaves behind, as types. The names here are the record's schema: add fields, never rename them.
//!
//! Never holds a value of the environment, and no argument that looks like a secret (see [`Command::of`]).

use super::access::{
    AgentStart, ChannelClosed, Decision, Denial, Extend, Grant, GuardianEnd, GuardianStart, KnownFiles,
    ProgramCheck, ReasonGiven, Request, Revoke, Token, Transfer,
};
use super::beside::{Alert, ClockStep, Freeze, PolicyLoaded, Repeat};
use super::calls::Access;
use super::coverage::Coverage;
use super::network::{Network, NetworkStart};
use super::redact;
use crate::base::escape;
use crate::crypto::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// One thing that happened. In a line of the log: `"event":"run_start","data":{…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// The sandbox is planned and about to be made: who, what, under which profile, on which kernel.
    RunStart(Box<RunStart>),
    /// The command ended.
    RunEnd(RunEnd),
    /// The sandbox could not be made; no command ran.
    LaunchFailure(LaunchFailure),
    /// Protected places refused a change.
    ProtectedDenied(ProtectedDenied),
    /// A layer is missing or weaker than asked, and someone accepted that.
    Degraded(Degraded),
    /// The Guardian began to serve.
    GuardianStart(GuardianStart),
    /// The Guardian ended.
    GuardianEnd(GuardianEnd),
    /// Somebody inside asked for access.
    Request(Box<Request>),
    /// The agent said why, for a request that waits.
    ReasonGiven(Box<ReasonGiven>),
    /// A policy decided.
    Decision(Decision),
    /// What is known of a program was asked, or a person was asked about it.
    ProgramCheck(ProgramCheck),
    /// A lease was given.
    Grant(Box<Grant>),
    /// What a lease gives to read is known where bytes leave.
    KnownFiles(KnownFiles),
    /// A lease was extended.
    Extend(Extend),
    /// Access was refused.
    Denial(Box<Denial>),
    /// A lease is over.
    Revoke(Revoke),
    /// Something went through a lease.
    Transfer(Transfer),
    /// An agent was started by this one.
    AgentStart(Box<AgentStart>),
    /// A channel of the broker ended.
    ChannelClosed(Box<ChannelClosed>),
    /// A token was made or refused.
    Token(Token),
    /// The way out of a run whose network is filtered, as it began.
    NetworkStart(NetworkStart),
    /// Something was reached, or refused, on the way out.
    Network(Box<Network>),
    /// Something that decides was loaded.
    PolicyLoaded(PolicyLoaded),
    /// The clock of the machine was set.
    ClockStep(ClockStep),
    /// Refusals that are told together.
    Repeat(Box<Repeat>),
    /// A file was opened or changed, or a program executed.
    Access(Box<Access>),
    /// A rule found something.
    Alert(Box<Alert>),
    /// The sandbox was frozen, or goes on.
    Freeze(Freeze),
}

impl Event {
    /// The name the log has for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunStart(_) => "run_start",
            Self::RunEnd(_) => "run_end",
            Self::LaunchFailure(_) => "launch_failure",
            Self::ProtectedDenied(_) => "protected_denied",
            Self::Degraded(_) => "degraded",
            Self::GuardianStart(_) => "guardian_start",
            Self::GuardianEnd(_) => "guardian_end",
            Self::Request(_) => "request",
            Self::ReasonGiven(_) => "reason_given",
            Self::Decision(_) => "decision",
            Self::ProgramCheck(_) => "program_check",
            Self::Grant(_) => "grant",
            Self::KnownFiles(_) => "known_files",
            Self::Extend(_) => "extend",
            Self::Denial(_) => "denial",
            Self::Revoke(_) => "revoke",
            Self::Transfer(_) => "transfer",
            Self::AgentStart(_) => "agent_start",
            Self::ChannelClosed(_) => "channel_closed",
            Self::Token(_) => "token",
            Self::NetworkStart(_) => "network_start",
            Self::Network(_) => "network",
            Self::PolicyLoaded(_) => "policy_loaded",
            Self::ClockStep(_) => "clock_step",
            Self::Repeat(_) => "repeat",
            Self::Access(_) => "access",
            Self::Alert(_) => "alert",
            Self::Freeze(_) => "freeze",
        }
    }
}

/// Who started what, under which rules, on which machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunStart {
    /// The version of this program.
    pub aisandbox_version: String,
    /// This program's own file.
    pub binary: FileFacts,
    /// The program that was asked for.
    pub program: FileFacts,
    /// Its arguments.
    pub command: Command,
    /// The profile and every file it was made from.
    pub profile: ProfileFacts,
    /// The kernel.
    pub kernel: KernelFacts,
    /// The caller's user id.
    pub uid: u32,
    /// The caller's group id.
    pub gid: u32,
    /// The working folder the caller was in.
    pub cwd: String,
    /// Each layer of confinement: what was asked, what is.
    pub layers: Vec<LayerState>,
    /// Runs above, nearest first, when an agent started this one; the last is the one a person started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Where it belongs among the traces of other systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// What could be observed of the run, and what not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// A run's place in W3C trace context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Trace {
    /// The trace: 16 bytes as hex.
    pub id: String,
    /// The span around the run, 8 bytes as hex: whose work it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Where both come from: `random`, `environment` (the person's `TRACEPARENT`) or `run` (the run above).
    pub from: String,
}

/// A file by name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FileFacts {
    /// Its path on the host.
    pub path: String,
    /// Its SHA-256; `None` when the caller may execute but not read it.
    pub sha256: Option<Digest>,
}

/// The most arguments a record keeps.
pub const MAX_ARGS: usize = 64;
/// The most bytes a record keeps of one argument.
pub const MAX_ARG_BYTES: usize = 4096;

/// The arguments of a command, within limits and without what looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Command {
    /// The first [`MAX_ARGS`] arguments, the program's name first. `…` stands for what was cut.
    pub argv: Vec<String>,
    /// How many arguments there were.
    pub count: usize,
    /// Arguments or parts of them are missing because of the limits.
    pub cut: bool,
    /// Something that looked like a secret was replaced by `…`.
    pub redacted: bool,
    /// At least one argument is no UTF-8; in such a one bytes are written `\x…` and backslashes doubled.
    pub not_utf8: bool,
}

impl Command {
    /// Makes the record of an argument list. What follows a name like `--token=`, `--password`, `API_KEY=` or
    /// `Authorization:` is cut up to the end of the argument, and so is what begins like a well-known token. It is a
    /// guess, not a promise: `-pSECRET` looks like any other flag.
    pub fn of<S: AsRef<OsStr>>(argv: &[S]) -> Self {
        let mut command =
            Self { argv: Vec::new(), count: argv.len(), cut: false, redacted: false, not_utf8: false };
        let mut redactor = redact::Redactor::default();
        for argument in argv.iter().take(MAX_ARGS) {
            let bytes = argument.as_ref().as_bytes();
            command.not_utf8 |= str::from_utf8(bytes).is_err();
            let shown = redactor.argument(&text(bytes));
            command.argv.push(limited(shown, &mut command.cut));
        }
        command.redacted = redactor.found();
        command.cut |= argv.len() > MAX_ARGS;
        command
    }
}

fn limited(mut argument: String, cut: &mut bool) -> String {
    if argument.len() > MAX_ARG_BYTES {
        let whole = (0..=MAX_ARG_BYTES).rev().find(|end| argument.is_char_boundary(*end));
        argument.truncate(whole.unwrap_or(0));
        argument.push('…');
        *cut = true;
    }
    argument
}

/// Bytes of others as the record keeps them: UTF-8 as it is (the writer of lines makes it harmless), anything else
/// escaped.
pub fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).map_or_else(|_| escape(bytes), str::to_owned)
}

/// A profile by name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProfileFacts {
    /// The name or path it was asked for by.
    pub name: String,
    /// Every file that went in, parents first.
    pub origins: Vec<Origin>,
}

/// One file a profile was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Origin {
    /// As shown in messages.
    pub name: String,
    /// Lower-case hex of the SHA-256 of its bytes.
    pub sha256: String,
    /// Compiled into the program rather than read from disk.
    pub embedded: bool,
}

/// What the kernel is and can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// The newest Landlock ABI it has; 0 for none.
    pub landlock_abi: u32,
    /// The active security modules, where they could be read.
    pub lsms: Option<Vec<String>>,
}

/// One layer of confinement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LayerState {
    /// Its name, as `--require` takes it.
    pub layer: String,
    /// How much it was asked for.
    pub asked: Asked,
    /// What became of it.
    pub state: Enforced,
    /// More, for people; may be empty.
    pub detail: String,
}

/// How much a layer was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Without it nothing runs.
    Required,
    /// Its lack is accepted and recorded.
    Wanted,
    /// Not asked for.
    Off,
}

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Enforced {
    /// All of it holds.
    Enforced,
    /// A part of it holds.
    Degraded,
    /// Nothing of it holds.
    Missing,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunEnd {
    /// The command's exit code or signal.
    pub exit: Exit,
    /// What ended it.
    pub reason: EndReason,
    /// Milliseconds of CLOCK_BOOTTIME since the start record.
    pub duration_ms: u64,
    /// What was refused, by kind, with how often.
    pub denied: BTreeMap<String, u64>,
}

/// What wait(2) said of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// What ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The command exited by itself.
    Exited,
    /// A signal ended the command.
    Signaled,
    /// The profile's wall time was over.
    WallTime,
    /// The launcher ended it: it was told to stop, or something of ours failed.
    Killed,
}

/// A sandbox that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LaunchFailure {
    /// The stage that failed.
    pub stage: String,
    /// The message the caller saw.
    pub message: String,
    /// The kernel's errno, where there is one.
    pub errno: Option<i32>,
}

/// Refused changes of one protected place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProtectedDenied {
    /// The place, as the profile names it.
    pub path: String,
    /// The system call.
    pub call: String,
    /// How often.
    pub count: u64,
}

/// An accepted lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Degraded {
    /// The layer.
    pub layer: String,
    /// What is missing and why.
    pub why: String,
    /// Who accepted it: a profile's line or a flag.
    pub accepted_by: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_long_command_is_cut_and_says_so() {
        let long = "\u{e9}".repeat(MAX_ARG_BYTES);
        let argv = vec![long.as_str(); MAX_ARGS + 1];
        let command = Command::of(&argv);
        assert_eq!((command.argv.len(), command.count, command.cut), (MAX_ARGS, MAX_ARGS + 1, true));
        assert_eq!(command.argv[0], format!("{}…", "\u{e9}".repeat(MAX_ARG_BYTES / 2)));
        assert!(!Command::of(&["a"; MAX_ARGS]).cut);
    }

    #[test]
    fn a_secret_of_a_command_is_not_in_its_record() {
        let command = Command::of(&["run", "--password=hunter2", "--token", "hunter2"]);
        assert!(command.redacted && !format!("{command:?}").contains("hunter2"));
        assert!(!Command::of(&["run"]).redacted);
    }

    #[test]
    fn an_argument_that_is_no_utf8_is_kept_escaped() {
        let command = Command::of(&[std::ffi::OsString::from_vec(b"a\xff".to_vec())]);
        assert_eq!((command.argv[0].as_str(), command.not_utf8), ("a\\xff", true));
    }
}
