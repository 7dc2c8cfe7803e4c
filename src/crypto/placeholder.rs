//! Placeholders: words of the same shape as a secret, for those who must not have it but check its form.
//!
//! Never shows anything of a secret but its form: its prefix where that is public, its length, and which kind of letter
//! stands where.

use super::base62::{SUM_DIGITS, base62_crc};
use super::provider::{MAC_BYTES, mac};
use super::secret::Secret;

/// Beginnings that say what a secret is for, and are public.
const PREFIXES: [&str; 26] = [
    "sk-ant-api03-",
    "sk-ant-oat01-",
    "sk-ant-",
    "sk-proj-",
    "sk-svcacct-",
    "sk-or-v1-",
    "sk-",
    "github_pat_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "glpat-",
    "npm_",
    "pypi-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "hf_",
    "AKIA",
    "ASIA",
    "AIza",
    "dop_v1_",
    "sk_live_",
    "sk_test_",
];
/// Beginnings whose secrets end in a checksum of six letters.
const CHECKED: [&str; 6] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_"];

/// A word of the same shape as `secret`, another one for each seed. The same seed and secret give the same word.
/// Letters that are neither ASCII letters nor digits stay, so what parses the one parses the other; a secret that is too
/// short to have another word of its shape gets one that is longer.
pub fn placeholder(secret: &str, seed: &Secret) -> String {
    let prefix = PREFIXES.iter().find(|prefix| secret.starts_with(**prefix)).copied().unwrap_or_default();
    let letters = |round: u8| {
        let mut random = Random { seed, secret, round, block: 0, left: Vec::new() };
        let body = secret.strip_prefix(prefix).unwrap_or(secret);
        let hex = is_hex(body);
        let mut word = prefix.to_owned();
        word.extend(body.chars().map(|letter| random.like(letter, hex)));
        if CHECKED.contains(&prefix)
            && body.len() > SUM_DIGITS
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            let kept = word.len() - SUM_DIGITS;
            word.truncate(kept);
            let checked = word.get(prefix.len()..).unwrap_or_default();
            let sum = base62_crc(checked.as_bytes());
            word.extend(sum.map(char::from));
        }
        word
    };
    let found = (0..=u8::MAX).map(letters).find(|word| word != secret);
    found.filter(|_| secret.len() - prefix.len() >= 4).unwrap_or_else(|| {
        let mut random = Random { seed, secret, round: 0, block: 0, left: Vec::new() };
        (0..24).map(|_| random.like('a', false)).collect()
    })
}

fn is_hex(body: &str) -> bool {
    let digits = body.bytes().filter(|byte| byte.is_ascii_alphanumeric());
    body.len() >= 16
        && digits.clone().any(|byte| byte.is_ascii_alphabetic())
        && digits.into_iter().all(|byte| byte.is_ascii_hexdigit())
}

/// Letters by HMAC, block after block.
struct Random<'a> {
    seed: &'a Secret,
    secret: &'a str,
    round: u8,
    block: u32,
    left: Vec<u8>,
}

impl Random<'_> {
    /// A letter of the same kind.
    fn like(&mut self, letter: char, hex: bool) -> char {
        let kind: &[u8] = match (letter, hex) {
            ('0'..='9', false) => b"0123456789",
            ('a'..='z', false) => b"abcdefghijklmnopqrstuvwxyz",
            ('A'..='Z', false) => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            ('0'..='9' | 'a'..='f', true) => b"0123456789abcdef",
            ('A'..='F', true) => b"0123456789ABCDEF",
            _ => return letter,
        };
        // Bytes past the last whole multiple would make some letters likelier.
        let fair = 256 - 256 % kind.len();
        loop {
            let byte = usize::from(self.byte());
            if byte < fair {
                return char::from(kind.get(byte % kind.len()).copied().unwrap_or(b'x'));
            }
        }
    }

    fn byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.left.pop() {
                return byte;
            }
            let block = self.block.to_le_bytes();
            let made: [u8; MAC_BYTES] =
                mac(self.seed, &[b"placeholder", &[self.round], &block, self.secret.as_bytes()]);
            self.left = made.to_vec();
            self.block = self.block.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(byte: u8) -> Secret {
        Secret::take(&mut [byte; super::super::SECRET_BYTES]).unwrap()
    }

    #[test]
    fn a_placeholder_has_the_shape_and_nothing_else_of_its_secret() {
        for secret in [
            "sk-ant-api03-AbCdEfGh0123_-xyzAA",
            "ghp_0123456789abcdefABCDEF0123456789abcd",
            "AKIAIOSFODNN7EXAMPLE",
            "deadbeef0123456789abcdef",
            "user:pa/ss+wörd=",
            "npm_abcdefghijklmnopqrstuvwxyz0123456789",
        ] {
            let fake = placeholder(secret, &seed(1));
            assert_ne!(fake, secret);
            assert_eq!(fake.len(), secret.len(), "{fake}");
            assert_eq!(fake, placeholder(secret, &seed(1)));
            assert_ne!(fake, placeholder(secret, &seed(2)));
            let prefix = PREFIXES.iter().find(|prefix| secret.starts_with(**prefix)).unwrap_or(&"");
            assert!(fake.starts_with(prefix), "{fake}");
            for (one, other) in secret.chars().zip(fake.chars()) {
                assert_eq!(one.is_ascii_alphanumeric(), other.is_ascii_alphanumeric(), "{secret} {fake}");
            }
        }
        let hex = placeholder("deadbeef0123456789abcdef", &seed(1));
        assert!(hex.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()), "{hex}");
    }

    #[test]
    fn the_checksum_of_a_token_holds() {
        for secret in ["ghp_0123456789abcdefABCDEF0123456789abcd", "npm_abcdefghijklmnopqrstuvwxyz0123456789"]
        {
            let fake = placeholder(secret, &seed(3));
            let (body, check) = fake[4..].split_at(30);
            assert_eq!(base62_crc(body.as_bytes()), check.as_bytes());
        }
    }

    #[test]
    fn a_short_secret_gets_a_word_that_is_found() {
        for secret in ["", "a", "---", "ghp_"] {
            assert_eq!(placeholder(secret, &seed(1)).len(), 24, "{secret}");
        }
    }
}
