//! What a field must be: values with Sigma's wildcards and modifiers, as tests that take linear time.
//!
//! Never takes a modifier it does not know. Never goes back in a text: expressions run on automata of a bounded size.

use super::fields::{FieldId, Fields, Names, Scalar};
use super::read::{Read, listed, wrong};
use crate::base::address;
use crate::profile::parse::{Key, Node, Value};
use regex::{Regex, RegexBuilder};
use std::net::IpAddr;

/// The most bytes of a compiled expression.
const MOST_REGEX: usize = 1 << 20;
/// The most values of one field in one rule.
const MOST_VALUES: usize = 1000;

/// What one field must be.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) field: FieldId,
    tests: Vec<Test>,
    /// Every test must hold, and not only one.
    all: bool,
}

#[derive(Debug, Clone)]
enum Test {
    /// No value.
    Nothing,
    /// Some value, or none.
    There(bool),
    /// This text; letters of ASCII are alike, large or small.
    Text(String),
    /// This text exactly.
    Exact(String),
    Int(i64),
    Bool(bool),
    Order(Order, f64),
    Net(IpAddr, u8),
    Regex(Regex),
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What the modifiers of a key come to.
#[derive(Debug, Clone, Copy, Default)]
struct Modifiers {
    place: Place,
    all: bool,
    cased: bool,
    kind: Option<Kind>,
    flags: (bool, bool, bool),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Whole,
    Anywhere,
    Start,
    End,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Regex,
    Net,
    There,
    Order(Order),
}

impl Item {
    /// Reads `field|modifier: value`.
    pub(super) fn read(file: &str, names: &mut Names, key: &Key, node: Node) -> Read<Self> {
        let mut words = key.name.split('|');
        let name = words.next().unwrap_or_default();
        let Some(field) = names.number(name) else {
            return wrong(file, key.line, format!("no event has a field `{name}`"));
        };
        let modifiers = modifiers(file, key, words)?;
        let values = listed(node);
        if values.is_empty() || values.len() > MOST_VALUES {
            return wrong(file, key.line, format!("`{name}` has no value, or more than {MOST_VALUES}"));
        }
        let tests = values.into_iter().map(|node| test(file, modifiers, node)).collect::<Read<_>>()?;
        Ok(Self { field, tests, all: modifiers.all })
    }

    /// Whether the field is so.
    pub(super) fn holds(&self, fields: &Fields<'_>) -> bool {
        if self.all {
            return self.tests.iter().all(|test| test.holds(fields, self.field));
        }
        let of_all = self.tests.iter().filter(|test| matches!(test, Test::Nothing | Test::There(_)));
        fields.values(self.field).any(|value| self.tests.iter().any(|test| test.fits(value)))
            || of_all.into_iter().any(|test| test.holds(fields, self.field))
    }

    /// Whether a value alone is so.
    pub(super) fn holds_for(&self, value: &str) -> bool {
        let value = Scalar::Text(value.into());
        let holds = |test: &Test| match test {
            Test::Nothing => false,
            Test::There(wanted) => *wanted,
            other => other.fits(&value),
        };
        if self.all { self.tests.iter().all(holds) } else { self.tests.iter().any(holds) }
    }
}

fn modifiers<'k>(file: &str, key: &Key, words: impl Iterator<Item = &'k str>) -> Read<Modifiers> {
    let mut is = Modifiers::default();
    for word in words {
        match word {
            "contains" => is.place = Place::Anywhere,
            "startswith" => is.place = Place::Start,
            "endswith" => is.place = Place::End,
            "all" => is.all = true,
            "cased" => is.cased = true,
            "re" => is.kind = Some(Kind::Regex),
            "i" => is.flags.0 = true,
            "m" => is.flags.1 = true,
            "s" => is.flags.2 = true,
            "cidr" => is.kind = Some(Kind::Net),
            "exists" => is.kind = Some(Kind::There),
            "lt" => is.kind = Some(Kind::Order(Order::Less)),
            "lte" => is.kind = Some(Kind::Order(Order::LessOrEqual)),
            "gt" => is.kind = Some(Kind::Order(Order::Greater)),
            "gte" => is.kind = Some(Kind::Order(Order::GreaterOrEqual)),
            other => return wrong(file, key.line, format!("the modifier `{other}` is not known here")),
        }
    }
    let flagged = is.flags != (false, false, false);
    if flagged && !matches!(is.kind, Some(Kind::Regex)) {
        return wrong(file, key.line, "`i`, `m` and `s` stand behind `re`");
    }
    if is.kind.is_some() && (is.place != Place::Whole || is.cased) {
        return wrong(file, key.line, format!("the modifiers of `{}` do not go together", key.name));
    }
    Ok(is)
}

