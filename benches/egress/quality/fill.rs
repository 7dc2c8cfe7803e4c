//! Templates: text with places in braces that chance fills. `{V}` is where the value goes.

use super::dice::{ALNUM, DIGITS, Dice, HEX, LOWER, LOWER_DIGITS, UPPER_DIGITS, base64, uuid};

const WORDS: &[&str] = &[
    "inventory",
    "checkout",
    "billing",
    "harvest",
    "ledger",
    "atlas",
    "beacon",
    "cobra",
    "delta",
    "ember",
    "fjord",
    "glacier",
    "hydra",
    "indigo",
    "juniper",
    "kestrel",
    "lagoon",
    "mosaic",
    "nectar",
    "onyx",
    "prairie",
    "quartz",
    "raven",
    "sierra",
    "tundra",
    "umbra",
    "vortex",
    "willow",
    "xenon",
    "yonder",
    "zephyr",
    "worker",
    "gateway",
    "reports",
    "scheduler",
    "mailer",
    "search",
    "uploads",
    "metrics",
    "archive",
    "crawler",
    "planner",
    "pricing",
    "profile",
    "orders",
    "returns",
    "shipping",
];
const FIRST: &[&str] = &[
    "Marta", "Jonas", "Priya", "Ahmed", "Chloe", "Mateo", "Yuki", "Ingrid", "Dmitri", "Fatima", "Liam",
    "Zofia", "Pedro", "Amara", "Noah", "Elif", "Hannah", "Giulia", "Thomas", "Sanne", "Rahul", "Olivia",
    "Pierre", "Anneke", "Kwame", "Beatriz", "Oscar",
];
const LAST: &[&str] = &[
    "Lindqvist",
    "Okafor",
    "Moreau",
    "Schneider",
    "Rossi",
    "Kowalczyk",
    "Tanaka",
    "Fernandes",
    "Novak",
    "Haddad",
    "Sharma",
    "O'Brien",
    "van Dijk",
    "Petrov",
    "Jensen",
    "Alvarez",
    "Whitfield",
    "Becker",
    "Costa",
    "Nguyen",
    "Iversen",
    "Dubois",
    "Hughes",
];

/// The template with its places filled; `value` for `{V}`.
pub(crate) fn fill(template: &str, value: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        match after.find('}').and_then(|end| Some((end, filler(&after[..end], value, dice)?))) {
            Some((end, text)) => {
                out.push_str(&text);
                rest = &after[end + 1..];
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

fn filler(name: &str, value: &str, dice: &mut Dice) -> Option<String> {
    let (word, count) = match name.split_once(':') {
        Some((word, count)) => (word, count.parse().ok()?),
        None => (name, 1),
    };
    Some(match word {
        "V" => value.to_owned(),
        "w" => dice.one_of(WORDS).to_owned(),
        "W" => dice.one_of(WORDS).to_uppercase(),
        "first" => dice.one_of(FIRST).to_owned(),
        "last" => dice.one_of(LAST).to_owned(),
        "d" => dice.text(DIGITS, count),
        "D" => format!("{}{}", dice.text("123456789", 1), dice.text(DIGITS, count - 1)),
        "h" => dice.text(HEX, count),
        "H" => dice.text(HEX, count).to_uppercase(),
        "a" => dice.text(ALNUM, count),
        "l" => dice.text(LOWER, count),
        "ld" => dice.text(LOWER_DIGITS, count),
        "ud" => dice.text(UPPER_DIGITS, count),
        "b" => base64(&dice.bytes(count), false),
        "bu" => base64(&dice.bytes(count), true),
        "uuid" => uuid(dice),
        "m" => format!("{:02}", dice.between(1, 12)),
        "day" => format!("{:02}", dice.between(1, 28)),
        "v" => format!("{}.{}.{}", dice.between(0, 20), dice.between(0, 40), dice.between(0, 30)),
        "n" => dice.between(2, 999).to_string(),
        _ => return None,
    })
}
