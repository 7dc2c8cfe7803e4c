//! What becomes known of a connection, and the events about it. They go to the Guardian by a queue that never waits;
//! what is too much for it is counted and told as a number.

use super::bucket::Bucket;
use super::meter::Meter;
use super::peek::Seen;
use super::race::{First, race};
use super::reason::Denied;
use crate::wire::denial::Reason;
use crate::wire::egress::{Event, FromEgress, Kind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

/// Events that wait for the Guardian at one time.
const MOST_EVENTS: usize = 4096;
/// Questions that wait to be put.
const MOST_QUESTIONS: usize = 512;
/// Events of a kind in a second, and at once.
const RATE: u64 = 500;
const BURST: u64 = 4000;
/// The most bytes of one text of the agent's in an event.
const MOST_TEXT: usize = 256;

/// What is told in place of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// What of it says nothing.
    pub host: String,
    /// It held a secret or a decoy.
    pub alert: bool,
}

/// Where events and questions go.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    events: mpsc::Sender<FromEgress>,
    questions: mpsc::Sender<FromEgress>,
    omitted: Arc<AtomicU64>,
    /// One for each kind, so that many of one hide none of another.
    rates: Arc<Mutex<Vec<(Kind, Bucket)>>>,
}

/// What goes to the Guardian; questions first.
#[derive(Debug)]
pub(super) struct Outgoing {
    events: mpsc::Receiver<FromEgress>,
    questions: mpsc::Receiver<FromEgress>,
}

impl Outgoing {
    /// The next one; `None` when nobody is left who could say anything.
    pub(super) async fn next(&mut self) -> Option<FromEgress> {
        match race(self.questions.recv(), self.events.recv()).await {
            First::Left(message) | First::Right(message) => message,
        }
    }
}

impl Outbox {
    /// A queue, and the end that is read.
    pub(super) fn new() -> (Self, Outgoing) {
        let (events, from_events) = mpsc::channel(MOST_EVENTS);
        let (questions, from_questions) = mpsc::channel(MOST_QUESTIONS);
        let outbox = Self { events, questions, omitted: Arc::default(), rates: Arc::default() };
        (outbox, Outgoing { events: from_events, questions: from_questions })
    }

    /// Tells an event of this kind, or counts it; only one that is told is made.
    pub(super) fn event(&self, kind: Kind, make: impl FnOnce() -> Event) {
        let told = self.fits(kind)
            && match self.events.try_reserve() {
                Ok(place) => {
                    place.send(FromEgress::Event { event: Box::new(make()) });
                    true
                }
                Err(_) => false,
            };
        if !told {
            self.omit();
        }
    }

    fn fits(&self, kind: Kind) -> bool {
        let now = Instant::now();
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bucket)) = rates.iter_mut().find(|(of, _)| *of == kind) {
            return bucket.take_one(now);
        }
        rates.push((kind, Bucket::full(RATE, BURST, now)));
        true
    }

    /// Puts a question.
    /// # Errors
    /// When too many wait.
    pub(super) fn ask(&self, question: FromEgress) -> Result<(), Denied> {
        self.questions.try_send(question).map_err(|_| Denied::because(Reason::RateLimit.id()))
    }

    /// One was not told.
    pub(super) fn omit(&self) {
        self.omitted.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were not told since this was asked last.
    pub(super) fn omitted(&self) -> u64 {
        self.omitted.swap(0, Ordering::Relaxed)
    }
}

/// Tells what happens to one connection.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    known: Arc<Mutex<Event>>,
    meter: Option<Meter>,
    began: Instant,
    outbox: Outbox,
}

impl Teller {
    /// For connection `flow` to `host` and `port`.
    pub(super) fn new(outbox: Outbox, flow: u64, host: &str, port: u16) -> Self {
        let known = Arc::new(Mutex::new(Event { flow, host: cut(host), port, ..blank() }));
        Self { known, meter: None, began: Instant::now(), outbox }
    }

    /// The same with the counts of this meter.
    pub(super) fn with(self, meter: Meter) -> Self {
        Self { meter: Some(meter), ..self }
    }

    /// Keeps what became known; every later event has it.
    pub(super) fn note(&self, note: impl FnOnce(&mut Event)) {
        note(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Keeps what a connection begins with.
    pub(super) fn seen(&self, seen: &Seen) {
        self.note(|event| {
            seen.word().clone_into(&mut event.protocol);
            if let Seen::Tls(hello) = seen {
                event.sni.clone_from(&hello.sni);
                event.alpn = hello.alpn.iter().map(|protocol| cut_bytes(protocol)).collect();
                event.ech = hello.ech;
            }
        });
    }

    /// Tells a refusal.
    pub(super) fn denied(&self, denied: &Denied) {
        self.event(if denied.alert { Kind::Alert } else { Kind::Denied }, |event| {
            event.reason = Some(denied.reason.to_owned());
            if denied.rule.is_some() {
                event.rule.clone_from(&denied.rule);
            }
        });
    }

    /// The same, with this in place of a name that must not be told.
    pub(super) fn denied_as(&self, denied: &Denied, shown: Option<Shown>) {
        let Some(Shown { host, alert }) = shown else { return self.denied(denied) };
        self.note(|event| (event.host, event.sni) = (host, None));
        self.denied(&Denied { alert, ..denied.clone() });
    }

    /// Tells an event: what is known, the counts so far, and what `more` adds for this one.
    pub(super) fn event(&self, kind: Kind, more: impl FnOnce(&mut Event)) {
        self.outbox.event(kind, || {
            let mut event = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
            event.kind = kind;
            if let Some(meter) = &self.meter {
                (event.sent, event.received, event.requests, event.delay_ms) = meter.so_far();
            }
            event.took_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            more(&mut event);
            event
        });
    }
}

/// Text of the agent's for an event: cut, and what is no UTF-8 replaced.
pub(super) fn cut_bytes(text: &[u8]) -> String {
    cut(&String::from_utf8_lossy(text.get(..MOST_TEXT).unwrap_or(text)))
}

/// Text of the agent's for an event, cut.
pub(super) fn cut(text: &str) -> String {
    let end = (0..=MOST_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

/// An event of which nothing is known.
pub(super) fn blank() -> Event {
    Event {
        kind: Kind::Denied,
        flow: 0,
        host: String::new(),
        port: 0,
        address: None,
        protocol: "other".to_owned(),
        sni: None,
        alpn: Vec::new(),
        ech: false,
        process: None,
        rule: None,
        grant: None,
        reason: None,
        sent: 0,
        received: 0,
        requests: 0,
        request: None,
        status: None,
        findings: Vec::new(),
        delay_ms: 0,
        took_ms: 0,
        count: 0,
    }
}
