//! The records that quality is measured on: each a text, and what is in it.

use super::credentials::{self, Texts};
use super::dice::Dice;
use super::encode::{AROUND, ENCODINGS};
use super::fill::fill;
use super::{harmless, person};

/// A text, and the values that have to be found in it.
pub(crate) struct Record {
    /// What the row of the table is called.
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    pub(crate) values: Vec<String>,
    /// In no total: beyond what tools of this sort are asked for.
    pub(crate) beyond: bool,
}

/// Which templates are used: 0 for tuning, 1 held back.
pub(crate) type Split = usize;

/// Credentials as they are.
pub(crate) fn plain(split: Split, each: usize, dice: &mut Dice) -> Vec<Record> {
    let mut records = Vec::new();
    for (kind, make, texts) in credentials::KINDS {
        for _ in 0..each {
            let value = make(dice);
            let text = around(credential_text(&value, *texts, split, dice), split, dice);
            records.push(Record { kind, text, values: vec![value], beyond: false });
        }
    }
    records.extend(clean(split, each * 4, dice, |text, _| text));
    records
}

/// Credentials, and the text around them, in encodings.
pub(crate) fn encoded(split: Split, each: usize, dice: &mut Dice) -> Vec<Record> {
    let mut records = Vec::new();
    for (kind, encode) in ENCODINGS {
        for _ in 0..each * 2 {
            let (_, make, texts) = credentials::KINDS[dice.below(credentials::KINDS.len())];
            let value = make(dice);
            let alone = texts == Texts::Anywhere && dice.once_in(3);
            let inner = if alone { value.clone() } else { credential_text(&value, texts, split, dice) };
            let text = fill(dice.one_of(AROUND[split]), &encode(&inner, dice), dice);
            let text = around(text, split, dice);
            records.push(Record { kind, text, values: vec![value], beyond: false });
        }
    }
    records.extend(clean(split, each * 4, dice, |text, dice| {
        let (_, encode) = ENCODINGS[dice.below(ENCODINGS.len())];
        fill(dice.one_of(AROUND[split]), &encode(&text, dice), dice)
    }));
    records
}

/// Data about persons.
pub(crate) fn personal(split: Split, each: usize, dice: &mut Dice) -> Vec<Record> {
    let mut records = Vec::new();
    for (kind, make, texts) in person::KINDS {
        for _ in 0..each {
            let value = make(dice);
            let text = around(fill(dice.one_of(texts[split]), &value, dice), split, dice);
            records.push(Record { kind, text, values: vec![value], beyond: person::BEYOND.contains(kind) });
        }
    }
    records.extend(clean(split, each * 4, dice, |text, _| text));
    records
}

fn credential_text(value: &str, texts: Texts, split: Split, dice: &mut Dice) -> String {
    let templates = match texts {
        Texts::Anywhere if dice.once_in(3) => credentials::NAMED[split],
        Texts::Anywhere => credentials::ANYWHERE[split],
        Texts::Named => credentials::NAMED[split],
        Texts::Password => credentials::PASSWORDS[split],
        Texts::Whole => return value.to_owned(),
    };
    fill(dice.one_of(templates), value, dice)
}

/// With harmless text before and behind, now and then.
fn around(text: String, split: Split, dice: &mut Dice) -> String {
    let mut before = String::new();
    let mut behind = String::new();
    for _ in 0..dice.below(3) {
        before.push_str(&snippet(split, dice).1);
    }
    for _ in 0..dice.below(2) {
        behind.push_str(&snippet(split, dice).1);
    }
    before + &text + &behind
}

fn snippet(split: Split, dice: &mut Dice) -> (&'static str, String) {
    let (kind, templates) = harmless::KINDS[dice.below(harmless::KINDS.len())];
    let template = dice.one_of(templates[split]);
    (kind, harmless::made(template, dice))
}

/// Records with nothing to find; each kind of text as often as the others.
fn clean(
    split: Split,
    each: usize,
    dice: &mut Dice,
    change: impl Fn(String, &mut Dice) -> String,
) -> Vec<Record> {
    let mut records = Vec::new();
    for (kind, templates) in harmless::KINDS {
        for _ in 0..each {
            let text: String = (0..dice.between(1, 3))
                .map(|_| harmless::made(dice.one_of(templates[split]), dice))
                .collect();
            records.push(Record { kind, text: change(text, dice), values: Vec::new(), beyond: false });
        }
    }
    records
}
