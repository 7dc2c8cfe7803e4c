//! Phrases that a wallet is made from again (BIP-39): 12 to 24 words of a list of 2048, the last bits of which are a sum.
//!
//! The list is the English one of BIP-39 (M. Palatinus, P. Rusnak, A. Voisine, S. Bowe; MIT licence), word for word. A
//! phrase counts behind a word for one, or where it is nearly the whole text: twelve words of prose that are all on the
//! list have a right sum once in sixteen times.

use crate::crypto::sha256;
use std::sync::LazyLock;

const LIST: &str = include_str!("mnemonic.txt");

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| LIST.lines().collect());

/// How many words a phrase may have, the most first.
const LENGTHS: [usize; 5] = [24, 21, 18, 15, 12];
/// Words that may stand before a phrase.
pub(super) const NAMES: [&str; 12] = [
    "mnemonic",
    "seed phrase",
    "seed_phrase",
    "seedphrase",
    "seed words",
    "recovery phrase",
    "recovery words",
    "recovery_phrase",
    "backup phrase",
    "secret phrase",
    "wallet",
    "bip39",
];
/// Bytes behind such a word that are looked at.
const BEHIND: usize = 512;
/// Bytes of a text that may be a phrase and little else.
const SHORT: usize = 512;
/// Bytes between two words: a space, a line break with a number, quotes and a comma.
const BETWEEN: usize = 8;
/// Fewer different words are an example.
const LEAST_DISTINCT: usize = 6;

/// A phrase in the bytes behind a word for one.
pub(super) fn behind(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let part = text.get(from..(from + BEHIND).min(text.len()))?;
    find(part).map(|(start, end)| (from + start, from + end))
}

/// A phrase in a text that has little else.
pub(super) fn alone(text: &[u8]) -> Option<(usize, usize)> {
    if text.len() > SHORT {
        return None;
    }
    find(text).filter(|(start, end)| (end - start) * 2 >= text.len())
}

/// The first phrase whose sum is right.
fn find(text: &[u8]) -> Option<(usize, usize)> {
    let mut chain: Vec<(u16, usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if !byte.is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let end = at + text.get(at..)?.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let number = number(text.get(at..end)?);
        let near =
            chain.last().is_none_or(|(_, _, last)| is_between(text.get(*last..at).unwrap_or_default()));
        if number.is_none() || !near {
            if let Some(found) = whole(&chain) {
                return Some(found);
            }
            chain.clear();
        }
        chain.extend(number.map(|number| (number, at, end)));
        at = end;
    }
    whole(&chain)
}

fn number(word: &[u8]) -> Option<u16> {
    let lower = word.to_ascii_lowercase();
    let word = std::str::from_utf8(&lower).ok().filter(|word| (3..=8).contains(&word.len()))?;
    WORDS.binary_search(&word).ok().and_then(|place| u16::try_from(place).ok())
}

fn is_between(bytes: &[u8]) -> bool {
    let fits =
        |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_digit() || b",;.:)\"'[]-_|\\".contains(byte);
    (1..=BETWEEN).contains(&bytes.len()) && bytes.iter().all(fits)
}

fn whole(chain: &[(u16, usize, usize)]) -> Option<(usize, usize)> {
    for length in LENGTHS {
        for part in chain.windows(length) {
            if is_right(part.iter().map(|(number, ..)| *number)) {
                return Some((part.first()?.1, part.last()?.2));
            }
        }
    }
    None
}

/// The first bits of SHA-256 over the entropy stand behind it.
fn is_right(numbers: impl ExactSizeIterator<Item = u16>) -> bool {
    let sum_bits = numbers.len() / 3;
    let entropy_bytes = sum_bits * 4;
    let (mut bytes, mut held, mut bits) = (Vec::with_capacity(33), 0u32, 0);
    let mut seen = Vec::with_capacity(24);
    for number in numbers {
        if !seen.contains(&number) {
            seen.push(number);
        }
        (held, bits) = (held << 11 | u32::from(number), bits + 11);
        while bits >= 8 && bytes.len() < entropy_bytes {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    let digest = sha256(&bytes);
    let first = digest.bytes().first().copied().unwrap_or(0);
    let sum = held & ((1 << sum_bits) - 1);
    seen.len() >= LEAST_DISTINCT && u32::from(first) >> (8 - sum_bits) == sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the vectors of BIP-39.
    const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    const LONG: &str = "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing \
                        screen patrol group space point ten exist slush involve unfold";

    #[test]
    fn the_list_is_the_one_of_the_standard() {
        assert_eq!(WORDS.len(), 2048);
        assert!(WORDS.is_sorted());
        let known = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda";
        assert_eq!(sha256(LIST.as_bytes()).to_string(), known);
    }

    #[test]
    fn a_phrase_with_the_right_sum_is_found_however_it_is_laid_out() {
        for phrase in [PHRASE, LONG] {
            let words: Vec<&str> = phrase.split_whitespace().collect();
            let numbered: Vec<String> =
                words.iter().enumerate().map(|(at, word)| format!("{}. {word}\n", at + 1)).collect();
            for text in [
                words.join(" "),
                words.join("\", \""),
                words.join(","),
                numbered.concat(),
                phrase.to_uppercase(),
            ] {
                let (start, end) = alone(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
                assert!(text[start..end].to_lowercase().starts_with(words[0]), "{text}");
                assert!(text[start..end].to_lowercase().ends_with(words[words.len() - 1]), "{text}");
            }
        }
        let text = format!("my wallet is this: {PHRASE}, keep it");
        assert_eq!(behind(text.as_bytes(), 9), Some((19, 19 + PHRASE.len())));
    }

    #[test]
    fn a_wrong_sum_and_an_example_are_none() {
        let wrong = PHRASE.replace("yellow", "zebra");
        let example = "abandon ".repeat(11) + "about";
        let short = PHRASE.rsplit_once(' ').unwrap().0;
        for text in
            [&*wrong, &*example, short, "the about of which nobody said a word for years and years now"]
        {
            assert_eq!(alone(text.as_bytes()), None, "{text}");
        }
    }
}
