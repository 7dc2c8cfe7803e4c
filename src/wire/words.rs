//! Words of a command as one text: bytes of any kind but zero, as execve(2) has them.
//!
//! Each word is ended by a zero byte, and all together are base64url: one text for each list, nothing to escape.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The text of these words; `None` when one holds a zero byte.
pub fn to_text<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Option<String> {
    let mut bytes = Vec::new();
    for word in words {
        let word = word.as_ref().as_bytes();
        if word.contains(&0) {
            return None;
        }
        bytes.extend_from_slice(word);
        bytes.push(0);
    }
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The words of a text; `None` when it is none.
pub fn of_text(text: &str) -> Option<Vec<OsString>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let words = bytes.strip_suffix(&[0])?;
    Some(words.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_of_words_has_one_text() {
        let odd = OsStr::from_bytes(b"\xff\n\x1b[2J \\\"'");
        for words in [vec![], vec![OsStr::new("")], vec![OsStr::new("a"), OsStr::new(""), odd]] {
            assert_eq!(of_text(&to_text(&words).unwrap()).unwrap(), words);
        }
        assert_eq!(to_text(["a\0b"]), None);
        for wrong in ["YQ", "YQ==", "!", "AA=", "AB"] {
            assert_eq!(of_text(wrong), None, "{wrong}"); // the first is a word that nothing ends
        }
        assert_eq!(of_text("AA"), Some(vec![OsString::new()]));
    }
}
