//! Tokens: what stands in a value's place on its way out, and is turned back in what the host answers.
//!
//! The same bytes have the same token under one key, and nobody without the key can tell a token. One has the shape of
//! its value, letter for letter, where that leaves enough to tell it from all other text and cannot be somebody else's.

use crate::crypto::{Secret, mac};

/// Letters and digits that a token of the value's shape has at least: 16 random digits are 53 bits.
const LEAST: usize = 16;
/// The longest value whose shape is kept.
const LONGEST: usize = 128;
/// Letters of the name in front of a token for an address of mail.
const NAME: usize = 20;

/// The token for these bytes of a stream, which `kind` was found in. Printable, without quotes and backslashes.
pub(super) fn token(key: &Secret, kind: &str, value: &[u8]) -> String {
    let mut random = Random::new(key, kind, value);
    if kind == "email" && value.contains(&b'@') {
        // A name under `invalid` is nobody's (RFC 2606).
        let name: String = (0..NAME).map(|_| char::from(random.of(26) + b'a')).collect();
        return format!("{name}@token.invalid");
    }
    shaped(&mut random, value)
        .unwrap_or_else(|| (0..32).fold("ais-token-".to_owned(), |text, _| text + random.hex()))
}

fn shaped(random: &mut Random<'_>, value: &[u8]) -> Option<String> {
    let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"'\\<>&".contains(byte));
    let free = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    if !printable || free < LEAST || value.len() > LONGEST {
        return None;
    }
    let mut text: Vec<u8> = Vec::with_capacity(value.len());
    for byte in value {
        text.push(match byte {
            // A number never begins with zero: one of JSON stays one.
            b'0'..=b'9' if text.is_empty() => b'1' + random.of(9),
            b'0'..=b'9' => b'0' + random.of(10),
            b'a'..=b'z' => b'a' + random.of(26),
            b'A'..=b'Z' => b'A' + random.of(26),
            other => *other,
        });
    }
    // A number with a sum that holds could be somebody's card.
    if sum_holds(&text)
        && let Some(last) = text.iter_mut().rev().find(|byte| byte.is_ascii_digit())
    {
        *last = b'0' + (*last - b'0' + 1) % 10;
    }
    String::from_utf8(text).ok()
}

/// The sum of ISO/IEC 7812-1 over the digits.
fn sum_holds(text: &[u8]) -> bool {
    let digits = text.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit })
        .sum();
    sum.is_multiple_of(10)
}

/// Bytes that follow from the key and the value.
struct Random<'a> {
    key: &'a Secret,
    seed: [u8; 32],
    block: [u8; 32],
    used: usize,
    count: u8,
    digit: [u8; 1],
}

impl<'a> Random<'a> {
    fn new(key: &'a Secret, kind: &str, value: &[u8]) -> Self {
        let seed = mac(key, &[b"token", kind.as_bytes(), b"\0", value]);
        Self { key, seed, block: seed, used: 32, count: 0, digit: [0] }
    }

    fn byte(&mut self) -> u8 {
        if self.used >= self.block.len() {
            self.block = mac(self.key, &[b"token bytes", &self.seed, &[self.count]]);
            (self.used, self.count) = (0, self.count.wrapping_add(1));
        }
        self.used += 1;
        self.block.get(self.used - 1).copied().unwrap_or(0)
    }

    /// A number below this, each as likely.
    fn of(&mut self, below: u8) -> u8 {
        let most = u8::MAX - u8::MAX % below;
        // After this many misses the key is not the one of HMAC-SHA256.
        (0..64).map(|_| self.byte()).find(|byte| *byte < most).unwrap_or(0) % below
    }

    fn hex(&mut self) -> &str {
        self.digit = [b"0123456789abcdef".get(usize::from(self.byte() & 15)).copied().unwrap_or(b'0')];
        std::str::from_utf8(&self.digit).unwrap_or("0")
    }
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
