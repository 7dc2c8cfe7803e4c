//! Takes secrets out of text before an agent reads it.
//!
//! Never promises to find all: it knows the forms of well-known credentials and numbers that carry their own checksum.
//! Works on bytes, so text in any encoding that extends ASCII is read; what is replaced becomes `…`.

mod checksums;
mod table;

use regex::bytes::{Captures, Regex, RegexBuilder};

/// What stands for what was taken out.
const MARK: &[u8] = "\u{2026}".as_bytes();
/// The most bytes of one compiled rule.
const MOST_COMPILED: usize = 4 << 20;

/// Rules, ready to be applied in their order.
#[derive(Debug)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    matches: Regex,
    /// Decides whether a match is one; for forms that ordinary text can have too.
    proof: Option<fn(&[u8]) -> bool>,
}

impl Rules {
    /// These expressions, or the built-in table when there is none. Where an expression has a group named `secret`,
    /// only that is replaced.
    /// # Errors
    /// For an expression that does not compile, or is too large.
    pub(super) fn new(written: &[String]) -> Result<Self, regex::Error> {
        if written.is_empty() {
            return table::RULES
                .iter()
                .map(|(text, proof)| rule(text, *proof))
                .collect::<Result<_, _>>()
                .map(Self);
        }
        written.iter().map(|text| rule(text, None)).collect::<Result<_, _>>().map(Self)
    }

    /// The text without what matches, and how many matches there were.
    pub(super) fn apply(&self, mut text: Vec<u8>) -> (Vec<u8>, u64) {
        let mut count = 0;
        for rule in &self.0 {
            if let Some(changed) = rule.apply(&text, &mut count) {
                text = changed;
            }
        }
        (text, count)
    }
}

fn rule(text: &str, proof: Option<fn(&[u8]) -> bool>) -> Result<Rule, regex::Error> {
    let matches = RegexBuilder::new(text).unicode(false).size_limit(MOST_COMPILED).build()?;
    Ok(Rule { matches, proof })
}

impl Rule {
    /// `None` when nothing matches: then the text need not be copied.
    fn apply(&self, text: &[u8], count: &mut u64) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        let mut kept = 0;
        for found in self.matches.captures_iter(text) {
            let Some((start, end)) = secret_of(&found) else { continue };
            let secret = text.get(start..end).unwrap_or_default();
            let end = match self.proof {
                _ if secret.is_empty() || secret == MARK => continue,
                None => end,
                Some(proof) => match proven(secret, proof) {
                    Some(length) => start + length,
                    None => continue,
                },
            };
            let out = out.get_or_insert_with(|| Vec::with_capacity(text.len()));
            out.extend_from_slice(text.get(kept..start).unwrap_or_default());
            out.extend_from_slice(MARK);
            kept = end;
            *count += 1;
        }
        let mut out = out?;
        out.extend_from_slice(text.get(kept..).unwrap_or_default());
        Some(out)
    }
}

/// The longest run of whole groups from the start that is proved: a number may be followed by another.
fn proven(text: &[u8], proof: fn(&[u8]) -> bool) -> Option<usize> {
    let ends =
        (1..=text.len()).rev().filter(|end| text.get(*end).is_none_or(|byte| matches!(byte, b' ' | b'-')));
    ends.into_iter().find(|end| text.get(..*end).is_some_and(proof))
}

