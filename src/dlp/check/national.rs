//! Numbers that states give to people.

use super::{digits, is_pattern, luhn, modulo, weighted};

/// United States, social security: areas, groups and serials that are never given out (SSA).
pub(super) fn ssn(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    let number = |from: usize, count: usize| {
        digits.iter().skip(from).take(count).fold(0, |all, digit| all * 10 + digit)
    };
    let (area, group, serial) = (number(0, 3), number(3, 2), number(5, 4));
    // Two numbers that were printed on cards for show.
    let shown = matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999) | (123, 45, 6789));
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !shown && !is_pattern(text)
}

/// United Kingdom, National Health Service: weights 10 to 2, modulo 11.
pub(super) fn nhs(text: &[u8]) -> bool {
    let Some(digits) = digits::<10>(text) else { return false };
    let rest = 11 - weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits.last() == Some(&(rest % 11)) && rest != 10 && !is_pattern(text)
}

/// United Kingdom, National Insurance: letters that are never used.
pub(super) fn nino(text: &[u8]) -> bool {
    let [one, two, middle @ .., last] = text else { return false };
    let first = b"ABCEGHJKLMNOPRSTWXYZ".contains(one) && b"ABCEGHJKLMNPRSTWXYZ".contains(two);
    let never = [*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"].contains(&[*one, *two]);
    let number = middle.len() == 6 && middle.iter().all(u8::is_ascii_digit);
    first && !never && number && matches!(last, b'A'..=b'D')
}

/// Spain, DNI and NIE: a letter for the number modulo 23.
pub(super) fn dni(text: &[u8]) -> bool {
    let [head, middle @ .., letter] = text else { return false };
    let head = match head {
        b'0'..=b'9' => *head,
        b'X'..=b'Z' => head - b'X' + b'0',
        _ => return false,
    };
    let number = middle.len() == 7 && middle.iter().all(u8::is_ascii_digit);
    let rest = modulo(std::iter::once(head).chain(middle.iter().copied()), 23);
    number && b"TRWAGMYFPDXBNJZSQVHLCKE".get(rest as usize) == Some(letter)
}

/// Poland: a date of birth and a weighted sum.
pub(super) fn pesel(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    let [_, _, month_tens, month_ones, day_tens, day_ones, ..] = digits;
    let (month, day) = ((month_tens * 10 + month_ones) % 20, day_tens * 10 + day_ones);
    let sum = weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    sum.is_multiple_of(10) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// Netherlands, BSN: the sum of eleven.
pub(super) fn bsn(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    let last = digits.last().copied().unwrap_or(0);
    let sum = weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]) as i64 - i64::from(last);
    sum % 11 == 0 && sum != 0 && !is_pattern(text)
}

/// Germany, tax number: ISO 7064 (mod 11, 10), and of the first ten digits exactly one comes twice or three times.
pub(super) fn steuer(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    let [head @ .., check] = digits;
    let product = head.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    let times = |digit: u32| head.iter().filter(|other| **other == digit).count();
    let repeated = (0..10).filter(|digit| times(*digit) > 1).collect::<Vec<_>>();
    let once = matches!(repeated.as_slice(), [digit] if times(*digit) <= 3);
    head.first() != Some(&0) && once && (11 - product) % 10 == check
}

/// India, Aadhaar: does not start with 0 or 1, and the sum of Verhoeff.
pub(super) fn aadhaar(text: &[u8]) -> bool {
    let Some(digits) = digits::<12>(text) else { return false };
    !matches!(digits.first(), Some(0 | 1)) && verhoeff(&digits) && !is_pattern(text)
}

/// The sum of Verhoeff: products in the group of a pentagon, with a permutation for each place.
fn verhoeff(digits: &[u32]) -> bool {
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u32, place: usize| {
        (0..place % 8).fold(digit, |digit, _| STEP.get(digit as usize).copied().unwrap_or(0))
    };
    digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| pentagon(sum, permuted(*digit, place))) == 0
}

/// Turns (0 to 4) and mirrors (5 to 9) of a pentagon, one after the other.
fn pentagon(one: u32, two: u32) -> u32 {
    match (one < 5, two < 5) {
        (true, true) => (one + two) % 5,
        (true, false) => 5 + (one + two - 5) % 5,
        (false, true) => 5 + (one - 5 + 5 - two) % 5,
        (false, false) => (one + 5 - two) % 5,
    }
}

