//! Counts over the bytes of a candidate: which kinds of letters, how they change, how varied they are.
//!
//! Never allocates; one pass over the bytes.

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) length: usize,
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) digits: usize,
    pub(super) vowels: usize,
    /// `_`, `-`, `.`, `/`, `:` and their like.
    pub(super) separators: usize,
    /// Signs of templates and calls.
    pub(super) brackets: usize,
    pub(super) spaces: usize,
    /// Other signs, as in a password.
    pub(super) signs: usize,
    /// `+`, `/`, `=`: the signs of base64.
    base64: usize,
    /// Letters beyond `f`.
    beyond_hex: usize,
    foreign: usize,
    /// Neighbours of different kinds.
    pub(super) changes: usize,
    /// Neighbours that are equal or follow each other, as in `aaaa`, `1234`.
    pub(super) steps: usize,
    /// The longest run of one kind.
    pub(super) longest_run: usize,
    pub(super) longest_lower: usize,
    pub(super) consonant_run: usize,
    pub(super) digit_runs: usize,
    pub(super) distinct: usize,
    /// Sum of the squares of how often each byte occurs.
    squares: usize,
    pub(super) is_uuid: bool,
    pub(super) ends_padded: bool,
    pub(super) first_kind: usize,
}

impl Counts {
    /// Counts these bytes.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut counts = Self { length: text.len(), is_uuid: is_uuid(text), ..Self::default() };
        counts.ends_padded = text.last() == Some(&b'=');
        let mut often = [0u16; 256];
        let (mut last, mut last_kind, mut run, mut consonants) = (0u8, usize::MAX, 0, 0);
        for (place, byte) in text.iter().copied().enumerate() {
            let kind = counts.count(byte);
            if let Some(times) = often.get_mut(usize::from(byte)) {
                *times += 1;
            }
            run = if kind == last_kind { run + 1 } else { 1 };
            counts.changes += usize::from(place > 0 && kind != last_kind);
            counts.digit_runs += usize::from(kind == DIGIT && last_kind != DIGIT);
            counts.steps += usize::from(place > 0 && byte.wrapping_sub(last) <= 1);
            counts.longest_run = counts.longest_run.max(run);
            if kind == LOWER {
                counts.longest_lower = counts.longest_lower.max(run);
            }
            consonants = if kind <= UPPER && !is_vowel(byte) { consonants + 1 } else { 0 };
            counts.consonant_run = counts.consonant_run.max(consonants);
            if place == 0 {
                counts.first_kind = kind;
            }
            (last, last_kind) = (byte, kind);
        }
        for times in often.iter().map(|times| usize::from(*times)).filter(|times| *times > 0) {
            counts.distinct += 1;
            counts.squares += times * times;
        }
        counts
    }

    fn count(&mut self, byte: u8) -> usize {
        self.vowels += usize::from(is_vowel(byte));
        self.base64 += usize::from(matches!(byte, b'+' | b'/' | b'='));
        self.beyond_hex += usize::from(byte.is_ascii_alphabetic() && !byte.is_ascii_hexdigit());
        let (field, kind) = match byte {
            b'a'..=b'z' => (&mut self.lower, LOWER),
            b'A'..=b'Z' => (&mut self.upper, UPPER),
            b'0'..=b'9' => (&mut self.digits, DIGIT),
            b'_' | b'-' | b'.' | b'/' | b':' => (&mut self.separators, 3),
            b'<' | b'>' | b'{' | b'}' | b'(' | b')' | b'[' | b']' | b'$' | b'%' => (&mut self.brackets, 4),
            b' ' | b'\t' | b'\r' | b'\n' => (&mut self.spaces, 5),
            0..=127 => (&mut self.signs, 6),
            _ => (&mut self.foreign, 7),
        };
        *field += 1;
        kind
    }

    /// How many letters, all equally frequent, would be as varied as these (the inverse of Simpson's index): 1 to 64.
    pub(super) fn variety(&self) -> usize {
        (self.length * self.length / self.squares.max(1)).min(63)
    }

    /// Which letters occur, as a number below 32.
    pub(super) fn kind(&self) -> usize {
        let letters = (self.lower > 0, self.upper > 0, self.digits > 0);
        if self.foreign > 0 {
            return 19;
        }
        if self.spaces > 0 {
            return 18;
        }
        if self.brackets > 0 {
            return 17;
        }
        let base64 = self.base64 > 0 && self.separators + self.signs == self.base64;
        match (self.signs + self.separators > 0, base64) {
            (true, true) => 15,
            (true, false) if self.signs > 0 => 16,
            (true, false) => {
                8 + usize::from(letters.0) + 2 * usize::from(letters.1) + 16 * usize::from(letters.2)
            }
            (false, _) => match (letters, self.beyond_hex == 0) {
                ((false, false, _), _) => 0,
                ((true, false, true), true) => 1,
                ((false, true, true), true) => 2,
                ((true, false, false), _) => 3,
                ((false, true, false), _) => 4,
                ((true, true, false), _) => 5,
                ((true, false, true), false) => 6,
                ((false, true, true), false) => 7,
                ((true, true, true), _) => 20,
            },
        }
    }
}

const LOWER: usize = 0;
const UPPER: usize = 1;
const DIGIT: usize = 2;

fn is_vowel(byte: u8) -> bool {
    matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u')
}

/// Eight, four, four, four and twelve hex digits with dashes between (RFC 9562).
fn is_uuid(text: &[u8]) -> bool {
    let fits = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_text_have_different_numbers() {
        let texts = [
            "123", "a1f", "A1F", "abc", "ABC", "aBc", "xyz1", "XYZ1", "xY1", "a/b+c=", "p@ss", "a(b", "a b",
            "\u{e4}",
        ];
        let mut kinds: Vec<usize> = texts.iter().map(|text| Counts::of(text.as_bytes()).kind()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), texts.len());
        assert!(kinds.iter().all(|kind| *kind < 64));
    }

    #[test]
    fn variety_is_one_for_one_letter_and_the_count_for_all_different() {
        assert_eq!(Counts::of(b"aaaaaaaa").variety(), 1);
        assert_eq!(Counts::of(b"abcdefgh").variety(), 8);
        assert_eq!(Counts::of(b"").variety(), 0);
    }
}