fn test(file: &str, is: Modifiers, node: Node) -> Read<Test> {
    let line = node.line;
    match (is.kind, node.value) {
        (Some(Kind::There), Value::Bool(there)) => Ok(Test::There(there)),
        (Some(Kind::Order(order)), Value::Int(number)) => Ok(Test::Order(order, as_float(number))),
        (Some(Kind::Order(order)), Value::Float(number)) => Ok(Test::Order(order, number)),
        (Some(Kind::Regex), Value::Str(text)) => {
            let (small, lines, dots) = is.flags;
            expression(file, line, &text, (small, lines, dots))
        }
        (Some(Kind::Net), Value::Str(text)) => match net(&text) {
            Some((first, bits)) => Ok(Test::Net(first, bits)),
            None => wrong(file, line, format!("`{text}` is no network")),
        },
        (Some(_), other) => wrong(file, line, format!("{} does not go with this modifier", other.kind())),
        (None, Value::Str(text)) => written(file, line, is, &text),
        (None, Value::Null) if is.place == Place::Whole => Ok(Test::Nothing),
        (None, Value::Int(number)) if is.place == Place::Whole => Ok(Test::Int(number)),
        (None, Value::Int(number)) => written(file, line, is, &number.to_string()),
        (None, Value::Bool(value)) if is.place == Place::Whole => Ok(Test::Bool(value)),
        (None, other) => wrong(file, line, format!("{} is no value of a field here", other.kind())),
    }
}

/// As near as a number with a point comes; sizes and counts are exact.
#[allow(clippy::cast_precision_loss, reason = "2^53 bytes are more than any event tells of")]
fn as_float(number: i64) -> f64 {
    number as f64
}

fn net(text: &str) -> Option<(IpAddr, u8)> {
    let (first, bits) = text.split_once('/')?;
    let (first, bits): (IpAddr, u8) = (first.parse().ok()?, bits.parse().ok()?);
    (bits <= if first.is_ipv4() { 32 } else { 128 }).then_some((first, bits))
}

/// A part of a written value.
enum Part {
    Letter(char),
    /// `?`
    One,
    /// `*`
    Any,
}

/// Takes Sigma's escapes apart: `\*`, `\?` and `\\`; before any other letter a backslash is itself.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' if letters.peek().is_some_and(|next| matches!(next, '*' | '?' | '\\')) => {
                Part::Letter(letters.next().unwrap_or('\\'))
            }
            other => Part::Letter(other),
        });
    }
    parts
}

fn written(file: &str, line: u32, is: Modifiers, text: &str) -> Read<Test> {
    let parts = parts(text);
    let plain: Option<String> =
        parts.iter().map(|part| if let Part::Letter(letter) = part { Some(*letter) } else { None }).collect();
    if let (Some(plain), Place::Whole) = (plain, is.place)
        && (is.cased || plain.is_ascii())
    {
        return Ok(if is.cased { Test::Exact(plain) } else { Test::Text(plain) });
    }
    let mut expression = String::new();
    for part in &parts {
        match part {
            Part::Any => expression.push_str(".*"),
            Part::One => expression.push('.'),
            Part::Letter(letter) => expression.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4]))),
        }
    }
    let start = if matches!(is.place, Place::Whole | Place::Start) { r"\A" } else { "" };
    let end = if matches!(is.place, Place::Whole | Place::End) { r"\z" } else { "" };
    self::expression(file, line, &format!("{start}(?:{expression}){end}"), (!is.cased, false, true))
}

fn expression(file: &str, line: u32, text: &str, (small, lines, dots): (bool, bool, bool)) -> Read<Test> {
    let built = RegexBuilder::new(text)
        .case_insensitive(small)
        .multi_line(lines)
        .dot_matches_new_line(dots)
        .size_limit(MOST_REGEX)
        .dfa_size_limit(MOST_REGEX)
        .build();
    match built {
        Ok(regex) => Ok(Test::Regex(regex)),
        Err(error) => wrong(file, line, format!("the expression `{text}`: {error}")),
    }
}

impl Test {
    fn holds(&self, fields: &Fields<'_>, field: FieldId) -> bool {
        match self {
            Self::Nothing => fields.values(field).all(|value| value.text().is_empty()),
            Self::There(wanted) => fields.values(field).next().is_some() == *wanted,
            other => fields.values(field).any(|value| other.fits(value)),
        }
    }

    fn fits(&self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Text(text), Scalar::Text(value)) => text.eq_ignore_ascii_case(value),
            (Self::Exact(text), Scalar::Text(value)) => text == value,
            (Self::Text(text) | Self::Exact(text), other) => *text == *other.text(),
            (Self::Int(number), Scalar::Int(value)) => number == value,
            (Self::Int(number), Scalar::Text(value)) => value.parse() == Ok(*number),
            (Self::Bool(wanted), Scalar::Bool(value)) => wanted == value,
            (Self::Order(order, bound), Scalar::Int(value)) => order.holds(as_float(*value), *bound),
            (Self::Order(order, bound), Scalar::Float(value)) => order.holds(*value, *bound),
            (Self::Net(first, bits), Scalar::Text(value)) => {
                value.parse().is_ok_and(|ip| address::is_within(ip, *first, *bits))
            }
            (Self::Regex(regex), value) => regex.is_match(&value.text()),
            _ => false,
        }
    }
}

