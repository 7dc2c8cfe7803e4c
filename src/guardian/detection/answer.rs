//! What is done about a finding: recorded, told to a person, and answered as the profile says.
//!
//! Never gives more than there was: each action only takes away, and what it took away comes back by a person's word alone.
//! Never touches anything but this run and the agents that it started.

use crate::audit::Event;
use crate::audit::beside::{Alert, Freeze};
use crate::base::WallTime;
use crate::guardian::Guardian;
use crate::guardian::act::freeze;
use crate::guardian::decide::Refusal;
use crate::guardian::desk::Closed;
use crate::profile::DetectAction;
use crate::wire::agents::ToLauncher;
use crate::wire::consent::Show;
use crate::wire::denial::Reason;
use crate::wire::session::AlertState;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Kinds of resources.
const KINDS: [&str; 5] = ["file", "program", "host", "upload", "device"];
/// Alerts that people are shown with the state.
const MOST_SHOWN: usize = 20;
/// Between two looks at a sandbox that signals froze.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Guardian {
    /// The record first, then all that the action is. Each only takes away, so a record that cannot be written holds none up.
    pub(super) fn answer(&mut self, alert: Alert, action: DetectAction) {
        self.detection.alerts += 1;
        let id = format!("{}-a{}", self.short, self.detection.alerts);
        let alert = Alert { alert: id, action: action.word().to_owned(), ..alert };
        if let Err(error) = self.recorder.durably(&Event::Alert(Box::new(alert.clone()))) {
            tracing::warn!("an alert could not be recorded: {error}");
        }
        if action >= DetectAction::Alert {
            self.tell_alert(&alert);
        }
        if self.detection.over || self.detection.resuming {
            return;
        }
        if action >= DetectAction::Ask {
            self.detection.asks.extend(KINDS);
        }
        // What waits for an answer is stopped before it hears that there is none.
        if action == DetectAction::Freeze {
            self.freeze(&alert.rule, false);
        }
        if action >= DetectAction::Tighten {
            self.tighten(&alert.rule);
        }
        if action == DetectAction::Stop {
            self.end_run(&format!("rule {} found something, and the profile says stop", alert.rule));
        }
    }

    fn tell_alert(&mut self, alert: &Alert) {
        let state = AlertState {
            id: alert.alert.clone(),
            rule: alert.rule.clone(),
            title: alert.title.clone(),
            level: alert.level.clone(),
            action: alert.action.clone(),
            count: alert.count,
            at: WallTime::now().unix_seconds(),
        };
        for link in self.ways.values_mut() {
            link.send(&Show::Alert { alert: Box::new(state.clone()) }, None);
        }
        if self.detection.shown.len() >= MOST_SHOWN {
            self.detection.shown.pop_front();
        }
        if self.detection.over && self.summary.alerts.len() < MOST_SHOWN {
            self.summary.alerts.push(state.clone());
        }
        self.detection.shown.push_back(state);
        self.changed = true;
    }

    fn tighten(&mut self, rule: &str) {
        self.detection.tightened.get_or_insert_with(|| rule.to_owned());
        for number in self.requests.keys().copied().collect::<Vec<_>>() {
            let detail = format!("rule {rule} found something");
            // It stands as long as the run is tightened, and no longer.
            let refusal = Refusal { closed: Closed::Withdrawn, ..Refusal::of(Reason::Detection, detail) };
            self.refuse(number, refusal);
        }
        let holding = self.leases.iter().filter(|lease| lease.holds).map(|lease| lease.number);
        for number in holding.collect::<Vec<_>>() {
            self.end_lease(number, "detection", None);
        }
        self.taken_back(None);
    }

    /// Freezes this run and those below. One that cannot be frozen is ended.
    pub(in crate::guardian) fn freeze(&mut self, rule: &str, above: bool) {
        if self.detection.frozen.is_some() {
            return;
        }
        let Some(known) = &self.detection.known else {
            return self.end_run("the run above was frozen, and this one cannot be");
        };
        known.frozen.store(true, Ordering::SeqCst);
        let (what, how, processes) = match freeze::freeze(&self.processes, known.freezer.as_ref()) {
            Ok(frozen) => {
                let told = ("frozen", frozen.how(), frozen.count());
                self.detection.frozen = Some(frozen);
                self.detection.frozen_above = above;
                self.detection.look_at = Some(self.now + LOOK_EVERY);
                told
            }
            Err(why) => {
                self.end_run(&format!(
                    "rule {rule} found something, and the sandbox could not be frozen: {why}"
                ));
                ("failed", "signals", 0)
            }
        };
        self.note_freeze(what, how, rule, processes);
        self.agents.tell_all(&ToLauncher::Freeze { rule: rule.to_owned() });
    }

    /// What was stopped by signals must not go on by itself.
    pub(super) fn look_at_frozen(&mut self) {
        if self.detection.look_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.detection.look_at = Some(self.now + LOOK_EVERY);
        let frozen = self.detection.frozen.as_mut();
        if frozen.is_some_and(|frozen| !freeze::holds(&self.processes, frozen)) {
            self.detection.look_at = None;
            self.note_freeze("failed", "signals", "what was frozen ran on", 0);
            self.end_run("the sandbox was frozen, and something in it ran on");
        }
    }

    fn note_freeze(&mut self, what: &str, how: &str, by: &str, processes: u64) {
        let [what, how, by] = [what, how, by].map(str::to_owned);
        self.recorder.note(&Event::Freeze(Freeze { what, how, by, processes }));
        self.changed = true;
    }

    /// A person says that the run goes on: what runs, requests, and what was said in advance. Leases stay ended, and what was
    /// refused meanwhile can be asked for again.
    pub(in crate::guardian) fn resume(&mut self) -> bool {
        let stopped = self.detection.frozen.is_some() || self.detection.tightened.is_some();
        if !stopped && self.detection.asks.is_empty() {
            return false;
        }
        self.go_on("person");
        self.detection.tightened = None;
        self.detection.asks.clear();
        self.tell_before_resuming();
        true
    }

    /// The run above goes on, and so does this one where that one froze it.
    pub(in crate::guardian) fn resume_below(&mut self) {
        if self.detection.frozen.is_some() && self.detection.frozen_above {
            self.go_on("run above");
        }
    }

    fn go_on(&mut self, by: &str) {
        let frozen = self.detection.frozen.take();
        self.detection.look_at = None;
        let (how, processes) = frozen.as_ref().map_or(("", 0), |frozen| (frozen.how(), frozen.count()));
        // Recorded first: what goes on may end the run at once.
        self.note_freeze("resumed", how, by, processes);
        let (Some(frozen), Some(known)) = (frozen, &self.detection.known) else { return };
        let thawed = freeze::thaw(&self.processes, known.freezer.as_ref(), &frozen);
        known.frozen.store(false, Ordering::SeqCst);
        self.agents.tell_all(&ToLauncher::Resume {});
        if !thawed {
            self.end_run("the sandbox could not be let go on");
        }
    }
}
