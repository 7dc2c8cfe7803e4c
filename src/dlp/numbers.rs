//! Numbers about people: cards, accounts, telephones, and those that states give.
//!
//! Only blocks with several digits are looked at. A number whose sum proves little counts only with a word for it near.

use super::check::{Check, Verdict};
use super::context::{Near, is_near, is_placeholder};
use super::lettered::{insurance, price, with_letters};
use super::letters::is_word_at;
use super::work::{self, Work};
use std::cell::LazyCell;

/// What was found: the id of a rule, a place, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    pub(super) rule: &'static str,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) confidence: f32,
}

/// Digits of a block that make it worth looking at.
const FEW: u8 = 3;
const BLOCK: usize = 16;

/// Calls back with each number.
pub(super) fn find(text: &[u8], work: &Work, mut found: impl FnMut(Number)) {
    let mut done = 0;
    let mut read = 0;
    for (number, block) in text.chunks(BLOCK).enumerate() {
        // Of a whole block the length is known, so it is counted at once.
        let count = <&[u8; BLOCK]>::try_from(block).map_or_else(|_| digits(block), |block| digits(block));
        if count < FEW {
            continue;
        }
        // A number may start with one or two digits in the block before.
        let end = number * BLOCK + block.len();
        let start = read.max(done).max((number * BLOCK).saturating_sub(BLOCK));
        read = end;
        for at in start..end {
            if at < done || !text.get(at).is_some_and(u8::is_ascii_digit) {
                continue;
            }
            if !work.take(work::SIGN) {
                return;
            }
            // A digit in a word: the word is looked at once.
            let joined =
                at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphabetic);
            if joined {
                let (number, first, end) = with_letters(text, at);
                if !work.take(price(text, at, end - first)) {
                    return;
                }
                done = end.max(number.map_or(0, |number| number.end));
                number.into_iter().for_each(&mut found);
                continue;
            }
            let phrase = phrase(text, at, done);
            done = phrase.end.max(at + 1);
            let before = phrase.start.checked_sub(1).and_then(|at| text.get(at));
            let long = phrase.digits.len() >= 8 || matches!(before, Some(b'+' | b'('));
            let price = if long { work::NUMBER } else { phrase.end - phrase.start };
            if !work.take(price) {
                return;
            }
            if let Some(number) = look(text, &phrase) {
                done = done.max(number.end);
                found(number);
            }
        }
    }
}

#[inline(always)]
fn digits(block: &[u8]) -> u8 {
    block.iter().map(|byte| u8::from(byte.wrapping_sub(b'0') < 10)).sum()
}

/// Digits with single separators between them.
#[derive(Debug)]
struct Phrase {
    start: usize,
    end: usize,
    /// The digits alone.
    digits: Vec<u8>,
    /// The lengths of the groups, as digits of a number: 3-2-4 is 324.
    layout: u64,
    groups: u32,
}

/// The most digits and separators that are looked at.
const MOST_DIGITS: usize = 24;

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/')
}

fn phrase(text: &[u8], at: usize, floor: usize) -> Phrase {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut start = at;
    // To the left: the block before may have had too few digits to be looked at.
    while start > floor && at - start < 40 {
        if digit(start - 1) {
            start -= 1;
        } else if start >= floor + 2
            && text.get(start - 1).is_some_and(|byte| is_separator(*byte))
            && digit(start - 2)
        {
            start -= 2;
        } else {
            break;
        }
    }
    let mut phrase = Phrase { start, end: start, digits: Vec::new(), layout: 0, groups: 0 };
    let mut at = start;
    loop {
        let group = text
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take(64)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        phrase.digits.extend(text.get(at..at + group).unwrap_or_default());
        phrase.layout = phrase.layout.saturating_mul(10).saturating_add(group.min(9) as u64);
        phrase.groups += 1;
        at += group;
        let joined = text.get(at).is_some_and(|byte| is_separator(*byte)) && digit(at + 1);
        if !joined || phrase.digits.len() > MOST_DIGITS {
            break;
        }
        at += 1;
    }
    phrase.end = at;
    phrase
}

fn look(text: &[u8], phrase: &Phrase) -> Option<Number> {
    let before = phrase.start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    if before.is_ascii_alphabetic() || text.get(phrase.end).is_some_and(u8::is_ascii_alphabetic) {
        return with_letters(text, phrase.start).0;
    }
    if matches!(before, b'+' | b'(')
        && let Some(number) = telephone(text, phrase.start - 1)
    {
        return Some(number);
    }
    if phrase.layout == 222
        && let Some(start) = phrase.start.checked_sub(3)
        && let Some(end) = insurance(text, start)
        && !start.checked_sub(1).is_some_and(|at| is_word_at(text, at))
    {
        return Some(Number { rule: "uk-nino", start, end, confidence: 0.8 });
    }
    let dotted = matches!(before, b'.' | b'_' | b'#') || text.get(phrase.end) == Some(&b'_');
    if dotted || !(9..=19).contains(&phrase.digits.len()) {
        return of_passport(text, phrase);
    }
    let found = of_digits(text, phrase);
    let make = |(rule, confidence)| Number { rule, start: phrase.start, end: phrase.end, confidence };
    found.map(make).or_else(|| of_passport(text, phrase))
}

