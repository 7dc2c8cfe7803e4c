//! A rule file as rules: Sigma version 2, events and correlations, one or several documents.
//!
//! Takes a part of Sigma, and refuses every key, modifier and form that is not in it: a rule is never weaker here than it
//! says.

use super::condition::{Condition, all};
use super::correlation::Wish;
use super::fields::{EVENT, FieldId, Fields, Names};
use super::matcher::Item;
use super::read::{Map, Read, listed, text, wrong};
use crate::base::Source;
use crate::profile::ProfileError;
use crate::profile::parse::{Key, Node, Value, parse};
use serde::{Deserialize, Serialize};

/// The most bytes of a rule file.
pub const MOST_BYTES: usize = 32 << 10;

/// How grave what a rule finds is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Informational,
    /// Seldom anything.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at soon.
    High,
    /// To be looked at now.
    Critical,
}

impl Level {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("informational", Self::Informational),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("critical", Self::Critical),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, level)| *level == self).map_or("", |(word, _)| word)
    }

    /// The level of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, level)| *level)
    }
}

/// What a rule says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Names it: small letters, digits and `-`.
    pub name: String,
    /// Names it for other programs: a UUID.
    pub id: String,
    /// What it finds, in a few words.
    pub title: String,
    /// More.
    pub description: String,
    /// How grave that is.
    pub level: Level,
    /// Where it was read.
    pub file: String,
}

/// A rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) about: About,
    pub(super) line: u32,
    /// Fields that tell most about what was found.
    pub(super) fields: Vec<FieldId>,
    pub(super) body: Body,
}

/// What makes it hold.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// One event.
    Event(Detection),
    /// Several, of other rules.
    Several(Wish),
}

/// The selections of a rule and when it holds.
#[derive(Debug, Clone)]
pub(super) struct Detection {
    selections: Vec<Vec<Vec<Item>>>,
    condition: Condition,
}

impl Detection {
    /// Whether it holds for an event.
    pub(super) fn holds(&self, fields: &Fields<'_>) -> bool {
        let selected =
            |groups: &Vec<Vec<Item>>| groups.iter().any(|items| items.iter().all(|item| item.holds(fields)));
        self.condition.holds(&mut |number| self.selections.get(number).is_some_and(selected))
    }

    /// Whether it can hold for an event of this name at all.
    pub(super) fn may_hold(&self, event: &str) -> bool {
        let item = |item: &Item| (item.field == EVENT).then(|| item.holds_for(event));
        let selected = |groups: &Vec<Vec<Item>>| {
            let none = groups.iter().map(|items| all(items.iter().map(item)).map(|holds| !holds));
            all(none).map(|none| !none)
        };
        let known = |number: usize| self.selections.get(number).map_or(Some(false), selected);
        self.condition.may_hold(&known) != Some(false)
    }

    /// The same for events of this name alone: what it asks of the name is settled.
    pub(super) fn of_event(&self, event: &str) -> Self {
        let settled = |items: &Vec<Item>| {
            let (named, others): (Vec<&Item>, Vec<&Item>) =
                items.iter().partition(|item| item.field == EVENT);
            let fits = named.iter().all(|item| item.holds_for(event));
            fits.then(|| others.into_iter().cloned().collect())
        };
        let selections =
            self.selections.iter().map(|groups| groups.iter().filter_map(settled).collect()).collect();
        Self { selections, condition: self.condition.clone() }
    }

    /// The fields it looks at.
    pub(super) fn fields(&self) -> impl Iterator<Item = FieldId> {
        self.selections.iter().flatten().flatten().map(|item| item.field)
    }
}

/// Reads the rules of a file. `file` is what errors call it.
pub(super) fn read(file: &str, content: &str, names: &mut Names) -> Result<Vec<Rule>, Vec<ProfileError>> {
    if content.len() > MOST_BYTES {
        let message = format!("has {} bytes, more than {MOST_BYTES}", content.len());
        return Err(vec![ProfileError::new(Source::line(file, 1), message)]);
    }
    let mut rules = Vec::new();
    for document in documents(content) {
        rules.push(rule(file, parse(file, &document)?, names).map_err(|error| vec![error])?);
    }
    Ok(rules)
}

/// The documents of a file, each behind as many empty lines as stand before it, so that lines keep their numbers.
fn documents(content: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (number, line) in content.lines().enumerate() {
        if line.trim_end() == "---" {
            if documents.last().is_some_and(|before| !before.trim().is_empty()) {
                documents.push("\n".repeat(number));
            }
            if let Some(document) = documents.last_mut() {
                document.push('\n');
            }
            continue;
        }
        if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents
}

fn rule(file: &str, node: Node, names: &mut Names) -> Read<Rule> {
    let mut map = Map::of(file, node, "a rule")?;
    let line = map.line;
    let about = about(&mut map)?;
    for said in ["status", "author", "date", "modified", "license"] {
        map.text(said)?;
    }
    for said in ["references", "tags", "falsepositives"] {
        map.texts(said)?;
    }
    let mut fields = Vec::new();
    for name in map.texts("fields")? {
        match names.number(&name) {
            Some(id) => fields.push(id),
            None => return wrong(file, line, format!("`fields`: no event has a field `{name}`")),
        }
    }
    let body = match map.take("correlation") {
        Some(node) => {
            let generate = map.take("generate");
            if generate.is_some() {
                return wrong(file, line, "`generate` is a key of the correlation itself");
            }
            Body::Several(Wish::read(file, node, names)?)
        }
        None => {
            let source = map.need("logsource")?;
            logsource(file, source)?;
            Body::Event(detection(file, map.need("detection")?, names)?)
        }
    };
    map.finish("a rule")?;
    Ok(Rule { about, line, fields, body })
}

fn about(map: &mut Map<'_>) -> Read<About> {
    let (file, line) = (map.file, map.line);
    let (title, id, name) = (map.needed_text("title")?, map.needed_text("id")?, map.needed_text("name")?);
    if !is_uuid(&id) {
        return wrong(file, line, format!("`id` is a UUID in small letters, not `{id}`"));
    }
    if !is_name(&name) {
        return wrong(
            file,
            line,
            format!("`name` has small letters, digits and `-`, at most 64, not `{name}`"),
        );
    }
    if title.is_empty() || title.chars().count() > 110 {
        return wrong(file, line, "`title` has 1 to 110 letters");
    }
    let level = map.needed_text("level")?;
    let Some(level) = Level::of(&level) else {
        return wrong(file, line, format!("no level is called `{level}`"));
    };
    let description = map.text("description")?.unwrap_or_default();
    Ok(About { name, id, title, description, level, file: file.to_owned() })
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(hex)
}

fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(letter) && text.starts_with(|first: char| first != '-')
}

