//! The Guardian's answer as an agent's program reads it: one JSON object with fixed names, a line for people, a code.
//!
//! Never hides a refusal: what is no clear yes is a no.

use super::wanted::about;
use crate::wire::broker::Outcome;
use crate::wire::denial::{Denial, Reason};
use crate::wire::session::Given;
use crate::wire::subject::Action;
use serde_json::{Value, json};

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Answer {
    /// For programs.
    pub(in crate::cli) json: Value,
    /// For people.
    pub(in crate::cli) text: String,
    /// 0 granted or done, 1 denied, 125 nobody is there.
    pub(in crate::cli) code: u8,
}

impl Answer {
    /// Of what became of a call.
    pub(in crate::cli) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done {} => Self::yes(json!({ "result": "done" }), "done".into()),
            Outcome::Granted { grant, seconds, how } => granted(grant, *seconds, *how),
            Outcome::Listed { grants, askable } => listed(grants, askable),
            Outcome::Explained { denial, hint } => explained(denial, hint),
            Outcome::Denied { denial } => denied(denial),
            Outcome::Pending { request, seconds } => Self::no(
                json!({ "result": "pending", "request": request, "seconds": seconds }),
                format!(
                    "request {}: a person is asked; no answer within {seconds} s means no",
                    safe(request)
                ),
            ),
            Outcome::Opened { .. }
            | Outcome::Spawned { .. }
            | Outcome::Ended { .. }
            | Outcome::Token { .. } => {
                Self::no(json!({ "result": "unexpected" }), "the Guardian answered something else".into())
            }
        }
    }

    /// Nobody answered within the time that the asker had.
    pub(in crate::cli) fn out_of_time(request: Option<&str>) -> Self {
        let reason = Reason::Timeout;
        Self::no(
            json!({ "result": "denied", "id": "", "reason": reason.id(), "meaning": reason.text(), "request": request }),
            format!("denied ({}): {}", reason.id(), reason.text()),
        )
    }

    /// There is no Guardian to ask.
    pub(in crate::cli) fn nobody(why: &str) -> Self {
        let text = format!("nobody can be asked here: {}", safe(why));
        Self { json: json!({ "result": "no-broker", "detail": why }), text, code: 125 }
    }

    fn yes(json: Value, text: String) -> Self {
        Self { json, text, code: 0 }
    }

    fn no(json: Value, text: String) -> Self {
        Self { json, text, code: 1 }
    }
}

fn safe(text: &str) -> String {
    crate::base::escape(text.as_bytes())
}

fn granted(grant: &str, seconds: Option<u64>, how: Given) -> Answer {
    let json = json!({ "result": "granted", "grant": grant, "seconds": seconds, "how": how });
    let way = match how {
        Given::Mount | Given::Served => "use the path",
        Given::Descriptor => "the Guardian opens it: `aisandbox request read PATH --print`",
        Given::Act => "the Guardian does it: `aisandbox exec` or an append",
    };
    let time = seconds.map_or_else(|| "until the run ends".to_owned(), |seconds| format!("for {seconds} s"));
    Answer::yes(json, format!("granted {} {time}: {way}", safe(grant)))
}

fn denied(denial: &Denial) -> Answer {
    let mut json = denial_json(denial);
    if let Some(keys) = json.as_object_mut() {
        keys.insert("result".into(), "denied".into());
    }
    Answer::no(json, denial_text(denial))
}

fn denial_json(denial: &Denial) -> Value {
    json!({
        "id": denial.id, "reason": denial.reason.id(), "meaning": denial.reason.text(),
        "detail": denial.detail, "what": denial.what, "at": denial.at,
    })
}

fn denial_text(denial: &Denial) -> String {
    let detail =
        if denial.detail.is_empty() { String::new() } else { format!(" ({})", safe(&denial.detail)) };
    let what = safe(&denial.what);
    format!("denied [{}] {what}: {}: {}{detail}", safe(&denial.id), denial.reason.id(), denial.reason.text())
}

fn explained(denial: &Denial, hint: &str) -> Answer {
    let mut json = denial_json(denial);
    if let Some(keys) = json.as_object_mut() {
        keys.insert("result".into(), "explained".into());
        keys.insert("hint".into(), hint.into());
    }
    Answer::yes(json, format!("{}\nhint: {}", denial_text(denial), safe(hint)))
}

