//! `requests --watch`: every question of every run, printed again after each change.
//!
//! While it runs, each guarded run has a person who looks: its questions wait for an answer.

use super::{Failure, show};
use crate::cli::output;
use crate::guardian::session::{self, AskError, Run, Watch};
use crate::sys::signal;
use crate::wire::consent::Question;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::Duration;

/// How often to look for runs that began since, milliseconds.
const LOOK_AGAIN_MS: i32 = 500;

struct Watched {
    watch: Watch,
    questions: Vec<Question>,
}

/// Goes on until it is ended, or stdout is closed.
pub(super) fn requests(json: bool) -> Result<String, Failure> {
    let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
    let mut shown: Option<String> = None;
    loop {
        for run in &session::list().runs {
            join(&mut watched, run)?;
        }
        watched.retain(|_, run| run.hear());
        let all: Vec<&Question> = watched.values().flat_map(|run| &run.questions).collect();
        // Times in the text go on by themselves: what is compared is the questions.
        let now = super::json_line(&all)?;
        if shown.as_ref() != Some(&now) {
            let text = show::questions(&all, json)?;
            let separator = if json || shown.is_none() { "" } else { "\n" };
            if std::io::Write::write_all(&mut std::io::stdout(), format!("{separator}{text}").as_bytes())
                .is_err()
            {
                return Ok(String::new());
            }
            shown = Some(now);
        }
        let mut waits: Vec<_> =
            watched.values().map(|run| signal::wants_reading(Some(run.watch.as_fd()))).collect();
        signal::poll(&mut waits, LOOK_AGAIN_MS)
            .map_err(|errno| Failure::error(format!("wait for changes: {errno}")))?;
    }
}

fn join(watched: &mut BTreeMap<String, Watched>, run: &Run) -> Result<(), Failure> {
    if !run.state.guarded || watched.contains_key(&run.state.run) {
        return Ok(());
    }
    match session::watch(run) {
        Ok(watch) => {
            let questions = run.state.requests.clone();
            watched.insert(run.state.run.clone(), Watched { watch, questions });
            Ok(())
        }
        Err(AskError::Ended) => Ok(()),
        Err(error) => Err(super::unanswered(run, &error)),
    }
}

impl Watched {
    /// Takes the newest state; `false` when the run is over.
    fn hear(&mut self) -> bool {
        loop {
            match self.watch.next(Duration::ZERO) {
                Ok(Some(state)) => self.questions = state.requests,
                Ok(None) => return true,
                Err(AskError::Ended) => return false,
                Err(error) => {
                    output::complain(&format!("a run that was watched: {error}"), None);
                    return false;
                }
            }
        }
    }
}
