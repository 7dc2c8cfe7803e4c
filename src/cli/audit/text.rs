//! Records as text for people. Every string of a record is escaped: whoever wrote the file wrote it.

use super::access;
use crate::audit::event::{
    Asked, Command, Enforced, Event, Exit, FileFacts, LayerState, ProfileFacts, RunEnd, RunStart, Trace,
};
use crate::audit::log::{Dated, DeviceLog, Hex, Openings, Own, Proven, Redaction, State, Verdict};
use crate::audit::{AuditError, Record, json};
use crate::base::{Escaped, escape};
use std::fmt::Write as _;
use std::path::Path;

/// The verdict on a log, in one line.
pub(in crate::cli) fn verdict(verdict: &Verdict) -> String {
    let why = verdict.why.as_ref().map_or_else(String::new, |why| format!("; {}", escape(why.as_bytes())));
    let at = verdict.at.as_ref().map_or_else(String::new, |(segment, byte)| {
        format!(", {} from byte {byte}", escape(segment.as_bytes()))
    });
    format!("{}, {} leaves hold{at}{why}", state_word(verdict.state), verdict.leaves)
}

/// A state in one word.
pub(in crate::cli) fn state_word(state: State) -> &'static str {
    match state {
        State::Sealed => "SEALED",
        State::Open => "OPEN",
        State::Truncated => "TRUNCATED",
        State::Tampered => "TAMPERED",
    }
}

/// Who says that a log is this machine's.
pub(super) fn vouched(identity: &Hex<32>, known: bool, pinned: bool) -> String {
    let by = match (pinned, known) {
        (true, _) => "which is the one that was named",
        (false, true) => "whose own log here has the run",
        (false, false) => "of which nothing is here; --root says which one it should be",
    };
    format!("signed by device {identity}, {by}")
}

/// Who cosigned a head of the log.
pub(super) fn witnessed((name, size, time): &(String, u64, Option<u64>)) -> String {
    let name = escape(name.as_bytes());
    match time {
        Some(time) => {
            let moment = crate::base::WallTime(i128::from(*time) * 1_000_000_000);
            format!("witness {name}, {moment}, {size} leaves")
        }
        None => format!("cosigned at {size} leaves as {name}, whose key is in no list of witnesses here"),
    }
}

/// What there is of personal fields, where not all is there.
pub(super) fn openings(verdict: &Verdict) -> Option<String> {
    let Openings { open, withheld, .. } = verdict.openings;
    (withheld > 0).then(|| {
        format!("personal fields of {withheld} events withheld, commitments intact; of {open} there, and as committed to")
    })
}

/// A redaction that the device's log tells of.
pub(super) fn redaction(dated: &Dated<Redaction>, done: bool) -> String {
    let Redaction { id, first, last, count, why, .. } = &dated.what;
    let (reason, time) = (escape(why.reason.as_bytes()), Escaped(dated.time.as_bytes()));
    let done = if done { "" } else { ", NOT CARRIED OUT as it says" };
    format!(
        "redaction {id}, {time}, by uid {}: {count} events from {first} to {last}: {reason}{done}",
        why.uid
    )
}

/// The verdict on a device's log.
pub(super) fn device(log: &DeviceLog) -> String {
    let word = match log.state {
        State::Tampered => "TAMPERED",
        State::Truncated => "TRUNCATED",
        State::Sealed | State::Open => "whole",
    };
    let missing =
        if log.missing == 0 { String::new() } else { format!(", {} entries are missing", log.missing) };
    let damage = log.damage.as_ref();
    let damage =
        damage.map_or_else(String::new, |(at, why)| format!(", byte {at}: {}", escape(why.as_bytes())));
    let reads = match log.reads.as_slice() {
        [] => String::new(),
        [.., last] => {
            let by = Escaped(last.reading.by.as_bytes());
            format!(
                ", read out {} times, the last by {by} at {}",
                log.reads.len(),
                Escaped(last.time.as_bytes())
            )
        }
    };
    format!(
        "the device's log, {word}, {} entries of {} runs{reads}{missing}{damage}",
        log.entries,
        log.runs.len()
    )
}