/// Words for a passport.
pub(super) const PASSPORT: [&str; 4] = ["passport", "reisepass", "passeport", "pasaporte"];

/// Eight or nine digits with a word for a passport near.
fn of_passport(text: &[u8], phrase: &Phrase) -> Option<Number> {
    let fits = phrase.groups == 1 && matches!(phrase.digits.len(), 8 | 9);
    let (start, end) = (phrase.start, phrase.end);
    (fits && is_near(text, start, end, &PASSPORT)).then_some(Number {
        rule: "passport",
        start,
        end,
        confidence: 0.8,
    })
}

/// A kind of number: the rule, its check, layouts that speak for it, words for it, and whether it needs one of them.
struct Sort {
    rule: &'static str,
    check: Check,
    layouts: &'static [u64],
    words: &'static [&'static str],
    alone: bool,
}

const SORTS: [Sort; 12] = [
    Sort {
        rule: "us-ssn",
        check: Check::Ssn,
        layouts: &[324],
        words: &["ssn", "social security", "social-security", "socialsecurity", "social_security"],
        alone: true,
    },
    Sort { rule: "brazil-cpf", check: Check::Cpf, layouts: &[3332], words: &["cpf"], alone: true },
    Sort {
        rule: "india-aadhaar",
        check: Check::Aadhaar,
        layouts: &[444],
        words: &["aadhaar", "aadhar", "uidai"],
        alone: true,
    },
    Sort {
        rule: "uk-nhs",
        check: Check::Nhs,
        layouts: &[334],
        words: &["nhs", "national health", "patient"],
        alone: false,
    },
    Sort { rule: "poland-pesel", check: Check::Pesel, layouts: &[], words: &["pesel"], alone: false },
    Sort {
        rule: "germany-tax-id",
        check: Check::Steuer,
        layouts: &[2333],
        words: &["steuer", "idnr", "tin", "tax id", "tax_id"],
        alone: false,
    },
    Sort {
        rule: "netherlands-bsn",
        check: Check::Bsn,
        layouts: &[],
        words: &["bsn", "burgerservice", "sofinummer"],
        alone: false,
    },
    Sort {
        rule: "canada-sin",
        check: Check::Sin,
        layouts: &[333],
        words: &["sin", "social insurance", "nas"],
        alone: false,
    },
    Sort {
        rule: "australia-tfn",
        check: Check::Tfn,
        layouts: &[333],
        words: &["tfn", "tax file"],
        alone: false,
    },
    Sort {
        rule: "us-bank-routing",
        check: Check::Aba,
        layouts: &[],
        words: &["routing", "aba", "rtn"],
        alone: false,
    },
    Sort {
        rule: "france-nir",
        check: Check::Nir,
        layouts: &[1222332, 12223332],
        words: &["nir", "insee", "secu", "securite sociale", "sécurité sociale"],
        alone: true,
    },
    Sort {
        rule: "credit-card",
        check: Check::Card,
        layouts: &[4444, 465, 464, 44443],
        words: &[
            "card",
            "visa",
            "mastercard",
            "amex",
            "credit",
            "debit",
            "cc",
            "pan",
            "payment",
            "discover",
            "kreditkarte",
        ],
        alone: true,
    },
];

fn of_digits(text: &[u8], phrase: &Phrase) -> Option<(&'static str, f32)> {
    let near = LazyCell::new(|| Near::of(text, phrase.start, phrase.end));
    for sort in &SORTS {
        let laid_out = sort.layouts.contains(&phrase.layout);
        if phrase.groups > 1 && !laid_out || sort.check.of(&phrase.digits) != Verdict::Right {
            continue;
        }
        let named = near.has(sort.words);
        let bare_card = sort.rule == "credit-card" && matches!(phrase.digits.len(), 15 | 16);
        match (named, laid_out && sort.alone) {
            (true, _) => return Some((sort.rule, 0.95)),
            (false, true) => return Some((sort.rule, 0.8)),
            (false, false) if bare_card => return Some((sort.rule, 0.7)),
            (false, false) => {}
        }
    }
    let mobile = phrase.digits.first() == Some(&b'0') && (9..=13).contains(&phrase.digits.len());
    if !mobile && !is_american(&phrase.digits) {
        return None;
    }
    let american = matches!(phrase.layout, 334 | 1334) && phrase.groups > 1 && is_american(&phrase.digits);
    let words =
        ["phone", "tel", "mobile", "cell", "fax", "call", "telephone", "contact", "sms", "whatsapp", "handy"];
    let named = near.has(&words);
    match (american, named) {
        (true, _) => Some(("phone", if named { 0.85 } else { 0.6 })),
        (false, true) if mobile || phrase.digits.len() == 10 => Some(("phone", 0.7)),
        _ => None,
    }
}

