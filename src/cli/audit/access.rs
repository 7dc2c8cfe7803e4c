//! The Guardian's records as text for people. Every string is escaped: agents and files wrote most of them.

use crate::audit::access::{
    AgentStart, ChannelClosed, Decision, Denial, Grant, GuardianEnd, GuardianStart, ProgramCheck,
    ReasonGiven, Request, Revoke, Seen, Transfer, What, Who,
};
use crate::audit::beside::{Alert, Freeze, PolicyLoaded, Repeat};
use crate::audit::calls::Access;
use crate::audit::event::Event;
use crate::base::{Escaped, escape};

/// The fields of one event; `None` for an event that is not the Guardian's.
pub(super) fn fields(event: &Event) -> Option<Vec<String>> {
    Some(match event {
        Event::GuardianStart(start) => guardian_start(start),
        Event::GuardianEnd(end) => guardian_end(end),
        Event::Request(request) => asked(request),
        Event::ReasonGiven(given) => reason_given(given),
        Event::Decision(decision) => decided(decision),
        Event::ProgramCheck(check) => checked(check),
        Event::Grant(grant) => granted(grant),
        Event::KnownFiles(known) => vec![format!(
            "{} [{}]: {} files are known, {} left out",
            shown(known.place.as_deref().filter(|_| known.grant.is_empty()).unwrap_or(&known.grant)),
            shown(&known.label),
            known.files,
            known.left_out
        )],
        Event::Extend(extend) => {
            vec![format!("{} lasts {} s from now", shown(&extend.grant), extend.lease_s)]
        }
        Event::Denial(denial) => denied(denial),
        Event::Revoke(revoke) => revoked(revoke),
        Event::Transfer(transfer) => transferred(transfer),
        Event::AgentStart(start) => agent_start(start),
        Event::ChannelClosed(closed) => channel_closed(closed),
        Event::Token(token) => {
            let from =
                token.from.as_deref().map_or_else(String::new, |from| format!(", from {}", shown(from)));
            let audience = token.audience.as_deref();
            let audience = audience.map_or_else(String::new, |name| format!(", for {}", shown(name)));
            let (what, id) = (shown(&token.what), shown(&token.token));
            vec![format!("{what} {id}{from}{audience}, {} s", token.seconds)]
        }
        Event::NetworkStart(start) => super::network::start(start),
        Event::Network(event) => super::network::event(event),
        Event::PolicyLoaded(loaded) => vec![policy(loaded)],
        Event::ClockStep(step) => vec![super::text::clock(step.delta_ns)],
        Event::Repeat(repeat) => repeated(repeat),
        Event::Access(access) => observed(access),
        Event::Alert(alert) => alerted(alert),
        Event::Freeze(freeze) => vec![frozen(freeze)],
        _ => return None,
    })
}

fn shown(text: &str) -> Escaped<'_> {
    Escaped(text.as_bytes())
}

fn alerted(alert: &Alert) -> Vec<String> {
    let mut lines = vec![
        format!("{} {}: {}", shown(&alert.level), shown(&alert.rule), shown(&alert.title)),
        format!(
            "action {}; events {} to {}, found {} times",
            shown(&alert.action),
            alert.first,
            alert.last,
            alert.count
        ),
    ];
    lines.extend(alert.about.iter().map(|(field, value)| format!("{}: {}", shown(field), shown(value))));
    lines
}

fn frozen(freeze: &Freeze) -> String {
    let how = if freeze.how.is_empty() { String::new() } else { format!(" by {}", shown(&freeze.how)) };
    format!("{}{how}, {} processes; {}", shown(&freeze.what), freeze.processes, shown(&freeze.by))
}

fn list(texts: &[String]) -> String {
    if texts.is_empty() { "none".to_owned() } else { escape(texts.join(", ").as_bytes()) }
}

