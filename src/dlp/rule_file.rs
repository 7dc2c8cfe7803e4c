//! Rule files of our own, in TOML. The one file that names `toml`.

use super::check::Check;
use super::example::fill;
use super::rule::{Class, How, Making, Rule, Rules, anchored, whole};
use crate::wire::dlp::Act;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use toml::Spanned;

/// The most bytes of a rule file.
const FILE_BYTES: usize = 4 << 20;
/// The most rules of a set.
pub(super) const MOST_RULES: usize = 4096;
/// The most bytes of one expression or example.
const TEXT_BYTES: usize = 16 << 10;

/// What is wrong in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The line; 0 if it is no one line.
    pub line: u32,
    /// What is wrong there.
    pub message: String,
}

/// Everything that is wrong in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleErrors(pub Vec<RuleError>);

impl fmt::Display for RuleErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.0.iter().enumerate() {
            let end = if place == 0 { "" } else { "\n" };
            write!(out, "{end}line {}: {}", error.line, error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleErrors {}

impl From<RuleError> for RuleErrors {
    fn from(error: RuleError) -> Self {
        Self(vec![error])
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    kind: Option<String>,
    about: String,
    class: Option<String>,
    #[serde(default)]
    start: Vec<String>,
    #[serde(default)]
    near: Vec<String>,
    #[serde(default)]
    built: bool,
    regex: Option<String>,
    #[serde(default)]
    group: usize,
    check: Option<String>,
    #[serde(default)]
    entropy: f32,
    confidence: Option<f32>,
    action: Option<String>,
    #[serde(default, rename = "match")]
    matching: Vec<String>,
    #[serde(default)]
    clean: Vec<String>,
}

impl Rules {
    /// Reads rules.
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn read(text: &str) -> Result<Self, RuleErrors> {
        Self::read_and(text, Making::Now)
    }

    /// The same, with expressions made as `making` says.
    pub(super) fn read_and(text: &str, making: Making) -> Result<Self, RuleErrors> {
        let file: File = parse(text)?;
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        for written in file.rule {
            let line = line_of(text, written.span().start);
            match make(written.into_inner(), line, making) {
                Ok(rule) => rules.push(rule),
                Err(message) => errors.push(RuleError { line, message }),
            }
        }
        finish(rules, errors)
    }
}

/// A set of rules, if nothing is wrong.
pub(super) fn finish(rules: Vec<Rule>, mut errors: Vec<RuleError>) -> Result<Rules, RuleErrors> {
    for (place, rule) in rules.iter().enumerate() {
        if rules.iter().take(place).any(|other| other.id == rule.id) {
            errors.push(RuleError { line: rule.line, message: format!("rule {}: comes twice", rule.id) });
        }
    }
    if rules.len() > MOST_RULES {
        errors.push(RuleError { line: 0, message: format!("more than {MOST_RULES} rules") });
    }
    if errors.is_empty() { Ok(Rules { rules }) } else { Err(RuleErrors(errors)) }
}

/// TOML to a type.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, RuleError> {
    if text.len() > FILE_BYTES {
        return Err(RuleError { line: 0, message: format!("more than {FILE_BYTES} bytes") });
    }
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        RuleError { line, message: crate::base::escape(error.message().as_bytes()) }
    })
}

/// The line of a place in a text.
pub(super) fn line_of(text: &str, at: usize) -> u32 {
    let lines = text.as_bytes().get(..at).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(lines + 1).unwrap_or(u32::MAX)
}

fn make(written: Written, line: u32, making: Making) -> Result<Rule, String> {
    let id = written.id.as_str();
    let wrong = |what: String| format!("rule {}: {what}", crate::base::escape(id.as_bytes()));
    if !is_name(id) || !written.kind.as_deref().is_none_or(is_name) {
        return Err(wrong("a name has 1 to 64 of a-z, 0-9 and -".into()));
    }
    let class = match written.class.as_deref() {
        None | Some("credential") => Class::Credential,
        Some("key") => Class::Key,
        Some("personal") => Class::Personal,
        Some(_) => return Err(wrong("`class` is credential, key or personal".into())),
    };
    let default = if class == Class::Personal { Act::Log } else { Act::Block };
    let action = match written.action.as_deref() {
        None => default,
        Some(word) => Act::of_word(word).ok_or_else(|| wrong("no such `action`".into()))?,
    };
    let check = written.check.as_deref().map(|word| {
        Check::of_word(word).ok_or_else(|| wrong(format!("`check` is one of {}", Check::words())))
    });
    let how = how(written.start, written.near, written.built).map_err(&wrong)?;
    let regex = match (&how, written.regex.as_deref()) {
        (How::Built, None) => None,
        (How::Built, Some(_)) => return Err(wrong("a `built` rule has no `regex`".into())),
        (_, None) => return Err(wrong("`regex` is missing".into())),
        (_, Some(regex)) if regex.len() > TEXT_BYTES => return Err(wrong("`regex` is too long".into())),
        (How::Start(_), Some(regex)) => Some(anchored(regex)),
        (How::Near(_), Some(regex)) => Some(whole(regex)),
        (How::Around(_), Some(regex)) => Some(regex.to_owned()),
    };
    let regex = regex.map(|text| making.of(text, written.group)).transpose().map_err(&wrong)?;
    let confidence = written.confidence.unwrap_or(0.9);
    if !(0.0..=1.0).contains(&confidence) {
        return Err(wrong("`confidence` is from 0 to 1".into()));
    }
    let check = check.transpose()?;
    let kind = written.kind.as_deref().unwrap_or(id).into();
    let examples = |texts: Vec<String>| texts.iter().map(|text| fill(text)).collect();
    Ok(Rule {
        id: id.into(),
        kind,
        about: written.about,
        class,
        action,
        confidence,
        how,
        regex,
        group: written.group,
        check,
        entropy: written.entropy,
        but_not: Vec::new(),
        stop_words: Vec::new(),
        matching: examples(written.matching),
        clean: examples(written.clean),
        line,
    })
}

fn how(start: Vec<String>, near: Vec<String>, built: bool) -> Result<How, String> {
    let how = match (start.is_empty(), near.is_empty(), built) {
        (false, true, false) => How::Start(start),
        (true, false, false) => How::Near(near),
        (true, true, true) => return Ok(How::Built),
        _ => return Err("has one of `start`, `near` and `built`".into()),
    };
    let fits = |word: &String| (3..=64).contains(&word.len());
    if how.words().iter().all(fits) { Ok(how) } else { Err("a word has 3 to 64 bytes".into()) }
}

/// Says whether a text is the name of a rule or a kind.
pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
