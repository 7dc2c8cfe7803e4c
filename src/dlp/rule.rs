//! A rule: by which bytes a kind of secret is known. `rule_file` reads rules, `layer` applies them.

use super::check::Check;
use super::rule_file::RuleErrors;
use crate::wire::dlp::Act;
use regex::bytes::{Regex, RegexBuilder};
use std::sync::{Arc, OnceLock};

/// The most bytes a regular expression looks at from where it starts.
pub(super) const WINDOW: usize = 512;
/// The most bytes a compiled expression may take.
const REGEX_BYTES: usize = 4 << 20;

/// Which of three sorts a kind belongs to. What is done about it depends on it, if the rule does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Lets who has it do something.
    Credential,
    /// A private key.
    Key,
    /// About a person.
    Personal,
}

/// How a rule finds its value.
#[derive(Debug, Clone)]
pub(super) enum How {
    /// The value starts with one of these, and the expression holds from there.
    Start(Vec<String>),
    /// The value stands behind a name with one of these words, and the expression holds for all of it.
    Near(Vec<String>),
    /// The expression is looked for around one of these words (imported rules).
    Around(Vec<String>),
    /// Code of ours finds it (pairs of name and value, numbers, keys); the rule says what is done about it.
    Built,
}

impl How {
    pub(super) fn words(&self) -> &[String] {
        match self {
            Self::Start(words) | Self::Near(words) | Self::Around(words) => words,
            Self::Built => &[],
        }
    }
}

/// An expression that is made when it is first needed: of hundreds a run needs few, and making all takes longer than
/// starting one.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    text: String,
    made: OnceLock<Option<Regex>>,
}

impl Expression {
    /// One that was made, so it can be.
    pub(super) fn made(regex: Regex) -> Self {
        Self { text: String::new(), made: OnceLock::from(Some(regex)) }
    }

    /// One of this program, which a test has made.
    fn later(text: String) -> Self {
        Self { text, made: OnceLock::new() }
    }

    /// The expression; `None` when it cannot be made, and then what it stands for must count as found.
    pub(super) fn get(&self) -> Option<&Regex> {
        self.made.get_or_init(|| compile(&self.text).ok()).as_ref()
    }
}

/// When expressions of a file are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    /// As it is read: what is wrong is told with its line.
    Now,
    /// When they are first needed.
    Later,
}

impl Making {
    /// An expression with so many groups at least.
    pub(super) fn of(self, text: String, group: usize) -> Result<Expression, String> {
        if self == Self::Later {
            return Ok(Expression::later(text));
        }
        let regex = compile(&text)?;
        if group >= regex.captures_len() {
            return Err("`group` is not in `regex`".into());
        }
        Ok(Expression::made(regex))
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub id: Arc<str>,
    /// What it finds.
    pub kind: Arc<str>,
    /// For people: what it finds.
    pub about: String,
    /// Its sort.
    pub class: Class,
    /// What is done about it.
    pub action: Act,
    /// How sure a match is.
    pub confidence: f32,
    pub(super) how: How,
    pub(super) regex: Option<Expression>,
    /// The group of the expression that is the value; 0 for all.
    pub(super) group: usize,
    pub(super) check: Option<Check>,
    /// Bits of entropy a byte that the value must have at least.
    pub(super) entropy: f32,
    /// Expressions of an importer: a value that one of them finds is none.
    pub(super) but_not: Vec<Regex>,
    /// Words of an importer: a value with one of them is none.
    pub(super) stop_words: Vec<String>,
    /// Texts the rule must find something in.
    pub(super) matching: Vec<String>,
    /// Texts the rule must find nothing in.
    pub(super) clean: Vec<String>,
    /// Where it is written.
    pub(super) line: u32,
}

/// A set of rules.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(super) rules: Vec<Rule>,
}

/// The rule files of this program.
const SHIPPED: [(&str, &str); 5] = [
    ("generic.toml", include_str!("rules/generic.toml")),
    ("clouds.toml", include_str!("rules/clouds.toml")),
    ("code.toml", include_str!("rules/code.toml")),
    ("services.toml", include_str!("rules/services.toml")),
    ("personal.toml", include_str!("rules/personal.toml")),
];

impl Rules {
    /// The rules of this program.
    /// # Errors
    /// A file of them that cannot be read, which a test would have found: then nothing may be scanned with the rest.
    pub fn shipped() -> Result<Self, RuleErrors> {
        let mut all = Self::default();
        for (_, text) in SHIPPED {
            all.rules.extend(Self::read_and(text, Making::Later)?.rules);
        }
        Ok(all)
    }

    /// These rules too. One of the same name takes the place of the one that is there.
    pub fn add(&mut self, other: Self) {
        for rule in other.rules {
            match self.rules.iter_mut().find(|old| old.id == rule.id) {
                Some(old) => *old = rule,
                None => self.rules.push(rule),
            }
        }
    }

    /// Each rule, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// An expression that holds from the first byte it is given.
pub(super) fn anchored(regex: &str) -> String {
    format!(r"\A(?:{regex})")
}

/// An expression that holds for all it is given.
pub(super) fn whole(regex: &str) -> String {
    format!(r"\A(?:{regex})\z")
}

/// An expression that is looked for.
pub(super) fn compile(regex: &str) -> Result<Regex, String> {
    let built =
        RegexBuilder::new(regex).unicode(false).size_limit(REGEX_BYTES).dfa_size_limit(1 << 20).build();
    built.map_err(|error| error.to_string().lines().last().unwrap_or("not an expression").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_of_a_shipped_rule_can_be_made() {
        for (name, text) in SHIPPED {
            let read = Rules::read(text);
            assert!(read.is_ok(), "{name}: {:?}", read.err());
        }
        let shipped = Rules::shipped().unwrap();
        assert!(shipped.iter().filter_map(|rule| rule.regex.as_ref()).all(|regex| regex.get().is_some()));
    }

    #[test]
    fn one_that_cannot_be_made_is_told_when_a_file_is_read() {
        assert!(Making::Now.of("(a".into(), 0).is_err() && Making::Now.of("a".into(), 1).is_err());
        assert!(Making::Later.of("(a".into(), 0).unwrap().get().is_none());
    }
}
