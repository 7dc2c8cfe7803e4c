//! What rules find in the events of the run: when it is told, and what was not looked at. What is done about it is in
//! `answer`.
//!
//! Never believes more of role `detect` than which rule found something, where and how often: what the rule is called and
//! what is done about it was settled before the agent started. One alert a minute for each rule; what comes meanwhile is
//! counted.

mod answer;

use super::Guardian;
use super::act::freeze::Frozen;
use crate::audit::beside::Alert;
use crate::audit::log::Fed;
use crate::profile::DetectAction;
use crate::role::Role;
use crate::sys::signal;
use crate::wire::detect::{Found, RuleName};
use crate::wire::session::AlertState;
use crate::wire::subject::Resource;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A rule alerts once in this time.
const ONCE_IN: Duration = Duration::from_secs(60);
/// How long events may lie at the role before it is given up. It computes for microseconds; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the role may take at the end of the run for what it was handed until then.
const AT_END: Duration = Duration::from_secs(2);
/// The most facts of a finding, and the most letters of each.
const MOST_FACTS: usize = 6;
const MOST_LETTERS: usize = 160;

/// What the launcher knows of it.
#[derive(Debug)]
pub struct Detection {
    /// The rules that tell, as the role numbers them, with what is done about their findings.
    pub rules: Vec<(RuleName, DetectAction)>,
    /// What is done when rules cannot be asked any more.
    pub lost: DetectAction,
    /// How much the role was handed.
    pub fed: Arc<Fed>,
    /// The file that freezes the sandbox's cgroup, where it has one.
    pub freezer: Option<OwnedFd>,
    /// Tells the launcher that a stopped agent was stopped by us.
    pub frozen: Arc<AtomicBool>,
}

/// What the Guardian keeps of it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    known: Option<Detection>,
    rules: BTreeMap<u32, Told>,
    alerts: u64,
    /// Newest last.
    shown: VecDeque<AlertState>,
    looked: u64,
    missed: u64,
    /// When people were told last that events were missed.
    missed_at: Option<Duration>,
    /// Events lie at the role since.
    since: Option<Duration>,
    /// Kinds of which the next request goes to a person.
    asks: BTreeSet<&'static str>,
    /// The rule that ended all leases.
    tightened: Option<String>,
    frozen: Option<Frozen>,
    /// It was the run above that froze this one.
    frozen_above: bool,
    /// When a frozen sandbox is looked at next.
    look_at: Option<Duration>,
    /// The sandbox has ended: what is found is told, and nothing else is left to do.
    over: bool,
    /// A person just let the run go on: the same for what was found before.
    resuming: bool,
}

/// What was told of a rule.
#[derive(Debug)]
struct Told {
    at: Duration,
    /// What was found since, and not told yet.
    waiting: Option<Found>,
}

/// The kind of a resource.
pub(super) fn kind(resource: &Resource) -> &'static str {
    match resource {
        Resource::File { .. } => "file",
        Resource::Program { .. } => "program",
        Resource::Host { .. } => "host",
        Resource::Upload { .. } => "upload",
        Resource::Device { .. } => "device",
    }
}

impl Watch {
    pub(super) fn new(known: Option<Detection>) -> Self {
        Self { known, ..Self::default() }
    }

    /// The alerts that people are shown, newest last.
    pub(super) fn shown(&self) -> Vec<AlertState> {
        self.shown.iter().cloned().collect()
    }

    /// By what the sandbox is frozen.
    pub(super) fn frozen(&self) -> Option<String> {
        self.frozen.as_ref().map(|frozen| frozen.how().to_owned())
    }

    /// The rule for which nothing more is granted.
    pub(super) fn tightened(&self) -> Option<&str> {
        self.tightened.as_deref()
    }

    /// Whether a request of this kind goes to a person, whatever was said in advance.
    pub(super) fn asks(&self, kind: &str) -> bool {
        self.asks.contains(kind)
    }

    /// A person said yes to one of this kind.
    pub(super) fn asked(&mut self, kind: &str) {
        self.asks.remove(kind);
    }

    /// Events the role was handed and has not looked at.
    fn behind(&self) -> u64 {
        let handed = self.known.as_ref().map_or(0, |known| known.fed.handed.load(Ordering::Relaxed));
        handed.saturating_sub(self.looked)
    }

    /// When something is to be done.
    pub(super) fn due(&self) -> Option<Duration> {
        let waiting = self.rules.values().filter(|told| told.waiting.is_some());
        let told = waiting.map(|told| told.at + ONCE_IN).min();
        [told, self.since.map(|since| since + PATIENCE), self.look_at].into_iter().flatten().min()
    }
}

impl Guardian {
    /// The role looked at events.
    pub(super) fn looked(&mut self, events: u64, found: Vec<Found>) {
        self.detection.looked = self.detection.looked.saturating_add(events);
        self.detection.since = None;
        for found in found {
            self.found(found);
        }
    }

