//! Guardian: decides while an agent runs: what may be asked, by whom it is answered, what is given and taken back.
//!
//! One thread and one loop ([`serve`]). It never waits for anybody: a peer that does not read is given up, a person who
//! does not answer has said no, a role that is gone answers no. No record, no grant. It parses no YAML, evaluates no
//! policy, draws nothing and mounts nothing: roles do, and it believes of them only what is within the ceiling.
#![forbid(unsafe_code)]

pub mod above;
mod act;
mod agent;
pub mod agents;
pub mod ceiling;
mod channel;
mod clock;
mod command;
pub mod consent;
#[cfg(test)]
mod consent_tests;
mod decide;
pub mod desk;
pub mod detection;
mod door;
mod egress;
mod give;
pub mod grant;
mod hear;
pub mod introduce;
pub mod label;
pub mod lesson;
mod link;
pub mod process;
mod record;
pub(crate) mod repeat;
pub mod reputation;
mod request;
mod rights;
mod roles;
mod serve;
pub mod session;
pub mod setup;
mod standing;
mod state;
mod statement;
pub mod target;
pub mod token;
mod upload;

pub use serve::serve;
pub use setup::{About, RoleEnd, Setup, Summary};

use agents::Agents;
use ceiling::Ceiling;
use command::Sessions;
use consent::{Consent, WayId};
use desk::Desk;
use door::Doors;
use give::Ending;
use grant::Leases;
use link::Link;
use process::Processes;
use record::Recorder;
use request::Request;
use rights::Rotation;
use roles::Roles;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use token::{Claims, Signer, Tokens};

use crate::base::BootInstant;
use crate::profile::{Standing, Template};
use crate::wire::broker::Allowed;
use crate::wire::denial::Denial;

/// The Guardian of one run, between two turns of its loop.
struct Guardian {
    about: About,
    /// What begins the ids that people type: the end of the run's id.
    short: String,
    ceiling: Ceiling,
    desk: Desk,
    consent: Consent,
    leases: Leases,
    processes: Processes,
    /// Agents that this run's agent started.
    agents: Agents,
    recorder: Recorder,
    templates: Vec<Template>,
    standing: Vec<Standing>,
    answers: Option<PathBuf>,
    timeout: Duration,
    /// Who knows programs, when the profile names somebody.
    reputation: Option<reputation::Reputation>,
    roles: Roles,
    tokens: Tokens,
    rotation: Rotation,
    /// Signs what leaves the machine.
    signer: Signer,
    /// The Guardian of the run above, whose agent started this one.
    overseer: Option<Link>,
    /// What the first token of a channel lists.
    allowed: Vec<Allowed>,
    /// Tokens that were checked, by channel and text.
    claims: BTreeMap<(u64, String), Arc<Claims>>,
    doors: Doors,
    sessions: Sessions,
    ways: BTreeMap<WayId, Link>,
    requests: BTreeMap<u64, Request>,
    ending: BTreeMap<u64, Ending>,
    /// Leases that wait until what they give is known to role `dlp`.
    lessons: lesson::Lessons,
    /// Leases of hosts and uploads that are over, newest last: connections tell of them a little longer.
    over: VecDeque<record::Through>,
    /// The last refusals, newest last.
    denials: VecDeque<Denial>,
    /// What rules find.
    detection: detection::Watch,
    /// Refusals that are counted and told together.
    repeats: repeat::Repeats,
    /// The second, and the searches for sockets in it.
    searches: (u64, u32),
    summary: Summary,
    /// This turn, on CLOCK_BOOTTIME.
    now: Duration,
    /// People are to be told of the state.
    changed: bool,
    /// Why the run ends.
    end: Option<String>,
    /// Numbers for sessions, channels and ways.
    last_number: u64,
}

impl Guardian {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The run cannot go on safely.
    fn end_run(&mut self, why: &str) {
        self.end.get_or_insert_with(|| why.to_owned());
    }
}

/// CLOCK_BOOTTIME.
fn boot_now() -> Duration {
    BootInstant::now().since_boot()
}
