//! What the index keeps of an event: on what, which actions, what was said of it, by whom, how many bytes.
//!
//! Reads fields by name rather than by type: what a newer program wrote is kept as far as it says the usual things in
//! the usual words. Never decides anything, and never keeps text without a bound.

use super::fields::{Fields, kept, named};
use crate::audit::Record;
use crate::base::Action;
use serde::Serialize;
use serde_json::Value;

/// The most bytes or times that one event counts: a log that claims more is not believed, and sums stay numbers.
const MOST_COUNT: u64 = 1 << 48;
/// The most ids or findings of one event.
const MOST_LISTED: usize = 32;

/// What a text of the dictionary is. The numbers are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file or folder.
    File = 1,
    /// A host with its port.
    Host = 2,
    /// A program that was started or asked about.
    Program = 3,
    /// A device of the desktop.
    Device = 4,
    /// Another run.
    Run = 5,
    /// The name of an event.
    Event = 6,
    /// The program of the process that did or asked.
    Actor = 7,
    /// Why, as a word.
    Reason = 8,
    /// Who or what decided.
    By = 9,
    /// How sensitive it is.
    Label = 10,
    /// What was found in what left.
    Finding = 11,
}

impl Kind {
    pub(super) const ALL: [Self; 11] = [
        Self::File,
        Self::Host,
        Self::Program,
        Self::Device,
        Self::Run,
        Self::Event,
        Self::Actor,
        Self::Reason,
        Self::By,
        Self::Label,
        Self::Finding,
    ];

    /// The kind of this number.
    pub(super) fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == number)
    }
}

/// What an event says of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Nothing: a fact beside.
    #[default]
    Other = 0,
    /// Somebody asked.
    Asked = 1,
    /// It was given.
    Granted = 2,
    /// It was done.
    Seen = 3,
    /// It was refused.
    Denied = 4,
}

/// What an id begins with that is only used under.
pub(super) const UNDER: &str = "token ";

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && !text.contains(char::is_whitespace)
}

/// What was found in what left, as bits.
pub(super) const FOUND_RULE: i64 = 1;
/// The content of something known: a file that was given, a secret, a decoy.
pub(in crate::audit) const FOUND_CONTENT: i64 = 2;

/// Several actions; those without a word of ours are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Acts(pub(super) i64);

impl Acts {
    const OTHER: i64 = 1 << Action::ALL.len();

    /// The actions with these words.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let bit = |word: &str| {
            let word = if word == "write" { "overwrite" } else { word };
            Action::ALL.iter().position(|(_, known)| *known == word).map_or(Self::OTHER, |place| 1 << place)
        };
        Self(words.fold(0, |all, word| all | bit(word)))
    }

    /// Whether one of these is among them.
    pub fn any(self, of: &[Action]) -> bool {
        self.0 & Self::of(of.iter().map(|action| action.word())).0 != 0
    }

    /// Their words.
    pub fn words(self) -> Vec<&'static str> {
        let known = Action::ALL.iter().enumerate().filter(|(place, _)| self.0 & (1 << place) != 0);
        let mut words: Vec<&str> = known.map(|(_, (_, word))| *word).collect();
        if self.0 & Self::OTHER != 0 {
            words.push("other");
        }
        words
    }
}

impl Serialize for Acts {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.words().serialize(to)
    }
}

/// What the index keeps of one event. An empty text stands for none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::audit) struct Facts {
    pub(in crate::audit) said: Said,
    pub(in crate::audit) acts: Acts,
    pub(in crate::audit) object: Option<(Kind, String)>,
    pub(in crate::audit) actor: String,
    pub(in crate::audit) pid: i64,
    pub(in crate::audit) count: u64,
    /// Bytes to the object, and from it; of a connection all so far.
    pub(in crate::audit) sent: u64,
    pub(in crate::audit) received: u64,
    /// The connection, where there is one.
    pub(in crate::audit) flow: Option<u64>,
    pub(in crate::audit) reason: String,
    pub(in crate::audit) by: String,
    pub(in crate::audit) label: String,
    pub(in crate::audit) findings: Vec<(String, u64)>,
    /// Ids by which a person may ask for it.
    pub(in crate::audit) ids: Vec<String>,
    /// The lease this goes through; it says on what.
    pub(in crate::audit) lease: Option<String>,
}