fn guardian_start(start: &GuardianStart) -> Vec<String> {
    let mut lines =
        vec![format!("roles: {}", list(&start.roles)), format!("asks by: {}", list(&start.channels))];
    lines.extend(start.public_key.as_deref().map(|key| format!("signs with the key of {}", shown(key))));
    lines.extend(start.ceiling.iter().map(|entry| format!("may be asked for: {}", shown(entry))));
    if !start.chain.is_empty() {
        lines.push(format!("started by agent {}", list(&start.chain)));
    }
    lines
}

fn guardian_end(end: &GuardianEnd) -> Vec<String> {
    let mut lines = vec![format!(
        "{} requests, {} leases, {} refusals, {} rejected messages",
        end.requests, end.grants, end.denials, end.rejected
    )];
    if end.left_out > 0 {
        lines.push(format!("{} records of channels and tokens were left out, too many came", end.left_out));
    }
    lines.extend(end.ended_the_run.as_deref().map(|why| format!("it ended the run: {}", shown(why))));
    lines
}

fn asked(request: &Request) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", shown(&request.request), what(&request.what))];
    lines.extend(who(&request.who));
    lines.extend(request.why.as_deref().map(|why| format!("the agent says: {}", shown(why))));
    lines
}

fn checked(check: &ProgramCheck) -> Vec<String> {
    let mut lines = vec![format!("{}: {} by {}", shown(&check.path), shown(&check.answer), shown(&check.by))];
    lines.extend(check.sha256.as_deref().map(|digest| format!("its SHA-256 is {}", shown(digest))));
    lines.extend((!check.reason.is_empty()).then(|| format!("the reason: {}", shown(&check.reason))));
    lines
}

fn reason_given(given: &ReasonGiven) -> Vec<String> {
    let mut lines = vec![format!("{}: the agent says: {}", shown(&given.request), shown(&given.why))];
    lines.extend(who(&given.who));
    lines
}

fn decided(decision: &Decision) -> Vec<String> {
    let policy = if decision.policy.is_empty() { "no policy" } else { &decision.policy };
    let mut lines = vec![format!(
        "{}: {} by {} ({})",
        shown(&decision.request),
        shown(&decision.outcome),
        shown(policy),
        shown(&decision.reason)
    )];
    lines.extend(decision.error.as_deref().map(|error| format!("it failed: {}", shown(error))));
    lines
}

fn granted(grant: &Grant) -> Vec<String> {
    let lasts = grant.lease_s.map_or_else(|| "until the run ends".to_owned(), |s| format!("for {s} s"));
    let mut lines = vec![
        format!("{}: {}, by {}, {lasts}", shown(&grant.grant), what(&grant.what), shown(&grant.how)),
        format!("approved by {} ({})", shown(&grant.approved_by), shown(&grant.scope)),
    ];
    lines.extend(grant.shown_ms.map(|ms| format!("on a screen for {ms} ms")));
    lines.extend(grant.uses.map(|uses| format!("at most {uses} uses")));
    lines.extend(grant.bytes.map(|bytes| format!("at most {bytes} bytes")));
    lines.extend(who(&grant.who));
    lines
}

fn denied(denial: &Denial) -> Vec<String> {
    let times = if denial.count > 1 { format!(", {} times", denial.count) } else { String::new() };
    let mut lines = vec![
        format!("{}: {}{times}", shown(&denial.denial), what(&denial.what)),
        format!("{}: {}", shown(&denial.reason), shown(&denial.detail)),
    ];
    lines.extend(denial.by.as_deref().map(|by| format!("by {}", shown(by))));
    lines.extend(denial.shown_ms.map(|ms| format!("on a screen for {ms} ms")));
    lines.extend(who(&denial.who));
    lines
}

fn revoked(revoke: &Revoke) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", shown(&revoke.grant), shown(&revoke.why))];
    if !revoke.left.is_empty() {
        lines.push(format!("not taken back ({}): {}", shown(&revoke.holders), list(&revoke.left)));
    }
    lines
}

fn transferred(transfer: &Transfer) -> Vec<String> {
    let path = transfer.path.as_deref().map_or_else(String::new, |path| format!(" {}", shown(path)));
    let mut line = format!("{}: {}{path}", shown(&transfer.grant), shown(&transfer.action));
    if transfer.path.is_none() {
        line.push_str(&format!(", {} bytes read, {} written", transfer.read, transfer.written));
    }
    if transfer.redacted > 0 {
        line.push_str(&format!(", {} redacted", transfer.redacted));
    }
    vec![line]
}

