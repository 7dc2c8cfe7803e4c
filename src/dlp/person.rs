//! Where a person lives and when one was born.
//!
//! Never takes a date for one of birth without a word for it before, nor a street without a number and a postal code.

use regex::bytes::Regex;
use std::sync::LazyLock;

/// Words that stand before a date of birth.
pub(super) const BORN: [&str; 10] = [
    "born",
    "birth",
    "dob",
    "geboren",
    "geburtsdatum",
    "geburtstag",
    "geb.",
    "nacimiento",
    "naissance",
    "nascita",
];
/// Words for streets, as they begin or end a name of one.
pub(super) const STREETS: [&str; 26] = [
    "street",
    "avenue",
    " road",
    "boulevard",
    " blvd",
    " lane",
    " drive",
    " court",
    " place",
    " terrace",
    " close",
    " gardens",
    " crescent",
    " square",
    " ave",
    " rd,",
    " st,",
    "stra\u{df}e",
    "strasse",
    "str. ",
    "weg ",
    "platz ",
    "allee ",
    "gasse ",
    " rue ",
    "quai ",
];
/// Bytes between a word for a birth and its date.
const BETWEEN: usize = 40;
/// Bytes before and behind a word for a street that its address may have.
const AROUND: (usize, usize) = (48, 96);

/// Digits of the shortest address: `1`, and `A1 1AA`.
const LEAST_DIGITS: usize = 3;

const DATE: &str = r"(?-u)\b(?:(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:[12]\d|3[01]|0?[1-9])|(?:[12]\d|3[01]|0?[1-9])[-/. ]{1,2}(?:0?[1-9]|1[0-2])[-/. ]{1,2}(?:19|20)\d\d|(?:0?[1-9]|1[0-2])/(?:[12]\d|3[01]|0?[1-9])/(?:19|20)\d\d|(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th|\.)? (?:of |de )?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|m\xc3\xa4r|mai|okt|dez|ene|abr|ago|dic|janv|f\xc3\xa9v|avr|juin|ao\xc3\xbb|d\xc3\xa9c)[a-z.\x80-\xff]{0,8},? (?:de )?(?:19|20)\d\d|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z.]{0,6} (?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?,? (?:19|20)\d\d)\b";

const PLACES: [&str; 4] = [
    // United States: a number, a street, a town, a state and its code.
    r"(?-u)\b\d{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-Z0-9][A-Za-z0-9'.-]* ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Circle|Square|Parkway)\b\.?(?:,? (?:Apt|Apartment|Suite|Ste|Unit|#)\.? ?[A-Za-z0-9-]{1,5})?(?:, ?|\r?\n|\\n| )(?:[A-Z][A-Za-z.'-]+ ?){1,3},? [A-Z]{2},? \d{5}(?:-\d{4})?\b",
    // United Kingdom: a number, a street, towns, a postcode.
    r"(?-u)\b\d{1,4}[A-Za-z]? (?:[A-Z][A-Za-z'-]+ ){1,3}(?:Street|St|Road|Rd|Lane|Avenue|Ave|Close|Drive|Way|Terrace|Gardens|Square|Crescent|Place|Court|Grove|Hill|Park|Row|Mews)\b\.?(?:, ?|\r?\n|\\n| )(?:[A-Z][A-Za-z' -]{1,30}(?:, ?|\r?\n|\\n| )){0,3}[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b",
    // Germany, Austria, Switzerland: a street, a number, a code, a town.
    r"(?-u)\b(?:[A-Z\xc3][A-Za-z\x80-\xff.-]*(?:stra\xc3\x9fe|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer)|(?:[A-Z\xc3][A-Za-z\x80-\xff.-]+[ -]){1,3}(?:Stra\xc3\x9fe|Strasse|Str\.|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer)) \d{1,4} ?[a-z]?(?:, ?|\r?\n|\\n|; ?)(?:D-|A-|CH-)?\d{4,5} [A-Z\xc3][A-Za-z\x80-\xff-]+",
    // France, Belgium: a number, a street, a code, a town.
    r"(?-u)\b\d{1,4}(?: bis| ter)?,? (?i:rue|avenue|boulevard|place|chemin|impasse|quai|all\xc3\xa9e)(?: [A-Za-z\x80-\xff'-]+){1,5}(?:, ?|\r?\n|\\n| )\d{4,5} [A-Z\xc3][A-Za-z\x80-\xff-]+",
];

