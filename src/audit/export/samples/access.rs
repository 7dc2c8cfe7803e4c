//! Samples of what the Guardian leaves behind.

use super::{command, digest, some, text, who};
use crate::audit::access::*;
use crate::audit::event::Event;

fn what(actions: &[&str], resource: &str, path: Option<&str>) -> What {
    What {
        actions: actions.iter().map(|action| text(action)).collect(),
        resource: text(resource),
        path: path.map(text),
        label: text("finance"),
        upload: None,
    }
}

fn upload() -> What {
    let found = vec![(text("aws-access-key"), 1)];
    let upload = Uploading { request: text("POST /v1/files"), bytes: Some(2_048), found };
    What { upload: Some(upload), ..what(&["upload"], "upload to api.example.com:443", None) }
}

/// The token that all of it was asked for under.
pub(super) const TOKEN: &str = "a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4";
const REPORT: &str = "file /home/alice/finance/q3.ods";
const REPORT_PATH: Option<&str> = Some("/home/alice/finance/q3.ods");

pub(super) fn asked() -> Vec<(&'static str, Event)> {
    let request = |what| Request {
        request: text("8F3K"),
        who: who(),
        what,
        why: some("I need last quarter's numbers"),
        by: text("broker"),
        token: some(TOKEN),
        claimed: some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    };
    let decision = |outcome: &str| Decision {
        request: text("8F3K"),
        decision_id: text("8F3K-p"),
        outcome: text(outcome),
        policy: text("finance"),
        reason: text("finance is asked for by people only"),
        ttl_s: Some(900),
        bundles: vec![text("company@42")],
        took_ns: 812_000,
        error: None,
    };
    let check = |answer: &str| ProgramCheck {
        request: some("8F3K"),
        path: text("/usr/bin/curl"),
        sha256: Some(digest("curl")),
        by: text("https://reputation.example.com/v1"),
        answer: text(answer),
        reason: text("seen on 12 hosts"),
    };
    let given = ReasonGiven { request: text("8F3K"), who: who(), why: text("the board asked") };
    vec![
        ("request", Event::Request(Box::new(request(what(&["read"], REPORT, REPORT_PATH))))),
        ("request.upload", Event::Request(Box::new(request(upload())))),
        ("reason_given", Event::ReasonGiven(Box::new(given))),
        ("decision", Event::Decision(decision("allow"))),
        ("decision.deny", Event::Decision(Decision { error: some("rule failed"), ..decision("deny") })),
        ("program_check", Event::ProgramCheck(check("good"))),
        ("program_check.bad", Event::ProgramCheck(check("bad"))),
    ]
}

fn denial(what: What) -> Event {
    Event::Denial(Box::new(Denial {
        denial: text("8F3K-d1"),
        request: some("8F3K"),
        who: who(),
        what,
        reason: text("refused"),
        detail: text("a person said no"),
        by: some("terminal"),
        shown_ms: Some(2_300),
        count: 1,
    }))
}

pub(super) fn answered() -> Vec<(&'static str, Event)> {
    let grant = Grant {
        grant: text("8F3K-g1"),
        request: some("8F3K"),
        who: who(),
        what: what(&["read"], REPORT, REPORT_PATH),
        how: text("mount"),
        approved_by: text("terminal"),
        scope: text("for"),
        shown_ms: Some(2_300),
        lease_s: Some(900),
        uses: Some(5),
        bytes: Some(1_048_576),
        decision_id: some("8F3K-p"),
        token: some(TOKEN),
    };
    let transfer = Transfer {
        grant: text("8F3K-g1"),
        path: some("/home/alice/finance/q3.ods"),
        action: text("read"),
        read: 40_960,
        written: 0,
        redacted: 1,
        request: some("8F3K"),
        token: some(TOKEN),
    };
    let revoke = Revoke {
        grant: text("8F3K-g1"),
        why: text("expired"),
        left: vec![text("pid 4711 holds it open")],
        holders: text("stop"),
        request: some("8F3K"),
        token: some(TOKEN),
    };
    let token = |what: &str| Token {
        what: text(what),
        token: text("a1b2c3d4"),
        from: some("8F3K-g1"),
        seconds: 300,
        audience: some("backend:mail"),
    };
    vec![
        ("grant", Event::Grant(Box::new(grant.clone()))),
        (
            "grant.upload",
            Event::Grant(Box::new(Grant { what: upload(), how: text("act"), scope: text("once"), ..grant })),
        ),
        (
            "known_files",
            Event::KnownFiles(KnownFiles {
                grant: text("8F3K-g1"),
                place: None,
                label: text("finance"),
                files: 120,
                left_out: 2,
                request: some("8F3K"),
                token: some(TOKEN),
            }),
        ),
        (
            "extend",
            Event::Extend(Extend {
                grant: text("8F3K-g1"),
                lease_s: 600,
                request: some("8F3K"),
                token: some(TOKEN),
            }),
        ),
        (
            "known_files.start",
            Event::KnownFiles(KnownFiles {
                grant: String::new(),
                place: Some(text("/home/u/.ssh")),
                label: text("keys"),
                files: 4,
                left_out: 0,
                request: None,
                token: None,
            }),
        ),
        ("denial", denial(what(&["read"], REPORT, REPORT_PATH))),
        ("denial.upload", denial(upload())),
        ("denial.host", denial(what(&["connect"], "host paste.example.net:443", None))),
        ("denial.program", denial(what(&["execute"], "program /usr/bin/curl", Some("/usr/bin/curl")))),
        ("denial.device", denial(what(&["use"], "device camera", None))),
        ("revoke", Event::Revoke(revoke)),
        ("transfer", Event::Transfer(transfer)),
        (
            "agent_start",
            Event::AgentStart(Box::new(AgentStart {
                run: text("01k9v6z4e8q3r7t5w2y1n0m4b7"),
                command: command(),
                transition: some("/usr/bin/git"),
                who: who(),
                token: some(TOKEN),
            })),
        ),
        (
            "channel_closed",
            Event::ChannelClosed(Box::new(ChannelClosed {
                channel: text("9f"),
                why: text("a frame is too long"),
                who: who(),
                messages: 12,
            })),
        ),
        ("token", Event::Token(token("signed"))),
        ("token.revoked", Event::Token(token("revoked"))),
        ("token.refused", Event::Token(token("refused"))),
    ]
}
