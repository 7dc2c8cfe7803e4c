//! `answers.yaml`: what the person answered for good, a line each. The Guardian writes it, the person may take lines out.
//!
//! Never widens anything: an answer stands for what the profile lets an agent ask anyway, under that profile alone.

use super::decode::{At, Decode, Decoder, mapping, words};
use super::parse::{MAX_BYTES, parse};
use super::values::Version;
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
    AnswerKeys, required ["answer", "profile", "path", "actions"] {
        /// What was answered.
        answer: AnswerWord,
        /// The profile it was answered under, as it was named.
        profile: At<String>,
        /// The canonical path on the host, and everything below it.
        path: At<String>,
        /// The actions.
        actions: At<Vec<ActionWord>>,
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
    /// The canonical path on the host, and everything below it.
    pub path: HostPath,
    /// The actions.
    pub actions: Vec<Action>,
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
    let AnswerKeys { answer, profile, path, actions, .. } = keys.value;
    let (answer, profile, path, actions) = (answer?, profile?, path?, actions?);
    let here = HostPath::new(&path.value);
    let wrong = here.as_ref().err().map(|error| format!("`{}` {error}", path.value));
    errors.extend(wrong.map(|message| ProfileError::new(path.asked, message)));
    Some(Standing {
        allow: answer == AnswerWord::Always,
        profile: profile.value,
        path: here.ok()?,
        actions: actions.value.into_iter().filter_map(ActionWord::action).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let text = "version: 1\nanswers:\n  - { answer: never, profile: \"a \\\"b\\\"\", path: \"/x/y\", actions: [read, create], since: \"now\" }\n";
        let found = of_text("answers.yaml", text).unwrap();
        let path = HostPath::new("/x/y").unwrap();
        let actions = vec![Action::Read, Action::Create];
        assert_eq!(found, [Standing { allow: false, profile: "a \"b\"".to_owned(), path, actions }]);
    }

    #[test]
    fn a_broken_file_says_where() {
        for (text, line) in [
            ("version: 1\nanswers:\n  - { answer: maybe, profile: a, path: /x, actions: [read] }\n", 3),
            ("version: 1\nanswers:\n\n  - { answer: never, profile: a, path: x, actions: [read] }\n", 4),
            ("version: 2\nanswers: []\n", 1),
        ] {
            let errors = of_text("answers.yaml", text).unwrap_err();
            assert_eq!(errors[0].asked.to_string(), format!("answers.yaml:{line}"), "{errors:?}");
        }
    }
}