/// What the id of a reason means; needs nobody to ask.
pub(in crate::cli) fn explained_reason(id: &str) -> Option<Answer> {
    let reason = Reason::ALL.iter().find(|reason| reason.id() == id)?;
    let json = json!({ "result": "explained", "reason": reason.id(), "meaning": reason.text(), "hint": hint(*reason) });
    Some(Answer::yes(json, format!("{}: {}\nhint: {}", reason.id(), reason.text(), hint(*reason))))
}

/// What an agent can do about a refusal.
fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::Ceiling => {
            "`aisandbox request list` shows what can be asked for; do without, or tell the person"
        }
        Reason::Policy | Reason::Never => "do without; asking again changes nothing",
        Reason::Refused | Reason::Repeated => "do without, or ask for less; do not ask the same again",
        Reason::Timeout => "go on with something else, and ask again when the person is back",
        Reason::NoChannel | Reason::Unavailable => "do without; this run cannot have it",
        Reason::RateLimit => "wait a minute, and ask for what is needed in one request",
        Reason::Token | Reason::Protocol => "connect anew and ask again",
        Reason::Revoked => "ask again, and say why it is still needed",
        Reason::Changed => "look at the path again: it leads to something else now",
        Reason::NotFound => "check the path; a file that is not there is asked for with `create`",
        Reason::Kernel => "do without: the person could not do it either",
        Reason::NoRecord => "tell the person: the record of this run cannot be written",
        Reason::Withdrawn => "ask again: the answer came when nobody waited for it any more",
        Reason::Detection => "stop and tell the person: a rule found something in this run",
        Reason::Ending => "finish: the run is over",
    }
}

fn words(actions: &[Action]) -> String {
    actions.iter().map(|action| action.word()).collect::<Vec<_>>().join(",")
}

fn listed(grants: &[crate::wire::session::GrantState], askable: &[crate::wire::broker::Askable]) -> Answer {
    let mut text = String::new();
    for grant in grants {
        let until = grant.until.map_or_else(String::new, |until| format!(" until {until}"));
        let (id, about) = (safe(&grant.id), about(&grant.resource));
        text.push_str(&format!("granted   {id}  {} {about}{until}\n", words(&grant.actions)));
    }
    for one in askable {
        text.push_str(&format!("askable   {} {}\n", words(&one.actions), about(&one.resource)));
    }
    if text.is_empty() {
        text.push_str("nothing is granted, and nothing can be asked for\n");
    }
    let json = json!({ "result": "listed", "grants": grants, "askable": askable });
    Answer::yes(json, text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial() -> Denial {
        Denial {
            id: "8F3K-d1".into(),
            reason: Reason::Ceiling,
            detail: "no entry\u{1b}[2J".into(),
            what: "read /etc/shadow".into(),
            at: 1,
        }
    }

    #[test]
    fn a_denial_has_the_stable_id_of_its_reason_and_code_1() {
        let answer = Answer::of(&Outcome::Denied { denial: denial() });
        assert_eq!((answer.json["reason"].as_str(), answer.code), (Some("ceiling"), 1));
        assert_eq!(answer.json["result"], "denied");
        assert!(!answer.text.contains('\u{1b}'), "{}", answer.text);
    }

    #[test]
    fn what_is_no_clear_yes_is_a_no() {
        let token = Outcome::Token { token: "t".into(), seconds: 1 };
        let pending = Outcome::Pending { request: "r".into(), seconds: 1 };
        for outcome in [
            token,
            pending,
            Outcome::Ended { code: 0 },
            Outcome::Opened { opened: vec![true], denials: vec![] },
        ] {
            assert_eq!(Answer::of(&outcome).code, 1, "{outcome:?}");
        }
        let yes = Outcome::Granted { grant: "g".into(), seconds: Some(5), how: Given::Mount };
        assert_eq!(Answer::of(&yes).code, 0);
    }

    #[test]
    fn every_reason_is_explained_without_anybody_to_ask() {
        for reason in Reason::ALL {
            let answer = explained_reason(reason.id()).unwrap();
            assert!(answer.text.contains(reason.text()) && answer.code == 0);
        }
        assert_eq!(explained_reason("8F3K-d1"), None);
    }
}
