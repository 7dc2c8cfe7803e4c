//! What the agent's output has done to the person's terminal: enough to draw over it and to put it back.
//!
//! Only reads what was written to the screen; never holds back or changes a byte of it.

use std::collections::BTreeMap;

/// Modes that could hide or spoil a question, with how a terminal has them at first. `true` in front: private (`?`).
const MODES: [(bool, u16, bool); 15] = [
    (false, 2, false),
    (false, 4, false),
    (false, 20, false),
    (true, 5, false),
    (true, 6, false),
    (true, 7, true),
    (true, 25, true),
    (true, 69, false),
    (true, 1000, false),
    (true, 1002, false),
    (true, 1003, false),
    (true, 1004, false),
    (true, 2004, false),
    (true, 2026, false),
    (true, 9, false),
];

/// A longer unfinished sequence is not sent again after a question.
const LONGEST_SEQUENCE: usize = 65_536;

/// The state of the person's terminal, as far as the agent has changed it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    state: State,
    /// The sequence that is not finished yet.
    sequence: Vec<u8>,
    modes: BTreeMap<(bool, u16), bool>,
    /// The last sequence that set the lines that scroll, and the columns.
    margins: [Vec<u8>; 2],
    full_screen: bool,
    colours: bool,
    keyboard: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// 0xc2: the next byte may be a control of eight bits.
    Wide,
    Escape,
    Control,
    Words,
    WordsEscape,
}

impl Shown {
    /// Takes note of what was written to the screen.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// The agent shows a full-screen program: what is drawn over must be drawn anew by it.
    pub(super) fn is_full_screen(&self) -> bool {
        self.full_screen
    }

    /// What makes an empty screen on which nothing of before has an effect.
    pub(super) fn cover(&self) -> String {
        // Ends whatever sequence is open; then leaves VT52, the printer and the status line, which would take all of it,
        // and ends the guarding of characters (SPA), which no erasing would take from the screen.
        let mut out = String::from("\x18\x1b\\\x1b<\x1b[4i\x1b[?4i\x1b[0$}\x1b[1\"q\x1b[0\"q");
        out.push_str(if self.full_screen { "\x1b7" } else { "\x1b[?1049h" });
        out.push_str("\x1b%G\x1b[0m\x1b(B\x0f\x1b[r");
        for (private, number, on) in MODES {
            out.push_str(&mode(private, number, on));
        }
        if self.colours {
            out.push_str("\x1b]104\x1b\\\x1b]105\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]R\x1b\\");
        }
        if self.keyboard {
            out.push_str("\x1b[>0u\x1b[>4;0m");
        }
        out.push_str("\x1b[0m\x1b[H\x1b[2J");
        out
    }

    /// What puts back how it was before [`Shown::cover`], to the middle of a sequence if need be.
    pub(super) fn uncover(&self) -> Vec<u8> {
        let mut out = b"\x1b[0m\x1b[H\x1b[2J".to_vec();
        if self.keyboard {
            out.extend_from_slice(b"\x1b[<u");
        }
        for (private, number, at_first) in MODES {
            if let Some(on) = self.modes.get(&(private, number)).filter(|on| **on != at_first) {
                out.extend_from_slice(mode(private, number, *on).as_bytes());
            }
        }
        self.margins.iter().rev().for_each(|sequence| out.extend_from_slice(sequence));
        // The cursor, its look and the character sets come back last: margins move it.
        out.extend_from_slice(if self.full_screen { b"\x1b8" } else { b"\x1b[?1049l" });
        out.extend_from_slice(&self.sequence);
        out
    }

