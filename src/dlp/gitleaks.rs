//! Rules as gitleaks writes them (TOML), as rules of ours.
//!
//! Its expressions are of Go, which takes some signs as they stand where Rust's do not; `of_go` says them so that both mean
//! the same. What has no meaning here (paths, files) is left out, and the rule is then used without it.

use super::rule::{Class, Expression, How, Rule, Rules, compile};
use super::rule_file::{RuleError, RuleErrors, finish, is_name, line_of, parse};
use crate::wire::dlp::Act;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    rules: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    id: String,
    #[serde(default)]
    description: String,
    regex: Option<String>,
    #[serde(default, rename = "secretGroup")]
    secret_group: usize,
    #[serde(default)]
    entropy: f32,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    allowlists: Vec<Allow>,
    allowlist: Option<Allow>,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(flatten)]
    _rest: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Allow {
    #[serde(default)]
    regexes: Vec<String>,
    #[serde(default)]
    stopwords: Vec<String>,
    #[serde(default, rename = "regexTarget")]
    target: String,
    #[serde(default)]
    condition: String,
    #[serde(flatten)]
    _rest: BTreeMap<String, serde::de::IgnoredAny>,
}

impl Rules {
    /// Reads rules of gitleaks.
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn gitleaks(text: &str) -> Result<Self, RuleErrors> {
        let file: File = parse(text)?;
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        for written in file.rules {
            let at = text.find(&format!("\"{}\"", written.id)).unwrap_or(0);
            let line = line_of(text, at);
            // A rule about names of files alone finds nothing in bytes.
            if written.regex.is_none() {
                continue;
            }
            match make(written, line) {
                Ok(rule) => rules.push(rule),
                Err(message) => errors.push(RuleError { line, message }),
            }
        }
        finish(rules, errors)
    }
}

fn make(written: Written, line: u32) -> Result<Rule, String> {
    let id = written.id.to_ascii_lowercase().replace('_', "-");
    let wrong = |what: String| format!("rule {}: {what}", crate::base::escape(id.as_bytes()));
    if !is_name(&id) {
        return Err(wrong("a name has 1 to 64 of a-z, 0-9 and -".into()));
    }
    let regex = compile(&of_go(written.regex.as_deref().unwrap_or_default())).map_err(&wrong)?;
    // Without a group, the first one is the value, if there is one.
    let group =
        if written.secret_group > 0 { written.secret_group } else { usize::from(regex.captures_len() > 1) };
    if group >= regex.captures_len() {
        return Err(wrong("secretGroup is not in the expression".into()));
    }
    let words = words(written.keywords).map_err(&wrong)?;
    let mut but_not = Vec::new();
    let mut stop_words = Vec::new();
    for allow in written.allowlists.into_iter().chain(written.allowlist) {
        // One that needs a path too never holds for bytes, and one about a line is not about the value.
        if allow.condition.eq_ignore_ascii_case("and")
            || !matches!(allow.target.as_str(), "" | "secret" | "match")
        {
            continue;
        }
        for regex in &allow.regexes {
            but_not.push(compile(&of_go(regex)).map_err(&wrong)?);
        }
        stop_words.extend(allow.stopwords.iter().map(|word| word.to_ascii_lowercase()));
    }
    Ok(imported(
        id,
        written.description,
        words,
        regex,
        group,
        written.entropy,
        (but_not, stop_words),
        written.examples,
        line,
    ))
}

/// The words a rule is looked for by. Without one it would have to be looked for everywhere.
pub(super) fn words(words: Vec<String>) -> Result<Vec<String>, String> {
    let words: Vec<String> = words.into_iter().filter(|word| (3..=64).contains(&word.len())).collect();
    if words.is_empty() { Err("has no keyword of three letters or more".into()) } else { Ok(words) }
}

/// A rule from another format.
#[expect(clippy::too_many_arguments, reason = "each is one field")]
pub(super) fn imported(
    id: String,
    about: String,
    words: Vec<String>,
    regex: regex::bytes::Regex,
    group: usize,
    entropy: f32,
    (but_not, stop_words): (Vec<regex::bytes::Regex>, Vec<String>),
    matching: Vec<String>,
    line: u32,
) -> Rule {
    Rule {
        kind: id.as_str().into(),
        id: id.into(),
        about,
        class: Class::Credential,
        action: Act::Block,
        confidence: 0.8,
        how: How::Around(words),
        regex: Some(Expression::made(regex)),
        group,
        check: None,
        entropy,
        but_not,
        stop_words,
        matching,
        clean: Vec::new(),
        line,
    }
}

