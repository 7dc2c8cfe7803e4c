//! Tokens: what stands in a value's place on its way out, and is turned back in what the host answers.
//!
//! The same bytes have the same token under one key, and nobody without the key can tell a token. One has the shape of
//! its value, letter for letter, where that leaves enough to tell it from all other text and cannot be somebody else's.

use super::check::luhn;
use crate::crypto::{Derived, Secret};

/// Letters and digits that a token of the value's shape has at least: 16 random digits are 53 bits.
const LEAST: usize = 16;
/// The longest value whose shape is kept.
const LONGEST: usize = 128;
/// Letters of the name in front of a token for an address of mail.
const NAME: usize = 20;

/// The token for these bytes of a stream, which `kind` was found in. Printable, without quotes and backslashes.
pub(super) fn token(key: &Secret, kind: &str, value: &[u8]) -> String {
    let mut random = Derived::new(key, &[b"token", kind.as_bytes(), b"\0", value]);
    if kind == "email" && value.contains(&b'@') {
        // A name under `invalid` is nobody's (RFC 2606).
        let name: String = (0..NAME).map(|_| char::from(random.like(b'a'))).collect();
        return format!("{name}@token.invalid");
    }
    shaped(&mut random, value).unwrap_or_else(|| {
        let digits = (0..32).map(|_| char::from(random.one_of(b"0123456789abcdef")));
        "ais-token-".chars().chain(digits).collect()
    })
}

fn shaped(random: &mut Derived<'_>, value: &[u8]) -> Option<String> {
    let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"'\\<>&".contains(byte));
    let free = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    if !printable || free < LEAST || value.len() > LONGEST {
        return None;
    }
    let mut text: Vec<u8> = Vec::with_capacity(value.len());
    for byte in value {
        // A number never begins with zero: one of JSON stays one.
        let leads = text.is_empty() && byte.is_ascii_digit();
        text.push(if leads { random.one_of(b"123456789") } else { random.like(*byte) });
    }
    // A number with a sum that holds could be somebody's card.
    if sum_holds(&text)
        && let Some(last) = text.iter_mut().rev().find(|byte| byte.is_ascii_digit())
    {
        *last = b'0' + (*last - b'0' + 1) % 10;
    }
    String::from_utf8(text).ok()
}

/// The sum of a card's number over the digits.
fn sum_holds(text: &[u8]) -> bool {
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    luhn(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Secret {
        Secret::take(&mut [number; 32]).unwrap()
    }

    #[test]
    fn a_token_has_the_shape_of_its_value_where_that_is_enough() {
        let shape = |text: &str| {
            let class = |letter: char| match letter {
                '0'..='9' => 'd',
                'a'..='z' => 'l',
                'A'..='Z' => 'u',
                other => other,
            };
            text.chars().map(class).collect::<String>()
        };
        for value in ["4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "ghp_abcdefGHIJ0123456789"] {
            let token = token(&key(1), "card", value.as_bytes());
            assert_eq!(shape(&token), shape(value), "{token}");
            assert_ne!(token, value);
            assert!(!sum_holds(token.as_bytes()), "{token}");
        }
        for value in ["+49 30 1234567", "short", "an \"odd\" value of enough letters"] {
            assert!(token(&key(1), "phone", value.as_bytes()).starts_with("ais-token-"), "{value}");
        }
        let mail = token(&key(1), "email", b"anna@example.org");
        assert!(mail.ends_with("@token.invalid") && mail.len() == NAME + 14, "{mail}");
    }

    #[test]
    fn the_same_bytes_have_the_same_token_under_one_key_alone() {
        let of = |number, value: &[u8]| token(&key(number), "card", value);
        assert_eq!(of(1, b"4111111111111111"), of(1, b"4111111111111111"));
        assert_ne!(of(1, b"4111111111111111"), of(2, b"4111111111111111"));
        assert_ne!(of(1, b"4111111111111111"), of(1, b"4111111111111112"));
    }
}
