//! How much an agent may put into the broker. Each number has its reason; aisandbox-broker(7) has the same table.

use super::broker::{Allowed, Less, Op};
use super::subject::Resource;
use crate::base::TraceParent;

/// Calls of one channel that wait for their answer. A person answers one question at a time; this is for programs that
/// open files side by side.
pub const MOST_CALLS: usize = 16;
/// Channels of one run. A channel is one program that talks to the broker; each holds keys in locked memory.
pub const MOST_CHANNELS: usize = 64;
/// Malformed messages of one run before it ends. One is enough to end its channel; a program with a mistake makes a
/// few, an attack makes many.
pub const MOST_MALFORMED: u32 = 16;
/// Characters of a reason that are kept: what a person reads in a question.
pub const MOST_WHY: usize = 500;
/// Paths of one `open`: as many descriptors as one message carries to an agent.
pub const MOST_PATHS: usize = 8;
/// Bytes of one `append`.
pub const MOST_TEXT: usize = 32 * 1024;
/// Bytes of a path (PATH_MAX of Linux, with the byte that ends it).
pub const MOST_PATH_BYTES: usize = 4095;
/// Bytes of a host name (RFC 1035) and of other names.
pub const MOST_NAME_BYTES: usize = 253;
/// Actions of one request: each once.
pub const MOST_ACTIONS: usize = 8;
/// Words of a command that is started.
pub const MOST_ARGUMENTS: usize = 256;
/// Words of the command, and variables, of a program that is started beside: as many as a message carries, nearly.
pub const MOST_WORDS: usize = 8192;
/// Programs of transitions that run at one time: each is a sandbox of its own.
pub const MOST_TRANSITIONS: usize = 32;
/// Signals that are passed on to what was started: those a launcher passes on.
pub const SIGNALS: [i32; 8] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGCONT,
];
/// Places that a started agent gets less.
pub const MOST_LESS: usize = 64;
/// (action, resource) pairs of a token: each call compares with every one.
pub const MOST_ALLOWED: usize = 64;

/// The part of a reason that is kept.
pub fn kept(why: &str) -> &str {
    why.char_indices().nth(MOST_WHY).map_or(why, |(end, _)| why.get(..end).unwrap_or(why))
}

/// Says which limit a call breaks, or which word in it can name nothing.
/// # Errors
/// The words for the `detail` of a denial with the reason `protocol`.
pub fn check(op: &Op) -> Result<(), &'static str> {
    match op {
        Op::Ping {} | Op::List {} | Op::Renew {} => Ok(()),
        Op::Request { actions, resource, traceparent, .. } => {
            within(actions.len(), MOST_ACTIONS, "a request names one to eight actions")?;
            check_trace(traceparent.as_deref())?;
            check_resource(resource)
        }
        Op::Open { paths, .. } => {
            within(paths.len(), MOST_PATHS, "one to eight paths are opened at once")?;
            paths.iter().try_for_each(|path| check_path(path))
        }
        Op::Append { path, text } => {
            check_path(path)?;
            if text.len() > MOST_TEXT { Err("at most 32 KiB are appended at once") } else { Ok(()) }
        }
        Op::Spawn { argv, chdir, less } => check_spawn(argv, chdir.as_deref(), less),
        Op::Transition { program, argv, environment, chdir } => {
            check_path(program)?;
            check_words(argv, environment, chdir)
        }
        Op::Signal { number, .. } if SIGNALS.contains(number) => Ok(()),
        Op::Signal { .. } => Err("a signal of this number is not passed on"),
        Op::Explain { id } | Op::Release { grant: id } => check_name(id),
        Op::Attenuate { allowed, .. } => check_allowed(allowed),
    }
}

fn check_trace(traceparent: Option<&str>) -> Result<(), &'static str> {
    match traceparent.map(str::parse::<TraceParent>) {
        Some(Err(_)) => Err("a traceparent is no W3C trace context of version 00"),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn check_spawn(argv: &[String], chdir: Option<&str>, less: &Less) -> Result<(), &'static str> {
    within(argv.len(), MOST_ARGUMENTS, "a command has 1 to 256 words")?;
    if argv.iter().any(|word| word.contains('\0')) || argv.first().is_some_and(String::is_empty) {
        return Err("a word of the command is empty or holds a zero byte");
    }
    if less.read_only.len() > MOST_LESS || less.hidden.len() > MOST_LESS {
        return Err("at most 64 places can be less");
    }
    less.read_only.iter().chain(&less.hidden).map(String::as_str).chain(chdir).try_for_each(check_path)
}

fn check_words(argv: &str, environment: &str, chdir: &str) -> Result<(), &'static str> {
    let words = |text| super::words::of_text(text).ok_or("words are each ended by a zero byte, as base64url");
    within(words(argv)?.len(), MOST_WORDS, "a command has 1 to 8,192 words")?;
    if words(environment)?.len() > MOST_WORDS {
        return Err("there are at most 8,192 variables");
    }
    let chdir = words(chdir)?;
    let [folder] = chdir.as_slice() else { return Err("there is one working folder") };
    let absolute = folder.as_encoded_bytes().first() == Some(&b'/');
    if absolute && folder.len() <= MOST_PATH_BYTES { Ok(()) } else { Err("the working folder is no path") }
}