/// What a proof shows.
pub(super) fn proof(
    file: &Path,
    proven: &Result<Proven, &'static str>,
    pinned: bool,
) -> Result<String, AuditError> {
    let name = Escaped(file.as_os_str().as_encoded_bytes());
    let proven = match proven {
        Err(why) => return Ok(format!("{name}: NOT PROVEN: {why}")),
        Ok(proven) => proven,
    };
    let run = Escaped(proven.run.as_bytes());
    Ok(format!(
        "{name}: PROVEN: event {} of run {run}, of {} leaves\n  {}\n  {}",
        proven.index,
        proven.size,
        vouched(&proven.identity, false, pinned),
        json(&proven.leaf)?
    ))
}

/// One record: its time and name, and its fields below.
pub(in crate::cli) fn record(record: &Record) -> String {
    let mut text = format!("{}  {}", Escaped(record.time.as_bytes()), Escaped(record.event.as_bytes()));
    for line in fields(record) {
        text.push_str("\n    ");
        text.push_str(&line);
    }
    text
}

/// One record in one line, cut where it is long.
pub(in crate::cli) fn short(record: &Record) -> String {
    const MOST: usize = 400;
    let lines = fields(record).join("; ");
    let mut text =
        format!("{}  {}  {lines}", Escaped(record.time.as_bytes()), Escaped(record.event.as_bytes()));
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push('…');
    }
    text.trim_end().to_owned()
}

fn fields(record: &Record) -> Vec<String> {
    match record.known_event() {
        Some(Event::RunStart(start)) => run_start(&start),
        Some(Event::RunEnd(end)) => run_end(&end),
        Some(Event::LaunchFailure(failure)) => vec![
            format!("stage {}", Escaped(failure.stage.as_bytes())),
            format!("message {}", Escaped(failure.message.as_bytes())),
            failure.errno.map_or_else(|| "no errno".to_owned(), |errno| format!("errno {errno}")),
        ],
        Some(Event::ProtectedDenied(denied)) => {
            let (call, path) = (Escaped(denied.call.as_bytes()), Escaped(denied.path.as_bytes()));
            vec![format!("{call} on {path}, {} times", denied.count)]
        }
        Some(Event::Degraded(degraded)) => vec![
            format!("layer {}: {}", Escaped(degraded.layer.as_bytes()), Escaped(degraded.why.as_bytes())),
            format!("accepted by {}", Escaped(degraded.accepted_by.as_bytes())),
        ],
        Some(event) => access::fields(&event).unwrap_or_else(|| vec![json(&record.data).unwrap_or_default()]),
        None => own(record).unwrap_or_else(|| vec![json(&record.data).unwrap_or_default()]),
    }
}

fn own(record: &Record) -> Option<Vec<String>> {
    Some(match record.own()? {
        Own::Start(start) => vec![format!("run {}, first key {}", Escaped(start.run.as_bytes()), start.key)],
        Own::Key(next) => vec![format!("epoch {} is signed by {}", next.epoch, next.key)],
        Own::End { .. } => vec!["nothing follows".to_owned()],
        Own::Suspended { reason, lost, .. } => {
            vec![format!(
                "{}; {lost} events were not kept, and their callers told so",
                escape(reason.as_bytes())
            )]
        }
    })
}

fn run_start(start: &RunStart) -> Vec<String> {
    let mut lines = vec![
        format!("run by uid {}, gid {}, in {}", start.uid, start.gid, Escaped(start.cwd.as_bytes())),
        format!("aisandbox {}: {}", Escaped(start.aisandbox_version.as_bytes()), file(&start.binary)),
        format!("program: {}", file(&start.program)),
        format!("command: {}{}", command(&start.command.argv), remarks(&start.command)),
    ];
    lines.extend(profile(&start.profile));
    let kernel = &start.kernel;
    lines.push(format!(
        "kernel {} {}, Landlock ABI {}, security modules {}",
        Escaped(kernel.release.as_bytes()),
        Escaped(kernel.machine.as_bytes()),
        kernel.landlock_abi,
        kernel
            .lsms
            .as_ref()
            .map_or_else(|| "not known".to_owned(), |names| escape(names.join(",").as_bytes())),
    ));
    lines.extend(start.layers.iter().map(layer));
    lines.extend(start.trace.as_ref().map(trace));
    lines.extend(start.coverage.as_ref().map(|told| format!("observed: {}", escape(told.line().as_bytes()))));
    lines
}

