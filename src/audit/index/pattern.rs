//! What a person means by a path with wildcards, as a range of the dictionary and a test for what is in it.
//!
//! `*` and `?` stay within a folder's name, `**` goes through folders, `[a-z]` is one letter of those. A folder means all
//! that is in it. A word without a slash is the name of a file or folder anywhere.

use regex::Regex;

/// The most bytes of a pattern.
const MOST_BYTES: usize = 4096;

/// A pattern that was read.
#[derive(Debug)]
pub struct Pattern {
    test: Regex,
    /// What every match begins with.
    beginning: String,
}

impl Pattern {
    /// Reads a pattern. One that is not absolute is below `here`; `~` is `home`.
    /// # Errors
    /// What is wrong with it.
    pub fn of(text: &str, here: &str, home: Option<&str>) -> Result<Self, String> {
        if text.is_empty() || text.len() > MOST_BYTES {
            return Err(format!("a pattern has 1 to {MOST_BYTES} bytes"));
        }
        let rest_of_home = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let (fixed, rest) = match (rest_of_home, home) {
            (Some(_), None) => return Err("no home folder is known".to_owned()),
            (Some(rest), Some(home)) => (home.trim_end_matches('/').to_owned(), rest),
            (None, _) if text.starts_with(['/', '*']) || !text.contains('/') => (String::new(), text),
            (None, _) => {
                (format!("{}/", here.trim_end_matches('/')), text.strip_prefix("./").unwrap_or(text))
            }
        };
        let anywhere = fixed.is_empty() && !text.contains('/');
        let rest = if rest == "/" { rest } else { rest.trim_end_matches('/') };
        let (body, plain) = translated(rest)?;
        let before = if anywhere { "(?:.*/)?".to_owned() } else { regex::escape(&fixed) };
        let below = if rest.ends_with("**") || rest == "/" { ".*" } else { "(?:/.*)?" };
        let test = Regex::new(&format!("^(?s:{before}{body}{below})$"));
        let test = test.map_err(|_| "it is too long or too deep".to_owned())?;
        let beginning = if anywhere { String::new() } else { fixed + &plain };
        Ok(Self { test, beginning })
    }

    /// Whether it means this text.
    pub fn means(&self, text: &str) -> bool {
        self.test.is_match(text)
    }

    /// The texts that can match lie from the first to before the second; without a second, to the end.
    pub(super) fn range(&self) -> (&str, Option<String>) {
        // The greatest letter follows every text that goes on after the beginning.
        let end = (!self.beginning.is_empty()).then(|| format!("{}\u{10ffff}\u{10ffff}", self.beginning));
        (&self.beginning, end)
    }
}

/// The pattern as a regular expression, and the plain text it begins with.
fn translated(text: &str) -> Result<(String, String), String> {
    let (mut out, mut plain, mut fixed) = (String::new(), String::new(), true);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let wild = matches!(letter, '*' | '?' | '[' | '\\');
        fixed &= !wild;
        if fixed {
            plain.push(letter);
        }
        rest = match letter {
            '*' if rest.starts_with("**/") => push(&mut out, "(?:.*/)?", rest, 3),
            '*' if rest.starts_with("**") => push(&mut out, ".*", rest.trim_start_matches('*'), 0),
            '*' => push(&mut out, "[^/]*", rest, 1),
            '?' => push(&mut out, "[^/]", rest, 1),
            '[' => {
                let (class, after) = class(rest).ok_or("a `[` has no end")?;
                push(&mut out, &class, after, 0)
            }
            '\\' => {
                let next = rest.chars().nth(1).ok_or("it ends in a backslash")?;
                push(&mut out, &regex::escape(&next.to_string()), rest, 1 + next.len_utf8())
            }
            letter => push(&mut out, &regex::escape(&letter.to_string()), rest, letter.len_utf8()),
        };
    }
    Ok((out, plain))
}

fn push<'a>(out: &mut String, what: &str, rest: &'a str, skip: usize) -> &'a str {
    out.push_str(what);
    rest.get(skip..).unwrap_or_default()
}

