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

/// The line.
pub(super) fn line(item: &Item<'_>, facts: &Facts, context: &Context) -> String {
    let event = item.record.event.as_str();
    let mut line = "CEF:0|aisandbox|guardian|".to_owned();
    for part in [context.version(), event, facts.name_for_people().unwrap_or(event)] {
        header(&mut line, part);
    }
    let mut line = Line(format!("{line}{}|", facts.severity), true);
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
    for (number, (label, value)) in (1..).zip(ours) {
        if value.is_some() {
            line.text(&format!("cs{number}Label"), Some(label));
            line.text(&format!("cs{number}"), value);
        }
    }
    line.text("cn1Label", Some("leaf index"));
    line.number("cn1", Some(item.record.seq));
    line.0
}

fn header(line: &mut String, part: &str) {
    for letter in part.chars().take(MOST) {
        match letter {
            '\\' | '|' => line.extend(['\\', letter]),
            '\n' | '\r' => line.push(' '),
            letter if misleads(letter) => {
                line.extend(letter.escape_unicode().map(|part| if part == '\\' { '%' } else { part }))
            }
            letter => line.push(letter),
        }
    }
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
        let mut letters = value.chars();
        letters.by_ref().take(MOST).for_each(|letter| extension(&mut self.0, letter));
        if letters.next().is_some() {
            self.0.push('…');
        }
    }

    fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.text(key, Some(&value.to_string()));
        }
    }

    fn object(&mut self, facts: &Facts) {
        let path = facts.file().or(facts.program());
        self.text("filePath", path);
        self.text("fname", path.map(file_name));
        self.text("fileHash", facts.sha256.as_deref());
    }

    fn destination(&mut self, facts: &Facts) {
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
