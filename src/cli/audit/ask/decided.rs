//! What one record says of a decision: yes or no, by whom, because of what, and what would change it.
//!
//! Never guesses: where a record does not say, nothing is said.

use super::words::{decider, many, name};
use crate::audit::Record;
use crate::audit::access::{Decision, Denial, Grant, ProgramCheck, What};
use crate::audit::beside::Repeat;
use crate::audit::event::Event;
use crate::audit::index::is_person;
use crate::audit::network::Network;
use crate::base::escape;
use crate::egress::reason_text;
use crate::wire::denial::Reason;
use serde::Serialize;

/// A decision in words. Everything is escaped already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Decided {
    /// Yes or no; `None` for a step on the way.
    pub(in crate::cli) allowed: Option<bool>,
    /// Who or what decided, as the record has it.
    pub(in crate::cli) by: String,
    /// A person, at that moment.
    pub(in crate::cli) person: bool,
    /// In one sentence.
    pub(in crate::cli) words: String,
    /// Why, a sentence each.
    pub(in crate::cli) because: Vec<String>,
    /// What would change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) hint: Option<String>,
}

/// What this record decided; `None` when it decides nothing.
pub(in crate::cli) fn by(record: &Record) -> Option<Decided> {
    match record.known_event()? {
        Event::Grant(grant) => Some(granted(&grant)),
        Event::Denial(denial) => Some(denied(&denial)),
        Event::Decision(decision) => Some(policy(&decision)),
        Event::ProgramCheck(check) => Some(checked(&check)),
        Event::Network(network) => went(&network),
        Event::Repeat(repeat) => Some(repeated(&repeat)),
        Event::ProtectedDenied(denied) => Some(Decided {
            allowed: Some(false),
            by: "profile".to_owned(),
            person: false,
            words: format!(
                "REFUSED: {} on {}, {}",
                escape(denied.call.as_bytes()),
                name(&denied.path),
                times(denied.count)
            ),
            because: vec![
                "the profile protects this name: what would run outside later cannot be changed".to_owned(),
            ],
            hint: hint("protected"),
        }),
        _ => None,
    }
}

fn times(count: u64) -> String {
    many(count, "time", "times")
}

fn on(what: &What) -> String {
    let label = if what.label.is_empty() { String::new() } else { format!(" [{}]", name(&what.label)) };
    let path = what.path.as_deref().map_or_else(String::new, |path| format!(" ({})", name(path)));
    format!("{} on {}{path}{label}", escape(what.actions.join(", ").as_bytes()), name(&what.resource))
}

fn granted(grant: &Grant) -> Decided {
    let person = is_person(&grant.approved_by);
    let lasts = match grant.lease_s {
        Some(seconds) => format!("for {}", many(seconds, "second", "seconds")),
        None => "until the run ends".to_owned(),
    };
    let mut because = Vec::new();
    because.extend(grant.shown_ms.map(|ms| format!("the question was on a screen for {ms} ms")));
    because.push(format!("the answer was for: {}", escape(grant.scope.as_bytes())));
    because
        .extend(grant.decision_id.as_deref().map(|id| format!("policy decision {}", escape(id.as_bytes()))));
    Decided {
        allowed: Some(true),
        person,
        words: format!("APPROVED by {}: {}, {lasts}", decider(&grant.approved_by, person), on(&grant.what)),
        by: grant.approved_by.clone(),
        because,
        hint: None,
    }
}

fn denied(denial: &Denial) -> Decided {
    let by = denial.by.clone().unwrap_or_default();
    let person = is_person(&by);
    let known = Reason::ALL.iter().find(|reason| reason.id() == denial.reason);
    let mut because: Vec<String> = known.map(|reason| reason.text().to_owned()).into_iter().collect();
    if !denial.detail.is_empty() {
        because.push(escape(denial.detail.as_bytes()));
    }
    because.extend(denial.shown_ms.map(|ms| format!("the question was on a screen for {ms} ms")));
    let who = if by.is_empty() { String::new() } else { format!(" by {}", decider(&by, person)) };
    Decided {
        allowed: Some(false),
        words: format!(
            "REFUSED{who} ({}): {}, {}",
            escape(denial.reason.as_bytes()),
            on(&denial.what),
            times(denial.count)
        ),
        by,
        person,
        because,
        hint: hint(&denial.reason),
    }
}

fn repeated(repeat: &Repeat) -> Decided {
    let known = Reason::ALL.iter().find(|reason| reason.id() == repeat.reason);
    let text = known.map_or_else(|| reason_text(&repeat.reason), |reason| reason.text());
    Decided {
        allowed: Some(false),
        by: String::new(),
        person: false,
        words: format!(
            "REFUSED ({}): {} on {} up to {}, {}",
            escape(repeat.reason.as_bytes()),
            escape(repeat.actions.join(", ").as_bytes()),
            name(&repeat.first),
            name(&repeat.last),
            times(repeat.count)
        ),
        because: vec![text.to_owned(), "they came too fast to be told one by one".to_owned()],
        hint: hint(&repeat.reason),
    }
}

