//! Rules as kingfisher writes them (YAML), as rules of ours.
//!
//! Never asks a service whether a value is valid, as kingfisher may: that part of a rule is left out.

use super::gitleaks::{imported, words};
use super::rule::{Rule, Rules, compile};
use super::rule_file::{RuleError, RuleErrors, finish, is_name};
use crate::profile::parse::{Node, Value, parse};

impl Rules {
    /// Reads rules of kingfisher.
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn kingfisher(text: &str) -> Result<Self, RuleErrors> {
        let root = parse("rules", text).map_err(|errors| {
            let one = |error: &crate::profile::ProfileError| RuleError {
                line: error.asked.line_number().unwrap_or(0),
                message: error.message.clone(),
            };
            RuleErrors(errors.iter().map(one).collect())
        })?;
        let Some(Value::List(list)) = field(&root, "rules").map(|node| &node.value) else {
            return Err(RuleError { line: 1, message: "has no list `rules`".into() }.into());
        };
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        for node in list {
            match make(node) {
                Ok(rule) => rules.push(rule),
                Err(message) => errors.push(RuleError { line: node.line, message }),
            }
        }
        finish(rules, errors)
    }
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, value)| value),
        _ => None,
    }
}

fn text<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    match &field(node, name)?.value {
        Value::Str(text) => Some(text),
        _ => None,
    }
}

fn texts(node: &Node, name: &str) -> Vec<String> {
    let text = |node: &Node| match &node.value {
        Value::Str(text) => Some(text.clone()),
        _ => None,
    };
    match field(node, name).map(|node| &node.value) {
        Some(Value::List(list)) => list.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

fn number(node: &Node, name: &str) -> f32 {
    match field(node, name).map(|node| &node.value) {
        Some(Value::Float(number)) => *number as f32,
        Some(Value::Int(number)) => *number as f32,
        _ => 0.0,
    }
}

fn make(node: &Node) -> Result<Rule, String> {
    let id = text(node, "id").ok_or("has no `id`")?.to_ascii_lowercase().replace(['.', '_'], "-");
    let wrong = |what: String| format!("rule {}: {what}", crate::base::escape(id.as_bytes()));
    if !is_name(&id) {
        return Err(wrong("a name has 1 to 64 of a-z, 0-9 and -".into()));
    }
    let pattern = text(node, "pattern").ok_or_else(|| wrong("has no `pattern`".into()))?;
    let regex = compile(pattern).map_err(&wrong)?;
    let group = if regex.captures_len() > 1 { 1 } else { 0 };
    let about = text(node, "name").unwrap_or_default().to_owned();
    // Words that every match has: those it says, or the longest plain one of the pattern.
    let said = texts(node, "keywords");
    let said = if said.is_empty() { longest_word(pattern) } else { said };
    let words = words(said).map_err(&wrong)?;
    let entropy = number(node, "min_entropy");
    Ok(imported(
        id,
        about,
        words,
        regex,
        group,
        entropy,
        (Vec::new(), Vec::new()),
        texts(node, "examples"),
        node.line,
    ))
}

/// The longest run of plain letters that every match of a pattern has: none from inside a group, a class or an escape,
/// and none that may be left out.
fn longest_word(pattern: &str) -> Vec<String> {
    let mut best = String::new();
    let mut word = String::new();
    let mut depth = 0;
    let mut letters = pattern.chars().peekable();
    let mut keep = |word: &mut String| {
        if word.len() > best.len() {
            best.clone_from(word);
        }
        word.clear();
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
                keep(&mut word);
            }
            '|' if depth == 0 => return Vec::new(),
            '(' | '[' | '{' => {
                depth += 1;
                keep(&mut word);
            }
            ')' | ']' | '}' => depth -= 1,
            '?' | '*' if depth == 0 => {
                word.pop();
                keep(&mut word);
            }
            letter if depth == 0 && (letter.is_ascii_alphanumeric() || "_-".contains(letter)) => {
                word.push(letter)
            }
            _ => keep(&mut word),
        }
    }
    keep(&mut word);
    if best.len() >= 3 { vec![best] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_kingfisher_finds_its_value() {
        let text = "rules:\n- name: Acme\n  id: kingfisher.acme.1\n  pattern: |\n    (?x)\n    \\b\n    (acme_[a-z0-9]{20})\n    \\b\n  min_entropy: 3.0\n  examples:\n  - acme_k3j9dlq02mxz71lp4r8t\n  keywords: [acme]\n";
        let rules = Rules::kingfisher(text).unwrap();
        let key = std::sync::Arc::new(crate::crypto::Secret::random().unwrap());
        assert_eq!(rules.failures(&key, |_, _| 0.0), []);
        assert_eq!(rules.iter().next().map(|rule| &*rule.id), Some("kingfisher-acme-1"));
        let wrong = Rules::kingfisher("rules:\n- id: a\n  pattern: '(x'\n").unwrap_err();
        assert_eq!(wrong.0[0].line, 2);
    }

    #[test]
    fn a_word_that_every_match_has_is_taken_from_the_pattern() {
        assert_eq!(longest_word("abc_?def[x-z]ghi"), ["abc"]);
        assert_eq!(longest_word("tok(en)?-value"), ["-value"]);
        assert!(longest_word("abcd|efgh").is_empty() && longest_word("(abcd)").is_empty());
    }
}
