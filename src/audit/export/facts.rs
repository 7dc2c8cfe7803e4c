//! What a record says, in the words that all formats share: who, on what, to where, what became of it, and why.
//!
//! Reads the fields as they are, not as a type: one that was withheld, or that a newer program added, is no reason to
//! lose the others. Each field is taken once; what nothing here has a name for stays in `rest`.

use super::judge::{self, Outcome};
use super::rest::Rest;
use crate::audit::Record;
use crate::audit::schema::{self, EventSchema};
use serde_json::Value;

/// A process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Option<u64>,
    pub(super) program: Option<String>,
    pub(super) sha256: Option<String>,
}

/// Where something went, or would have gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) host: Option<String>,
    pub(super) port: Option<u64>,
    pub(super) address: Option<String>,
    pub(super) sni: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) flow: Option<u64>,
    /// Method and path of a request.
    pub(super) request: Option<(String, String)>,
    pub(super) status: Option<u64>,
    pub(super) sent: Option<u64>,
    pub(super) received: Option<u64>,
}

/// What a record says.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) schema: Option<&'static EventSchema>,
    pub(super) outcome: Outcome,
    pub(super) severity: u8,
    pub(super) type_uid: u32,
    /// What was done or wanted, in one word or several.
    pub(super) action: Option<String>,
    pub(super) process: Process,
    /// Nearest first.
    pub(super) parents: Vec<Process>,
    /// The object in the agent's view: its kind and name.
    pub(super) object: Option<String>,
    pub(super) path: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) command: Vec<String>,
    pub(super) label: Option<String>,
    pub(super) to: Option<Destination>,
    /// Kinds of what was found, with their counts.
    pub(super) findings: Vec<(String, u64)>,
    /// Why, as a stable word.
    pub(super) reason: Option<String>,
    /// Why, in the words of who said it.
    pub(super) words: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) policy: Option<String>,
    /// Who or what said yes or no.
    pub(super) by: Option<String>,
    pub(super) request: Option<String>,
    pub(super) grant: Option<String>,
    pub(super) token: Option<String>,
    /// What an agent said that it belongs to.
    pub(super) claimed: Option<String>,
    /// The run that was started.
    pub(super) child: Option<String>,
    pub(super) exit_code: Option<i64>,
    pub(super) took_ms: Option<u64>,
    pub(super) count: Option<u64>,
    /// What no name was found for.
    pub(super) rest: Rest<'a>,
}

impl Facts<'static> {
    /// With what is left besides.
    pub(super) fn of(record: &Record) -> Self {
        Facts::out_of(record, Rest::Left(record.data.clone()))
    }
}

impl<'a> Facts<'a> {
    /// For a format that has no place for what is left.
    pub(super) fn seen(record: &'a Record) -> Self {
        Self::out_of(record, Rest::All(&record.data))
    }

    fn out_of(record: &Record, mut rest: Rest<'a>) -> Self {
        let name = record.event.as_str();
        let schema = schema::event(name);
        let outcome = judge::outcome(name, &record.data);
        let is_network = name == "network";
        let who = if is_network || ["repeat", "access"].contains(&name) { "" } else { "/who" };
        let mut facts = Self {
            schema,
            outcome,
            severity: judge::severity(schema, &record.data, outcome),
            type_uid: judge::type_uid(schema, &record.data),
            process: process(&mut rest, &format!("{who}/process")),
            parents: parents(&mut rest),
            action: action(&mut rest, name),
            object: rest.text(if name == "repeat" { "/first" } else { "/what/resource" }),
            path: path(&mut rest, name),
            sha256: rest.text("/sha256"),
            command: rest.texts("/command/argv"),
            label: rest.text("/what/label").or_else(|| rest.text("/label")),
            to: None,
            findings: findings(&mut rest),
            reason: reason(&mut rest, name),
            words: words(&mut rest, name),
            rule: rest.text("/rule"),
            policy: if name == "policy_loaded" { rest.text("/name") } else { rest.text("/policy") },
            by: rest.text("/approved_by").or_else(|| rest.text("/by").filter(|_| name != "request")),
            request: None,
            grant: rest.text("/grant"),
            token: rest.text("/token"),
            claimed: rest.text("/claimed"),
            child: if name == "agent_start" { rest.text("/run") } else { None },
            exit_code: rest.number("/exit/code").and_then(|code| i64::try_from(code).ok()),
            took_ms: rest.number("/took_ms").or_else(|| rest.number("/duration_ms")),
            count: rest.number("/count"),
            rest,
        };
        facts.to = if is_network { network(&mut facts.rest) } else { facts.asked_host() };
        let request = if is_network { "/approval" } else { "/request" };
        facts.request = facts.rest.text(request);
        facts
    }

