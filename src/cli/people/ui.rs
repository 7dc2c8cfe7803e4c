//! `ui`: the questions, leases and refusals of every run on one screen, with keys to answer.
//!
//! While it runs, each guarded run has a person who looks: its questions wait for an answer.

use super::Failure;
use crate::base::{BootInstant, WallTime};
use crate::consent::board::{Board, Turn};
use crate::consent::ui::Screen;
use crate::guardian::session::{self, ANSWER_WITHIN, Run, Watch};
use crate::wire::session::{Command, Reply, RunState};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the runs are looked at when no key comes.
const LOOK: Duration = Duration::from_millis(200);

struct Watched {
    run: Run,
    watch: Watch,
    state: RunState,
}

/// Shows the screen until the person leaves it.
pub(super) fn run() -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::error(format!("show the screen: {error}"));
    let mut screen = Screen::open().map_err(failed)?;
    let (mut board, mut watched, begun) = (Board::default(), BTreeMap::new(), BootInstant::now());
    loop {
        let now = begun.elapsed();
        look(&mut watched);
        let states: Vec<RunState> = watched.values().map(|run: &Watched| run.state.clone()).collect();
        board.take(&states, now);
        screen.draw(&board, WallTime::now().unix_seconds()).map_err(failed)?;
        let Some(key) = screen.key(LOOK).map_err(failed)? else { continue };
        match board.key(key, begun.elapsed()) {
            Turn::Draw => {}
            Turn::Quit => return Ok(String::new()),
            Turn::Send { run, command } => board.tell(&send(&watched, &run, &command)),
        }
    }
}

/// Joins runs that began, hears what changed, and lets go of those that ended.
fn look(watched: &mut BTreeMap<String, Watched>) {
    for run in session::list().runs {
        if run.state.guarded
            && !watched.contains_key(&run.state.run)
            && let Ok(watch) = session::watch(&run)
        {
            let state = run.state.clone();
            watched.insert(state.run.clone(), Watched { run, watch, state });
        }
    }
    watched.retain(|_, run| {
        loop {
            match run.watch.next(Duration::ZERO) {
                Ok(Some(state)) => run.state = state,
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    });
}

fn send(watched: &BTreeMap<String, Watched>, run: &str, command: &Command) -> String {
    let Some(watched) = watched.get(run) else { return "That run is over.".into() };
    match session::ask(&watched.run, command, ANSWER_WITHIN) {
        Ok(Reply::Done { left, .. }) if left.is_empty() => "Done.".into(),
        Ok(Reply::Done { left, .. }) => format!("Done, but still held: {}", left.join(", ")),
        Ok(Reply::Refused { reason, detail }) => format!("Not done: {}: {detail}", reason.text()),
        Ok(Reply::State { .. } | Reply::Signed { .. }) => "The Guardian gave no clear answer.".into(),
        Err(error) => format!("Not done: {error}"),
    }
}