    fn found(&mut self, found: Found) {
        let (number, now) = (found.rule, self.now);
        if self.detection.known.as_ref().is_none_or(|known| known.rules.len() <= number as usize) {
            return;
        }
        match self.detection.rules.get_mut(&number) {
            Some(told) if now.saturating_sub(told.at) < ONCE_IN => match &mut told.waiting {
                Some(waiting) => {
                    waiting.count = waiting.count.saturating_add(found.count);
                    waiting.last = found.last;
                }
                None => told.waiting = Some(found),
            },
            _ => {
                self.detection.rules.insert(number, Told { at: now, waiting: None });
                self.alert(found);
            }
        }
    }

    /// What is due: findings that were counted, a frozen sandbox, and a role that does not look any more.
    pub(super) fn detection_due(&mut self) {
        self.tell_counted();
        self.tell_missed();
        self.look_at_frozen();
        if self.roles.detect.is_none() || self.detection.behind() == 0 {
            self.detection.since = None;
        } else if self.now.saturating_sub(*self.detection.since.get_or_insert(self.now)) >= PATIENCE {
            let gone = self.roles.give_up_detect();
            self.heard(gone);
        }
    }

    /// The sandbox has ended. What the role was handed is looked at, if that does not take long; the rest is counted.
    pub(super) fn end_detection(&mut self) {
        self.detection.over = true;
        self.detection.look_at = None;
        if self.roles.detect.is_some() {
            self.recorder.wait_for_all();
        }
        let until = Instant::now() + AT_END;
        while self.detection.behind() > 0
            && let Some(link) = &self.roles.detect
        {
            let left = i32::try_from(until.saturating_duration_since(Instant::now()).as_millis());
            let mut waits = [signal::wants_reading(Some(link.descriptor()))];
            if signal::poll(&mut waits, left.unwrap_or(0)).is_err() || waits[0].revents == 0 {
                break;
            }
            self.hear_role(Role::Detect);
        }
        self.tell_counted();
        self.tell_missed();
        self.roles.end_detect();
    }

    /// Findings of rules whose minute is over.
    fn tell_counted(&mut self) {
        let (now, end) = (self.now, self.detection.over || self.detection.resuming);
        let mut waiting = Vec::new();
        for told in self.detection.rules.values_mut() {
            if end || told.at + ONCE_IN <= now {
                waiting.extend(told.waiting.take().inspect(|_| told.at = now));
            }
        }
        waiting.into_iter().for_each(|found| self.alert(found));
    }

    /// A person lets the run go on: what was found before that, and only counted, is told and stops nothing.
    fn tell_before_resuming(&mut self) {
        self.detection.resuming = true;
        self.tell_counted();
        self.detection.resuming = false;
    }

    /// Events that found no room on their way to the role; at the end also those that it did not come to.
    fn tell_missed(&mut self) {
        let Some(known) = &self.detection.known else { return };
        let end = self.detection.over;
        let behind = if end { self.detection.behind() } else { 0 };
        let missed = known.fed.missed.load(Ordering::Relaxed) + behind;
        let told = self.detection.missed_at.is_some_and(|at| self.now.saturating_sub(at) < ONCE_IN);
        // That the role is gone was told, and that nothing is looked at from there on.
        if missed > self.detection.missed && (end || !told && self.roles.detect.is_some()) {
            self.detection.missed_at = Some(self.now);
            let more = missed - std::mem::replace(&mut self.detection.missed, missed);
            self.not_looked_at(&format!("{more} events were not looked at"));
        }
    }

    /// The role is gone.
    pub(super) fn detection_lost(&mut self) {
        self.not_looked_at("role detect is gone; what happens from here on is not looked at");
    }

    fn not_looked_at(&mut self, title: &str) {
        let Some(action) = self.detection.known.as_ref().map(|known| known.lost) else { return };
        let alert = Alert {
            rule: Alert::LOST.to_owned(),
            title: title.to_owned(),
            level: "high".to_owned(),
            count: 1,
            ..Alert::default()
        };
        self.answer(alert, action);
    }

    fn alert(&mut self, found: Found) {
        let known = self.detection.known.as_ref().and_then(|known| known.rules.get(found.rule as usize));
        let Some((rule, action)) = known.map(|(rule, action)| (rule.clone(), *action)) else { return };
        let about = found.about.into_iter().take(MOST_FACTS);
        let alert = Alert {
            rule: rule.name,
            rule_id: rule.id,
            title: rule.title,
            level: rule.level,
            about: about.map(|fact| (cut(&fact.field), cut(&fact.value))).collect(),
            first: found.first,
            last: found.last,
            count: found.count,
            ..Alert::default()
        };
        self.answer(alert, action);
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_LETTERS).collect()
}