    fn step(&mut self, byte: u8) {
        match (self.state, byte) {
            (State::Text, 0x1b) => self.begin(State::Escape, &[byte]),
            (State::Text, 0xc2) => self.begin(State::Wide, &[byte]),
            (State::Text, _) => {}
            (_, 0x18 | 0x1a) => self.finish(),
            (State::Wide, 0x9b) => self.begin(State::Control, b"\x1b["),
            (State::Wide, 0x9d) => self.begin(State::Words, b"\x1b]"),
            (State::Wide, 0x90 | 0x98 | 0x9e | 0x9f) => self.begin(State::Words, b"\x1bP"),
            (State::Wide, _) => self.finish(),
            (State::Escape | State::Control, 0x1b) => self.begin(State::Escape, &[byte]),
            // A terminal does at once what a control within a sequence says, and goes on with the sequence.
            (State::Escape | State::Control, 0x00..=0x1f | 0x7f) => {}
            (State::Escape, b'[') => self.go_on(State::Control, byte),
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => self.go_on(State::Words, byte),
            (State::Escape, 0x20..=0x2f) => self.go_on(State::Escape, byte),
            (State::Escape, _) => {
                if byte == b'c' && self.sequence.len() == 1 {
                    *self = Self::default();
                }
                self.finish();
            }
            (State::Control, 0x40..=0x7e) => {
                self.sequence.push(byte);
                self.control();
                self.finish();
            }
            (State::Control, _) => self.go_on(State::Control, byte),
            (State::Words, 0x07) | (State::WordsEscape, b'\\') => {
                self.words();
                self.finish();
            }
            (State::Words, 0x1b) => self.go_on(State::WordsEscape, byte),
            (State::Words, _) => self.go_on(State::Words, byte),
            (State::WordsEscape, _) => {
                self.words();
                self.begin(State::Escape, &[0x1b]);
                self.step(byte);
            }
        }
    }

    fn begin(&mut self, state: State, bytes: &[u8]) {
        self.sequence = bytes.to_vec();
        self.state = state;
    }

    fn go_on(&mut self, state: State, byte: u8) {
        if self.sequence.len() < LONGEST_SEQUENCE {
            self.sequence.push(byte);
        }
        self.state = state;
    }

    fn finish(&mut self) {
        self.sequence.clear();
        self.state = State::Text;
    }

    /// `ESC [ … letter`, whole in `sequence`.
    fn control(&mut self) {
        let sequence = std::mem::take(&mut self.sequence);
        let Some((last, middle)) = sequence.split_last() else { return };
        let middle = middle.get(2..).unwrap_or_default();
        let private = middle.first() == Some(&b'?');
        match (last, middle.first()) {
            (b'h' | b'l', _) => {
                let numbers = middle.strip_prefix(b"?").unwrap_or(middle);
                for number in numbers.split(|byte| *byte == b';') {
                    let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
                    self.set(private, number.unwrap_or(0), *last == b'h');
                }
            }
            (b'r', None | Some(b'0'..=b'9' | b';')) => self.margins = [sequence, self.margins[1].clone()],
            (b's', Some(b'0'..=b'9' | b';')) => self.margins = [self.margins[0].clone(), sequence],
            (b'p', Some(b'!')) => {
                self.modes.clear();
                self.margins = Default::default();
            }
            (b'u', Some(b'>' | b'=' | b'<')) | (b'm', Some(b'>')) => self.keyboard = true,
            _ => {}
        }
    }

    fn set(&mut self, private: bool, number: u16, on: bool) {
        if private && matches!(number, 47 | 1047 | 1049) {
            self.full_screen = on;
        } else if MODES.iter().any(|(kind, mode, _)| (*kind, *mode) == (private, number)) {
            self.modes.insert((private, number), on);
        }
    }