fn secret_of(found: &Captures<'_>) -> Option<(usize, usize)> {
    let part = found.name("secret").or_else(|| found.get(0))?;
    Some((part.start(), part.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> (String, u64) {
        let (out, count) = Rules::new(&[]).unwrap().apply(text.as_bytes().to_vec());
        (String::from_utf8(out).unwrap(), count)
    }

    /// Put together here, so that no scanner takes this file for one with secrets in it.
    fn joined(parts: &[&str]) -> String {
        parts.concat()
    }

    #[test]
    fn each_known_form_is_taken_out_and_the_text_around_it_stays() {
        let body = "Aa1".repeat(20);
        for secret in [
            joined(&["AKIA", "ABCDEFGHIJKLMNOP"]),
            joined(&["ghp_", &body[..36]]),
            joined(&["github_pat_", &body]),
            joined(&["glpat-", &body[..20]]),
            joined(&["xoxb-", "123456789012-", &body[..24]]),
            joined(&["AIza", &body[..35]]),
            joined(&["ya29.", &body]),
            joined(&["sk-", &body[..48]]),
            joined(&["eyJ", &body[..20], ".eyJ", &body[..20], ".", &body[..30]]),
            joined(&[
                "-----BEGIN OPENSSH PRIVATE",
                " KEY-----\n",
                &body,
                "\n-----END OPENSSH PRIVATE KEY-----",
            ]),
            "4111 1111 1111 1111".to_owned(),
            "5500005555555559".to_owned(),
            "GB82 WEST 1234 5698 7654 32".to_owned(),
            "DE89370400440532013000".to_owned(),
        ] {
            let (out, count) = redacted(&format!("before\n{secret}\nafter"));
            assert_eq!((out.as_str(), count), ("before\n\u{2026}\nafter", 1), "{secret}");
        }
    }

    #[test]
    fn the_value_of_an_assignment_goes_and_its_name_stays() {
        for (text, out) in [
            ("password = \"hunter2!\"", "password = \"\u{2026}\""),
            ("DB_PASSWORD=hunter2", "DB_PASSWORD=\u{2026}"),
            ("  \"api_key\": \"abc def\",", "  \"api_key\": \"\u{2026}\","),
            ("client-secret: x1y2z3", "client-secret: \u{2026}"),
            ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer \u{2026}"),
            (r#"secret: "a\"b c" end"#, "secret: \"\u{2026}\" end"),
            ("card 4111 1111 1111 1111 12/27", "card \u{2026} 12/27"),
            ("https://user:pa55word@host/x", "https://user:\u{2026}@host/x"),
        ] {
            assert_eq!(redacted(text), (out.to_owned(), 1), "{text}");
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in [
            "The password is asked for at the prompt.",
            "4111 1111 1111 1112 has no valid check digit",
            "DE89370400440532013001",
            "2026-11-25 12:30:45 order 1234567",
            "fn token(&self) -> usize { self.count }",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert_eq!(redacted(text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn a_private_key_that_is_cut_off_is_taken_out_to_the_end() {
        let text = joined(&["x\n-----BEGIN RSA PRIVATE", " KEY-----\nMIIE\nabc"]);
        assert_eq!(redacted(&text).0, "x\n\u{2026}");
    }

    #[test]
    fn written_rules_take_the_place_of_the_table_and_a_group_names_the_part() {
        let rules = Rules::new(&["case (?P<secret>[0-9]+)".into(), "(?i)project x".into()]).unwrap();
        let (out, count) = rules.apply(b"case 77 of Project X, password=abc".to_vec());
        assert_eq!(
            (String::from_utf8(out).unwrap().as_str(), count),
            ("case \u{2026} of \u{2026}, password=abc", 2)
        );
        assert!(Rules::new(&["(".into()]).is_err());
        assert!(Rules::new(&["(?:a{1000}){1000}".into()]).is_err(), "too large");
    }

    #[test]
    fn bytes_that_are_no_utf8_do_not_hide_a_secret() {
        let (out, count) = Rules::new(&[]).unwrap().apply(b"\xff\xfepassword=hunter2\xff\n".to_vec());
        assert_eq!(
            (out, count),
            (
                [
                    "\u{ff}\u{fe}".chars().map(|one| one as u8).collect(),
                    b"password=".to_vec(),
                    MARK.to_vec(),
                    b"\n".to_vec()
                ]
                .concat(),
                1
            )
        );
    }

    proptest::proptest! {
        #[test]
        fn what_was_redacted_once_is_redacted(text: Vec<u8>) {
            let rules = Rules::new(&[]).unwrap();
            let (once, _) = rules.apply(text);
            let (twice, _) = rules.apply(once.clone());
            proptest::prop_assert_eq!(once, twice);
        }

        #[test]
        fn a_key_is_found_whatever_stands_around_it(before: Vec<u8>, after: Vec<u8>) {
            let secret = joined(&["ghp_", &"Ab9".repeat(12)]);
            let text = [&before[..], b"\n", secret.as_bytes(), b"\n", &after].concat();
            let (out, _) = Rules::new(&[]).unwrap().apply(text);
            proptest::prop_assert!(!out.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
    }
}
