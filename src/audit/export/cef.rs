//! CEF 0: one line, with the fields that CEF has.
//!
//! The header escapes `\` and `|` and holds no newline; the extension escapes `\`, `=` and newlines, and not `|`. What
//! would mislead on a terminal is written as `\u{…}`: CEF has no form of its own for it. Long values are cut.

use super::Item;
use super::context::{Context, file_name};
use super::facts::Facts;
use crate::base::misleads;
use std::fmt::Write;

/// The most characters of a value; the dictionary of CEF allows 1023 for most, and 4000 for those of our own.
const MOST: usize = 1023;
/// Bytes that most lines have room in.
const USUAL: usize = 1024;

/// The numbered fields that are ours: the key of a label, and that of the value.
const OURS: [(&str, &str); 6] = [
    ("cs1Label", "cs1"),
    ("cs2Label", "cs2"),
    ("cs3Label", "cs3"),
    ("cs4Label", "cs4"),
    ("cs5Label", "cs5"),
    ("cs6Label", "cs6"),
];

/// The line.
pub(super) fn line(item: &Item<'_>, facts: &Facts<'_>, context: &Context) -> String {
    let event = item.record.event.as_str();
    let mut line = String::with_capacity(USUAL);
    line.push_str("CEF:0|aisandbox|guardian|");
    for part in [context.version(), event, facts.name_for_people().unwrap_or(event)] {
        header(&mut line, part);
    }
    write!(line, "{}|", facts.severity).unwrap_or_default();
    let mut line = Line(line, true);
    line.number("rt", Some(item.millis()));
    line.text("externalId", Some(&item.id()));
    line.text("act", facts.action.as_deref());
    line.text("outcome", Some(facts.outcome.word()));
    line.text("reason", facts.reason.as_deref());
    line.text("msg", facts.words.as_deref());
    line.number("suid", context.uid);
    line.text("sproc", facts.process.program.as_deref().or(context.program.as_deref()));
    line.number("spid", facts.process.pid);
    line.object(facts);
    line.destination(facts);
    line.number("cnt", facts.count.filter(|count| *count > 0));
    let hash = item.hash();
    let ours = [
        ("policy", facts.policy.as_deref().or(facts.rule.as_deref()).or(context.profile.as_deref())),
        ("session", Some(context.run.as_str())),
        ("trace", context.trace.as_deref()),
        ("approval", facts.approval()),
        ("leaf hash", Some(hash.as_str())),
        ("coverage", context.coverage.as_deref()),
    ];
    for ((label_key, key), (label, value)) in OURS.into_iter().zip(ours) {
        if value.is_some() {
            line.text(label_key, Some(label));
            line.text(key, value);
        }
    }
    line.text("cn1Label", Some("leaf index"));
    line.number("cn1", Some(item.record.seq));
    line.0
}

/// Adds a value, cut: what is plain as it is, each other letter as `other` writes it. Whether all of it is there.
fn add(line: &mut String, value: &str, plain: fn(u8) -> bool, other: fn(&mut String, char)) -> bool {
    let long = (value.len() > MOST).then(|| value.char_indices().nth(MOST)).flatten();
    let end = long.map_or(value.len(), |(at, _)| at);
    let mut rest = value.get(..end).unwrap_or_default();
    loop {
        let (here, behind) = rest.split_at(rest.bytes().position(|byte| !plain(byte)).unwrap_or(rest.len()));
        line.push_str(here);
        let mut letters = behind.chars();
        let Some(letter) = letters.next() else { return end == value.len() };
        other(line, letter);
        rest = letters.as_str();
    }
}

fn header(line: &mut String, part: &str) {
    let plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'|');
    add(line, part, plain, |line, letter| match letter {
        '\\' | '|' => line.extend(['\\', letter]),
        '\n' | '\r' => line.push(' '),
        letter if misleads(letter) => {
            line.extend(letter.escape_unicode().map(|part| if part == '\\' { '%' } else { part }))
        }
        letter => line.push(letter),
    });
    line.push('|');
}

/// A line with its extension, and whether that is still empty.
struct Line(String, bool);

impl Line {
    fn text(&mut self, key: &str, value: Option<&str>) {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return };
        self.0.push_str(if std::mem::replace(&mut self.1, false) { "" } else { " " });
        self.0.push_str(key);
        self.0.push('=');
        let plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'=');
        if !add(&mut self.0, value, plain, extension) {
            self.0.push('…');
        }
    }

    fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.text(key, Some(&value.to_string()));
        }
    }

    fn object(&mut self, facts: &Facts<'_>) {
        let path = facts.file().or(facts.program());
        self.text("filePath", path);
        self.text("fname", path.map(file_name));
        self.text("fileHash", facts.sha256.as_deref());
    }

    fn destination(&mut self, facts: &Facts<'_>) {
        let Some(to) = &facts.to else { return };
        self.text("dhost", to.host.as_deref());
        self.text("dst", to.address.as_deref());
        self.number("dpt", to.port);
        self.text("app", to.protocol.as_deref());
        if let Some((method, path)) = &to.request {
            self.text("requestMethod", Some(method));
            self.text("request", Some(path));
        }
        self.number("in", to.received);
        self.number("out", to.sent);
    }
}

fn extension(line: &mut String, letter: char) {
    match letter {
        '\\' => line.push_str("\\\\"),
        '=' => line.push_str("\\="),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        // The backslash of our own escape is one of the value.
        letter if misleads(letter) => write!(line, "\\\\u{{{:x}}}", u32::from(letter)).unwrap_or_default(),
        letter => line.push(letter),
    }
}
