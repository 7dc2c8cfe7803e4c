//! Placeholders: words of the same shape as a secret, for those who must not have it but check its form.
//!
//! Never shows anything of a secret but its form: its prefix where that is public, its length, and which kind of letter
//! stands where.

use super::base62::{SUM_DIGITS, base62_crc};
use super::derived::Derived;
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
        let mut random = Derived::new(seed, &[b"placeholder", &[round], secret.as_bytes()]);
        let body = secret.strip_prefix(prefix).unwrap_or(secret);
        let hex = is_hex(body);
        let mut word = prefix.to_owned();
        word.extend(body.chars().map(|letter| like(&mut random, letter, hex)));
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
        let mut random = Derived::new(seed, &[b"placeholder", &[0], secret.as_bytes()]);
        (0..24).map(|_| char::from(random.like(b'a'))).collect()
    })
}

fn is_hex(body: &str) -> bool {
    let digits = body.bytes().filter(|byte| byte.is_ascii_alphanumeric());
    body.len() >= 16
        && digits.clone().any(|byte| byte.is_ascii_alphabetic())
        && digits.into_iter().all(|byte| byte.is_ascii_hexdigit())
}

/// A letter of the same kind.
fn like(random: &mut Derived<'_>, letter: char, hex: bool) -> char {
    match (u8::try_from(letter), hex) {
        (Ok(b'0'..=b'9' | b'a'..=b'f'), true) => char::from(random.one_of(b"0123456789abcdef")),
        (Ok(b'A'..=b'F'), true) => char::from(random.one_of(b"0123456789ABCDEF")),
        (Ok(letter), false) => char::from(random.like(letter)),
        _ => letter,
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