fn policy(decision: &Decision) -> Decided {
    let policy = if decision.policy.is_empty() { "no policy, so the default" } else { &decision.policy };
    let mut because = vec![format!("its reason: {}", escape(decision.reason.as_bytes()))];
    because.extend(
        (!decision.bundles.is_empty())
            .then(|| format!("bundles: {}", escape(decision.bundles.join(", ").as_bytes()))),
    );
    because.extend(decision.error.as_deref().map(|error| format!("it failed: {}", escape(error.as_bytes()))));
    Decided {
        allowed: None,
        by: decision.policy.clone(),
        person: false,
        words: format!("policy said {}: {}", escape(decision.outcome.as_bytes()), escape(policy.as_bytes())),
        because,
        hint: None,
    }
}

fn checked(check: &ProgramCheck) -> Decided {
    let allowed = match check.answer.as_str() {
        "good" | "yes" => Some(true),
        "bad" | "no" => Some(false),
        _ => None,
    };
    let person = is_person(&check.by);
    let mut because = Vec::new();
    because.extend((!check.reason.is_empty()).then(|| escape(check.reason.as_bytes())));
    because.extend(
        check.sha256.as_deref().map(|digest| format!("its SHA-256 is {}", escape(digest.as_bytes()))),
    );
    Decided {
        allowed,
        words: format!(
            "{} about {}: {}",
            decider(&check.by, person),
            name(&check.path),
            escape(check.answer.as_bytes())
        ),
        by: check.by.clone(),
        person,
        because,
        hint: None,
    }
}

fn went(network: &Network) -> Option<Decided> {
    let allowed = match network.what.as_str() {
        "open" | "request" => true,
        "denied" | "alert" => false,
        _ => return None,
    };
    let request = network.request.as_deref().map_or_else(String::new, |line| format!(", {}", name(line)));
    let mut because = Vec::new();
    if let Some(reason) = &network.reason {
        let known = Reason::ALL.iter().find(|known| known.id() == reason).map(|known| known.text());
        because.push(format!(
            "{}: {}",
            escape(reason.as_bytes()),
            known.unwrap_or_else(|| reason_text(reason))
        ));
    }
    because.extend(network.findings.iter().map(|(kind, count)| format!("found {count} × {}", name(kind))));
    let word = if allowed { "LET OUT" } else { "REFUSED" };
    let by = network.rule.clone().unwrap_or_default();
    let rule = if by.is_empty() { String::new() } else { format!(" by rule {}", name(&by)) };
    Some(Decided {
        allowed: Some(allowed),
        words: format!("{word}{rule}: {}:{}{request}", name(&network.host), network.port),
        by,
        person: false,
        because,
        hint: network.reason.as_deref().filter(|_| !allowed).and_then(hint),
    })
}

/// What the owner can do about a refusal for this reason.
pub(in crate::cli) fn hint(reason: &str) -> Option<String> {
    let text = match reason {
        "ceiling" => {
            "`access: ask` for the place or the host in the profile lets it be asked for; `aisandbox why` shows which line decides"
        }
        "policy" => "`aisandbox policy eval` shows what the policies say of it",
        "refused" => "`aisandbox grant` gives it from another terminal",
        "never" => "the answer for good is a line of answers.yaml",
        "timeout" => "`consent.timeout` in the profile is how long a question waits",
        "no-channel" => "`consent.channels` in the profile says how a person is asked",
        "rate-limit" => "`consent.rates` in the profile says how much may be asked",
        "protected" => "`protect` in the profile names what cannot be changed",
        "not-listed" => "`network.allow` in the profile, with this host and port",
        "denied" => "`network.deny` in the profile refuses it",
        "address" => "`networks` in the rule of the profile allows addresses of this network",
        "program" => "`programs` in the rule of the profile says for which programs it is",
        "limit-upload" => "`limits.upload_total` in the profile or in the rule",
        "limit-download" => "`limits.download_total` in the profile or in the rule",
        "limit-connections" => "`limits.connections` in the profile or in the rule",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(event: &Event) -> Record {
        let value = serde_json::to_value(event).unwrap();
        Record {
            v: 2,
            seq: 7,
            ts: 0,
            time: "2026-11-30T14:02:11.000001Z".into(),
            boot_ms: 1,
            run: "R".into(),
            event: event.name().into(),
            data: value["data"].clone(),
            cut: None,
            sd: None,
        }
    }

    #[test]
    fn a_refusal_names_its_reason_and_the_way_out_and_a_hostile_name_is_harmless() {
        let network = Network {
            what: "denied".into(),
            host: "evil\u{1b}[2J.example".into(),
            port: 443,
            reason: Some("not-listed".into()),
            ..Network::default()
        };
        let decided = by(&record(&Event::Network(Box::new(network)))).unwrap();
        assert_eq!((decided.allowed, decided.words.contains('\u{1b}')), (Some(false), false));
        assert!(decided.because[0].contains("no rule of the profile allows"), "{decided:?}");
        assert!(decided.hint.unwrap().contains("network.allow"));
    }

    #[test]
    fn a_hint_is_for_a_reason_that_there_is() {
        let network = ["protected", "not-listed", "denied", "address", "program"];
        for reason in network.iter().chain(&["limit-upload", "limit-download", "limit-connections"]) {
            assert!(
                hint(reason).is_some() && (*reason == "protected" || reason_text(reason) != "it is refused")
            );
        }
        for reason in ["ceiling", "policy", "refused", "never", "timeout", "no-channel", "rate-limit"] {
            assert!(
                hint(reason).is_some() && Reason::ALL.iter().any(|known| known.id() == reason),
                "{reason}"
            );
        }
    }
}
