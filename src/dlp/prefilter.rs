//! Finds the words of all rules in one pass.
//!
//! Every word has four letters or more, so of two groups of three letters of it, one letter apart, one lies at an even place.
//! Only even places are looked at, in one table of bits that stays in the first cache; what passes is compared letter by
//! letter. The groups are those of the word that ordinary text has least of. No step waits for the one before, as each does
//! in an automaton.

/// Bits of the table, and chains behind them: 2^17.
const SLOTS: usize = 1 << 17;
const SHIFT: u32 = 32 - 17;
/// The table, in words of 64 bits.
const TABLE: usize = SLOTS / 64;

/// A word that is looked for.
#[derive(Debug, Clone)]
struct Word {
    text: Box<[u8]>,
    /// The letters are compared as they are; otherwise small and capital ones are the same.
    exact: bool,
    id: u32,
}

/// All words.
#[derive(Debug, Clone)]
pub(super) struct Prefilter {
    bits: Box<[u64; TABLE]>,
    /// By the place of a group in the table: the first of its chain in `groups`, counted from 1; 0 for none.
    chains: Box<[u32]>,
    groups: Vec<Group>,
    words: Vec<Word>,
}

/// Three letters of a word.
#[derive(Debug, Clone, Copy)]
struct Group {
    key: u32,
    word: u32,
    /// How far before the group the word starts.
    back: isize,
    /// The first and the last byte of the word, folded.
    ends: [u8; 2],
    /// How long it is.
    length: usize,
    /// The next of the chain, as in `chains`.
    next: u32,
}

impl Prefilter {
    pub(super) fn new() -> Self {
        let chains = vec![0; SLOTS].into();
        Self { bits: Box::new([0; TABLE]), chains, groups: Vec::new(), words: Vec::new() }
    }

    /// A word of three letters or more. `id` comes back with each place it is found at.
    pub(super) fn add(&mut self, text: &[u8], exact: bool, id: u32) {
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.words.push(Word { text: text.into(), exact, id });
        if let [one, two, three] = text {
            // Too short for a second group: whatever stands before or behind it is part of one.
            self.mark([*one, *two, *three], number, 0);
            for other in 0..=255 {
                if commonness(&[*one, *two]) <= commonness(&[*two, *three]) {
                    self.mark([other, *one, *two], number, -1);
                } else {
                    self.mark([*two, *three, other], number, 1);
                }
            }
        }
        let fours = (0..).zip(text.array_windows::<4>());
        let rarest = fours.min_by_key(|(_, [one, two, three, four])| {
            commonness(&[*one, *two, *three]).saturating_add(commonness(&[*two, *three, *four]))
        });
        if let Some((at, [one, two, three, four])) = rarest {
            self.mark([*one, *two, *three], number, at);
            self.mark([*two, *three, *four], number, at + 1);
        }
    }

    fn mark(&mut self, group: [u8; 3], word: u32, back: isize) {
        let [one, two, three] = group;
        let key = u32::from_le_bytes([one, two, three, 0]) | FOLD;
        let slot = (key.wrapping_mul(SPREAD) >> SHIFT) as usize;
        if let Some(bits) = self.bits.get_mut(slot >> 6) {
            *bits |= 1 << (slot & 63);
        }
        let Some(mut link) = self.chains.get(slot).copied() else { return };
        let mut last = None;
        while let Some(at) = (link as usize).checked_sub(1) {
            let Some(group) = self.groups.get(at) else { return };
            if (group.key, group.word, group.back) == (key, word, back) {
                return;
            }
            (last, link) = (Some(at), group.next);
        }
        let text = self.words.get(word as usize).map(|word| &*word.text).unwrap_or_default();
        let ends = [text.first(), text.last()].map(|end| end.copied().unwrap_or(0) | CASE);
        self.groups.push(Group { key, word, back, ends, length: text.len(), next: 0 });
        let number = u32::try_from(self.groups.len()).unwrap_or(0);
        match last.and_then(|last| self.groups.get_mut(last)) {
            Some(last) => last.next = number,
            None => self.chains.iter_mut().skip(slot).take(1).for_each(|first| *first = number),
        }
    }

    /// Every group that has the place of this one in the table.
    fn chain(&self, key: u32) -> impl Iterator<Item = Group> {
        let slot = (key.wrapping_mul(SPREAD) >> SHIFT) as usize;
        let group = |number: u32| self.groups.get((number as usize).checked_sub(1)?).copied();
        let first = self.chains.get(slot).and_then(|first| group(*first));
        std::iter::successors(first, move |last| group(last.next))
    }