    /// `ESC ] number …`, without its end in `sequence`.
    fn words(&mut self) {
        let text = self.sequence.get(2..).unwrap_or_default();
        let digits = text.iter().copied().take_while(u8::is_ascii_digit);
        let number = digits
            .fold(0u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        let osc = self.sequence.get(1) == Some(&b']');
        // 4, 5 and 10 to 19 are colours, 21 all of them (kitty), `P` the palette of the Linux console.
        let colours = matches!(number, 4 | 5 | 10..=19 | 21) || text.first() == Some(&b'P');
        self.colours |= osc && colours;
    }
}

fn mode(private: bool, number: u16, on: bool) -> String {
    format!("\x1b[{}{number}{}", if private { "?" } else { "" }, if on { 'h' } else { 'l' })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Shown {
        let mut shown = Shown::default();
        shown.note(text.as_bytes());
        shown
    }

    fn uncovered(text: &str) -> String {
        String::from_utf8(after(text).uncover()).unwrap()
    }

    #[test]
    fn what_the_agent_changed_is_put_back_and_nothing_else() {
        assert_eq!(uncovered("plain \x1b[31mred\x1b[0m text"), "\x1b[0m\x1b[H\x1b[2J\x1b[?1049l");
        assert_eq!(
            uncovered("\x1b[?25l\x1b[4h\x1b[?2004;1004h\x1b[3;20r\x1b[?7l\x1b[?7h"),
            "\x1b[0m\x1b[H\x1b[2J\x1b[4h\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b[3;20r\x1b[?1049l"
        );
        assert_eq!(uncovered("\x1b[?25l\x1b[5;6r\x1bc"), "\x1b[0m\x1b[H\x1b[2J\x1b[?1049l");
        assert_eq!(uncovered("\u{9b}?25l\x1b[!p"), "\x1b[0m\x1b[H\x1b[2J\x1b[?1049l");
    }

    #[test]
    fn a_full_screen_program_is_seen_and_left() {
        assert!(after("\x1b[?1049h").is_full_screen() && after("\x1b[?1;47h").is_full_screen());
        assert!(after("\x1b[?10\x0849h").is_full_screen(), "a control within a sequence does not hide it");
        assert!(after("\u{9b}?1049h").is_full_screen());
        assert!(!after("\x1b[?1049h\x1b[?1049l").is_full_screen());
        assert!(
            after("\x1b[?1049h").cover().contains("\x1b7") && uncovered("\x1b[?1049h").ends_with("\x1b8")
        );
    }

    #[test]
    fn an_unfinished_sequence_is_ended_for_the_question_and_sent_again_after_it() {
        for text in ["\x1b", "\x1b[3", "\x1b]0;half a tit", "\x1bPq#0", "\x1b[?104", "\x1b("] {
            assert!(after(text).cover().starts_with("\x18\x1b\\"), "{text:?}");
            assert!(uncovered(text).ends_with(&format!("l{text}")), "{text:?}");
        }
        for cut in 0.."\x1b]0;title\x07\x1b[?25l".len() {
            let mut shown = Shown::default();
            let (left, right) = b"\x1b]0;title\x07\x1b[?25l".split_at(cut);
            shown.note(left);
            shown.note(right);
            assert_eq!(shown.uncover(), b"\x1b[0m\x1b[H\x1b[2J\x1b[?25l\x1b[?1049l", "cut at {cut}");
        }
    }

    #[test]
    fn colours_and_keys_that_could_hide_or_spoil_a_question_are_reset() {
        assert!(!after("text").cover().contains("\x1b]110"));
        for text in [
            "\x1b]10;#000000\x07",
            "\x1b]4;7;#000\x1b\\",
            "\x1b]11;black\x1b\\",
            "\x1b]0010;#000\x07",
            "\x1b\r]10;#000\x07",
            "\x1b]5;0;#000\x07",
            "\x1b]21;foreground=black\x07",
            "\x1b]P7000000\x1b[m",
        ] {
            assert!(after(text).cover().contains("\x1b]110\x1b\\"), "{text:?}");
        }
        assert!(!after("\x1b]0;P title\x07\x1b]52;c;P\x07").cover().contains("\x1b]110"));
        for keys in ["\x1b[>8u", "\x1b[\r>8u", "\x1b\0[>8u"] {
            assert!(after(keys).cover().contains("\x1b[>0u"), "{keys:?}");
        }
        for reset in [
            "\x1b<",
            "\x1b[4i",
            "\x1b[0$}",
            "\x1b[1\"q\x1b[0\"q",
            "\x1b[2l",
            "\x1b[0m",
            "\x1b(B",
            "\x0f",
            "\x1b[r",
            "\x1b[?5l",
            "\x1b[?6l",
            "\x1b[?7h",
            "\x1b[?69l",
            "\x1b[4l",
        ] {
            assert!(Shown::default().cover().contains(reset), "{reset:?}");
        }
    }
}