impl Facts {
    /// What is kept of this record.
    pub(in crate::audit) fn of(record: &Record) -> Self {
        let data = Fields(&record.data);
        let mut facts = Self { count: data.number("/count").unwrap_or(1).max(1), ..Self::default() };
        facts.ids = ["/request", "/grant", "/denial", "/decision_id", "/run", "/approval"]
            .iter()
            .filter_map(|name| data.text(name))
            .filter(|id| is_id(id))
            .map(str::to_owned)
            .collect();
        facts.token(&data, &record.event);
        facts.process(&data);
        facts.reason = data.kept("/reason");
        facts.by = data.kept("/by");
        match record.event.as_str() {
            "run_start" => facts.run_start(&data),
            "request" => facts.about(&data, Said::Asked),
            "grant" => {
                facts.about(&data, Said::Granted);
                facts.by = data.kept("/approved_by");
            }
            "denial" => facts.about(&data, Said::Denied),
            "decision" => facts.decision(&data),
            "protected_denied" => facts.protected(&data),
            "program_check" => facts.checked(&data),
            "transfer" => facts.transfer(&data),
            "agent_start" => facts.agent(&data),
            "network" => facts.network(&data),
            "repeat" => facts.repeat(&data),
            "access" => facts.access(&data),
            "policy_loaded" => facts.reason = data.kept("/kind"),
            "token" => facts.said = if data.is("/what", "refused") { Said::Denied } else { Said::Other },
            "revoke" | "channel_closed" => facts.reason = data.kept("/why"),
            "degraded" => facts.reason = data.kept("/layer"),
            "launch_failure" => facts.reason = data.kept("/stage"),
            name if name.starts_with("log.") => facts.ids.clear(),
            "extend" | "known_files" | "reason_given" | "run_end" | "guardian_start" | "guardian_end"
            | "network_start" | "clock_step" | "freeze" => {}
            "alert" => facts.reason = data.kept("/rule"),
            _ => facts.unknown(&data),
        }
        if matches!(record.event.as_str(), "extend" | "revoke" | "known_files" | "transfer") {
            // What a profile shows from the start is known without a lease.
            facts.lease = data.text("/grant").filter(|lease| !lease.is_empty()).map(str::to_owned);
        }
        facts.bounded()
    }

    /// A token names the records that tell of it. What was done under it is found by it as well, but does not lead from one
    /// to the next: everything of a channel is under one token.
    fn token(&mut self, data: &Fields<'_>, event: &str) {
        let Some(token) = data.text("/token").filter(|id| is_id(id)) else { return };
        self.ids.push(if event == "token" { token.to_owned() } else { format!("{UNDER}{token}") });
    }

    fn bounded(mut self) -> Self {
        self.count = self.count.min(MOST_COUNT);
        self.sent = self.sent.min(MOST_COUNT);
        self.received = self.received.min(MOST_COUNT);
        self.ids.truncate(MOST_LISTED);
        self
    }

    fn process(&mut self, data: &Fields<'_>) {
        let one = if data.0.pointer("/who/process").is_some() { "/who/process" } else { "/process" };
        self.actor = data.kept(&format!("{one}/program"));
        self.pid = data.0.pointer(&format!("{one}/pid")).and_then(Value::as_i64).unwrap_or(0);
    }

    /// Of an event with a `what`.
    fn about(&mut self, data: &Fields<'_>, said: Said) {
        self.said = said;
        self.acts = Acts::of(data.list("/what/actions"));
        self.label = data.kept("/what/label");
        let (kind, name) = named(data.text("/what/resource").unwrap_or_default());
        let path = data.text("/what/path").filter(|path| !path.is_empty());
        let name = path.filter(|_| matches!(kind, Kind::File | Kind::Program)).unwrap_or(name);
        self.object = (!name.is_empty()).then(|| (kind, kept(name)));
    }

    /// Many refusals: of what the first was about.
    fn repeat(&mut self, data: &Fields<'_>) {
        self.said = Said::Denied;
        self.acts = Acts::of(data.list("/actions"));
        let (kind, name) = named(data.text("/first").unwrap_or_default());
        self.object = (!name.is_empty()).then(|| (kind, kept(name)));
    }

    fn access(&mut self, data: &Fields<'_>) {
        self.said = match data.text("/outcome") {
            Some("observed") => Said::Seen,
            Some("denied") => Said::Denied,
            _ => Said::Other,
        };
        self.acts = Acts::of(data.text("/action").into_iter());
        let kind = if data.is("/action", "execute") { Kind::Program } else { Kind::File };
        self.object = data.object(kind, "/path");
        self.reason = data.kept("/error");
    }