/// An area and an exchange that may be given out (NANP); 555-01xx is for films.
fn is_american(digits: &[u8]) -> bool {
    let digits = digits.strip_prefix(b"1").filter(|rest| rest.len() == 10).unwrap_or(digits);
    let [area, _, _, exchange, _, _, ..] = digits else { return false };
    let shown = digits.get(3..8).is_some_and(|middle| middle == b"55501");
    digits.len() == 10 && *area > b'1' && *exchange > b'1' && !shown
}

/// `+49 30 1234567`, `+1 (415) 555-2671`, `(415) 555-2671`.
fn telephone(text: &[u8], start: usize) -> Option<Number> {
    if start.checked_sub(1).is_some_and(|at| is_word_at(text, at)) {
        return None;
    }
    let rest = text.get(start..(start + 24).min(text.len()))?;
    let fits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'+');
    let mut end = rest.iter().position(|byte| !fits(byte)).unwrap_or(rest.len());
    end -= rest.get(..end)?.iter().rev().take_while(|byte| !byte.is_ascii_digit()).count();
    let digits: Vec<u8> = rest.get(..end)?.iter().filter(|byte| byte.is_ascii_digit()).copied().collect();
    let plus = rest.first() == Some(&b'+');
    let double = rest.get(..end)?.windows(2).any(|two| two == b"  " || two == b"--" || two == b"..");
    let fits = match plus {
        true => (9..=15).contains(&digits.len()) && digits.first() != Some(&b'0'),
        false => rest.get(4) == Some(&b')') && is_american(&digits),
    };
    let shown = digits.windows(5).any(|five| five == b"55501") || is_placeholder(&digits);
    let after = is_word_at(text, start + end);
    let sum =
        plus && rest.iter().take(end).all(|byte| byte.is_ascii_digit() || *byte == b'+') && digits.len() < 10;
    (fits && !shown && !double && !after && !sum).then_some(Number {
        rule: "phone",
        start,
        end: start + end,
        confidence: 0.8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        find(text.as_bytes(), &Work::new(u64::MAX, 0), |number| {
            all.push((number.rule, text[number.start..number.end].to_owned()))
        });
        all
    }

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for (text, rule, value) in [
            ("card 4556 7375 8689 9855, exp", "credit-card", "4556 7375 8689 9855"),
            ("pan=4556737586899855;", "credit-card", "4556737586899855"),
            ("SSN: 536-22-1478", "us-ssn", "536-22-1478"),
            ("ssn 536221478", "us-ssn", "536221478"),
            ("IBAN GB29 NWBK 6016 1331 9268 19 please", "iban", "GB29 NWBK 6016 1331 9268 19"),
            ("DE89370400440532013000", "iban", "DE89370400440532013000"),
            ("NHS number 943 476 5919", "uk-nhs", "943 476 5919"),
            ("dni 12345678Z.", "spain-dni", "12345678Z"),
            ("PESEL 44051401359", "poland-pesel", "44051401359"),
            ("cpf 111.444.777-35", "brazil-cpf", "111.444.777-35"),
            ("call (415) 555-2671 now", "phone", "(415) 555-2671"),
            ("+49 30 12393482", "phone", "+49 30 12393482"),
            ("phone: 415-555-2671", "phone", "415-555-2671"),
            ("AB 20 34 56 C", "uk-nino", "AB 20 34 56 C"),
            ("RSSMRA85T10A562S", "italy-codice-fiscale", "RSSMRA85T10A562S"),
        ] {
            assert_eq!(found(text), [(rule, value.to_owned())], "{text}");
        }
    }

    #[test]
    fn numbers_of_programs_are_none() {
        for text in [
            "0x1234567890abcdef",
            "version 1.23.456.7890",
            "2024-01-02 03:04:05.123456",
            "id_1234567890123456",
            "[1, 2, 3, 45, 678]",
            "4556737586899855123456789",
            "127.0.0.1:8080",
            "1700000000000",
            "111222333",
            "44051401359",
            "3.14159265358979",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
