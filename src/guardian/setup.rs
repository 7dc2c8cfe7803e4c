//! What the Guardian is given: plain data and open descriptors. Whatever has to be parsed was parsed before.

use super::ceiling::Entry;
use super::consent::Kind;
use super::desk::Rates;
use super::token::TokenId;
use crate::audit::{DigestCache, SharedLog};
use crate::profile::{Standing, Template};
use crate::role::Role;
use crate::wire::session::RunState;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// The run, as it is told to people.
#[derive(Debug, Clone)]
pub struct About {
    /// Its id.
    pub run: String,
    /// Runs above it, nearest first, when an agent started the agent.
    pub chain: Vec<String>,
    /// The profile's name.
    pub profile: String,
    /// What answers for good stand under: the profile's name, or the whole path of its file.
    pub answers_under: String,
    /// The command, as the record has it.
    pub command: Vec<String>,
    /// The launcher's pid.
    pub launcher: i32,
    /// Init's pid outside.
    pub init: i32,
    /// The caller's user id.
    pub uid: u32,
    /// Seconds since 1970.
    pub since: u64,
}

/// A role's end.
#[derive(Debug)]
pub struct RoleEnd {
    /// Which.
    pub role: Role,
    /// Our end of its socket.
    pub socket: OwnedFd,
}

/// Hears of every change of the run's state.
pub type Teller = Box<dyn FnMut(&RunState) + Send>;

/// All of it.
pub struct Setup {
    /// The run.
    pub about: About,
    /// What may be asked for.
    pub ceiling: Vec<Entry>,
    /// Hosts that may be asked for.
    pub hosts: Vec<super::ceiling::AskedHost>,
    /// Uploads that may be asked about.
    pub uploads: Vec<super::ceiling::AskedUpload>,
    /// Ways to ask a person, in the profile's order.
    pub ways: Vec<Kind>,
    /// How long a question waits.
    pub timeout: Duration,
    /// Approved in advance.
    pub templates: Vec<Template>,
    /// Answered for good.
    pub standing: Vec<Standing>,
    /// The user's own answers file, where a new one is written.
    pub answers: Option<PathBuf>,
    /// How much may be asked.
    pub rates: Rates,
    /// The log of the run.
    pub log: SharedLog,
    /// A grant's record is on disk before the grant (`audit.mode: durable`).
    pub durable: bool,
    /// Digests of programs.
    pub digests: Option<DigestCache>,
    /// Init's descriptor, to end the run.
    pub init: Option<OwnedFd>,
    /// Landlock holds for the agent's files.
    pub landlock: bool,
    /// The root and depth of the token the run was asked for under, when an agent started it.
    pub under: Option<(TokenId, u8)>,
    /// Our end of the pair that every process inside shares.
    pub door: Option<OwnedFd>,
    /// The listening socket `broker`.
    pub path_door: Option<OwnedFd>,
    /// The listening socket `control`.
    pub control: Option<OwnedFd>,
    /// Who knows programs.
    pub reputation: Option<super::reputation::Reputation>,
    /// Rules over the events, when the profile names some.
    pub detection: Option<super::detection::Detection>,
    /// The roles that were started and know what they need.
    pub roles: Vec<RoleEnd>,
    /// Ways to ask that are there from the start.
    pub terminal: Option<OwnedFd>,
    /// What can be handed down to agents that are started; `None`: none can be.
    pub above: Option<super::above::Above>,
    /// The socket to the Guardian of the run above, when an agent started this one.
    pub overseer: Option<OwnedFd>,
    /// Readable when the run is over.
    pub stop: OwnedFd,
    /// Hears of changes.
    pub teller: Teller,
}

impl fmt::Debug for Setup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Setup").field("about", &self.about).finish_non_exhaustive()
    }
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests that were taken up.
    pub requests: u64,
    /// Leases that were given.
    pub grants: u64,
    /// Refusals.
    pub denials: u64,
    /// Messages that were malformed, forged or out of order.
    pub rejected: u64,
    /// Why the Guardian ended the run, if it did.
    pub ended_the_run: Option<String>,
    /// What rules found when nobody could be told any more but by the launcher.
    pub alerts: Vec<crate::wire::session::AlertState>,
}
