//! What of the agent's output may reach the person's terminal: OSC sequences under the profile's `terminal`.
//!
//! Only takes sequences out, never adds or changes a byte. A sequence may be cut anywhere between two reads.

use crate::profile::Terminal;

/// Takes out the OSC sequences a profile does not allow: 52 (clipboard), and 0, 1, 2 (title and icon name).
#[derive(Debug)]
pub(super) struct OutputFilter {
    policy: Terminal,
    state: State,
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// 0xc2: the next byte may make it the OSC of eight bits (U+009D).
    Wide,
    Escape,
    Number,
    Dropping,
    DroppingEscape,
}

/// No OSC has a longer number; one with zeros in front could pass for another, so it is taken out.
const LONGEST_NUMBER: usize = 8;

impl OutputFilter {
    pub(super) fn new(policy: Terminal) -> Self {
        Self { policy, state: State::Text, held: Vec::new() }
    }

    /// Adds to `out` what may pass of `bytes`.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.policy.clipboard && self.policy.title {
            out.extend_from_slice(bytes);
            return;
        }
        for byte in bytes {
            self.step(*byte, out);
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.state, byte) {
            (State::Text, 0x1b) => self.hold(byte, State::Escape),
            (State::Text, 0xc2) => self.hold(byte, State::Wide),
            (State::Text, _) => out.push(byte),
            (State::Wide, 0x9d) => self.hold(byte, State::Number),
            (State::Wide, _) => {
                self.let_go(out);
                self.step(byte, out);
            }
            (State::Escape, b']') => self.hold(byte, State::Number),
            // A terminal does at once what a control within a sequence says, and goes on with the sequence.
            (State::Escape, 0x00..=0x17 | 0x19 | 0x1c..=0x1f) => out.push(byte),
            (State::Escape, 0x1b) => {
                self.let_go(out);
                self.hold(byte, State::Escape);
            }
            (State::Escape, _) => {
                self.held.push(byte);
                self.let_go(out);
            }
            (State::Number, b'0'..=b'9') if self.held.len() < LONGEST_NUMBER => self.held.push(byte),
            (State::Number, b'0'..=b'9') => {
                self.held.clear();
                self.state = State::Dropping;
            }
            (State::Number, _) if self.refused() => {
                self.held.clear();
                self.state = State::Dropping;
                self.step(byte, out);
            }
            (State::Number, _) => {
                self.let_go(out);
                self.step(byte, out);
            }
            (State::Dropping, 0x07 | 0x18 | 0x1a) => self.state = State::Text,
            (State::Dropping, 0x1b) => self.state = State::DroppingEscape,
            (State::Dropping, _) => {}
            (State::DroppingEscape, b'\\') => self.state = State::Text,
            (State::DroppingEscape, 0x1b) => {}
            // ESC and anything else ends an OSC for a terminal too, and begins the next sequence.
            (State::DroppingEscape, _) => {
                self.state = State::Text;
                self.step(0x1b, out);
                self.step(byte, out);
            }
        }
    }

    fn hold(&mut self, byte: u8, state: State) {
        self.held.push(byte);
        self.state = state;
    }

    fn let_go(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.state = State::Text;
    }

    fn refused(&self) -> bool {
        let digits = self.held.get(2..).unwrap_or_default();
        let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u32>().ok());
        match number {
            Some(52) => !self.policy.clipboard,
            Some(0..=2) => !self.policy.title,
            None => !self.policy.title && digits.is_empty(),
            Some(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(clipboard: bool, title: bool, pieces: &[&[u8]]) -> Vec<u8> {
        let mut filter = OutputFilter::new(Terminal { clipboard, title });
        let mut out = Vec::new();
        for piece in pieces {
            filter.pass(piece, &mut out);
        }
        out
    }

    #[test]
    fn a_clipboard_sequence_is_taken_out_wherever_it_is_cut() {
        let text = b"a\x1b]52;c;ZXZpbA==\x07b\x1b]052;c;eA==\x1b\\c";
        for cut in 0..text.len() {
            let (left, right) = text.split_at(cut);
            assert_eq!(filtered(false, true, &[left, right]), b"abc", "cut at {cut}");
        }
    }

    #[test]
    fn what_is_allowed_passes_unchanged() {
        let text: &[u8] = b"\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\";
        assert_eq!(filtered(false, true, &[text]), text);
        assert_eq!(filtered(true, true, &[b"\x1b]52;c;eA==\x07"]), b"\x1b]52;c;eA==\x07");
    }

    #[test]
    fn a_title_is_taken_out_when_refused() {
        assert_eq!(filtered(true, false, &[b"x\x1b]2;gone\x07y"]), b"xy");
    }

    #[test]
    fn a_second_escape_does_not_hide_the_sequence() {
        assert_eq!(filtered(false, true, &[b"\x1b\x1b]52;c;eA==\x07z"]), b"\x1bz");
    }

    #[test]
    fn no_other_spelling_of_a_sequence_hides_it() {
        for text in [
            "a\x1b]000000000052;c;eA==\x07z",
            "a\u{9d}52;c;eA==\x07z",
            "a\x1b\0]52;c;eA==\x07z",
            "a\x1b\r]52;c;eA==\x07z",
        ] {
            for cut in 0..text.len() {
                let (left, right) = text.as_bytes().split_at(cut);
                let seen = filtered(false, true, &[left, right]);
                assert!(
                    !seen.windows(2).any(|two| two == b"52") && seen.ends_with(b"z"),
                    "{text:?}: {seen:?}"
                );
            }
        }
        let plain = "caf\u{e9} \u{a0}\u{9b}31m \x1b\x08[1m".as_bytes();
        assert_eq!(filtered(false, true, &[plain]).len(), plain.len());
    }
}
