//! The forms of a secret inside other encodings: what is left of it when it stands in the middle of something encoded.
//!
//! Never a whole encoding where a border could fall inside: in base64 and base32 only the letters that the secret alone
//! decides.

/// The secret, and its forms. None is given twice, and none is shorter than an anchor.
pub(super) fn all(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    // Names of hosts have no capitals; other texts may have nothing else.
    forms.extend([secret.to_ascii_lowercase(), secret.to_ascii_uppercase()]);
    forms.push(secret.iter().rev().copied().collect());
    for skipped in 0..3 {
        forms.push(in_bits(secret, skipped, 6, BASE64));
        forms.push(in_bits(secret, skipped, 6, BASE64_URL));
    }
    for skipped in 0..5 {
        forms.push(in_bits(secret, skipped, 5, BASE32));
        forms.push(in_bits(secret, skipped, 5, BASE32).to_ascii_lowercase());
    }
    for digits in [HEX, HEX_UPPER] {
        for between in [&b""[..], b" ", b":", b"%", b"\\x", b", 0x", b",0x"] {
            forms.push(hex(secret, digits, between));
        }
        forms.push(percent(secret, digits, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)));
        forms.push(percent(secret, digits, |byte| {
            byte.is_ascii_alphanumeric() || b"-_.*'()!".contains(&byte)
        }));
    }
    forms.push(joined(secret.iter().map(|byte| vec![*byte]), b"\0"));
    forms.push(secret.iter().map(|byte| turned(*byte)).collect());
    forms.sort_unstable();
    forms.dedup();
    forms.retain(|form| form.len() >= super::ANCHOR);
    forms
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8; 16] = b"0123456789abcdef";
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// The letters of so many bits each that the secret alone decides, when so many bytes stand before it.
fn in_bits(secret: &[u8], skipped: usize, width: usize, alphabet: &[u8]) -> Vec<u8> {
    let first = (skipped * 8).div_ceil(width);
    let last = (skipped + secret.len()) * 8 / width;
    let bit = |place: usize| {
        let byte = secret.get((place / 8).wrapping_sub(skipped)).copied().unwrap_or(0);
        usize::from(byte >> (7 - place % 8) & 1)
    };
    let letter = |place: usize| (0..width).fold(0, |held, at| held << 1 | bit(place * width + at));
    (first..last).filter_map(|place| alphabet.get(letter(place)).copied()).collect()
}

/// Two digits for each byte, and something between the bytes.
fn hex(secret: &[u8], digits: &[u8; 16], between: &[u8]) -> Vec<u8> {
    joined(secret.iter().map(|byte| pair(*byte, digits)), between)
}

fn pair(byte: u8, digits: &[u8; 16]) -> Vec<u8> {
    [byte >> 4, byte & 15].iter().filter_map(|half| digits.get(usize::from(*half)).copied()).collect()
}

fn joined(parts: impl Iterator<Item = Vec<u8>>, between: &[u8]) -> Vec<u8> {
    parts.collect::<Vec<_>>().join(between)
}

/// As in an address: some letters stay, the others become `%` and two digits.
fn percent(secret: &[u8], digits: &[u8; 16], stays: impl Fn(u8) -> bool) -> Vec<u8> {
    let encoded =
        |byte: &u8| if stays(*byte) { vec![*byte] } else { [&b"%"[..], &pair(*byte, digits)].concat() };
    secret.iter().flat_map(encoded).collect()
}

/// The letter thirteen places on.
fn turned(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_at_each_place_is_what_an_encoder_writes() {
        for (skipped, whole) in [(0, "c2VjcmV0ITEy"), (1, "eHNlY3JldCExMg=="), (2, "eHhzZWNyZXQhMTI=")] {
            let form = String::from_utf8(in_bits(b"secret!12", skipped, 6, BASE64)).unwrap();
            assert!(whole.contains(&form) && form.len() >= 11, "{form} in {whole}");
        }
    }

    #[test]
    fn base32_is_what_an_encoder_writes() {
        assert_eq!(in_bits(b"foobar", 0, 5, BASE32), b"MZXW6YTBO");
    }

    #[test]
    fn no_form_is_given_twice() {
        let forms = all(b"pa55/word+1");
        let mut distinct = forms.clone();
        distinct.dedup();
        assert_eq!(forms, distinct);
        assert!(forms.len() > 25, "{}", forms.len());
    }
}
