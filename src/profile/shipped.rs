//! The profiles compiled into this program, from profiles/: their text, and the values read from it beforehand.
//!
//! Never read from disk at run time: `cowork` means what this build says, on every machine. Reading the YAML again at
//! every start would take longer than planning what it says.

use super::parse::{Key, Node, Value};
use super::shipped_parsed::PARSED;

/// Name and text.
pub(super) const PROFILES: &[(&str, &str)] = &[
    ("base", include_str!("../../profiles/base.yaml")),
    ("cowork", include_str!("../../profiles/cowork.yaml")),
    ("offline", include_str!("../../profiles/offline.yaml")),
    ("readonly-docs", include_str!("../../profiles/readonly-docs.yaml")),
    ("regulated", include_str!("../../profiles/regulated.yaml")),
    ("spreadsheet-write", include_str!("../../profiles/spreadsheet-write.yaml")),
];

/// A value in the program's constants: [`Value`] without what needs memory of its own, each part with its line.
#[derive(Debug)]
pub(super) enum Said {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(&'static str),
    /// A sequence: line and value.
    List(&'static [(u32, Said)]),
    /// A mapping: line and text of the name, line and value.
    Map(&'static [(u32, &'static str, u32, Said)]),
}

/// The shipped profile that this text is, byte for byte, wherever it was found.
pub(super) fn name_of(text: &str) -> Option<&'static str> {
    PROFILES.iter().find(|(_, shipped)| *shipped == text).map(|(name, _)| *name)
}

/// What the text of a shipped profile says; equal to what the parser makes of it (a test compares).
pub(super) fn parsed(name: &str) -> Option<Node> {
    let (_, line, said) = PARSED.iter().find(|(known, ..)| *known == name)?;
    Some(node(*line, said))
}

fn node(line: u32, said: &Said) -> Node {
    let value = match said {
        Said::Bool(truth) => Value::Bool(*truth),
        Said::Int(number) => Value::Int(*number),
        Said::Text(text) => Value::Str((*text).to_owned()),
        Said::List(list) => Value::List(list.iter().map(|(line, said)| node(*line, said)).collect()),
        Said::Map(map) => Value::Map(map.iter().map(member).collect()),
    };
    Node { line, value }
}

fn member((key_line, name, line, said): &(u32, &'static str, u32, Said)) -> (Key, Node) {
    (Key { line: *key_line, name: (*name).to_owned() }, node(*line, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::parse::parse;
    use std::fmt::Write;

    const HEAD: &str = "//! The shipped profiles as values. Written by `BLESS=1 cargo test --lib shipped`, which also compares.
//!
//! Never edited by hand: a profile is changed in profiles/.

use super::shipped::Said::{self, Bool, Int, List, Map, Text};

/// Name, line and value.
#[rustfmt::skip]
pub(super) static PARSED: [(&str, u32, Said); ";

    fn render(value: &Value, depth: usize, out: &mut String) {
        let (between, end) = if depth < 2 { ("\n    ", "\n    ") } else { ("", "") };
        match value {
            Value::Bool(truth) => write!(out, "Bool({truth})").unwrap(),
            Value::Int(number) => write!(out, "Int({number})").unwrap(),
            Value::Str(text) => write!(out, "Text({text:?})").unwrap(),
            Value::List(list) => {
                out.push_str("List(&[");
                for item in list {
                    write!(out, "{between}({}, ", item.line).unwrap();
                    render(&item.value, depth + 1, out);
                    out.push_str("), ");
                }
                write!(out, "{end}])").unwrap();
            }
            Value::Map(map) => {
                out.push_str("Map(&[");
                for (key, item) in map {
                    write!(out, "{between}({}, {:?}, {}, ", key.line, key.name, item.line).unwrap();
                    render(&item.value, depth + 1, out);
                    out.push_str("), ");
                }
                write!(out, "{end}])").unwrap();
            }
            Value::Null | Value::Float(_) => panic!("no shipped profile has {value:?}"),
        }
    }

    fn wanted() -> String {
        let mut out = format!("{HEAD}{}] = [\n", PROFILES.len());
        for (name, text) in PROFILES {
            let root = parse(name, text).unwrap();
            write!(out, "    ({name:?}, {}, ", root.line).unwrap();
            render(&root.value, 0, &mut out);
            out.push_str("),\n");
        }
        let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
        lines.join("\n").replace("), ])", ")])") + "\n];\n"
    }

    #[test]
    fn the_values_are_those_of_the_shipped_texts() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/profile/shipped_parsed.rs");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, wanted()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == wanted(),
            "src/profile/shipped_parsed.rs is old: BLESS=1 cargo test --lib shipped"
        );
        for (name, text) in PROFILES {
            assert_eq!(parsed(name), parse(name, text).ok(), "{name}: build again after BLESS=1");
        }
    }
}
