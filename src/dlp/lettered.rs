//! Numbers about people that have letters in them.

use super::check::{Check, Verdict};
use super::context::is_near;
use super::letters::is_word_at;
use super::numbers::{Number, PASSPORT};
use super::work;

/// The longest of them in one word: an IBAN.
const LONGEST: usize = 34;

/// Numbers with letters: IBAN, DNI and NIE, National Insurance, codice fiscale, passports. Gives the word's place too.
pub(super) fn with_letters(text: &[u8], at: usize) -> (Option<Number>, usize, usize) {
    let alnum = super::letters::ALNUM;
    let start = at - super::letters::run_before(text, at, alnum, LONGEST + 1);
    let end = at + super::letters::run(text, at, alnum);
    let joined =
        start.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'_') || text.get(end) == Some(&b'_');
    let number = if joined || end - start > LONGEST { None } else { in_word(text, start, end) };
    (number, start, end)
}

/// What looking at a word of so many bytes costs, whose first digit is here.
pub(super) fn price(text: &[u8], at: usize, length: usize) -> usize {
    match (text.get(at.saturating_sub(2)..at + 2), length) {
        // Two capitals and two digits may begin an account, which is read for each of its ends.
        (Some([b'A'..=b'Z', b'A'..=b'Z', _, b'0'..=b'9']), _) => 2 * work::NUMBER,
        (_, 8 | 9 | 16) => work::NUMBER,
        _ => work::WORD,
    }
}

fn in_word(text: &[u8], start: usize, end: usize) -> Option<Number> {
    let value = text.get(start..end)?;
    let word = value.len();
    if let Some(number) = iban(text, start) {
        return Some(number);
    }
    // The fewest digits of the others are five.
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits < 5 {
        return insurance(text, start).map(|end| Number { rule: "uk-nino", start, end, confidence: 0.8 });
    }
    let make = |rule, end: usize, confidence| Some(Number { rule, start, end, confidence });
    let near = |words: &[&str]| is_near(text, start, end, words);
    let capital = !value.iter().any(u8::is_ascii_lowercase);
    if word == 9 && Check::Dni.of(value) == Verdict::Right && capital {
        let named = near(&["dni", "nif", "nie", "documento", "identidad"]);
        return make("spain-dni", end, if named { 0.95 } else { 0.75 });
    }
    if word == 16 && capital && Check::CodiceFiscale.of(value) == Verdict::Right {
        return make("italy-codice-fiscale", end, 0.9);
    }
    if let Some(end) = insurance(text, start) {
        let named = is_near(text, start, end, &["nino", "national insurance", "ni number", "insurance"]);
        return make("uk-nino", end, if named { 0.95 } else { 0.7 });
    }
    let passport = (8..=9).contains(&word) && digits + 3 >= word && capital;
    if passport && near(&PASSPORT) {
        return make("passport", end, 0.8);
    }
    None
}

fn iban(text: &[u8], start: usize) -> Option<Number> {
    let head = text.get(start..start + 4)?;
    if !matches!(head, [b'A'..=b'Z', b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9']) {
        return None;
    }
    let rest = text.get(start..(start + 44).min(text.len()))?;
    let mut plain = Vec::new();
    let mut best = None;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'A'..=b'Z' | b'0'..=b'9' => plain.push(*byte),
            b' ' | b'-' if rest.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) => continue,
            _ => break,
        }
        let ends = !rest.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        if ends && plain.len() >= 15 && Check::Iban.of(&plain) == Verdict::Right {
            best = Some(start + at + 1);
        }
    }
    best.map(|end| Number { rule: "iban", start, end, confidence: 0.95 })
}

/// `AB 20 34 56 C` or without spaces: its end.
pub(super) fn insurance(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..(start + 13).min(text.len()))?;
    if !matches!(rest, [b'A'..=b'Z', b'A'..=b'Z', ..]) {
        return None;
    }
    let spaced = [2usize, 5, 8, 11].iter().all(|at| rest.get(*at) == Some(&b' '));
    let end = if spaced { 13 } else { 9 };
    let value: Vec<u8> = rest.get(..end)?.iter().filter(|byte| **byte != b' ').copied().collect();
    (Check::Nino.of(&value) == Verdict::Right && value.len() == 9 && !is_word_at(text, start + end))
        .then_some(start + end)
}