static DATES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(DATE).ok());
static ADDRESSES: LazyLock<Vec<Regex>> =
    LazyLock::new(|| PLACES.iter().filter_map(|text| Regex::new(text).ok()).collect());

/// The date behind a word for a birth.
pub(super) fn birth(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let joined = start.checked_sub(1).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_lowercase);
    if joined {
        return None;
    }
    let part = text.get(end..(end + BETWEEN + 20).min(text.len()))?;
    let found = DATES.as_ref()?.find(part).filter(|found| found.start() <= BETWEEN)?;
    // What stands on another line, but for the next one, is about something else.
    let lines = part.get(..found.start())?.iter().filter(|byte| **byte == b'\n').count();
    (lines <= 1).then_some((end + found.start(), end + found.end()))
}

/// The address around a word for a street.
pub(super) fn address(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let from = start.saturating_sub(AROUND.0);
    let part = text.get(from..(end + AROUND.1).min(text.len()))?;
    // A number of a house and a postal code have three digits at least, and most text beside such a word has none.
    if part.iter().filter(|byte| byte.is_ascii_digit()).take(LEAST_DIGITS).count() < LEAST_DIGITS {
        return None;
    }
    let fits = |found: &regex::bytes::Match<'_>| found.start() <= start - from && found.end() > start - from;
    let best = ADDRESSES
        .iter()
        .filter_map(|regex| regex.find_iter(part).find(fits))
        .max_by_key(|found| found.len())?;
    Some((from + best.start(), from + best.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, words: &[&str]) -> (usize, usize) {
        let lower = text.to_lowercase();
        let at = |word: &&str| lower.find(*word).map(|at| (at, at + word.len()));
        words.iter().find_map(at).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_date_behind_a_word_for_a_birth_is_one() {
        for (text, date) in [
            ("Date of birth: 1984-03-12", "1984-03-12"),
            ("DOB 03/12/1984, Springfield", "03/12/1984"),
            ("geb. 12.3.1984 in Ulm", "12.3.1984"),
            ("was born on March 12, 1984 there", "March 12, 1984"),
            ("geboren am 12. M\u{e4}rz 1984", "12. M\u{e4}rz 1984"),
            ("<birthDate>1984-03-12</birthDate>", "1984-03-12"),
        ] {
            let (start, end) = word(text, &BORN);
            let (start, end) = birth(text.as_bytes(), start, end).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(&text[start..end], date);
        }
        for text in
            ["stillborn 1984-03-12", "born to run, released by the label on the first day, 1975-08-25"]
        {
            let (start, end) = (text.find("born").unwrap(), text.find("born").unwrap() + 4);
            assert_eq!(birth(text.as_bytes(), start, end), None, "{text}");
        }
    }

    #[test]
    fn a_street_with_a_number_and_a_code_is_an_address() {
        assert_eq!(ADDRESSES.len(), PLACES.len());
        assert!(DATES.is_some());
        for text in [
            "17 Elm Street, Dayton, OH 45402",
            "2200 N. Oak Park Ave Apt 4B, Chicago, IL 60614-1234",
            "9 Mill Lane, Ely, Cambridgeshire CB7 4HJ",
            "Goethestra\u{df}e 12a, 80336 M\u{fc}nchen",
            "Am Alten Weg 3, 1010 Wien",
            "14 bis rue des Lilas, 69003 Lyon",
        ] {
            let around = format!("to {text}.");
            let (start, end) = word(&around, &STREETS.map(|word| word));
            let (from, to) = address(around.as_bytes(), start, end).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(&around[from..to], text);
        }
        for text in ["the road to hell is 12 miles", "Wall Street 2008", "drive 4 Lane config, WA"] {
            let (start, end) = word(text, &["road", "street", " lane"]);
            assert_eq!(address(text.as_bytes(), start, end), None, "{text}");
        }
    }
}