/// Only rules for our own events are taken.
fn logsource(file: &str, node: Node) -> Read<()> {
    let mut source = Map::of(file, node, "`logsource`")?;
    let line = source.line;
    let product = source.needed_text("product")?;
    if product != "aisandbox" {
        return wrong(file, line, format!("this is a rule for `{product}`, not for aisandbox"));
    }
    source.finish("`logsource`")
}

fn detection(file: &str, node: Node, names: &mut Names) -> Read<Detection> {
    let mut map = Map::of(file, node, "`detection`")?;
    let condition = map.need("condition")?;
    let (mut called, mut selections) = (Vec::new(), Vec::new());
    for (key, node) in map.rest() {
        selections.push(selection(file, &key, node, names)?);
        called.push(key.name);
    }
    let line = condition.line;
    let condition = text(file, condition, "condition")?;
    let condition = Condition::read(file, line, &condition, &called)?;
    Ok(Detection { selections, condition })
}

/// A mapping is one group, of which all must hold; of a list of mappings, one.
fn selection(file: &str, key: &Key, node: Node, names: &mut Names) -> Read<Vec<Vec<Item>>> {
    let (line, is_map) = (node.line, matches!(node.value, Value::Map(_)));
    let groups = if is_map { vec![node] } else { listed(node) };
    if groups.is_empty() {
        return wrong(file, line, format!("`{}` is empty", key.name));
    }
    let mut group = |node: Node| -> Read<Vec<Item>> {
        let mut map = Map::of(file, node, "a selection")?;
        let items: Vec<Item> = map
            .rest()
            .into_iter()
            .map(|(key, node)| Item::read(file, names, &key, node))
            .collect::<Read<_>>()?;
        if items.is_empty() {
            return wrong(file, line, format!("`{}` is empty", key.name));
        }
        Ok(items)
    };
    groups.into_iter().map(&mut group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const PLAIN: &str = "title: T\nid: 6f1c2b1e-0000-4000-8000-000000000001\nname: t\nlevel: low\n\
        logsource: { product: aisandbox }\ndetection:\n  a: { event: denial, data.reason: ceiling }\n  condition: a\n";

    fn first_error(text: &str) -> String {
        read("x.yml", text, &mut Names::default()).map(|_| ()).unwrap_err().first().unwrap().to_string()
    }

    #[test]
    fn a_rule_that_says_more_than_is_known_is_refused_with_its_line() {
        assert!(read("x.yml", PLAIN, &mut Names::default()).is_ok());
        for (from, to, line, word) in [
            ("level: low", "level: low\nfoo: 1", 5, "foo"),
            ("product: aisandbox", "product: windows", 5, "windows"),
            ("product: aisandbox", "product: aisandbox, category: x", 5, "category"),
            ("level: low", "level: grave", 1, "grave"),
            ("name: t", "name: T t", 1, "T t"),
            ("-000000000001", "-00000000000G", 1, "UUID"),
            ("{ event: denial, data.reason: ceiling }", "[one, two]", 7, "text"),
            ("condition: a", "condition: a\n  timeframe: 5m", 9, "mapping"),
            ("condition: a", "condition: a | count() > 5", 8, "too much"),
            ("name: t", "name: t\nname: u", 4, "twice"),
        ] {
            let message = first_error(&PLAIN.replace(from, to));
            assert!(message.starts_with(&format!("x.yml:{line}:")) && message.contains(word), "{message}");
        }
        assert!(first_error(&"#".repeat(MOST_BYTES + 1)).contains("more than"));
        assert!(first_error("").contains("empty"));
    }

    #[test]
    fn lines_of_a_second_document_are_counted_from_the_first() {
        let second = PLAIN.replace("level: low", "level: grave");
        let text = format!("{PLAIN}---\n{second}");
        assert!(first_error(&text).starts_with("x.yml:10:"), "{}", first_error(&text));
        let rules = read("x.yml", &format!("---\n{PLAIN}---\n{PLAIN}"), &mut Names::default()).unwrap();
        assert_eq!(rules.len(), 2);
    }

    #[test]
    fn a_rule_knows_which_events_it_can_hold_for() {
        let mut rules = read("x.yml", PLAIN, &mut Names::default()).unwrap();
        let Body::Event(detection) = rules.remove(0).body else { panic!("an event's") };
        assert!(detection.may_hold("denial") && !detection.may_hold("grant"));
        assert_eq!(detection.of_event("denial").fields().count(), 1, "the name is settled");
        let not = PLAIN.replace("condition: a", "condition: not a");
        let Body::Event(detection) = read("x.yml", &not, &mut Names::default()).unwrap().remove(0).body
        else {
            panic!("an event's")
        };
        assert!(detection.may_hold("denial") && detection.may_hold("grant"));
    }
}
