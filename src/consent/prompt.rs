//! The terminal prompt as a state machine: keys in, what is on the screen and an answer out.
//!
//! Never reads, writes or waits (`launch/ask.rs` does). A yes needs the four digits that are on the screen now and a
//! word for how long, so nothing that was typed ahead, injected, or meant for another question can be one. Everything
//! unclear is no.

use super::text::{Kind, Line, fit, lines};
use crate::profile::parse_duration;
use crate::wire::consent::{Answer, Question};
use crate::wire::subject::Scope;
use std::time::Duration;

/// Keys count this long after the question is on the screen.
pub const KEYS_COUNT_AFTER: Duration = Duration::from_secs(1);
/// So many wrong codes are a no.
const MOST_WRONG: u8 = 3;
/// What can be typed.
const LONGEST: usize = 16;
/// Lines below the question.
const FOOT: usize = 5;
/// A narrower window cannot show a question.
const LEAST_COLUMNS: usize = 40;

/// What keys came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing that counts.
    Wait,
    /// The screen changes.
    Redraw,
    /// The person answered.
    Answer(Answer),
}

/// One question on a terminal.
#[derive(Debug)]
pub struct Prompt {
    question: Question,
    code: String,
    typed: String,
    note: &'static str,
    wrong: u8,
    visible_since: Option<Duration>,
    readable: bool,
    keys: Keys,
}

/// Where in an escape sequence of the keyboard we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Plain,
    Escape,
    Sequence,
    Single,
    Text,
    TextEscape,
}

/// Four digits from random bytes, none of the `recent` ones.
pub fn code(random: [u8; 8], recent: &[String]) -> String {
    let start = u64::from_le_bytes(random) % 10_000;
    let turn = |step: u64| format!("{:04}", (start + step) % 10_000);
    (0..10_000).map(turn).find(|code| !recent.contains(code)).unwrap_or_else(|| turn(0))
}

impl Prompt {
    /// A question that is not on the screen yet.
    pub fn new(question: Question, code: String) -> Self {
        Self {
            question,
            code,
            typed: String::new(),
            note: "",
            wrong: 0,
            visible_since: None,
            readable: false,
            keys: Keys::Plain,
        }
    }

    /// The question.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Its code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// It is on the screen as a whole; `true` the first time. Times count from any one moment.
    pub fn became_visible(&mut self, now: Duration) -> bool {
        let first = self.visible_since.is_none();
        self.visible_since.get_or_insert(now);
        first
    }

    /// How long it has been on the screen.
    pub fn visible_for(&self, now: Duration) -> Duration {
        self.visible_since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Takes keys. What comes before [`KEYS_COUNT_AFTER`] is as if never typed.
    pub fn keys(&mut self, bytes: &[u8], now: Duration) -> Step {
        if self.visible_since.is_none() || self.visible_for(now) < KEYS_COUNT_AFTER {
            self.keys = Keys::Plain;
            return Step::Wait;
        }
        let mut step = Step::Wait;
        for byte in bytes {
            match self.key(*byte) {
                Step::Wait => {}
                Step::Redraw => step = Step::Redraw,
                answer @ Step::Answer(_) => return answer,
            }
        }
        if self.keys == Keys::Escape {
            return Step::Answer(Answer::Deny {}); // the key itself: a sequence would have gone on
        }
        step
    }

    fn key(&mut self, byte: u8) -> Step {
        if self.keys != Keys::Plain {
            self.keys = self.keys.after(byte);
            return Step::Wait;
        }
        match byte {
            0x1b => self.keys = Keys::Escape,
            0x03 | 0x04 | 0x1c => return Step::Answer(Answer::Deny {}),
            b'\r' | b'\n' => return self.enter(),
            b'n' | b'N' if self.typed.is_empty() => return Step::Answer(Answer::Deny {}),
            0x7f | 0x08 if self.typed.pop().is_some() => return Step::Redraw,
            0x15 if !self.typed.is_empty() => {
                self.typed.clear();
                return Step::Redraw;
            }
            b' ' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' if self.typed.len() < LONGEST => {
                self.typed.push(char::from(byte));
                return Step::Redraw;
            }
            _ => {}
        }
        Step::Wait
    }

