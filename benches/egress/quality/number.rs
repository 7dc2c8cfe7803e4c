//! Numbers and addresses of persons, with the check digits that each kind has.

use super::dice::{DIGITS, Dice, LOWER};
use super::fill::fill;

pub(crate) fn spaced(text: &str, groups: &[usize], sign: &str) -> String {
    let mut at = 0;
    let parts = groups.iter().map(|length| {
        at += length;
        text[at - length..at.min(text.len())].to_owned()
    });
    parts.collect::<Vec<_>>().join(sign)
}

fn digits(text: &str) -> Vec<u32> {
    text.bytes().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0')).collect()
}

pub(crate) fn luhn(prefix: &str, length: usize, dice: &mut Dice) -> String {
    let body = format!("{prefix}{}", dice.text(DIGITS, length - 1 - prefix.len()));
    let sum: u32 = digits(&body)
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub(crate) fn card(dice: &mut Dice) -> String {
    let (prefix, length) = dice.one_of(&[
        &("4", 16),
        &("51", 16),
        &("55", 16),
        &("2221", 16),
        &("34", 15),
        &("37", 15),
        &("6011", 16),
        &("4", 16),
        &("3530", 16),
    ]);
    let text = luhn(prefix, *length, dice);
    let sign = dice.one_of(&["", " ", "-"]);
    if *length == 15 { spaced(&text, &[4, 6, 5], sign) } else { spaced(&text, &[4, 4, 4, 4], sign) }
}

pub(crate) fn iban(dice: &mut Dice) -> String {
    let (country, body) = match dice.below(8) {
        0 | 1 => ("DE", dice.text(DIGITS, 18)),
        2 => ("FR", dice.text(DIGITS, 23)),
        3 => ("GB", format!("{}{}", dice.text("ABCDEFGHKLMNPRSTW", 4), dice.text(DIGITS, 14))),
        4 => ("NL", format!("{}{}", dice.one_of(&["ABNA", "INGB", "RABO"]), dice.text(DIGITS, 10))),
        5 => ("ES", dice.text(DIGITS, 20)),
        6 => ("AT", dice.text(DIGITS, 16)),
        _ => ("PL", dice.text(DIGITS, 24)),
    };
    let rest = format!("{body}{country}00").bytes().fold(0u32, |rest, letter| match letter {
        b'0'..=b'9' => (rest * 10 + u32::from(letter - b'0')) % 97,
        _ => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    let text = format!("{country}{:02}{body}", 98 - rest);
    if dice.once_in(2) {
        text
    } else {
        text.as_bytes()
            .chunks(4)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

pub(crate) fn ssn(dice: &mut Dice) -> String {
    let area = loop {
        let area = dice.between(1, 899);
        if area != 666 {
            break area;
        }
    };
    format!("{area:03}-{:02}-{:04}", dice.between(1, 99), dice.between(1, 9999))
}

pub(crate) fn phone(dice: &mut Dice) -> String {
    let template = dice.one_of(&[
        "+1 {p}-555-{d:4}",
        "({p}) 4{d:2}-{d:4}",
        "{p}-3{d:2}-{d:4}",
        "+49 151 {D:8}",
        "+44 7{d:3} {d:6}",
        "+33 6 {d:2} {d:2} {d:2} {d:2}",
        "+34 6{d:2} {d:3} {d:3}",
        "+91 9{d:4} {d:5}",
        "+1{p}7{d:6}",
        "020 7{d:3} {d:4}",
        "06 {d:2} {d:2} {d:2} {d:2}",
        "0171 {D:7}",
    ]);
    let area = dice.one_of(&["212", "415", "303", "617", "512", "404", "206"]);
    fill(&template.replace("{p}", area), "", dice)
}

pub(crate) fn email(dice: &mut Dice) -> String {
    let template = dice.one_of(&[
        "{l:6}.{l:7}@gmail.com",
        "{l:5}{d:2}@outlook.com",
        "{l:1}.{l:7}@{w}-{w}.de",
        "{l:8}@web.de",
        "{l:5}_{l:4}@{w}mail.net",
        "{l:4}+{w}@proton.me",
    ]);
    fill(template, "", dice)
}

fn weighted(text: &str, weights: &[u32]) -> u32 {
    digits(text).iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

pub(crate) fn nhs(dice: &mut Dice) -> String {
    loop {
        let body = format!("{}{}", dice.text("4679", 1), dice.text(DIGITS, 8));
        let check = (11 - weighted(&body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        if check != 10 {
            let text = format!("{body}{check}");
            return if dice.once_in(2) { text } else { spaced(&text, &[3, 3, 4], " ") };
        }
    }
}

pub(crate) fn dni(dice: &mut Dice) -> String {
    let number = dice.between(10_000_000, 99_999_999);
    format!("{number}{}", char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23]))
}

pub(crate) fn pesel(dice: &mut Dice) -> String {
    let body = format!(
        "{:02}{:02}{:02}{}",
        dice.between(40, 99),
        dice.between(1, 12),
        dice.between(1, 28),
        dice.text(DIGITS, 4)
    );
    let sum = weighted(&body, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub(crate) fn bsn(dice: &mut Dice) -> String {
    loop {
        let body = format!("{}{}", dice.text("123456789", 1), dice.text(DIGITS, 7));
        let check = weighted(&body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        if check < 10 {
            return format!("{body}{check}");
        }
    }
}

/// Eleven digits: of the first ten one occurs twice, and the last is by ISO 7064 (mod 11, 10).
pub(crate) fn steuer(dice: &mut Dice) -> String {
    let mut order: Vec<u32> = (0..10).collect();
    dice.shuffle(&mut order);
    if order[0] == 0 {
        order.swap(0, 5);
    }
    order[9] = order[dice.between(1, 6)];
    let product = order.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    let text: String = order.iter().map(u32::to_string).collect();
    let text = format!("{text}{}", (11 - product) % 10);
    if dice.once_in(2) { text } else { spaced(&text, &[2, 3, 3, 3], " ") }
}

pub(crate) fn nir(dice: &mut Dice) -> String {
    let text = format!(
        "{}{:02}{:02}{:02}{}{}",
        dice.text("12", 1),
        dice.between(40, 99),
        dice.between(1, 12),
        dice.between(10, 19),
        dice.text("0123", 3),
        dice.text("0123456", 3)
    );
    let key = 97 - text.parse::<u64>().unwrap() % 97;
    if dice.once_in(2) {
        format!("{text}{key:02}")
    } else {
        format!("{} {key:02}", spaced(&text, &[1, 2, 2, 2, 3, 3], " "))
    }
}

pub(crate) fn cpf(dice: &mut Dice) -> String {
    let mut text = dice.text(DIGITS, 9);
    for first in [10, 11] {
        let weights: Vec<u32> = (2..=first).rev().collect();
        let rest = weighted(&text, &weights) * 10 % 11 % 10;
        text.push_str(&rest.to_string());
    }
    format!("{}-{}", spaced(&text[..9], &[3, 3, 3], "."), &text[9..])
}

/// The last digit by Verhoeff's group of the pentagon.
pub(crate) fn aadhaar(dice: &mut Dice) -> String {
    let join = |a: u32, b: u32| {
        if a < 5 {
            if b < 5 { (a + b) % 5 } else { (a + b - 5) % 5 + 5 }
        } else if b < 5 {
            (a - b) % 5 + 5
        } else {
            (a + 5 - b) % 5
        }
    };
    let turn = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let body = format!("{}{}", dice.text("23456789", 1), dice.text(DIGITS, 10));
    let check = (0..10).find(|check| {
        let all: Vec<u32> = digits(&body).into_iter().chain([*check]).rev().collect();
        let turned = |at: usize, digit: u32| (0..at % 8).fold(digit, |digit, _| turn[digit as usize]);
        all.iter().enumerate().fold(0, |held, (at, digit)| join(held, turned(at, *digit))) == 0
    });
    spaced(&format!("{body}{}", check.unwrap_or(0)), &[4, 4, 4], dice.one_of(&[" ", " ", ""]))
}

pub(crate) fn codice(dice: &mut Dice) -> String {
    let body = format!(
        "{}{:02}{}{:02}{}{}",
        dice.text("BCDFGLMNPRSTVZ", 6),
        dice.between(40, 99),
        dice.text("ABCDEHLMPRST", 1),
        dice.between(1, 28),
        dice.text("ABCDEFGHL", 1),
        dice.text("0123456789", 3)
    );
    let odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let place = |byte: u8| usize::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' });
    let sum: usize = body
        .bytes()
        .enumerate()
        .map(|(at, byte)| if at % 2 == 0 { odd[place(byte)] } else { place(byte) })
        .sum();
    format!("{body}{}", char::from(b'A' + (sum % 26) as u8))
}

pub(crate) fn aba(dice: &mut Dice) -> String {
    let body = format!("0{}{}", dice.text("123456789", 1), dice.text(DIGITS, 6));
    let sum = weighted(&body, &[3, 7, 1, 3, 7, 1, 3, 7]);
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub(crate) fn address(dice: &mut Dice) -> String {
    let street = dice.text(LOWER, 1).to_uppercase()
        + &dice.text("aeiou", 1)
        + &dice.text("lmnrst", 2)
        + &dice.text("aeo", 1);
    let template = dice.one_of(&[
        "{n} {s} Street, Springfield, IL 6{d:4}",
        "{s}straße {n}, 1{d:4} Berlin",
        "{n} rue de {s}, 75{d:3} Paris",
        "{n} {s} Road, London SW{D:1}A {D:1}AA",
        "{n} {s} Ave Apt {D:1}, Austin, TX 787{d:2}",
        "{D:3} {s} Blvd, Suite {D:3}, Tucson, AZ 857{d:2}",
        "{s}weg {D:2}, 8{d:4} Augsburg",
        "{D:2} {s} Crescent, Headingley, Leeds LS{D:1} {D:1}XY",
        "{D:2}, avenue {s}, 69{d:3} Lyon",
        "{s}gasse {D:2}/{D:1}, 1070 Wien",
        "{D:4} Old {s} Rd\nReno, NV 895{d:2}",
    ]);
    fill(&template.replace("{s}", &street), "", dice)
}