    fn run_start(&mut self, data: &Fields<'_>) {
        self.said = Said::Seen;
        self.acts = Acts::of(["execute"].into_iter());
        self.object = data.object(Kind::Program, "/program/path");
    }

    fn decision(&mut self, data: &Fields<'_>) {
        let policy = data.kept("/policy");
        self.by = if policy.is_empty() { "default".to_owned() } else { policy };
    }

    fn protected(&mut self, data: &Fields<'_>) {
        self.said = Said::Denied;
        self.acts = Acts::of(["create"].into_iter());
        self.object = data.object(Kind::File, "/path");
        self.reason = "protected".to_owned();
    }

    fn checked(&mut self, data: &Fields<'_>) {
        self.said = match data.text("/answer") {
            Some("bad" | "no") => Said::Denied,
            Some("good" | "yes") => Said::Granted,
            _ => Said::Other,
        };
        self.acts = Acts::of(["execute"].into_iter());
        self.object = data.object(Kind::Program, "/path");
    }

    fn transfer(&mut self, data: &Fields<'_>) {
        self.said = Said::Seen;
        self.acts = Acts::of(data.text("/action").into_iter());
        self.object = data.object(Kind::File, "/path");
        self.sent = data.number("/written").unwrap_or(0);
        self.received = data.number("/read").unwrap_or(0);
    }

    fn agent(&mut self, data: &Fields<'_>) {
        self.said = Said::Seen;
        self.acts = Acts::of(["execute"].into_iter());
        let program = data.object(Kind::Program, "/transition");
        self.object = program.or_else(|| data.object(Kind::Program, "/command/argv/0"));
    }

    fn network(&mut self, data: &Fields<'_>) {
        self.said = match data.text("/what") {
            Some("denied" | "alert") => Said::Denied,
            Some("open" | "request") => Said::Seen,
            _ => Said::Other,
        };
        self.acts = Acts::of(["connect"].into_iter());
        let host = data.text("/host").filter(|host| !host.is_empty());
        self.object = host.map(|host| match data.number("/port") {
            None | Some(0) => (Kind::Host, kept(host)),
            Some(port) => (Kind::Host, kept(&format!("{host}:{port}"))),
        });
        self.flow = data.number("/flow").filter(|flow| *flow > 0);
        self.sent = data.number("/sent").unwrap_or(0);
        self.received = data.number("/received").unwrap_or(0);
        self.by = data.kept("/rule");
        let pairs = data.0.pointer("/findings").and_then(Value::as_array).into_iter().flatten();
        let pair =
            |pair: &Value| Some((kept(pair.get(0)?.as_str()?), pair.get(1)?.as_u64()?.min(MOST_COUNT)));
        self.findings = pairs.filter_map(pair).take(MOST_LISTED).collect();
    }

    /// An event of a newer program: the usual names are taken to mean the usual things.
    fn unknown(&mut self, data: &Fields<'_>) {
        if data.0.pointer("/what/resource").is_some() {
            self.about(data, Said::Other);
        } else {
            let places = [(Kind::File, "/path"), (Kind::Host, "/host"), (Kind::Program, "/program")];
            self.object = places.into_iter().find_map(|(kind, name)| data.object(kind, name));
            let one = data.text("/action").into_iter();
            self.acts = Acts::of(one.chain(data.list("/actions")));
        }
        let words = ["/decision", "/verdict", "/outcome", "/answer"];
        self.said = match words.iter().find_map(|name| data.text(name)) {
            Some("deny" | "denied") => Said::Denied,
            Some("allow" | "allowed" | "observed") => Said::Seen,
            _ => Said::Other,
        };
    }

    /// What kinds of evidence its findings are.
    pub(in crate::audit) fn evidence(&self) -> i64 {
        let bit = |kind: &str| match kind {
            "known-file" | "known-secret" | "canary" => FOUND_CONTENT,
            _ => FOUND_RULE,
        };
        self.findings.iter().fold(0, |all, (kind, _)| all | bit(kind))
    }
}

/// Whether a record is about an object of this name, as the index keeps names; `None` where it names none itself.
pub fn is_about(record: &Record, name: &str) -> Option<bool> {
    Facts::of(record).object.map(|(_, known)| known == name)
}
