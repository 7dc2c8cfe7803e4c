//! Values that have a structure of their own: keys in PEM, JSON Web Tokens, URLs with a password.
//!
//! These go on past the window of an expression, so code reads them, once from start to end.

use super::letters::{ALNUM, URL, run};

/// The most bytes of a key in PEM.
pub(super) const PEM_BYTES: usize = 16 << 10;
/// The most bytes of a token of three parts.
pub(super) const JWT_BYTES: usize = 8 << 10;

/// The end of a private key that starts here with `-----BEGIN`, and how sure that is.
pub(super) fn private_key(text: &[u8], start: usize) -> Option<(usize, f32)> {
    let from = text.get(start..)?;
    let from = from.get(..from.len().min(PEM_BYTES))?;
    let label = from.get(10..from.len().min(80))?;
    let label_end = memchr::memmem::find(label, b"-----")?;
    memchr::memmem::find(label.get(..label_end)?, b"PRIVATE KEY")?;
    let body_start = 10 + label_end + 5;
    let body = from.get(body_start..)?;
    // No key begins in another one. Beginnings without an end would each be read up to the same place.
    let next = memchr::memmem::find(body, b"-----BEGIN ");
    let body = body.get(..next.unwrap_or(body.len()))?;
    let close = memchr::memmem::find(body, b"-----END");
    let body = body.get(..close.unwrap_or(body.len()))?;
    let mut counts = [false; 256];
    let mut letters = 0;
    let mut last = 0;
    let mut escaped = false;
    for (at, byte) in body.iter().enumerate() {
        match byte {
            // `\n` and `\r` written out, as in a string of JSON.
            b'n' | b'r' if escaped => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => {
                letters += 1;
                last = at + 1;
                if let Some(seen) = counts.get_mut(usize::from(*byte)) {
                    *seen = true;
                }
            }
            // Heads of old keys (`Proc-Type: 4,ENCRYPTED`), white space, and what joins strings over lines.
            b'\n' | b'\r' | b' ' | b'\t' | b'\\' | b'"' | b'\'' | b',' | b':' | b'-' | b'(' | b')' | b'.' => {
            }
            _ if close.is_none() => break,
            _ => {}
        }
        escaped = *byte == b'\\';
    }
    let distinct = counts.iter().filter(|seen| **seen).count();
    if letters < 40 || distinct < 16 {
        return None;
    }
    let end = match close {
        Some(close) => {
            let tail = from.get(body_start + close + 8..)?;
            let line = tail.get(..tail.len().min(80))?;
            body_start + close + 8 + memchr::memmem::find(line, b"-----").map_or(0, |at| at + 5)
        }
        None => body_start + last,
    };
    Some((start + end, if close.is_some() { 0.99 } else { 0.9 }))
}

/// The end of a token that starts here with `eyJ`: three parts (or five), the last of which may be empty.
pub(super) fn jwt(text: &[u8], start: usize) -> Option<usize> {
    let most = text.len().min(start + JWT_BYTES);
    let text = text.get(..most)?;
    let mut at = start;
    let mut parts = 0;
    loop {
        let part = run(text, at, ALNUM | URL);
        at += part;
        parts += 1;
        let more = text.get(at) == Some(&b'.') && parts < 5;
        if part < 2 && parts < 3 || !more {
            break;
        }
        let next = text.get(at + 1).is_some_and(|byte| super::letters::is(*byte, ALNUM | URL));
        if !next && parts != 2 {
            break;
        }
        at += 1;
    }
    (parts >= 3 && at - start >= 36).then_some(at)
}

/// The password of a URL, whose `://` ends here: where it starts and ends.
pub(super) fn url_password(text: &[u8], behind: usize) -> Option<(usize, usize)> {
    let rest = text.get(behind..)?;
    let rest = rest.get(..rest.len().min(256))?;
    let stop = |byte: &u8| byte.is_ascii_whitespace() || b"/\"'`<>(){}|,\\".contains(byte);
    let authority = rest.get(..rest.iter().position(stop).unwrap_or(rest.len()))?;
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority.get(..at)?.iter().position(|byte| *byte == b':')?;
    let host = authority.get(at + 1)?;
    let fits = at - colon > 3 && (host.is_ascii_alphanumeric() || *host == b'[');
    fits.then_some((behind + colon + 1, behind + at))
}

/// Says whether a password of a URL is one: not empty words of examples.
pub(super) fn is_url_password(value: &[u8]) -> bool {
    const NONE: [&str; 12] = [
        "pass", "password", "passwd", "pwd", "secret", "token", "user", "test", "postgres", "root", "admin",
        "guest",
    ];
    let word = NONE.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    !word && !super::context::is_placeholder(value) && !value.starts_with(b"$") && !value.starts_with(b"%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dlp::example::fill;

    #[test]
    fn a_key_ends_behind_its_last_line_also_when_it_is_one_string() {
        for joint in ["\n", "\r\n", "\\n"] {
            let lines =
                ["-----BEGIN EC PRIVATE KEY-----", "<w64>", "<w40>==", "-----END EC PRIVATE KEY-----"];
            let text = format!("x {} y", fill(&lines.join(joint)));
            let (end, _) = private_key(text.as_bytes(), 2).unwrap();
            assert_eq!(&text[end..], " y");
        }
        assert_eq!(
            private_key(b"-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----", 0),
            None
        );
        assert_eq!(private_key(fill("-----BEGIN CERTIFICATE-----\n<w64>\n").as_bytes(), 0), None);
        assert!(private_key(fill("-----BEGIN PRIVATE KEY-----\n<w64>\n<w64>").as_bytes(), 0).is_some());
    }

    #[test]
    fn a_token_has_three_parts_and_a_url_has_a_password() {
        let text = fill("eyJhbGciOiJIUzI1NiJ9.<b40>.<b43> x");
        assert_eq!(jwt(text.as_bytes(), 0), Some(text.len() - 2));
        assert_eq!(jwt(b"eyJhbGciOiJIUzI1NiJ9.abcdefghijklmnopq", 0), None);
        let text = b"postgres://app:Qw8!zz@db:5432/x";
        assert_eq!(url_password(text, 11), Some((15, 21)));
        assert_eq!(url_password(b"https://a.example/x:y@z", 8), None);
    }
}
