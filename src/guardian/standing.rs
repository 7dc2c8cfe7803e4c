//! Answers given in advance: templates of the profile, and what the person answered for good in an earlier run.
//!
//! A new answer for good becomes a line of the person's own file, where it can be read and taken out. Never read here:
//! who starts the run reads it (`profile::answers`).

use super::Guardian;
use super::ceiling::Actions;
use super::decide::{Approval, Refusal};
use super::desk::Closed;
use super::request::Request;
use super::target::Target;
use crate::base::{HostPath, WallTime};
use crate::profile::{Answered, Standing};
use crate::wire::denial::Reason;
use crate::wire::subject::Scope;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The first lines of a new file.
const HEAD: &str = "# Answers given for good, one a line, newest last. A run reads them when it starts; take a line out to be
# asked again. aisandbox-profile(5) describes them.
version: 1
answers:
";

/// The most bytes of the file; past that nothing is added.
const MOST_BYTES: u64 = 1 << 20;

impl Guardian {
    /// What was answered in advance, if anything was. A no wins over every yes.
    pub(super) fn answered_in_advance(&self, request: &Request) -> Option<Result<Approval, Refusal>> {
        let under = |standing: &&Standing| standing.profile == self.about.answers_under;
        let mut standing = self.standing.iter().filter(under);
        if standing.clone().any(|standing| !standing.allow && meets(&standing.about, request, Part::Any)) {
            return Some(Err(Refusal {
                closed: Closed::Never,
                ..Refusal::of(Reason::Never, "answered for good, in answers.yaml")
            }));
        }
        if standing.any(|standing| standing.allow && meets(&standing.about, request, Part::All)) {
            let approval = Approval { by: "always".to_owned(), scope: Scope::Session {}, shown: None };
            return Some(Ok(approval));
        }
        let path = HostPath::new(&request.target.place()?.object.path).ok()?;
        let program = request.asker.process.sha256.as_deref();
        let template = self.templates.iter().find(|template| {
            template.path.contains(&path)
                && Actions::of(&template.actions).has_all(request.actions)
                && template.sha256.as_deref().is_none_or(|wanted| program == Some(wanted))
                && template.uses != Some(0)
        })?;
        let seconds = template.lease.or(self.ceiling.get(request.place)?.lease).map(|lease| lease.as_secs());
        let scope = seconds.map_or(Scope::Session {}, |seconds| Scope::For { seconds });
        Some(Ok(Approval { by: format!("template {}", template.name), scope, shown: None }))
    }

    /// A template says yes only so many times.
    pub(super) fn spend_template(&mut self, by: &str) {
        let spent = self.templates.iter_mut().find(|template| by == format!("template {}", template.name));
        if let Some(left) = spent.and_then(|template| template.uses.as_mut()) {
            *left = left.saturating_sub(1);
        }
    }

    /// Keeps an answer for good: for the rest of this run at once, for later ones as a line of the person's file.
    pub(super) fn keep_answer(&mut self, number: u64, allow: bool) {
        let Some(request) = self.requests.get(&number) else { return };
        let about = match &request.target {
            Target::Host(host) => Answered::Host { host: host.name.clone(), port: host.port },
            // Each upload sends something else: no answer for good says anything of the next one.
            Target::Upload(_) => return,
            Target::Place(place) => {
                let Ok(path) = HostPath::new(&place.object.path) else { return };
                Answered::Place { path, actions: request.actions.list() }
            }
        };
        let standing = Standing { allow, profile: self.about.answers_under.clone(), about };
        let written = self.answers.as_deref().map(|file| add_line(file, &standing));
        if let Some(Err(error)) = written {
            tracing::warn!("the answer holds for this run only: {error}");
        }
        self.standing.push(standing);
    }
}

/// How much of what a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    All,
}

/// Whether an answer is about this part of what a request wants.
fn meets(about: &Answered, request: &Request, part: Part) -> bool {
    match (about, &request.target) {
        (Answered::Place { path, actions }, Target::Place(place)) => {
            let actions = Actions::of(actions);
            let fits = match part {
                Part::Any => !actions.both(request.actions).is_empty(),
                Part::All => actions.has_all(request.actions),
            };
            fits && HostPath::new(&place.object.path).is_ok_and(|here| path.contains(&here))
        }
        (Answered::Host { host, port }, Target::Host(asked)) => *host == asked.name && *port == asked.port,
        _ => false,
    }
}