/// France, NIR: a month, and 97 less the number modulo 97.
pub(super) fn nir(text: &[u8]) -> bool {
    if text.len() != 15 || !matches!(text, [b'1' | b'2', ..]) {
        return false;
    }
    let month = modulo(text.iter().skip(3).take(2).copied(), 100);
    // Corsica has 2A and 2B where others have two digits; they count as 19 and 18.
    let (head, key) = text.split_at(13);
    let mut plain = head.to_vec();
    let department: Option<&[u8; 2]> = match plain.get(5..7) {
        Some(b"2A") => Some(b"19"),
        Some(b"2B") => Some(b"18"),
        _ => None,
    };
    if let Some(department) = department {
        plain.splice(5..7, *department);
    }
    if !plain.iter().chain(key).all(u8::is_ascii_digit) {
        return false;
    }
    (1..=12).contains(&month) && 97 - modulo(plain.into_iter(), 97) == modulo(key.iter().copied(), 100)
}

/// Italy, codice fiscale: form, and a letter for the sum of all others.
pub(super) fn codice_fiscale(text: &[u8]) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12,
        14, 16, 10, 22, 25, 24, 23,
    ];
    let Some((check, head)) = text.split_last() else { return false };
    let value = |(place, byte): (usize, &u8)| {
        let code = match byte {
            b'0'..=b'9' => u32::from(byte - b'0'),
            b'A'..=b'Z' => u32::from(byte - b'A') + 10,
            _ => return None,
        };
        let even = if code >= 10 { code - 10 } else { code };
        Some(if place % 2 == 0 { ODD.get(code as usize).copied()? } else { even })
    };
    let letters = head.get(..6).is_some_and(|name| name.iter().all(u8::is_ascii_uppercase));
    let sum: Option<u32> = head.iter().enumerate().map(value).sum();
    text.len() == 16 && letters && sum.is_some_and(|sum| u32::from(check.wrapping_sub(b'A')) == sum % 26)
}

/// Brazil, CPF: two weighted sums.
pub(super) fn cpf(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    let holds = |weights: &[u32], at: usize| {
        let rest = weighted(&digits, weights) * 10 % 11 % 10;
        digits.get(at) == Some(&rest)
    };
    !is_pattern(text)
        && holds(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 9)
        && holds(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 10)
}

/// Canada, social insurance: the sum of Luhn.
pub(super) fn sin(text: &[u8]) -> bool {
    text.len() == 9 && !matches!(text.first(), Some(b'0' | b'8')) && luhn(text) && !is_pattern(text)
}

/// Australia, tax file number: a weighted sum modulo 11.
pub(super) fn tfn(text: &[u8]) -> bool {
    let sum = digits::<9>(text).map(|digits| weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]));
    sum.is_some_and(|sum| sum.is_multiple_of(11)) && !is_pattern(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_holds_its_sum_and_its_neighbour_does_not() {
        type Row = (fn(&[u8]) -> bool, &'static str, &'static str);
        let table: [Row; 14] = [
            (ssn, "536221478", "666221478"),
            (nhs, "9434765919", "9434765918"),
            (nino, "AB123456C", "BG123457C"),
            (dni, "12345678Z", "12345678A"),
            (dni, "X1234567L", "X1234567M"),
            (pesel, "44051401359", "44051401358"),
            (bsn, "111222333", "111222334"),
            (steuer, "86095742719", "86095742718"),
            (aadhaar, "234123412346", "234123412347"),
            (nir, "255081416802538", "255081416802539"),
            (codice_fiscale, "RSSMRA85T10A562S", "RSSMRA85T10A562T"),
            (cpf, "11144477735", "11144477736"),
            (sin, "130692544", "130692545"),
            (tfn, "123456782", "123456783"),
        ];
        for (check, good, bad) in table {
            assert!(check(good.as_bytes()), "{good}");
            assert!(!check(bad.as_bytes()), "{bad}");
            assert!(!check(b"") && !check(b"1") && !check(&good.as_bytes()[1..]), "{good}");
        }
        for never in ["000221478", "900221478", "536001478", "536220000", "078051120"] {
            assert!(!ssn(never.as_bytes()), "{never}");
        }
    }
}