    /// The host that a request, grant or denial is about.
    fn asked_host(&self) -> Option<Destination> {
        let object = self.object.as_deref()?;
        let named = object.strip_prefix("host ").or_else(|| object.strip_prefix("upload to "))?;
        let (host, port) = named.rsplit_once(':').unwrap_or((named, ""));
        Some(Destination { host: Some(host.to_owned()), port: port.parse().ok(), ..Destination::default() })
    }

    /// The file that it is about: on the host where that is known, else as the agent sees it.
    pub(super) fn file(&self) -> Option<&str> {
        let seen = self.object.as_deref().and_then(|object| object.strip_prefix("file "));
        self.path.as_deref().or(seen)
    }

    /// The program that it is about.
    pub(super) fn program(&self) -> Option<&str> {
        let seen = self.object.as_deref().and_then(|object| object.strip_prefix("program "));
        self.path.as_deref().or(seen)
    }

    /// What it was approved by.
    pub(super) fn approval(&self) -> Option<&str> {
        self.grant.as_deref().or(self.request.as_deref())
    }

    /// The OCSF class.
    pub(super) fn class_uid(&self) -> u32 {
        self.type_uid / 100
    }

    pub(super) fn name_for_people(&self) -> Option<&'static str> {
        self.schema.map(|schema| schema.cef.name)
    }
}

fn process(rest: &mut Rest<'_>, at: &str) -> Process {
    Process {
        pid: rest.number(&format!("{at}/pid")).filter(|pid| *pid > 0),
        program: rest.text(&format!("{at}/program")),
        sha256: rest.text(&format!("{at}/sha256")),
    }
}

fn parents(rest: &mut Rest<'_>) -> Vec<Process> {
    let Some(Value::Array(items)) = rest.take("/who/parents") else { return Vec::new() };
    let each = |item| process(&mut Rest::Left(serde_json::json!({ "it": item })), "/it");
    items.into_iter().map(each).collect()
}

fn action(rest: &mut Rest<'_>, name: &str) -> Option<String> {
    let words = rest.texts(if name == "repeat" { "/actions" } else { "/what/actions" });
    match name {
        _ if !words.is_empty() => Some(words.join(" ")),
        "network" | "token" => rest.text("/what"),
        "transfer" | "access" => rest.text("/action"),
        "protected_denied" => rest.text("/call"),
        "decision" => rest.text("/outcome"),
        "program_check" => rest.text("/answer"),
        _ => None,
    }
}

fn path(rest: &mut Rest<'_>, name: &str) -> Option<String> {
    match name {
        "run_start" => rest.text("/program/path"),
        "agent_start" => rest.text("/transition"),
        _ => rest.text("/what/path").or_else(|| rest.text("/path")),
    }
}

fn findings(rest: &mut Rest<'_>) -> Vec<(String, u64)> {
    let found = rest.take("/findings").or_else(|| rest.take("/what/upload/found"));
    found.and_then(|found| serde_json::from_value(found).ok()).unwrap_or_default()
}

/// The stable word of why, where the event has one.
fn reason(rest: &mut Rest<'_>, name: &str) -> Option<String> {
    match name {
        "denial" | "network" | "run_end" | "repeat" => rest.text("/reason"),
        "revoke" => rest.text("/why"),
        "access" => rest.text("/error"),
        "launch_failure" => rest.text("/stage"),
        "forward.alert" => rest.text("/state"),
        _ => None,
    }
}

/// Why, in words.
fn words(rest: &mut Rest<'_>, name: &str) -> Option<String> {
    match name {
        "request" | "reason_given" | "degraded" | "channel_closed" | "device.enrolled" | "forward.gap"
        | "forward.alert" => rest.text("/why"),
        "decision" | "program_check" | "log.suspended" | "log.redacted" | "log.held" | "log.released"
        | "log.pruned" => rest.text("/reason"),
        "denial" => rest.text("/detail"),
        "launch_failure" => rest.text("/message"),
        "guardian_end" => rest.text("/ended_the_run"),
        _ => None,
    }
}

fn network(rest: &mut Rest<'_>) -> Option<Destination> {
    let request = rest.text("/request").map(|request| match request.split_once(' ') {
        Some((method, path)) => (method.to_owned(), path.to_owned()),
        None => (request, String::new()),
    });
    Some(Destination {
        host: rest.text("/host"),
        port: rest.number("/port").filter(|port| *port > 0),
        address: rest.text("/address"),
        sni: rest.text("/sni"),
        protocol: rest.text("/protocol"),
        flow: rest.number("/flow").filter(|flow| *flow > 0),
        request,
        status: rest.number("/status"),
        sent: rest.number("/sent"),
        received: rest.number("/received"),
    })
}
