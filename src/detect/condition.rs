//! `condition:` of a rule: `and`, `or`, `not`, parentheses, `1 of NAME*`, `all of them`.
//!
//! Never takes the old forms of Sigma (`|` and aggregations): correlations are rules of their own.

use super::read::{Read, wrong};

/// The most conditions inside each other.
const MOST_DEPTH: usize = 32;

/// When a rule holds, over selections by their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Is(usize),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    /// Reads one; `names` are those of the selections.
    pub(super) fn read(file: &str, line: u32, text: &str, names: &[String]) -> Read<Self> {
        let mut words = Words { file, line, words: split(text), at: 0, names };
        let condition = words.any(0)?;
        match words.next() {
            None => Ok(condition),
            Some(word) => wrong(file, line, format!("`{word}` is too much in the condition")),
        }
    }

    /// Whether it holds, when `is` says it of a selection.
    pub(super) fn holds(&self, is: &mut impl FnMut(usize) -> bool) -> bool {
        match self {
            Self::Is(number) => is(*number),
            Self::Not(inner) => !inner.holds(is),
            Self::All(inner) => inner.iter().all(|inner| inner.holds(is)),
            Self::Any(inner) => inner.iter().any(|inner| inner.holds(is)),
        }
    }

    /// The same, where of some selections it is not known: `None` is either.
    pub(super) fn may_hold(&self, is: &impl Fn(usize) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Is(number) => is(*number),
            Self::Not(inner) => inner.may_hold(is).map(|holds| !holds),
            Self::All(inner) => all(inner.iter().map(|inner| inner.may_hold(is))),
            Self::Any(inner) => {
                all(inner.iter().map(|inner| inner.may_hold(is).map(|holds| !holds))).map(|none| !none)
            }
        }
    }
}

/// Whether all hold, of which some are not known.
pub(super) fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = None,
        }
    }
    known
}

fn split(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Words<'a> {
    file: &'a str,
    line: u32,
    words: Vec<String>,
    at: usize,
    names: &'a [String],
}

impl Words<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<String> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn refuse<T>(&self, message: impl Into<String>) -> Read<T> {
        wrong(self.file, self.line, message)
    }

    /// `a or b`
    fn any(&mut self, depth: usize) -> Read<Condition> {
        let mut parts = vec![self.every(depth)?];
        while self.peek() == Some("or") {
            self.at += 1;
            parts.push(self.every(depth)?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    /// `a and b`
    fn every(&mut self, depth: usize) -> Read<Condition> {
        let mut parts = vec![self.single(depth)?];
        while self.peek() == Some("and") {
            self.at += 1;
            parts.push(self.single(depth)?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn single(&mut self, depth: usize) -> Read<Condition> {
        if depth > MOST_DEPTH {
            return self.refuse("the condition is too deep");
        }
        let Some(word) = self.next() else { return self.refuse("the condition ends too early") };
        match word.as_str() {
            "not" => Ok(Condition::Not(Box::new(self.single(depth + 1)?))),
            "(" => {
                let inner = self.any(depth + 1)?;
                match self.next().as_deref() {
                    Some(")") => Ok(inner),
                    _ => self.refuse("a `)` is missing in the condition"),
                }
            }
            "1" | "any" | "all" if self.peek() == Some("of") => {
                self.at += 1;
                let Some(pattern) = self.next() else { return self.refuse("`of` what?") };
                let chosen = self.chosen(&pattern)?;
                Ok(if word == "all" { Condition::All(chosen) } else { Condition::Any(chosen) })
            }
            name => match self.names.iter().position(|known| known == name) {
                Some(number) => Ok(Condition::Is(number)),
                None => self.refuse(format!("the condition names `{name}`, and no selection is called so")),
            },
        }
    }

    /// Selections of a pattern; `them` is all whose name does not begin with `_`.
    fn chosen(&self, pattern: &str) -> Read<Vec<Condition>> {
        let fits = |name: &str| match (pattern, pattern.strip_suffix('*')) {
            ("them", _) => !name.starts_with('_'),
            (_, Some(start)) => name.starts_with(start),
            (exact, None) => name == exact,
        };
        let chosen: Vec<Condition> = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| fits(name))
            .map(|(number, _)| Condition::Is(number))
            .collect();
        if chosen.is_empty() {
            return self.refuse(format!("no selection is called `{pattern}`"));
        }
        Ok(chosen)
    }
}

fn one_or(mut parts: Vec<Condition>, several: fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 { parts.remove(0) } else { several(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Read<Condition> {
        let names = ["a", "b_1", "b_2", "_hidden"].map(str::to_owned);
        Condition::read("x.yml", 1, text, &names)
    }

    #[test]
    fn a_condition_binds_not_before_and_before_or() {
        for (text, true_ones, expected) in [
            ("a and not b_1", &[0][..], true),
            ("a and not b_1", &[0, 1], false),
            ("a or b_1 and b_2", &[0], true),
            ("(a or b_1) and b_2", &[0], false),
            ("1 of b_*", &[2], true),
            ("all of b_*", &[2], false),
            ("all of them", &[0, 1, 2], true),
            ("not 1 of b_*", &[0], true),
        ] {
            let condition = read(text).unwrap();
            assert_eq!(condition.holds(&mut |number| true_ones.contains(&number)), expected, "{text}");
            let known = |number: usize| Some(true_ones.contains(&number));
            assert_eq!(condition.may_hold(&known), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_decides_only_where_it_must() {
        let only_a = |number: usize| (number == 0).then_some(false);
        assert_eq!(read("a and b_1").unwrap().may_hold(&only_a), Some(false));
        assert_eq!(read("a or b_1").unwrap().may_hold(&only_a), None);
        assert_eq!(read("not a or b_1").unwrap().may_hold(&only_a), Some(true));
    }

    #[test]
    fn a_condition_that_makes_no_sense_is_refused() {
        for text in ["", "a and", "a b_1", "(a", "a)", "c", "1 of c*", "a | count() > 5", "not", "of them"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&"(".repeat(10_000)).is_err());
        assert!(read(&"not ".repeat(10_000)).is_err());
    }
}
