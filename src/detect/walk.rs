//! Walks along the bytes of an event's data, and keeps the values that are wanted.
//!
//! Never makes a tree of it: of what nothing wants only the end is looked for. Never goes deeper than lists may be nested.
//! Numbers and texts that are not written the plain way are read by serde_json.

use super::fields::{FieldId, Scalar, Unreadable, Wanted};
use serde_json::Number;
use std::borrow::Cow;

/// The most values inside each other that are looked into.
const MOST_DEPTH: usize = 127;

type Read<T> = Result<T, Unreadable>;

/// Where it is, and what it keeps.
pub(super) struct Walk<'a, 'f> {
    rest: &'a [u8],
    fields: &'f mut Vec<(FieldId, Scalar<'a>)>,
    depth: usize,
}

impl<'a, 'f> Walk<'a, 'f> {
    /// From the start of these bytes.
    pub(super) fn new(rest: &'a [u8], fields: &'f mut Vec<(FieldId, Scalar<'a>)>) -> Self {
        Self { rest, fields, depth: 0 }
    }

    /// Takes a value, and keeps what is wanted of it.
    /// # Errors
    /// When it is no JSON, or too deep.
    pub(super) fn value(&mut self, wanted: &Wanted) -> Read<()> {
        let value = match self.next()? {
            b'{' => return self.deeper(wanted, Self::object),
            b'[' => return self.deeper(wanted, Self::list),
            b'n' => return self.word(b"null"),
            b't' => self.word(b"true").map(|()| Scalar::Bool(true))?,
            b'f' => self.word(b"false").map(|()| Scalar::Bool(false))?,
            b'"' => Scalar::Text(self.text()?),
            _ => self.number()?,
        };
        if let Some(id) = wanted.field {
            self.fields.push((id, value));
        }
        Ok(())
    }

    fn deeper(&mut self, wanted: &Wanted, inside: fn(&mut Self, &Wanted) -> Read<()>) -> Read<()> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Unreadable);
        }
        self.step(1);
        inside(self, wanted)?;
        self.depth -= 1;
        Ok(())
    }

    /// Takes an object whose names are JSON pointers.
    /// # Errors
    /// As [`Self::value`].
    pub(super) fn pointers(&mut self, wanted: &Wanted) -> Read<()> {
        self.need(b'{')?;
        self.members(wanted, Wanted::at)
    }

    fn object(&mut self, wanted: &Wanted) -> Read<()> {
        self.members(wanted, Wanted::below)
    }

    fn members<'w>(
        &mut self,
        wanted: &'w Wanted,
        below: impl Fn(&'w Wanted, &[u8]) -> Option<&'w Wanted>,
    ) -> Read<()> {
        if self.next()? == b'}' {
            self.step(1);
            return Ok(());
        }
        loop {
            let (raw, plain) = self.raw()?;
            let found = if plain {
                below(wanted, raw.get(1..raw.len() - 1).unwrap_or_default())
            } else {
                below(wanted, unescaped(raw)?.as_bytes())
            };
            self.need(b':')?;
            match found {
                Some(wanted) => self.value(wanted)?,
                None => self.pass()?,
            }
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    fn list(&mut self, wanted: &Wanted) -> Read<()> {
        if self.next()? == b']' {
            self.step(1);
            return Ok(());
        }
        loop {
            self.value(wanted)?;
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    /// Behind a value: whether this ends what it is in. Otherwise another follows.
    fn ends(&mut self, with: u8) -> Read<bool> {
        let sign = self.next()?;
        self.step(1);
        if sign == with || sign == b',' { Ok(sign == with) } else { Err(Unreadable) }
    }

    /// Passes over a value.
    fn pass(&mut self) -> Read<()> {
        match self.next()? {
            b'"' => self.raw().map(drop),
            b'{' | b'[' => self.pass_inside(),
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                let length = self.rest.iter().position(ends).filter(|length| *length > 0);
                self.step(length.ok_or(Unreadable)?);
                Ok(())
            }
        }
    }

    fn pass_inside(&mut self) -> Read<()> {
        let mut open = 0usize;
        loop {
            let stops = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
            let at = self.rest.iter().position(stops).ok_or(Unreadable)?;
            self.step(at);
            match self.rest.first() {
                Some(b'"') => {
                    self.raw()?;
                    continue;
                }
                Some(b'{' | b'[') => open += 1,
                _ => open -= 1,
            }
            self.step(1);
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn text(&mut self) -> Read<Cow<'a, str>> {
        let (raw, plain) = self.raw()?;
        if !plain {
            return unescaped(raw).map(Cow::Owned);
        }
        let inside = raw.get(1..raw.len() - 1).unwrap_or_default();
        if inside.iter().any(|byte| *byte < b' ') {
            return Err(Unreadable);
        }
        str::from_utf8(inside).map(Cow::Borrowed).map_err(|_| Unreadable)
    }

    /// A text with its quotes, and whether it has no escapes.
    fn raw(&mut self) -> Read<(&'a [u8], bool)> {
        if self.next()? != b'"' {
            return Err(Unreadable);
        }
        let (mut at, mut plain) = (1, true);
        loop {
            let rest = self.rest.get(at..).ok_or(Unreadable)?;
            at += memchr::memchr2(b'"', b'\\', rest).ok_or(Unreadable)?;
            if self.rest.get(at) == Some(&b'"') {
                let (raw, rest) = self.rest.split_at_checked(at + 1).ok_or(Unreadable)?;
                self.rest = rest;
                return Ok((raw, plain));
            }
            (at, plain) = (at + 2, false);
        }
    }

    fn number(&mut self) -> Read<Scalar<'a>> {
        let ends = |byte: &u8| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Unreadable)?;
        self.rest = rest;
        let plain = text.len() <= 18 && text.first() != Some(&b'0') && text.iter().all(u8::is_ascii_digit);
        if plain && !text.is_empty() {
            return Ok(Scalar::Int(text.iter().fold(0, |all, digit| all * 10 + i64::from(digit - b'0'))));
        }
        let number: Number = serde_json::from_slice(text).map_err(|_| Unreadable)?;
        match (number.as_i64(), number.is_u64(), number.as_f64()) {
            (Some(number), _, _) => Ok(Scalar::Int(number)),
            (None, true, _) => Ok(Scalar::Int(i64::MAX)),
            (None, false, Some(number)) => Ok(Scalar::Float(number)),
            (None, false, None) => Err(Unreadable),
        }
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        self.rest = self.rest.strip_prefix(word).ok_or(Unreadable)?;
        Ok(())
    }

    fn need(&mut self, sign: u8) -> Read<()> {
        if self.next()? != sign {
            return Err(Unreadable);
        }
        self.step(1);
        Ok(())
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Read<u8> {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied().ok_or(Unreadable)
    }

    fn step(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

fn unescaped(raw: &[u8]) -> Read<String> {
    serde_json::from_slice(raw).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::super::fields::{Fields, Names};
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// What a walk finds of these fields, as text.
    fn walked(names: &[&str], data: &str) -> Option<Vec<String>> {
        let (mut known, mut wanted) = (Names::default(), Wanted::default());
        let ids: Vec<FieldId> = names.iter().map(|name| known.number(name).unwrap()).collect();
        ids.iter().for_each(|id| wanted.add(&known, *id));
        let fields = Fields::of("network", "r", data.as_bytes(), &wanted).ok()?;
        let shown =
            |id: &FieldId| fields.values(*id).map(|value| value.text().into_owned()).collect::<Vec<_>>();
        Some(ids.iter().flat_map(shown).collect())
    }

    #[test]
    fn values_of_every_form_are_read() {
        for (value, expected) in [
            ("\"a\"", vec!["a"]),
            (r#""a\"\\\u00e9\ud83d\ude00""#, vec!["a\"\\é😀"]),
            ("17", vec!["17"]),
            ("0", vec!["0"]),
            ("-5", vec!["-5"]),
            ("18446744073709551615", vec!["9223372036854775807"]),
            ("1.5e1", vec!["15"]),
            ("true", vec!["true"]),
            ("null", vec![]),
            ("[\"a\",[ 1 , {\"x\":2}],[]]", vec!["a", "1"]),
            ("{\"a\":1}", vec![]),
        ] {
            for around in [
                "{\"host\":@}",
                " { \"port\" : {\"host\":[\"}\\\"]\"]} , \"host\" : @ }",
                "{\"h\\u006fst\":@,\"x\":-1.5}",
            ] {
                let data = around.replace('@', value);
                assert_eq!(walked(&["data.host"], &data).unwrap(), expected, "{data}");
            }
        }
    }

    #[test]
    fn what_is_no_json_is_unreadable() {
        for data in [
            "",
            "{",
            "{\"host\"",
            "{\"host\":",
            "{\"host\":}",
            "{\"host\":\"a",
            "{\"host\":\"a\\",
            "{\"host\":\"\\q\"}",
            "{\"host\":\"a\nb\"}",
            "{\"host\":01}",
            "{\"host\":-}",
            "{\"host\":nul}",
            "{\"host\":\"a\" \"b\"}",
            "{\"host\":[1,]}",
            "{\"x\":[[1,2],\"host\":1}",
            "{\"x\":,\"host\":1}",
            "{x:1}",
        ] {
            assert_eq!(walked(&["data.host"], data), None, "{data}");
        }
        let deep = |depth| format!("{{\"host\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(
            walked(&["data.host"], &deep(100)).is_some() && walked(&["data.host"], &deep(5000)).is_none()
        );
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\PC\"\\\\\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("host|sni|x|[\"\\\\{}]{1,2}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        /// Beside whatever else stands there.
        #[test]
        fn what_is_wanted_is_found_and_nothing_else(one in json_value(), other in json_value()) {
            let data = json!({ "x": one, "host": "h", "y": other, "sni": [7] });
            prop_assert_eq!(walked(&["data.host", "data.sni"], &data.to_string()).unwrap(), ["h", "7"]);
        }
    }
}
