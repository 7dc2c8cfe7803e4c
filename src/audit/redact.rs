//! Finds what looks like a secret in an argument list.
//!
//! Never promises to find all: it knows names and well-known beginnings, not meaning. It rather cuts too much.

/// Parts of a name that make its value a secret, wherever they stand in it.
const NAME_PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "key",
    "credential",
    "cookie",
    "bearer",
    "authorization",
];
/// Whole words of a name (between `-`, `_`, `.`) that do the same; as parts they are too common (`--author`).
const NAME_WORDS: &[&str] = &["pass", "pwd", "pat", "auth", "pw"];
/// How tokens of well-known services begin.
const BEGINNINGS: &[&str] = &[
    "sk-",
    "sk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "hf_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "-----BEGIN",
];

/// Goes through an argument list in order: a flag such as `--token` makes the next argument a secret.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    next_is_secret: bool,
    found: bool,
}

impl Redactor {
    /// The argument with `…` in place of everything from the first secret on.
    pub(super) fn argument(&mut self, argument: &str) -> String {
        if std::mem::take(&mut self.next_is_secret) {
            self.found = true;
            return "…".to_owned();
        }
        let mut start = 0;
        for word in argument.split_inclusive(char::is_whitespace) {
            if let Some(kept) = self.kept_of(word) {
                let end = start + kept;
                if argument.get(end..).is_none_or(str::is_empty) {
                    self.next_is_secret = true;
                    return argument.to_owned();
                }
                self.found = true;
                return format!("{}…", argument.get(..end).unwrap_or_default());
            }
            start += word.len();
        }
        argument.to_owned()
    }

    /// Whether anything was cut so far.
    pub(super) fn found(&self) -> bool {
        self.found
    }

    /// How many bytes of a word may be kept before a secret begins; `None` when there is none.
    fn kept_of(&self, word: &str) -> Option<usize> {
        let bare = word.trim_start_matches(['"', '\'', '`', '(', '{', ',']);
        let lead = word.len() - bare.len();
        if BEGINNINGS.iter().any(|beginning| bare.starts_with(beginning)) {
            return Some(lead);
        }
        let Some(at) = bare.find(['=', ':']) else {
            let flag = bare.starts_with('-') && names_a_secret(bare.trim_end());
            return flag.then_some(word.len());
        };
        if names_a_secret(bare.get(..at).unwrap_or_default()) {
            return Some(lead + at + 1);
        }
        let value = bare.get(at + 1..).unwrap_or_default().trim_start_matches(['"', '\'']);
        if BEGINNINGS.iter().any(|beginning| value.starts_with(beginning)) {
            return Some(word.len() - value.len());
        }
        secret_in_address(bare).map(|kept| lead + kept)
    }
}

/// How much of a word with an address in it may be kept: `https://user:…@host`, `https://host/?api_key=…`.
fn secret_in_address(word: &str) -> Option<usize> {
    let host = word.find("://")? + 3;
    let authority = word.get(host..)?.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') { Some(host) } else { secret_in_query(word) }
}

fn secret_in_query(address: &str) -> Option<usize> {
    let mut from = address.find(['?', '#', '&'])? + 1;
    for pair in address.get(from..)?.split('&') {
        if let Some(at) = pair.find('=').filter(|at| names_a_secret(pair.get(..*at).unwrap_or_default())) {
            return Some(from + at + 1);
        }
        from += pair.len() + 1;
    }
    None
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAME_PARTS.iter().any(|part| name.contains(part))
        || name.split(|letter: char| !letter.is_alphanumeric()).any(|word| NAME_WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(argv: &[&str]) -> Vec<String> {
        let mut redactor = Redactor::default();
        argv.iter().map(|argument| redactor.argument(argument)).collect()
    }

    #[test]
    fn a_value_behind_a_secret_name_is_cut() {
        for (written, kept) in [
            ("--password=hunter2", "--password=…"),
            ("API_KEY=abc", "API_KEY=…"),
            ("Authorization: Bearer abc def", "Authorization:…"),
            ("AWS_SECRET_ACCESS_KEY=x run", "AWS_SECRET_ACCESS_KEY=…"),
            ("curl -H \"X-Api-Key: abc\" host", "curl -H \"X-Api-Key:…"),
            ("https://u:p@host/x", "https://…"),
            ("https://host/?a=b&access_token=x", "https://host/?a=b&access_token=…"),
            ("--say=ghp_abc", "--say=…"),
            ("sk-abc", "…"),
            ("run --pass hunter2", "run --pass …"),
        ] {
            assert_eq!(redacted(&[written]), [kept], "{written}");
        }
    }

    #[test]
    fn the_argument_behind_a_secret_flag_is_cut() {
        assert_eq!(redacted(&["x", "--token", "-abc def", "y"]), ["x", "--token", "…", "y"]);
        assert_eq!(redacted(&["--token=", "abc"]), ["--token=", "…"]);
    }

    #[test]
    fn ordinary_arguments_stay_whole() {
        let argv = [
            "git",
            "commit",
            "--author=A B <a@b.example>",
            "-m",
            "a: b",
            "https://host/a@b",
            "C:\\x",
            "--bypass",
            "1",
        ];
        assert_eq!(redacted(&argv), argv);
    }
}