impl Order {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::fields::Wanted;
    use crate::profile::parse;

    fn item(text: &str) -> Read<Item> {
        let Value::Map(mut entries) = parse::parse("x.yml", text).unwrap().value else { panic!("{text}") };
        let (key, node) = entries.remove(0);
        Item::read("x.yml", &mut Names::default(), &key, node)
    }

    /// `data.host` is the first field that is named in each.
    fn holds(text: &str, json: &str) -> bool {
        let item = item(text).unwrap();
        let mut names = Names::default();
        let id = names.number("data.host").unwrap();
        let mut wanted = Wanted::default();
        wanted.add(&names, id);
        item.holds(&Fields::of("network", "r", json.as_bytes(), &wanted).unwrap())
    }

    #[test]
    fn values_are_compared_as_sigma_says() {
        for (rule, json, expected) in [
            ("data.host: Example.com", r#"{"host":"eXample.COM"}"#, true),
            ("data.host|cased: Example.com", r#"{"host":"example.com"}"#, false),
            ("data.host: '*.example.com'", r#"{"host":"a.Example.com"}"#, true),
            ("data.host: '*.example.com'", r#"{"host":"a.example.com.evil"}"#, false),
            ("data.host: 'a?c'", r#"{"host":"abc"}"#, true),
            (r"data.host: 'a\*c'", r#"{"host":"abc"}"#, false),
            (r"data.host: 'a\*c'", r#"{"host":"a*c"}"#, true),
            (r"data.host: 'C:\temp'", r#"{"host":"c:\\temp"}"#, true),
            ("data.host|contains: 'a.b'", r#"{"host":"xxA.Bxx"}"#, true),
            ("data.host|contains: 'a.b'", r#"{"host":"xxacbxx"}"#, false),
            ("data.host|startswith: x", r#"{"host":"Xy"}"#, true),
            ("data.host|endswith: y", r#"{"host":"xy\n"}"#, false),
            ("data.host|contains|all: [a, b]", r#"{"host":"ab"}"#, true),
            ("data.host|contains|all: [a, b]", r#"{"host":"a"}"#, false),
            ("data.host|contains: [a, b]", r#"{"host":["x","b"]}"#, true),
            ("data.host|re: '^[a-z]{3}$'", r#"{"host":"abc"}"#, true),
            ("data.host|re: '^[a-z]{3}$'", r#"{"host":"ABC"}"#, false),
            ("data.host|re|i: '^[a-z]{3}$'", r#"{"host":"ABC"}"#, true),
            ("data.host|cidr: 10.0.0.0/8", r#"{"host":"10.1.2.3"}"#, true),
            ("data.host|cidr: 10.0.0.0/8", r#"{"host":"11.1.2.3"}"#, false),
            ("data.host|gte: 5", r#"{"host":5}"#, true),
            ("data.host|gt: 5", r#"{"host":5}"#, false),
            ("data.host: 5", r#"{"host":5}"#, true),
            ("data.host: 5", r#"{"host":"5"}"#, true),
            ("data.host: true", r#"{"host":true}"#, true),
            ("data.host: null", r#"{"host":null}"#, true),
            ("data.host: null", r#"{"host":"a"}"#, false),
            ("data.host: ''", r#"{"host":""}"#, true),
            ("data.host|exists: false", "{}", true),
            ("data.host|exists: true", "{}", false),
            ("data.host: 'Österreich'", r#"{"host":"österreich"}"#, true),
        ] {
            assert_eq!(holds(rule, json), expected, "{rule} on {json}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for rule in [
            "data.host|base64: a",
            "data.host|windash: a",
            "data.host|contains|re: a",
            "data.host|i: a",
            "data.host|re: '('",
            "data.host|re: '(a{1000}){1000}'",
            "data.host|re: '(?=a)'",
            "data.host|cidr: 10.0.0.0/33",
            "data.host|gt: a",
            "data.host: []",
            "data.host: { a: b }",
            "data.nobody: a",
        ] {
            assert!(item(rule).is_err(), "{rule}");
        }
    }

    #[test]
    fn an_expression_that_would_go_back_takes_linear_time() {
        let hostile = format!(r#"{{"host":"{}!"}}"#, "a".repeat(60_000));
        assert!(!holds("data.host|re: '^(a+)+$'", &hostile));
        assert!(!holds("data.host: '*a*a*a*a*a*a*b'", &hostile));
    }
}
