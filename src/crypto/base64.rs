//! Base64 to bytes (RFC 4648), strictly: one text for each value, nothing skipped.

/// Without padding and with `-` and `_`, as in a JWT.
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    decode(text, b'-', b'_')
}

/// With padding, `+` and `/`, as in PEM.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim_end_matches('=');
    let padded = text.len().is_multiple_of(4) && text.len() - plain.len() <= 2;
    if padded { decode(plain, b'+', b'/') } else { None }
}

fn decode(text: &str, plus: u8, slash: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut held, mut bits) = (0u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            _ if letter == plus => 62,
            _ if letter == slash => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap_or(0));
            held &= (1 << bits) - 1;
        }
    }
    // What is left must be less than a letter, and nothing.
    (bits < 6 && held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_rfc_4648_are_read() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmE=", "fooba")]
        {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
            assert_eq!(base64url(text.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(base64url("-_8").as_deref(), Some(&[0xfb, 0xff][..]));
    }

    #[test]
    fn a_second_text_for_the_same_bytes_is_none() {
        for text in ["Zh", "Zm9", "Z", "Zg==", "Zm 9v", "Zm9v\n", "+/8"] {
            assert_eq!(base64url(text), None, "{text}");
        }
        for text in ["Zg", "Zg=", "Zm9v====", "-_8="] {
            assert_eq!(base64(text), None, "{text}");
        }
    }
}
