//! Examples made by chance: secrets and harmless values, each written down in one of many ways. A way of writing belongs
//! to one split, so what is measured was written in ways that were never learnt from.

use crate::dice::Dice;
use crate::example::{Example, Split};
use crate::harmless::{HASHES, STANDINS, block, harmless_name, identifier};
use crate::secrets::{NAMED, SHAPES, UNNAMED, secret_name};
use crate::words::ALONE;

/// So many examples of a split, about four secrets to six harmless ones.
pub(crate) fn examples(split: Split, count: usize, dice: &mut Dice) -> Vec<Example> {
    let (named, unnamed, alone) = (split.part(NAMED), split.part(UNNAMED), split.part(ALONE));
    let ways = Ways { named, unnamed, alone };
    (0..count).map(|_| one(&ways, dice)).collect()
}

struct Ways {
    named: Vec<&'static str>,
    unnamed: Vec<&'static str>,
    alone: Vec<&'static str>,
}

fn one(ways: &Ways, dice: &mut Dice) -> Example {
    let earlier = earlier(dice);
    let (kind, candidate, way, secret) = match dice.below(21) {
        0..=5 => ("secret, named", secret(dice, true), named(ways, dice, true), true),
        6 | 7 => ("secret, unnamed", secret(dice, false), dice.one_of(&ways.unnamed).to_owned(), true),
        8..=10 => ("hash, named", shape(HASHES, dice), named(ways, dice, false), false),
        11..=13 => ("hash, alone", shape(HASHES, dice), dice.one_of(&ways.alone).to_owned(), false),
        20 => {
            let (above, line) = block(dice);
            ("block", line, above, false)
        }
        14..=18 => ("stand-in", shape(STANDINS, dice), named(ways, dice, true), false),
        _ => {
            let way =
                if dice.once_in(2) { named(ways, dice, false) } else { dice.one_of(&ways.alone).to_owned() };
            ("plain", identifier(dice), way, false)
        }
    };
    let mut before = format!("{earlier}{way}").into_bytes();
    before.drain(..before.len().saturating_sub(64));
    Example { candidate: candidate.into_bytes(), before, secret, kind }
}

fn secret(dice: &mut Dice, has_name: bool) -> String {
    loop {
        let (needs_name, make) = SHAPES[dice.below(SHAPES.len())];
        if has_name || !needs_name {
            return make(dice);
        }
    }
}

fn shape(shapes: &[fn(&mut Dice) -> String], dice: &mut Dice) -> String {
    shapes[dice.below(shapes.len())](dice)
}

fn named(ways: &Ways, dice: &mut Dice, secret: bool) -> String {
    let name = if secret { secret_name(dice) } else { harmless_name(dice) };
    dice.one_of(&ways.named).replace('N', "\u{1}").replace('\u{1}', &name)
}

/// What stands farther left: nothing, words, or a line of configuration.
fn earlier(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => String::new(),
        1 => "\n".to_owned(),
        2 => format!("{} {} ", identifier(dice), identifier(dice)),
        3 => format!("{}: {}\n", identifier(dice), identifier(dice)),
        4 => format!("\"{}\": \"{}\", ", identifier(dice), identifier(dice)),
        _ => format!("{}={}\n", identifier(dice), identifier(dice)),
    }
}
