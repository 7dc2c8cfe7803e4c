//! `answers.yaml`: what the person answered for good, a line each. The Guardian writes it, the person may take lines out.
//!
//! Never widens anything: an answer stands for what the profile lets an agent ask anyway, under that profile alone.

use super::decode::{At, Decode, Decoder, mapping, words};
use super::destination::Destination;
use super::parse::{MAX_BYTES, parse};
use super::values::{Host, Version};
use super::written_entry::ActionWord;
use crate::base::{Action, HostPath, Source};
use crate::profile::ProfileError;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

mapping! {
    /// Answers given for good.
    AnswersFile, required ["version", "answers"] {
        /// The version of the format: 1.
        version: Version,
        /// The answers, oldest first.
        answers: Vec<At<AnswerKeys>>,
    }
}

mapping! {
    /// One answer.
    AnswerKeys, required ["answer", "profile"] {
        /// What was answered.
        answer: AnswerWord,
        /// The profile it was answered under, as it was named.
        profile: At<String>,
        /// The canonical path on the host, and everything below it.
        path: At<String>,
        /// The actions, for a path.
        actions: At<Vec<ActionWord>>,
        /// The name or address, for a host, in the place of a path.
        host: At<Host>,
        /// The TCP port, for a host.
        port: u16,
        /// When it was answered. For people.
        since: At<String>,
    }
}

words! {
    /// What was answered.
    AnswerWord, "an answer" {
        /// Yes, without asking.
        "always" => Always,
        /// No, without asking.
        "never" => Never,
    }
}

/// One answer that was given for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Yes, or no.
    pub allow: bool,
    /// The profile it was answered under.
    pub profile: String,
    /// What was answered about.
    pub about: Answered,
}

/// What an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// A file or folder.
    Place {
        /// The canonical path on the host, and everything below it.
        path: HostPath,
        /// The actions.
        actions: Vec<Action>,
    },
    /// A host on the way out.
    Host {
        /// The name in lower case, or the address.
        host: String,
        /// The TCP port.
        port: u16,
    },
}

/// Reads the person's answers; none where there is no such file.
/// # Errors
/// Everything that is wrong with it. A file that others may write, or that is another's, is not believed.
pub fn answers(file: &Path) -> Result<Vec<Standing>, Vec<ProfileError>> {
    let name = file.display().to_string();
    let refuse = |message: String| vec![ProfileError::new(Source::line(name.as_str(), 1), message)];
    match read(file) {
        Ok(Some(text)) => of_text(&name, &text),
        Ok(None) => Ok(Vec::new()),
        Err(error) => Err(refuse(format!("cannot be read: {error}"))),
    }
}

fn read(file: &Path) -> io::Result<Option<String>> {
    let opened = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(file);
    let opened = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let about = opened.metadata()?;
    if about.uid() != nix::unistd::geteuid().as_raw() || about.mode() & 0o022 != 0 || !about.is_file() {
        return Err(io::Error::other("it is not the person's own, or others may write it"));
    }
    let mut text = String::new();
    opened.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn of_text(name: &str, text: &str) -> Result<Vec<Standing>, Vec<ProfileError>> {
    let mut decoder = Decoder::new(name);
    let file = AnswersFile::decode(parse(name, text)?, &mut decoder);
    let mut errors = decoder.into_errors();
    let written = file.and_then(|file| file.answers).unwrap_or_default();
    let found = written.into_iter().filter_map(|keys| standing(keys, &mut errors)).collect();
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn standing(keys: At<AnswerKeys>, errors: &mut Vec<ProfileError>) -> Option<Standing> {
    let AnswerKeys { answer, profile, path, actions, host, port, .. } = keys.value;
    let about = match (path, actions, host, port) {
        (Some(path), Some(actions), None, None) => {
            let here = HostPath::new(&path.value);
            let wrong = here.as_ref().err().map(|error| format!("`{}` {error}", path.value));
            errors.extend(wrong.map(|message| ProfileError::new(path.asked, message)));
            let actions = actions.value.into_iter().filter_map(ActionWord::action).collect();
            Answered::Place { path: here.ok()?, actions }
        }
        (None, None, Some(At { value: Host(host), asked }), Some(port)) => match one(&host) {
            Some(host) => Answered::Host { host, port },
            None => {
                errors.push(ProfileError::new(asked, format!("`{host}` is more than one host")));
                return None;
            }
        },
        _ => {
            let hint = "path: /home/u/docs, actions: [read], or host: example.org, port: 443";
            let message = "needs a path with actions, or a host with its port";
            errors.push(ProfileError::new(keys.asked, message).hint(hint));
            return None;
        }
    };
    Some(Standing { allow: answer? == AnswerWord::Always, profile: profile?.value, about })
}

/// A host as it is asked for; `None` for a wildcard or a network, which nobody is asked about.
fn one(host: &Destination) -> Option<String> {
    match host {
        Destination::Name(_) | Destination::Loopback => Some(host.to_string()),
        Destination::Network { address, .. } => {
            Some(address.to_string()).filter(|address| *address == host.to_string())
        }
        Destination::Below(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let text = "version: 1\nanswers:\n  - { answer: never, profile: \"a \\\"b\\\"\", path: \"/x/y\", actions: [read, create], since: \"now\" }\n";
        let found = of_text("answers.yaml", text).unwrap();
        let path = HostPath::new("/x/y").unwrap();
        let about = Answered::Place { path, actions: vec![Action::Read, Action::Create] };
        assert_eq!(found, [Standing { allow: false, profile: "a \"b\"".to_owned(), about }]);
        let text = "version: 1\nanswers:\n  - { answer: always, profile: a, host: b.example, port: 443 }\n  - { answer: never, profile: a, host: \"::1\", port: 80 }\n";
        let host = |allow, host: &str, port| Standing {
            allow,
            profile: "a".to_owned(),
            about: Answered::Host { host: host.to_owned(), port },
        };
        let found = of_text("answers.yaml", text).unwrap();
        assert_eq!(found, [host(true, "b.example", 443), host(false, "::1", 80)]);
    }

    #[test]
    fn a_broken_file_says_where() {
        for (text, line) in [
            ("version: 1\nanswers:\n  - { answer: maybe, profile: a, path: /x, actions: [read] }\n", 3),
            ("version: 1\nanswers:\n\n  - { answer: never, profile: a, path: x, actions: [read] }\n", 4),
            ("version: 1\nanswers:\n  - { answer: never, profile: a, host: b.example }\n", 3),
            (
                "version: 1\nanswers:\n  - { answer: always, profile: a, host: \"*.b.example\", port: 443 }\n",
                3,
            ),
            ("version: 1\nanswers:\n  - { answer: always, profile: a, host: 10.0.0.0/8, port: 443 }\n", 3),
            (
                "version: 1\nanswers:\n  - { answer: never, profile: a, path: /x, actions: [read], host: b.example, port: 1 }\n",
                3,
            ),
            ("version: 2\nanswers: []\n", 1),
        ] {
            let errors = of_text("answers.yaml", text).unwrap_err();
            assert_eq!(errors[0].asked.to_string(), format!("answers.yaml:{line}"), "{errors:?}");
        }
    }
}
