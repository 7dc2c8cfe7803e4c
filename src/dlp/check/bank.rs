//! Numbers of banks: cards, accounts, routing.

use super::{digits, is_pattern, luhn, modulo, weighted};

/// A payment card: the sum of Luhn, and a number range of a scheme with its length (ISO/IEC 7812).
pub(super) fn card(text: &[u8]) -> bool {
    (13..=19).contains(&text.len()) && luhn(text) && has_issuer(text) && !is_pattern(text) && !repeats(text)
}

fn has_issuer(text: &[u8]) -> bool {
    let head = |count: usize| modulo(text.iter().take(count).copied(), 1_000_000);
    match text.len() {
        13 => false,
        14 => matches!(head(3), 300..=305 | 309) || matches!(head(2), 36 | 38 | 39),
        15 => matches!(head(2), 34 | 37),
        16 => {
            head(1) == 4
                || matches!(head(2), 51..=55 | 65 | 60 | 62 | 67 | 35 | 50 | 56..=58 | 63)
                || matches!(head(4), 2221..=2720 | 2200..=2204)
                || matches!(head(3), 644..=649)
        }
        17..=19 => {
            head(1) == 4 && text.len() == 19 || matches!(head(2), 62 | 63 | 67 | 50 | 56..=58 | 60 | 65)
        }
        _ => false,
    }
}

/// Two groups of digits make all of it, as 4242 4242 4242 4242: a number to try things with.
fn repeats(text: &[u8]) -> bool {
    let most = text.iter().fold([0u8; 10], |mut counts, byte| {
        if let Some(count) = counts.get_mut(usize::from(byte.wrapping_sub(b'0'))) {
            *count += 1;
        }
        counts
    });
    most.iter().filter(|count| **count > 0).count() <= 2
}

/// An IBAN (ISO 13616): the length of its country, and modulo 97 of all.
pub(super) fn iban(text: &[u8]) -> bool {
    let Some((head, rest)) = text.split_at_checked(4) else { return false };
    let Ok(country) = std::str::from_utf8(head.get(..2).unwrap_or_default()) else { return false };
    if length_of(country) != Some(text.len())
        || !head.get(2..).unwrap_or_default().iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    let rest_of = |rest: u32, byte: &u8| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        _ => 0,
    };
    let plain = rest.iter().filter(|byte| **byte != b'0').count() > 3;
    plain && rest.iter().chain(head).fold(0, rest_of) == 1
}

fn length_of(country: &str) -> Option<usize> {
    const LENGTHS: [(usize, &str); 18] = [
        (15, "NO"),
        (16, "BE"),
        (18, "DK FI FO GL NL"),
        (19, "MK SI"),
        (20, "AT BA EE KZ LT LU XK MN"),
        (21, "CH CR HR LI LV"),
        (22, "BG BH DE GB GE IE ME RS VA"),
        (23, "AE GI IL IQ TL OM SO"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
        (25, "LY PT ST"),
        (26, "IS TR"),
        (27, "FR GR IT MC MR SM BI DJ"),
        (28, "AL AZ CY DO GT HU LB PL SV NI"),
        (29, "BR EG PS QA UA"),
        (30, "JO KW MU YE"),
        (31, "MT SC"),
        (32, "LC"),
        (33, "RU"),
    ];
    LENGTHS
        .iter()
        .find(|(_, countries)| countries.split(' ').any(|word| word == country))
        .map(|(length, _)| *length)
}

/// A routing number of an American bank: a district, and a weighted sum.
pub(super) fn aba(text: &[u8]) -> bool {
    let district = matches!(modulo(text.iter().take(2).copied(), 100), 1..=12 | 21..=32 | 61..=72 | 80);
    let sum = digits::<9>(text).map(|digits| weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10);
    district && sum == Some(0) && !is_pattern(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_has_a_scheme_a_length_and_the_sum_of_luhn() {
        for good in [
            "4556737586899855",
            "5425233430109903",
            "2223000048410010",
            "374245455400126",
            "6011000991300009",
            "3566000020000410",
            "36006666333344",
        ] {
            assert!(card(good.as_bytes()), "{good}");
        }
        for bad in [
            "4556737586899856",
            "1234567812345670",
            "0000000000000000",
            "4242424242424242",
            "455673758689985",
            "49927398716",
        ] {
            assert!(!card(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn an_iban_has_the_length_of_its_country_and_the_rest_of_97() {
        for good in [
            "GB29NWBK60161331926819",
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "NL91ABNA0417164300",
        ] {
            assert!(iban(good.as_bytes()), "{good}");
        }
        for bad in [
            "GB29NWBK60161331926818",
            "DE8937040044053201300",
            "ZZ89370400440532013000",
            "DE",
            "DE00000000000000000000",
        ] {
            assert!(!iban(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_routing_number_has_a_district_and_its_sum() {
        assert!(aba(b"021000021") && aba(b"122105155") && aba(b"011401533"));
        assert!(!aba(b"021000022") && !aba(b"991000021") && !aba(b"02100002"));
    }
}