    /// Calls back with the id, the start and the end of each place a word stands at, as long as that says to go on. Each
    /// place comes once.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(u32, usize, usize) -> bool) {
        let mut at = 0;
        let mut eights = text.windows(8).step_by(6);
        for eight in &mut eights {
            let Ok(bytes) = <[u8; 8]>::try_from(eight) else { continue };
            let eight = u64::from_le_bytes(bytes);
            let first = (eight as u32 & 0xff_ffff) | FOLD;
            let second = ((eight >> 16) as u32 & 0xff_ffff) | FOLD;
            let third = ((eight >> 32) as u32 & 0xff_ffff) | FOLD;
            let hits = self.bit(first) | self.bit(second) << 1 | self.bit(third) << 2;
            if hits != 0 {
                for (place, key) in [first, second, third].into_iter().enumerate() {
                    if hits >> place & 1 == 1 && !self.compare(text, key, at + 2 * place, &mut found) {
                        return;
                    }
                }
            }
            at += 6;
        }
        while at < text.len() {
            let byte = |offset: usize| text.get(at + offset).copied().unwrap_or(0);
            let key = u32::from_le_bytes([byte(0), byte(1), byte(2), 0]) | FOLD;
            if self.bit(key) != 0 && !self.compare(text, key, at, &mut found) {
                return;
            }
            at += 2;
        }
    }

    #[inline(always)]
    fn bit(&self, key: u32) -> u64 {
        let slot = key.wrapping_mul(SPREAD) >> SHIFT;
        self.bits.get((slot >> 6) as usize % TABLE).map_or(0, |bits| bits >> (slot & 63) & 1)
    }

    #[inline(never)]
    fn compare(
        &self,
        text: &[u8],
        key: u32,
        at: usize,
        found: &mut impl FnMut(u32, usize, usize) -> bool,
    ) -> bool {
        for group in self.chain(key).filter(|group| group.key == key) {
            let Some(start) = at.checked_add_signed(-group.back) else { continue };
            let end = start + group.length;
            let Some(there) = text.get(start..end) else { continue };
            // Many words have a group in common; most differ in their ends.
            let [first, last] = group.ends;
            let ends = (there.first().map(|end| end | CASE), there.last().map(|end| end | CASE));
            if ends != (Some(first), Some(last)) {
                continue;
            }
            let Some(word) = self.words.get(group.word as usize) else { continue };
            let same = if word.exact { there == &*word.text } else { there.eq_ignore_ascii_case(&word.text) };
            if same && !found(word.id, start, end) {
                return false;
            }
        }
        true
    }
}

/// How often these letters stand together in source code, if each came by itself. Only compared.
fn commonness(letters: &[u8]) -> u64 {
    let of_thousand = |byte: &u8| match byte | 0x20 {
        b' ' => 260,
        b'e' => 70,
        b't' => 55,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b'/' => 37,
        b'l' | b'*' => 29,
        b'c' | b'd' | b'f' | b'h' | b'u' | b':' => 19,
        // `_`, as the table has it.
        b'm' | b'p' | 0x7f | b'(' | b')' | b'.' => 13,
        b'b' | b'g' | b'k' | b'w' | b'y' | b'`' | b',' | b';' | b'{' | b'}' => 7,
        _ => 3,
    };
    letters.iter().map(of_thousand).product()
}

/// Makes letters of both cases the same. Some other bytes become the same too; the comparison tells them apart.
const FOLD: u32 = 0x0020_2020;
/// The same of one byte.
const CASE: u8 = 0x20;
const SPREAD: u32 = 0x9e37_79b1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(filter: &Prefilter, text: &[u8]) -> Vec<(u32, usize, usize)> {
        let mut found = Vec::new();
        filter.find(text, |id, start, end| {
            found.push((id, start, end));
            true
        });
        found.sort_unstable();
        found
    }

    fn plainly(words: &[(&[u8], bool)], text: &[u8]) -> Vec<(u32, usize, usize)> {
        let mut found = Vec::new();
        for (id, (word, exact)) in (0..).zip(words) {
            for (start, there) in text.windows(word.len()).enumerate() {
                if if *exact { there == *word } else { there.eq_ignore_ascii_case(word) } {
                    found.push((id, start, start + word.len()));
                }
            }
        }
        found.sort_unstable();
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn every_word_is_found_wherever_it_stands(text in "[aAbBkK_. ]{0,60}") {
            let words: [(&[u8], bool); 6] =
                [(b"aab", true), (b"abab", false), (b"BAK_A", true), (b"kaB.", false), (b"a.b", false), (b"____", true)];
            let mut filter = Prefilter::new();
            for (id, (word, exact)) in (0..).zip(&words) {
                filter.add(word, *exact, id);
            }
            prop_assert_eq!(all(&filter, text.as_bytes()), plainly(&words, text.as_bytes()));
        }
    }
}