/// An expression of Go as one of Rust: a `{` that counts nothing, and `[`, `--`, `&&`, `~~` in a class, stand for
/// themselves.
pub(super) fn of_go(regex: &str) -> String {
    let letters: Vec<char> = regex.chars().collect();
    let mut out = String::with_capacity(regex.len() + 8);
    let mut class = false;
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        let next = letters.get(at + 1).copied();
        match letter {
            '\\' => {
                out.push('\\');
                out.extend(match next {
                    Some('z') => Some('z'),
                    other => other,
                });
                at += 1;
            }
            '[' if class && next == Some(':') => out.push('['),
            '[' if class => out.push_str("\\["),
            '[' => {
                class = true;
                out.push('[');
                // `]` first in a class, also behind `^`, is one of its letters.
                if next == Some('^') {
                    out.push('^');
                    at += 1;
                }
                if letters.get(at + 1) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            ']' if class && is_posix_end(&letters, at) => out.push(']'),
            ']' => {
                class = false;
                out.push(']');
            }
            '-' | '&' | '~' if class && next == Some(letter) => {
                out.push('\\');
                out.push(letter);
            }
            '{' if !class && !counts(letters.get(at + 1..).unwrap_or_default()) => out.push_str("\\{"),
            '}' if !class && !closes(&letters, at) => out.push_str("\\}"),
            other => out.push(other),
        }
        at += 1;
    }
    out
}

/// `{3}`, `{3,}`, `{3,5}`: what stands behind the brace.
fn counts(behind: &[char]) -> bool {
    let digits = behind.iter().take_while(|letter| letter.is_ascii_digit()).count();
    let rest = behind.get(digits..).unwrap_or_default();
    let more = match rest {
        [',', more @ ..] => {
            let skip = more.iter().take_while(|letter| letter.is_ascii_digit()).count();
            more.get(skip)
        }
        other => other.first(),
    };
    digits > 0 && more == Some(&'}')
}

fn closes(letters: &[char], at: usize) -> bool {
    let before = letters.get(..at).unwrap_or_default();
    let open = before.iter().rposition(|letter| *letter == '{');
    let named = before.iter().rev().take(24).collect::<String>();
    let property = named.chars().position(|letter| letter == '{').is_some_and(|open| {
        matches!(named.chars().nth(open + 1), Some('p' | 'P' | 'x'))
            && named.chars().nth(open + 2) == Some('\\')
    });
    open.is_some_and(|open| counts(letters.get(open + 1..).unwrap_or_default())) || property
}

fn is_posix_end(letters: &[char], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| letters.get(before)) == Some(&':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_of_go_means_the_same_in_rust() {
        for (go, text) in [
            (r"a{{b", "a{{b"),
            (r"[[a]+x", "[a[x"),
            (r"[a--b]", "-"),
            (r"x{2,3}[^]]", "xxy"),
            (r"[\w.=-]{3}", "a=-"),
            (r"[[:alnum:]]{4}\z", "ab12"),
            (r"[a&&b]", "&"),
        ] {
            let regex = compile(&of_go(go)).unwrap_or_else(|why| panic!("{go}: {why}"));
            assert!(regex.is_match(text.as_bytes()), "{go} as {}", of_go(go));
        }
    }

    #[test]
    fn a_rule_of_gitleaks_finds_its_value_and_not_what_it_allows() {
        let text = r#"
            title = "x"
            [[rules]]
            id = "acme_token"
            description = "Acme"
            regex = '''(?i)acme[\w .-]{0,20}=\s*"?([a-z0-9]{20})\b'''
            entropy = 3
            keywords = ["acme"]
            [[rules.allowlists]]
            stopwords = ["example"]
            regexes = ['''^zz''']
            [[rules]]
            id = "names-of-files"
            path = '''\.p12$'''
        "#;
        let rules = Rules::gitleaks(text).unwrap();
        let names: Vec<&str> = rules.iter().map(|rule| &*rule.id).collect();
        assert_eq!(names, ["acme-token"]);
        let key = std::sync::Arc::new(crate::crypto::Secret::random().unwrap());
        let engine = crate::dlp::Engine::new(rules, crate::dlp::Options::new(key, |_, _| 0.0));
        assert_eq!(engine.scan(b"ACME_token = \"k3j9dlq02mxz71lp4r8t\"").len(), 1);
        for text in [
            "acme = \"zz3j9dlq02mxz71lp4r8\"",
            "acme = \"k3examplemxz71lp4r8t\"",
            "acme = \"aaaaaaaaaaaaaaaaaaaa\"",
        ] {
            assert_eq!(engine.scan(text.as_bytes()).len(), 0, "{text}");
        }
        assert!(
            Rules::gitleaks("[[rules]]\nid = \"x\"\nregex = '''(a'''\nkeywords = [\"abc\"]").unwrap_err().0
                [0]
            .line
                == 2
        );
    }
}
