//! YAML text to a tree of values that know their lines. The only file that names the YAML package.
//!
//! Never gives a value a meaning: that is the decoder's work, which can then report every error at once. Takes the
//! parser's events as they come, without serde: a value's line then costs nothing, and what a hostile file could
//! make expensive is not there (anchors, aliases and tags are refused) or bounded (bytes, depth, values).

use super::error::ProfileError;
use crate::base::Source;
use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span};

/// The most bytes a file may have.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The most collections inside each other. Formats here need five.
const MAX_DEPTH: usize = 16;
/// The most values.
const MAX_NODES: usize = 100_000;

/// A value and the line it starts on, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it is.
    pub(crate) line: u32,
    /// What it is.
    pub(crate) value: Value,
}

/// A name in a mapping, and its line. A name written as a number or a truth value is its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Where it is.
    pub(crate) line: u32,
    /// The text.
    pub(crate) name: String,
}

/// What YAML's core schema makes of the text. `0755` and `1_000` stay text, as do `yes` and `on`; `0x1f` is a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order written; a name may come twice, which the decoder refuses.
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads one YAML document; `name` is what errors call the file.
/// # Errors
/// The first place where the text is no YAML, or one of the bounds it breaks.
pub(crate) fn parse(name: &str, text: &str) -> Result<Node, Vec<ProfileError>> {
    let refuse = |(line, message): Stop| vec![ProfileError::new(Source::line(name, line), message)];
    if text.len() > MAX_BYTES {
        return Err(refuse((1, format!("has {} bytes, more than 1 MiB", text.len()))));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options()) {
        let (event, span) = event.map_err(|error| refuse(broken(&error)))?;
        builder.take(event, line_of(&span)).map_err(refuse)?;
    }
    builder.root.ok_or_else(|| refuse((1, "is empty".into())))
}

/// Why reading stops: a line and the reason.
type Stop = (u32, String);

fn options() -> Options {
    let mut options = Options::default();
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    options.disallow_directives = true;
    options.set_emit_comments(false);
    options
}

fn line_of(span: &Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1)
}

fn broken(error: &ScanError) -> Stop {
    (u32::try_from(error.marker().line()).unwrap_or(u32::MAX).max(1), error.info())
}

/// What is being put together.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
}

/// A collection whose end has not come.
enum Open {
    List(u32, Vec<Node>),
    Map(u32, Vec<(Key, Node)>, Option<Key>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: u32) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((line, "a second document begins here: one file is one document".into()));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                plain(anchor, tag.is_some(), line)?;
                let value = if style == ScalarStyle::Plain { resolve(&text) } else { None };
                self.put(Node { line, value: value.unwrap_or_else(|| Value::Str(text.into_owned())) })?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                plain(anchor, tag.is_some(), line)?;
                self.begin(Open::List(line, Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                plain(anchor, tag.is_some(), line)?;
                self.begin(Open::Map(line, Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(line, list)) => self.put(Node { line, value: Value::List(list) })?,
                Some(Open::Map(line, map, _)) => self.put(Node { line, value: Value::Map(map) })?,
                None => {}
            },
            Event::Alias(_) => {
                return Err((line, "aliases (`*name`) are not known here: write the value out".into()));
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, open: Open) -> Result<(), Stop> {
        let line = match &open {
            Open::List(line, _) | Open::Map(line, _, _) => *line,
        };
        if self.open.len() >= MAX_DEPTH {
            return Err((line, format!("more than {MAX_DEPTH} lists and mappings inside each other")));
        }
        if let Some(Open::Map(_, _, None)) = self.open.last() {
            return Err((line, "a name must be text, not a list or a mapping".into()));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err((node.line, format!("more than {MAX_NODES} values")));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, list)) => list.push(node),
            Some(Open::Map(_, map, key)) => match key.take() {
                Some(key) => map.push((key, node)),
                None => *key = Some(name(node)?),
            },
        }
        Ok(())
    }
}

fn plain(anchor: usize, tagged: bool, line: u32) -> Result<(), Stop> {
    if anchor != 0 {
        return Err((line, "anchors (`&name`) are not known here: write the value where it is used".into()));
    }
    if tagged { Err((line, "tags (`!name`) are not known here".into())) } else { Ok(()) }
}

fn name(node: Node) -> Result<Key, Stop> {
    let line = node.line;
    let name = match node.value {
        Value::Str(text) => text,
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        other => return Err((line, format!("a name must be text, not {}", other.kind()))),
    };
    Ok(Key { line, name })
}

/// What a text without quotes is, where it is not text. Only spellings that everybody reads alike count.
pub(super) fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    if let Some(hex) = text.strip_prefix("0x") {
        let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        return i64::from_str_radix(hex, 16).ok().filter(|_| digits).map(Value::Int);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if leading_zero || !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Value::Int);
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> ProfileError {
        parse("x.yaml", text).unwrap_err().remove(0)
    }

    #[test]
    fn values_know_their_lines() {
        let Value::Map(map) = parse("x.yaml", "a: 1\nb:\n  - {c: x,\n     d: ~}\n").unwrap().value else {
            panic!()
        };
        assert_eq!((map[0].0.line, map[0].1.line, &map[0].1.value), (1, 1, &Value::Int(1)));
        assert_eq!((map[1].0.line, map[1].1.line), (2, 3));
        let Value::List(list) = &map[1].1.value else { panic!() };
        let Value::Map(inner) = &list[0].value else { panic!() };
        assert_eq!((inner[1].0.line, &inner[1].1.value), (4, &Value::Null));
    }

    #[test]
    fn a_word_that_older_yaml_took_for_something_else_stays_text() {
        for word in ["yes", "no", "on", "0755", "1_000", "1777x", "0x-1", ".inf", ".nan", "1e999", "+1"] {
            assert_eq!(parse("x", word).unwrap().value, Value::Str(word.into()), "{word}");
        }
        assert_eq!(parse("x", "true").unwrap().value, Value::Bool(true));
        assert_eq!(parse("x", "0xffffffff").unwrap().value, Value::Int(0xffff_ffff));
        assert_eq!(parse("x", "1.5").unwrap().value, Value::Float(1.5));
    }

    #[test]
    fn a_name_that_comes_twice_reaches_the_decoder_twice() {
        let Value::Map(map) = parse("x", "a: 1\na: 2\n").unwrap().value else { panic!() };
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn an_error_names_the_line() {
        assert!(
            first("a: 1\nb: [1, 2\nc: 3\n").to_string().starts_with("x.yaml:3: "),
            "{}",
            first("a: 1\nb: [1, 2\nc: 3\n")
        );
        assert!(first("a: 1\n---\nb: 2\n").message.to_lowercase().contains("document"));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse("x", &"[".repeat(10)).is_err());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse("x", &nested(8)).is_ok());
        assert!(parse("x", &nested(100)).is_err());
        assert!(parse("x", &nested(100_000)).is_err());
    }

    #[test]
    fn there_is_nothing_that_aliases_could_repeat() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let inner = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![inner; 10].join(", ")));
        }
        assert!(first(&text).message.contains("anchors"));
        assert!(first("a: *one\n").message.len() > 5);
        assert!(first("a: !!str 1\n").message.contains("tags"));
    }

    #[test]
    fn size_is_bounded() {
        assert!(parse("x", &format!("# {}\n", "y".repeat(MAX_BYTES))).is_err());
    }
}