fn agent_start(start: &AgentStart) -> Vec<String> {
    let program = start.transition.as_deref();
    let program = program.map_or_else(String::new, |program| format!(" (transition of {})", shown(program)));
    let command = super::text::command(&start.command.argv);
    let mut lines = vec![format!("run {}{program}: {command}", shown(&start.run))];
    lines.extend(who(&start.who));
    lines
}

fn channel_closed(closed: &ChannelClosed) -> Vec<String> {
    let name = if closed.channel.is_empty() { "before a welcome" } else { &closed.channel };
    let mut lines =
        vec![format!("{}: {}, after {} messages", shown(name), shown(&closed.why), closed.messages)];
    lines.extend(who(&closed.who));
    lines
}

fn policy(loaded: &PolicyLoaded) -> String {
    let level = loaded.level.as_deref().map_or_else(String::new, |level| format!(" of the {}", shown(level)));
    let revision = loaded.revision.as_deref();
    let revision = revision.map_or_else(String::new, |revision| format!(", revision {}", shown(revision)));
    let (kind, name) = (shown(&loaded.kind), shown(&loaded.name));
    format!("{kind}{level} {name} (sha256 {}{revision})", shown(&loaded.sha256))
}

fn repeated(repeat: &Repeat) -> Vec<String> {
    let (first, last) = (shown(&repeat.first), shown(&repeat.last));
    let mut lines = vec![
        format!(
            "{} more of one kind within {} ms: {}",
            repeat.count,
            repeat.within_ms,
            shown(&repeat.reason)
        ),
        format!("{} from {first} to {last}", list(&repeat.actions)),
    ];
    lines.extend(who(&Who { process: repeat.process.clone(), parents: Vec::new() }));
    lines
}

fn observed(access: &Access) -> Vec<String> {
    let other = access.other.as_deref();
    let other = other.map_or_else(String::new, |other| format!(" ({})", shown(other)));
    let error = access.error.as_deref();
    let error = error.map_or_else(String::new, |error| format!(": {}", shown(error)));
    let times = if access.count > 1 { format!(", {} times", access.count) } else { String::new() };
    let (action, call) = (shown(&access.action), shown(&access.call));
    let mut lines = vec![format!("{action} {}{other}{error}{times} ({call})", shown(&access.path))];
    lines.extend(access.command.as_ref().map(|command| super::text::command(&command.argv)));
    lines.push(format!("by {}", process(&access.process)));
    lines
}

fn what(what: &What) -> String {
    let mut text = format!("{} on {}", list(&what.actions), shown(&what.resource));
    if let Some(path) = &what.path {
        text.push_str(&format!(" (on the host {})", shown(path)));
    }
    if !what.label.is_empty() {
        text.push_str(&format!(" [{}]", shown(&what.label)));
    }
    if let Some(upload) = &what.upload {
        let bytes = upload.bytes.map_or_else(|| "an unknown number of".to_owned(), |bytes| bytes.to_string());
        text.push_str(&format!(" ({}, {bytes} bytes", shown(&upload.request)));
        for (kind, count) in &upload.found {
            text.push_str(&format!(", {count} {}", shown(kind)));
        }
        text.push(')');
    }
    text
}

fn who(who: &Who) -> Option<String> {
    if who.process == Seen::default() {
        return None;
    }
    let parents: Vec<String> = who.parents.iter().map(process).collect();
    let chain =
        if parents.is_empty() { String::new() } else { format!(", started by {}", parents.join(" ← ")) };
    Some(format!("asked by {}{chain}", process(&who.process)))
}

fn process(seen: &Seen) -> String {
    let digest =
        seen.sha256.as_deref().map_or_else(String::new, |digest| format!(" sha256 {}", shown(digest)));
    format!("{} (pid {}{digest})", shown(&seen.program), seen.pid)
}
