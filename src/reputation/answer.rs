//! The answer of a command or an endpoint: one JSON object with one word of three, and perhaps a reason.
//!
//! Never takes an answer that is long, has another word or another key: what is not understood is no answer.

use crate::wire::codec::decode;
use crate::wire::reputation::Standing;
use serde::Deserialize;

/// The longest answer, bytes.
pub(super) const MOST_BYTES: usize = 4096;
/// The longest reason that is passed on, bytes.
const MOST_REASON: usize = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    answer: Word,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Good,
    Bad,
    Unknown,
}

/// What these bytes say.
/// # Errors
/// In words, when they are no answer.
pub(super) fn read(bytes: &[u8]) -> Result<(Standing, String), String> {
    if bytes.len() > MOST_BYTES {
        return Err(format!("its answer is longer than {MOST_BYTES} bytes"));
    }
    let answer: Answer =
        decode(bytes.trim_ascii()).map_err(|error| format!("its answer is malformed: {error}"))?;
    let standing = match answer.answer {
        Word::Good => Standing::Good,
        Word::Bad => Standing::Bad,
        Word::Unknown => Standing::Unknown,
    };
    Ok((standing, cut(&answer.reason)))
}

/// The beginning of a text, as long as a reason may be.
pub(super) fn cut(text: &str) -> String {
    let end = (0..=MOST_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_of_three_words_and_everything_else_is_none() {
        assert_eq!(read(br#"{"answer":"good"}"#), Ok((Standing::Good, String::new())));
        assert_eq!(read(b"{\"answer\":\"bad\",\"reason\":\"x\"}\n"), Ok((Standing::Bad, "x".into())));
        assert_eq!(read(br#"{"reason":"y","answer":"unknown"}"#), Ok((Standing::Unknown, "y".into())));
        let long = format!(r#"{{"answer":"good","reason":"{}"}}"#, "r".repeat(MOST_BYTES));
        for wrong in [
            "",
            "good",
            "{}",
            "[]",
            r#"{"answer":"Good"}"#,
            r#"{"answer":"failed"}"#,
            r#"{"answer":true}"#,
            r#"{"answer":"good","answer":"bad"}"#,
            r#"{"answer":"good","more":1}"#,
            r#"{"answer":"good"} {"#,
            &long,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(read(b"{\"answer\":\"good\",\"reason\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(400)).len(), MOST_REASON);
        assert_eq!(cut("short"), "short");
    }
}