fn trace(trace: &Trace) -> String {
    let parent = trace.parent.as_deref().map_or_else(String::new, |span| format!(", below {}", shown(span)));
    format!("trace {}{parent} ({})", shown(&trace.id), shown(&trace.from))
}

fn shown(text: &str) -> Escaped<'_> {
    Escaped(text.as_bytes())
}

fn file(file: &FileFacts) -> String {
    let path = Escaped(file.path.as_bytes());
    file.sha256.map_or_else(
        || format!("{path} (not readable, no digest)"),
        |digest| format!("{path} (sha256 {digest})"),
    )
}

fn profile(profile: &ProfileFacts) -> Vec<String> {
    let mut lines = vec![format!("profile: {}", Escaped(profile.name.as_bytes()))];
    for origin in &profile.origins {
        let place = if origin.embedded { ", built in" } else { "" };
        let (name, digest) = (Escaped(origin.name.as_bytes()), Escaped(origin.sha256.as_bytes()));
        lines.push(format!("  from {name} (sha256 {digest}{place})"));
    }
    lines
}

fn layer(layer: &LayerState) -> String {
    let asked = match layer.asked {
        Asked::Required => "required",
        Asked::Wanted => "wanted",
        Asked::Off => "off",
    };
    let state = match layer.state {
        Enforced::Enforced => "enforced",
        Enforced::Degraded => "DEGRADED",
        Enforced::Missing => "MISSING",
    };
    let name = Escaped(layer.layer.as_bytes());
    if layer.asked == Asked::Off {
        return format!("layer {name}: off");
    }
    let mut line = format!("layer {name}: {asked}, {state}");
    if !layer.detail.is_empty() {
        line.push_str(": ");
        line.push_str(&escape(layer.detail.as_bytes()));
    }
    line
}

fn run_end(end: &RunEnd) -> Vec<String> {
    let reason = match end.reason {
        crate::audit::event::EndReason::Exited => "it exited",
        crate::audit::event::EndReason::Signaled => "a signal ended it",
        crate::audit::event::EndReason::WallTime => "its wall time was over",
        crate::audit::event::EndReason::Killed => "the launcher ended it",
    };
    let mut lines = vec![format!("{}: {reason}, after {} ms", exit(end.exit), end.duration_ms)];
    lines.extend(
        end.denied.iter().map(|(what, count)| format!("denied {}: {count}", Escaped(what.as_bytes()))),
    );
    lines
}

/// A clock that was set, in words.
pub(super) fn clock(delta_ns: i64) -> String {
    let (seconds, rest) = (delta_ns.unsigned_abs() / 1_000_000_000, delta_ns.unsigned_abs() % 1_000_000_000);
    let way = if delta_ns < 0 { "back" } else { "forward" };
    format!("somebody set the clock {way} by {seconds}.{rest:09} s")
}

/// An exit code or signal in words.
pub(super) fn exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

/// Arguments in one line; one with anything unusual stands in quotes, so that its ends are seen.
pub(in crate::cli) fn command(argv: &[String]) -> String {
    let mut line = String::new();
    for argument in argv {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,+@%…".contains(letter);
        let shown = escape(argument.as_bytes());
        let space = if line.is_empty() { "" } else { " " };
        let written = if !shown.is_empty() && shown.chars().all(plain) {
            write!(line, "{space}{shown}")
        } else {
            write!(line, "{space}'{}'", shown.replace('\'', "\\'"))
        };
        written.unwrap_or_default();
    }
    line
}

fn remarks(command: &Command) -> String {
    let mut remarks = String::new();
    for (holds, words) in [
        (command.cut, "cut: too long"),
        (command.redacted, "secrets left out"),
        (command.not_utf8, "not UTF-8: bytes as \\x…"),
    ] {
        if holds {
            remarks.push_str(&format!(" [{words}]"));
        }
    }
    if command.cut {
        remarks.push_str(&format!(" [{} arguments in all]", command.count));
    }
    remarks
}
