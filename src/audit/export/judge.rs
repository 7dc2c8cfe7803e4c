//! What became of what an event tells of, which OCSF type that makes it, and how severe it is.

use super::rest::inside;
use crate::audit::access::ChannelClosed;
use crate::audit::schema::EventSchema;
use serde_json::Value;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was let through, or done.
    Allowed,
    /// It was refused.
    Denied,
    /// It was asked, and not answered yet.
    Asked,
    /// It was seen.
    Observed,
    /// It failed, or ended badly.
    Failed,
}

impl Outcome {
    /// Its word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allow",
            Self::Denied => "deny",
            Self::Asked => "ask",
            Self::Observed => "observed",
            Self::Failed => "failure",
        }
    }

    /// It did not come to what was wanted.
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::Denied | Self::Failed)
    }
}

fn word<'a>(data: &'a Value, pointer: &str) -> &'a str {
    inside(data, pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn outcome(name: &str, data: &Value) -> Outcome {
    match (name, word(data, "/what")) {
        ("run_end", _) if inside(data, "/exit/code") == Some(&0.into()) => Outcome::Allowed,
        ("run_end" | "launch_failure" | "log.suspended" | "forward.gap", _) => Outcome::Failed,
        ("forward.alert", _) if word(data, "/state") != "open" => Outcome::Failed,
        ("guardian_end", _) if inside(data, "/ended_the_run").is_some_and(|why| !why.is_null()) => {
            Outcome::Failed
        }
        ("protected_denied" | "denial" | "repeat", _) => Outcome::Denied,
        ("request" | "reason_given", _) => Outcome::Asked,
        ("decision", _) => match word(data, "/outcome") {
            "allow" => Outcome::Allowed,
            "deny" => Outcome::Denied,
            _ => Outcome::Asked,
        },
        ("program_check", _) => match word(data, "/answer") {
            "good" | "yes" => Outcome::Allowed,
            "bad" | "no" => Outcome::Denied,
            "failed" => Outcome::Failed,
            _ => Outcome::Observed,
        },
        ("token", "refused") | ("network", "denied") => Outcome::Denied,
        ("network", "lost") | ("freeze", "failed") => Outcome::Failed,
        ("network", "alert" | "omitted") => Outcome::Observed,
        ("access", _) => match word(data, "/outcome") {
            "denied" => Outcome::Denied,
            "failed" => Outcome::Failed,
            _ => Outcome::Observed,
        },
        ("device.end", _) => match word(data, "/how") {
            "sealed" => Outcome::Allowed,
            _ => Outcome::Failed,
        },
        (
            "degraded" | "revoke" | "known_files" | "channel_closed" | "device.enrolled" | "device.read"
            | "log.redacted" | "log.held" | "log.released" | "log.pruned" | "policy_loaded" | "clock_step"
            | "alert" | "forward.alert" | "forward.checkpoint",
            _,
        ) => Outcome::Observed,
        _ => Outcome::Allowed,
    }
}

/// The OCSF type: always one of those that the table has for the event.
pub(super) fn type_uid(schema: Option<&EventSchema>, data: &Value) -> u32 {
    let Some(schema) = schema else { return 0 };
    let usual = schema.ocsf.first().copied().unwrap_or(0);
    let wanted = match schema.name {
        "denial" => by_action(inside(data, "/what/actions").and_then(last_text).unwrap_or_default()),
        "repeat" if word(data, "/of") == "network" => Some(400_105),
        "repeat" => by_action(inside(data, "/actions").and_then(last_text).unwrap_or_default()),
        "transfer" | "access" => by_action(word(data, "/action")),
        "protected_denied" if word(data, "/call").starts_with("rename") => Some(100_105),
        "token" if word(data, "/what") == "revoked" => Some(300_502),
        "network" => Some(of_network(data)),
        _ => None,
    };
    wanted.filter(|wanted| schema.ocsf.contains(wanted)).unwrap_or(usual)
}

fn last_text(list: &Value) -> Option<&str> {
    list.as_array()?.last()?.as_str()
}

fn by_action(action: &str) -> Option<u32> {
    Some(match action {
        "create" => 100_101,
        "read" => 100_102,
        "append" | "overwrite" => 100_103,
        "delete" => 100_104,
        "mode" => 100_106,
        "connect" | "upload" => 400_105,
        "execute" => 100_701,
        _ => return None,
    })
}

fn of_network(data: &Value) -> u32 {
    match (word(data, "/what"), word(data, "/protocol")) {
        ("denied", "dns") => 400_301,
        ("denied" | "request", _) if !word(data, "/request").is_empty() => {
            400_200 + http_activity(word(data, "/request"))
        }
        ("open", _) => 400_101,
        ("denied", _) => 400_105,
        ("request", _) => 400_299,
        ("volume", _) => 400_106,
        ("close", _) => 400_102,
        ("alert", _) => 200_601,
        ("lost", _) => 400_104,
        _ => 400_199,
    }
}

fn http_activity(request: &str) -> u32 {
    match request.split(' ').next().unwrap_or_default() {
        "CONNECT" => 1,
        "DELETE" => 2,
        "GET" => 3,
        "HEAD" => 4,
        "OPTIONS" => 5,
        "POST" => 6,
        "PUT" => 7,
        "TRACE" => 8,
        "PATCH" => 9,
        _ => 99,
    }
}

/// The severity of CEF, 0 to 10.
pub(super) fn severity(schema: Option<&EventSchema>, data: &Value, outcome: Outcome) -> u8 {
    let Some((low, high)) = schema.map(|schema| schema.cef.severity) else { return 3 };
    match (schema.map(|schema| schema.name), word(data, "/what")) {
        (Some("network"), "alert") => high,
        (Some("alert"), _) => match word(data, "/level") {
            "informational" => 1,
            "low" => 3,
            "medium" => 5,
            "critical" => 10,
            _ => high,
        },
        // Programs try hosts that nobody needs; what they carry is what alarms.
        (Some("network"), "denied") => low.midpoint(high),
        (Some("channel_closed"), _) if word(data, "/why") != ChannelClosed::ORDERLY => high,
        (Some("revoke"), _) if data.pointer("/left/0").is_some() => high,
        // Programs try names that nobody has.
        (Some("access"), _) if outcome == Outcome::Failed => low,
        (Some("known_files"), _) if inside(data, "/left_out") != Some(&0.into()) => high,
        (Some("device.enrolled"), _) if word(data, "/why") != "new" => high,
        _ if outcome.is_bad() => high,
        _ => low,
    }
}