/// A class of letters, each escaped, and what follows it. Never a slash.
fn class(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('[')?;
    let (negated, inner) = inner.strip_prefix('!').map_or((false, inner), |rest| (true, rest));
    // The first letter may be `]` itself.
    let first = inner.chars().next()?;
    let end = first.len_utf8() + inner.get(first.len_utf8()..)?.find(']')?;
    let (letters, after) = (inner.get(..end)?, inner.get(end + 1..)?);
    let mut out = String::from(if negated { "[^/" } else { "[" });
    let all: Vec<char> = letters.chars().collect();
    let mut at = 0;
    while let Some(from) = all.get(at) {
        let to = all.get(at + 2).filter(|_| all.get(at + 1) == Some(&'-'));
        out.push_str(&escaped(*from));
        if let Some(to) = to {
            if to < from {
                return None;
            }
            out.push('-');
            out.push_str(&escaped(*to));
            at += 2;
        }
        at += 1;
    }
    out.push(']');
    Some((if negated { out } else { format!("(?:{out})") }, after))
}

fn escaped(letter: char) -> String {
    format!("\\u{{{:x}}}", letter as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::of(text, "/home/u/work", Some("/home/u")).unwrap()
    }

    #[test]
    fn a_pattern_means_what_a_shell_would_and_all_that_is_in_a_folder() {
        let table = [
            ("~/Documents/finance", "/home/u/Documents/finance", true),
            ("~/Documents/finance", "/home/u/Documents/finance/a/b.txt", true),
            ("~/Documents/finance/", "/home/u/Documents/finance/a", true),
            ("~/Documents/finance", "/home/u/Documents/finance2", false),
            ("~/Documents/*.pdf", "/home/u/Documents/a.pdf", true),
            ("~/Documents/*.pdf", "/home/u/Documents/x/a.pdf", false),
            ("~/Documents/**/*.pdf", "/home/u/Documents/a.pdf", true),
            ("~/Documents/**/*.pdf", "/home/u/Documents/x/y/a.pdf", true),
            ("~/Documents/**", "/home/u/Documents/x/y", true),
            ("~", "/home/u/x", true),
            ("report-00??", "/srv/report-0012", true),
            ("report-00??", "/srv/report-0012/in/it", true),
            ("report-00??", "/srv/my-report-0012", false),
            (".ssh", "/home/u/.ssh/id_ed25519", true),
            ("src/main.rs", "/home/u/work/src/main.rs", true),
            ("./src", "/home/u/work/src/main.rs", true),
            ("/etc/[a-c]*", "/etc/bash.bashrc", true),
            ("/etc/[!a-c]*", "/etc/bash.bashrc", false),
            ("/etc/[!a-c]*", "/etc//x", false),
            ("/etc/[]x]y", "/etc/]y", true),
            ("/a\\*b", "/a*b", true),
            ("/a\\*b", "/axb", false),
            ("/", "/anything", true),
            ("/a.b+(c)", "/a.b+(c)", true),
            ("/a.b", "/axb", false),
            ("**/x", "/deep/down/x", true),
            ("/n\nl*", "/n\nlx", true),
        ];
        for (text, path, means) in table {
            assert_eq!(pattern(text).means(path), means, "{text} on {path:?}");
        }
    }

    #[test]
    fn what_a_pattern_means_lies_in_its_range() {
        for (text, path) in
            [("/a/b*", "/a/bcd"), ("~/x/[ab]", "/home/u/x/a/y"), ("x", "/q/x"), ("/a\\*b", "/a*b")]
        {
            let pattern = pattern(text);
            let (from, to) = pattern.range();
            assert!(pattern.means(path) && path >= from && to.is_none_or(|to| path < to.as_str()), "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        for text in ["", "/[a", "/[z-a]", "/x\\", &"a".repeat(5000), &"[a]".repeat(1300)] {
            let read = Pattern::of(text, "/", None);
            assert!(read.is_err() || text.len() > 3000, "{text}");
        }
        assert!(Pattern::of("~/x", "/", None).is_err());
    }
}
