//! The rules of a guarded run: role `detect` is started when the profile names some, and has every one of them before the
//! agent starts.
//!
//! Never starts a run with rules that could not be read, or of which there is no record.

use super::record;
use super::roles::failed;
use crate::audit::log::Feed;
use crate::audit::{Event, SharedLog};
use crate::base::RunId;
use crate::detect::{Level, RuleFile, folder, shipped};
use crate::guardian::detection::Detection;
use crate::guardian::introduce::{answer, tell};
use crate::launch::Running;
use crate::profile::{self, DetectAction, SHIPPED};
use crate::role::{self, Role, Started};
use crate::wire::detect::{FromDetect, RuleName, ToDetect};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// How long the role may take to read the rules: expressions are compiled meanwhile, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The role, with rules that it makes ready.
#[derive(Debug)]
pub(super) struct Early {
    role: Started,
    loaded: Vec<(String, Vec<u8>)>,
}

impl Early {
    /// Starts the role and tells it the rules: it makes them ready while the sandbox is planned and made. `None` without
    /// rules.
    pub(super) fn begin(wish: &profile::Detection, run: RunId) -> Result<Option<Self>, String> {
        if wish.rules.is_empty() {
            return Ok(None);
        }
        let files = files(wish)?;
        let role = role::start(Role::Detect).map_err(failed("start role detect"))?;
        let loaded = loaded(&files);
        for RuleFile { name, text, .. } in files {
            tell(role.socket.as_fd(), &ToDetect::Rules { name, text }, None)?;
        }
        tell(role.socket.as_fd(), &ToDetect::Begin { run: run.to_string() }, None)?;
        Ok(Some(Self { role, loaded }))
    }

    /// Waits until the rules are ready, records them and lets the log feed the role.
    pub(super) fn serve(
        self,
        wish: &profile::Detection,
        log: &SharedLog,
        running: &mut Running,
    ) -> Result<(Started, Detection), String> {
        let Self { role, loaded } = self;
        let (rules, events) = match answer(role.socket.as_fd(), "detect", PATIENCE)? {
            FromDetect::Ready { rules, events } => (rules, events),
            FromDetect::Wrong { error } => return Err(error),
            FromDetect::Looked { .. } => return Err("role detect answers what nobody asked".to_owned()),
        };
        for (name, bytes) in loaded {
            let event = Event::PolicyLoaded(record::of_bytes("detection-rules", &name, &bytes));
            log.append(&event).map_err(|error| format!("no record, no run: {error}"))?;
        }
        let rules = actions(wish, rules)?;
        let socket = role.socket.try_clone().map_err(|error| format!("hold a role's socket: {error}"))?;
        let feed = Feed::start(socket, events.into_iter().collect())
            .map_err(|error| format!("feed role detect: {error}"))?;
        let fed = feed.fed();
        log.watch(feed).map_err(|error| format!("feed role detect: {error}"))?;
        let (freezer, frozen) = running.freezing();
        Ok((role, Detection { rules, lost: wish.when_lost(), fed, freezer, frozen }))
    }
}

fn files(wish: &profile::Detection) -> Result<Vec<RuleFile>, String> {
    let mut files = Vec::new();
    for place in &wish.rules {
        let found = if place.value == SHIPPED { Ok(shipped()) } else { folder(Path::new(&place.value)) };
        files.extend(found.map_err(|why| format!("{why} ({})", place.asked))?);
    }
    Ok(files)
}

/// What is recorded of them: each file, and what is built in as one, in the order of the names.
fn loaded(files: &[RuleFile]) -> Vec<(String, Vec<u8>)> {
    let (built_in, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.embedded);
    let shipped: Vec<u8> = built_in.iter().flat_map(|file| file.text.bytes()).collect();
    let shipped = (!built_in.is_empty()).then(|| (SHIPPED.to_owned(), shipped));
    let others = others.into_iter().map(|file| (file.name.clone(), file.text.clone().into_bytes()));
    shipped.into_iter().chain(others).collect()
}

/// What is done for each rule. An action for what is no rule and no level was meant for something.
fn actions(wish: &profile::Detection, rules: Vec<RuleName>) -> Result<Vec<(RuleName, DetectAction)>, String> {
    for (name, _) in &wish.actions {
        let known = Level::of(&name.value).is_some() || rules.iter().any(|rule| rule.name == name.value);
        if !known {
            return Err(format!(
                "detection.actions: no rule and no level is called {} ({})",
                name.value, name.asked
            ));
        }
    }
    let with_action = |rule: RuleName| {
        let action = wish.action(&rule.name, &rule.level);
        (rule, action)
    };
    Ok(rules.into_iter().map(with_action).collect())
}