/// Checks the pairs of a token.
/// # Errors
/// As [`check`].
pub fn check_allowed(allowed: &[Allowed]) -> Result<(), &'static str> {
    if allowed.len() > MOST_ALLOWED {
        return Err("a token lists at most 64 pairs");
    }
    allowed.iter().try_for_each(|pair| check_resource(&pair.resource))
}

fn check_resource(resource: &Resource) -> Result<(), &'static str> {
    match resource {
        Resource::File { path } | Resource::Program { path } => check_path(path),
        Resource::Host { host, .. } | Resource::Upload { host, .. } => check_name(host),
        Resource::Device { name } => check_name(name),
    }
}

fn within(count: usize, most: usize, words: &'static str) -> Result<(), &'static str> {
    if (1..=most).contains(&count) { Ok(()) } else { Err(words) }
}

/// Checks a name: of a host, a grant, or who a statement is for.
/// # Errors
/// As [`check`].
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = (1..=MOST_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err("a name is empty, too long, or holds control characters") }
}

/// Absolute, without `..`, `.`, doubled or trailing slashes: the form in which paths can be compared by component.
fn check_path(path: &str) -> Result<(), &'static str> {
    if path.len() > MOST_PATH_BYTES || path.contains('\0') {
        return Err("a path is too long or holds a zero byte");
    }
    let Some(inside) = path.strip_prefix('/') else { return Err("a path does not start with /") };
    if !inside.is_empty() && inside.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("a path holds `.`, `..` or an empty part");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::subject::Action;

    #[test]
    fn a_path_has_one_form() {
        for good in ["/", "/a", "/a/b.c", "/a/..b", "/ "] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "//", "/a/", "/a//b", "/./a", "/a/..", "/..", "/a\0"] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
        assert!(check_path(&format!("/{}", "a".repeat(MOST_PATH_BYTES))).is_err());
    }

    #[test]
    fn each_limit_is_the_last_that_passes() {
        let open = |count| Op::Open { paths: vec!["/a".into(); count], action: Action::Read };
        assert!(check(&open(MOST_PATHS)).is_ok());
        assert!(check(&open(0)).is_err() && check(&open(MOST_PATHS + 1)).is_err());
        let append = |bytes| Op::Append { path: "/a".into(), text: "x".repeat(bytes) };
        assert!(check(&append(MOST_TEXT)).is_ok() && check(&append(MOST_TEXT + 1)).is_err());
        let spawn = |words: usize, places: usize| {
            let less = Less { hidden: vec!["/a".into(); places], ..Less::default() };
            check(&Op::Spawn { argv: vec!["a".into(); words], chdir: None, less })
        };
        assert!(spawn(MOST_ARGUMENTS, MOST_LESS).is_ok());
        assert!(
            spawn(0, 0).is_err() && spawn(MOST_ARGUMENTS + 1, 0).is_err() && spawn(1, MOST_LESS + 1).is_err()
        );
        let pair = Allowed { action: Action::Read, resource: Resource::Device { name: "clipboard".into() } };
        assert!(check_allowed(&vec![pair.clone(); MOST_ALLOWED]).is_ok());
        assert!(check_allowed(&vec![pair; MOST_ALLOWED + 1]).is_err());
        let text = |count: usize| super::super::words::to_text(vec!["x"; count]).unwrap();
        let beside = |words: usize, variables: usize, chdir: &str| {
            let chdir = super::super::words::to_text([chdir]).unwrap();
            let environment = text(variables).into();
            check(&Op::Transition { program: "/a".into(), argv: text(words), environment, chdir })
        };
        assert!(beside(MOST_WORDS, MOST_WORDS, "/").is_ok());
        assert!(beside(0, 0, "/").is_err() && beside(MOST_WORDS + 1, 0, "/").is_err());
        assert!(beside(1, MOST_WORDS + 1, "/").is_err() && beside(1, 0, "a").is_err());
        for (number, right) in [(libc::SIGTERM, true), (libc::SIGKILL, false), (0, false), (-1, false)] {
            assert_eq!(check(&Op::Signal { call: 0, number }).is_ok(), right, "{number}");
        }
        assert!(check(&Op::Explain { id: "x".repeat(MOST_NAME_BYTES) }).is_ok());
        assert!(
            check(&Op::Explain { id: "x\n".into() }).is_err()
                && check(&Op::Explain { id: String::new() }).is_err()
        );
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(kept("short"), "short");
        let long = "é".repeat(MOST_WHY + 1);
        assert_eq!(kept(&long).chars().count(), MOST_WHY);
    }
}
