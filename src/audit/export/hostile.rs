//! Whatever an agent put into a field: one line, bounded, that a parser of the format reads back, and that does nothing to a
//! terminal.

use super::golden::{context, item};
use super::samples::{all, leaf, value};
use super::{Format, line};
use crate::audit::event::{Event, LaunchFailure};
use crate::audit::log::MOST_BYTES;
use crate::base::misleads;
use proptest::prelude::*;
use serde_json::Value;

/// Bytes of the longest line: the leaf twice, each letter of it escaped once more, and as much around it.
const MOST: usize = 8 * MOST_BYTES;

/// Puts a text into every place that holds one, keys of maps with it.
fn poisoned(value: &mut Value, text: &str) {
    match value {
        Value::String(old) => text.clone_into(old),
        Value::Array(items) => items.iter_mut().for_each(|item| poisoned(item, text)),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, field)| poisoned(field, text)),
        _ => {}
    }
}

/// What the extension of a CEF line says, by the rules of CEF alone.
fn extension(line: &str) -> Vec<(String, String)> {
    let mut bars = 0;
    let mut escaped = false;
    let start = line.char_indices().find_map(|(at, letter)| {
        bars += usize::from(letter == '|' && !escaped);
        escaped = letter == '\\' && !escaped;
        (bars == 7).then_some(at + 1)
    });
    let mut letters: Vec<(char, bool)> = Vec::new();
    let mut rest = line[start.expect("seven bars")..].chars();
    while let Some(letter) = rest.next() {
        letters.push(match letter {
            '\\' => match rest.next().expect("an escape has a letter") {
                'n' => ('\n', true),
                'r' => ('\r', true),
                other => (other, true),
            },
            letter => (letter, false),
        });
    }
    let text = |part: &[(char, bool)]| part.iter().map(|(letter, _)| *letter).collect::<String>();
    let equals: Vec<usize> = (0..letters.len()).filter(|at| letters[*at] == ('=', false)).collect();
    let keys: Vec<usize> = equals
        .iter()
        .map(|at| (0..*at).rfind(|before| letters[*before].0 == ' ').map_or(0, |space| space + 1))
        .collect();
    let ends = keys.iter().skip(1).map(|next| next - 1).chain([letters.len()]);
    let pairs = keys.iter().zip(&equals).zip(ends);
    pairs.map(|((key, at), end)| (text(&letters[*key..*at]), text(&letters[at + 1..end]))).collect()
}

fn check(text: &str) {
    all().into_iter().for_each(|sample| check_one(&sample, text));
}

fn check_one((name, leaf): &(String, String), text: &str) {
    let mut hostile = value(leaf);
    poisoned(&mut hostile["data"], text);
    let bytes = crate::audit::json(&hostile).unwrap();
    if bytes.len() > MOST_BYTES {
        return;
    }
    let item = item(&bytes);
    for (format, word) in Format::ALL {
        let line = line(format, &item, context()).unwrap();
        assert!(line.len() <= MOST, "{name} {word}: {} bytes", line.len());
        assert!(!line.chars().any(misleads), "{name} {word}: {line}");
        if format == Format::Cef {
            let found = extension(&line);
            let of = |key: &str| found.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
            assert_eq!(of("externalId"), Some(item.id().as_str()), "{name}: {line}");
            assert_eq!((of("cn1"), of("cs5")), (Some("42"), Some(item.hash().as_str())), "{name}: {line}");
            assert!(
                found.iter().all(|(key, _)| key.bytes().all(|byte| byte.is_ascii_alphanumeric())),
                "{line}"
            );
        } else {
            assert!(serde_json::from_str::<Value>(&line).unwrap().is_object(), "{name} {word}");
        }
    }
}

#[test]
fn what_breaks_lines_headers_fields_and_terminals_breaks_nothing() {
    for text in [
        "a\nb\r\nc",
        "|CEF:0|x|y|1|2|3|9|",
        "cn1=7 externalId=forged:1",
        "\\",
        "\\n",
        "a\\",
        "=",
        "\"]\\",
        "\u{1b}]52;c;aGk=\u{7}",
        "\u{202e}gnp.exe",
        "\u{0}",
        "\\xff\\x1b",
        "\u{e0041}\u{200b}",
        "</script>",
        "{}[]\",\"",
        " ",
        "\u{9b}31m",
        "\u{2028}",
        "é\u{301}漢字",
    ] {
        check(text);
        check(&text.repeat(40));
    }
}

#[test]
fn a_very_long_text_is_cut_in_the_leaf_and_bounded_everywhere() {
    for letter in ["x", "\u{e9}", "\u{202e}", "\"", "\\", "\n", "="] {
        let message = letter.repeat(1 << 20);
        let event = Event::LaunchFailure(LaunchFailure { stage: "plan".into(), message, errno: None });
        let bytes = crate::audit::log::encode(&event).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for (format, word) in Format::ALL {
            let line = line(format, &item(&text), context()).unwrap();
            assert!(line.len() <= MOST && !line.contains('\n'), "{word}: {} bytes", line.len());
        }
    }
}

#[test]
fn fields_of_the_wrong_kind_and_fields_that_are_missing_lose_nothing_else() {
    for (_, leaf) in all() {
        let data = value(&leaf)["data"].clone();
        for (name, _) in data.as_object().unwrap() {
            for wrong in [
                Value::Null,
                7.into(),
                (-7).into(),
                serde_json::json!(["x", 1]),
                serde_json::json!({ "x": [] }),
            ] {
                let mut other = value(&leaf);
                other["data"][name] = wrong;
                let text = other.to_string();
                for (format, _) in Format::ALL {
                    assert!(line(format, &item(&text), context()).is_ok());
                }
            }
        }
    }
}

#[test]
fn an_event_of_a_newer_program_goes_out_whole() {
    let text =
        leaf(&serde_json::json!({ "event": "clipboard|\n", "data": { "bytes": 9, "deep": { "x": ["y"] } } }));
    for format in [Format::Ocsf, Format::Ecs, Format::Otlp] {
        let line = line(format, &item(&text), context()).unwrap();
        assert!(line.contains("deep") && line.contains("clipboard"), "{line}");
    }
    let line = line(Format::Cef, &item(&text), context()).unwrap();
    assert!(line.starts_with("CEF:0|aisandbox|guardian|0.1.0|clipboard\\| |clipboard\\| |3|rt="), "{line}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_text_comes_out_as_one_line(at in any::<usize>(), text in prop::collection::vec(any::<char>(), 0..80)) {
        let samples = all();
        check_one(&samples[at % samples.len()], &text.into_iter().collect::<String>());
    }

    #[test]
    fn any_bytes_come_out_as_one_line(at in any::<usize>(), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let samples = all();
        check_one(&samples[at % samples.len()], &crate::audit::event::text(&bytes));
    }
}
