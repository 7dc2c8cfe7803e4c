//! Addresses of mail.

use super::numbers::Number;

/// An address of mail, whose `@` is here.
pub(super) fn address(text: &[u8], at: usize) -> Option<Number> {
    let local = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let before = text.get(at.saturating_sub(64)..at)?.iter().rev().take_while(local).count();
    let rest = text.get(at + 1..(at + 1 + 128).min(text.len()))?;
    let host = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b'-');
    let length = rest.iter().take_while(host).count();
    let domain = rest.get(..length)?;
    let domain =
        domain.get(..length - domain.iter().rev().take_while(|byte| matches!(byte, b'.' | b'-')).count())?;
    let (name, top) = domain.split_at(domain.iter().rposition(|byte| *byte == b'.')?);
    let top = top.get(1..)?;
    let start = at - before;
    let user = text.get(start..at)?;
    let first = user.first().is_some_and(u8::is_ascii_alphanumeric);
    let shape =
        first && (2..=12).contains(&top.len()) && top.iter().all(u8::is_ascii_lowercase) && !name.is_empty();
    // `scheme://user:password@host` is a URL, and `git@host:path` a repository.
    let after = rest.get(domain.len()).copied().unwrap_or(b' ');
    let none = after == b':' && user == b"git"
        || matches!(start.checked_sub(1).and_then(|at| text.get(at)), Some(b':' | b'/'))
            && super::context::contains(text.get(at.saturating_sub(96)..at)?, b"://");
    (shape && !none && !is_shown(user, name, top)).then_some(Number {
        rule: "email",
        start,
        end: at + 1 + domain.len(),
        confidence: 0.6,
    })
}

/// Names of examples, machines that send, and files that only look like an address.
fn is_shown(user: &[u8], name: &[u8], top: &[u8]) -> bool {
    const FILES: [&str; 12] =
        ["png", "jpg", "jpeg", "gif", "svg", "js", "ts", "css", "json", "html", "local", "localhost"];
    const TOPS: [&str; 4] = ["example", "invalid", "test", "internal"];
    const NAMES: [&str; 8] =
        ["example", "test", "domain", "email", "company", "yourdomain", "users.noreply.github", "acme"];
    const USERS: [&str; 7] = ["noreply", "no-reply", "donotreply", "git", "example", "user", "username"];
    let is =
        |list: &[&str], word: &[u8]| list.iter().any(|entry| word.eq_ignore_ascii_case(entry.as_bytes()));
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    is(&FILES, top) || is(&TOPS, top) || is(&NAMES, name) || is(&USERS, user) || last == b"example"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_mail_is_told_from_what_looks_like_one() {
        let text = b"write to jane.doe+x@mail.corp.org, ok";
        let number = address(text, 19).unwrap();
        assert_eq!(&text[number.start..number.end], b"jane.doe+x@mail.corp.org");
        for text in [
            "icon@2x.png",
            "a@b",
            "git@github.com:x/y",
            "https://u:p@h.org",
            "user@example.com",
            "@types/node",
        ] {
            assert_eq!(address(text.as_bytes(), text.find('@').unwrap()), None, "{text}");
        }
    }
}