    fn enter(&mut self) -> Step {
        let typed = std::mem::take(&mut self.typed);
        let typed = typed.trim();
        if typed.is_empty() {
            return Step::Answer(Answer::Deny {});
        }
        if !self.readable {
            self.note = "Make the window larger first.";
            return Step::Redraw;
        }
        let Some(word) = typed.strip_prefix(self.code.as_str()) else {
            self.wrong += 1;
            self.note = "That is not the code of this question.";
            return if self.wrong < MOST_WRONG { Step::Redraw } else { Step::Answer(Answer::Deny {}) };
        };
        match answer(word.trim()) {
            Some(answer) => Step::Answer(answer),
            None => {
                self.note = "Say for how long too: o, s, a, or a time such as 30m.";
                Step::Redraw
            }
        }
    }

    /// The whole screen, from its first cell on, as bytes for a terminal of this size.
    pub fn screen(&mut self, (rows, width): (usize, usize), now: Duration, unix: u64) -> String {
        let mut out = String::from("\x1b[H");
        let shown = self.fitting(rows, width, unix);
        self.readable = shown.is_some();
        let shown = shown.unwrap_or_else(|| {
            vec![Line {
                kind: Kind::Title,
                text: "aisandbox: this window is too small for a question".into(),
            }]
        });
        for line in shown.iter().take(rows.saturating_sub(FOOT).max(1)) {
            let (on, off) = look(line.kind);
            out.push_str(&format!("{on}{}{off}\x1b[K\r\n", fit(&line.text, width)));
        }
        for line in self.foot(now) {
            out.push_str(&format!("{}\x1b[K\r\n", fit(&line, width)));
        }
        out.push_str(&format!("{}\x1b[J", fit(&format!(" Your answer: {}", self.typed), width)));
        out
    }

    fn foot(&self, now: Duration) -> [String; FOOT - 1] {
        let code = &self.code;
        let note =
            if self.visible_for(now) < KEYS_COUNT_AFTER { "Keys count in a moment." } else { self.note };
        [
            format!(" {note}"),
            format!(" Yes     {code}o once   {code}s for this run   {code} 30m so long   {code}a always"),
            format!(" No      Enter, n or Esc   {code}x no, and never ask again"),
            String::new(),
        ]
    }

    /// The lines that fit, the least left out first; `None` when what must be seen does not.
    fn fitting(&self, rows: usize, width: usize, unix: u64) -> Option<Vec<Line>> {
        let room = rows.checked_sub(FOOT)?;
        let mut all = lines(&self.question, width, unix);
        if width < LEAST_COLUMNS {
            return None;
        }
        let too_many = all.len().saturating_sub(room);
        if too_many == 0 {
            return Some(all);
        }
        let mut left = too_many + 1; // a line says that some are left out
        for kind in [Kind::Agent, Kind::Detail] {
            while left > 0
                && let Some(at) = all.iter().rposition(|line| line.kind == kind)
            {
                all.remove(at);
                left -= 1;
            }
        }
        let note = format!(" (cut)   {} lines do not fit into this window", too_many + 1);
        all.insert(1, Line { kind: Kind::Fact, text: note });
        (left == 0 && all.len() <= room).then_some(all)
    }
}

fn answer(word: &str) -> Option<Answer> {
    let scope = match word {
        "o" | "once" => Scope::Once {},
        "s" | "session" => Scope::Session {},
        "a" | "always" => Scope::Always {},
        "x" | "never" => return Some(Answer::Never {}),
        time => Scope::For { seconds: parse_duration(time)?.as_secs() },
    };
    Some(Answer::Allow { scope })
}

/// What a kind of line looks like; no colour, so that it can be read on every terminal.
fn look(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Title => ("\x1b[7m", "\x1b[0m"),
        Kind::Warning => ("\x1b[1m", "\x1b[0m"),
        Kind::Fact | Kind::Detail | Kind::Agent => ("", ""),
    }
}

impl Keys {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Escape, b'[') => Self::Sequence,
            (Self::Escape, b'O') => Self::Single,
            (Self::Escape, b']' | b'P' | b'_' | b'^' | b'X') => Self::Text,
            (Self::Escape | Self::TextEscape, 0x1b) => self,
            (Self::Sequence, 0x40..=0x7e) => Self::Plain,
            (Self::Sequence, _) => Self::Sequence,
            (Self::Text, 0x07) => Self::Plain,
            (Self::Text, 0x1b) => Self::TextEscape,
            (Self::Text, _) => Self::Text,
            (Self::TextEscape, b'\\') => Self::Plain,
            (Self::TextEscape, _) => Self::Text,
            (Self::Escape | Self::Single | Self::Plain, _) => Self::Plain,
        }
    }
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