/// Adds a line to the file, or makes it: the whole is written beside it and then takes its name.
fn add_line(file: &Path, standing: &Standing) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut text = match fs::symlink_metadata(file) {
        Ok(about) if about.len() > MOST_BYTES => return Err(io::ErrorKind::FileTooLarge.into()),
        Ok(about) if about.is_file() => fs::read_to_string(file)?,
        Ok(_) => return Err(io::Error::other("answers.yaml is no file, and is not followed")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(error),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&line(standing)?);
    let beside = folder.join(format!(".answers.yaml.{}", std::process::id()));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {} // what a run of this number left, or a link somebody placed
    }
    let mut new = File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(&beside, file)?;
    File::open(folder)?.sync_all()
}

/// JSON strings are YAML strings, and cannot begin anything else.
fn line(standing: &Standing) -> io::Result<String> {
    let about = match &standing.about {
        Answered::Place { path, actions } => {
            let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
            let path = path.as_path().to_str().ok_or(io::ErrorKind::InvalidData)?;
            format!("path: {}, actions: [{}]", serde_json::to_string(path)?, words.join(", "))
        }
        Answered::Host { host, port } => format!("host: {}, port: {port}", serde_json::to_string(host)?),
    };
    Ok(format!(
        "  - {{ answer: {}, profile: {}, {about}, since: \"{}\" }}\n",
        if standing.allow { "always" } else { "never" },
        serde_json::to_string(&standing.profile)?,
        WallTime::now()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::subject::Action;

    #[test]
    fn an_answer_for_good_is_one_visible_line() {
        let folder = std::env::temp_dir().join(format!("aisandbox-answers-{}", std::process::id()));
        let file = folder.join("deep/answers.yaml");
        let path = HostPath::new("/home/u/a \"b\"\n- x: y").unwrap();
        let actions = vec![Action::Read, Action::Create];
        let about = Answered::Place { path, actions };
        let standing = Standing { allow: false, profile: "cowork".to_owned(), about };
        for _ in 0..2 {
            add_line(&file, &standing).unwrap();
        }
        let text = fs::read_to_string(&file).unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert!(text.starts_with(HEAD) && text.lines().count() == HEAD.lines().count() + 2, "{text}");
        let line = text.lines().last().unwrap();
        assert!(
            line.starts_with(
                "  - { answer: never, profile: \"cowork\", path: \"/home/u/a \\\"b\\\"\\n- x: y\""
            )
        );
        assert!(line.contains("actions: [read, create], since: \""), "{line}");
    }

    #[test]
    fn a_host_is_a_line_too_whatever_its_name_holds() {
        let about = Answered::Host { host: "a\" }\n- b".to_owned(), port: 443 };
        let written = line(&Standing { allow: true, profile: "cowork".to_owned(), about }).unwrap();
        assert!(
            written.starts_with(
                "  - { answer: always, profile: \"cowork\", host: \"a\\\" }\\n- b\", port: 443, since: \""
            ),
            "{written}"
        );
    }

    #[test]
    fn a_link_or_pipe_in_the_place_of_the_file_is_not_followed_and_never_waited_for() {
        let folder = std::env::temp_dir().join(format!("aisandbox-answers-link-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let (file, other) = (folder.join("answers.yaml"), folder.join("other"));
        fs::write(&other, "kept").unwrap();
        let path = HostPath::new("/x").unwrap();
        let actions = vec![Action::Read];
        let about = Answered::Place { path, actions };
        let standing = Standing { allow: true, profile: "p".to_owned(), about };
        let beside = folder.join(format!(".answers.yaml.{}", std::process::id()));
        std::os::unix::fs::symlink(&other, &beside).unwrap();
        add_line(&file, &standing).unwrap();
        assert!(fs::symlink_metadata(&file).unwrap().is_file());
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(&other, &file).unwrap();
        assert!(add_line(&file, &standing).is_err());
        fs::remove_file(&file).unwrap();
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(add_line(&file, &standing).is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        fs::remove_dir_all(folder).unwrap();
    }
}
