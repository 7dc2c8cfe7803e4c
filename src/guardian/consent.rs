//! Questions that wait for a person, and the ways to reach one. Answers are taken by id and nonce; the first one counts.
//!
//! Never takes silence for a yes, and never shows a way more than one question at a time. What is sent is given back
//! to the caller; nothing is written here.

use crate::wire::consent::{Question, Show};
use std::time::Duration;

/// What a way to ask is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The controlling terminal.
    Terminal,
    /// A desktop notification.
    Notification,
    /// An `aisandbox ui` that watches.
    Ui,
}

impl Kind {
    /// Its word in profiles and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Notification => "notification",
            Self::Ui => "ui",
        }
    }

    /// Many may show one question at the same time; of the others, one asks a person.
    fn is_shared(self) -> bool {
        self == Self::Ui
    }
}

/// Names a way while it exists.
pub type WayId = u64;

#[derive(Debug)]
struct Way {
    id: WayId,
    kind: Kind,
    showing: Option<u64>,
}

#[derive(Debug)]
struct Waiting {
    request: u64,
    question: Question,
    nonce: String,
    until: Duration,
    unable: Vec<WayId>,
    seen_at: Option<Duration>,
}

/// All that waits, oldest first.
#[derive(Debug)]
pub struct Consent {
    /// The profile's ways, in order.
    order: Vec<Kind>,
    ways: Vec<Way>,
    waiting: Vec<Waiting>,
}

/// A person's answer found its question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The request.
    pub request: u64,
    /// How long it was on a screen.
    pub shown: Option<Duration>,
}

/// To whom a message goes.
pub type Send = (WayId, Show);

impl Consent {
    /// With the profile's ways, in order.
    pub fn new(order: Vec<Kind>) -> Self {
        Self { order, ways: Vec::new(), waiting: Vec::new() }
    }

    /// A way is there now.
    pub fn attach(&mut self, id: WayId, kind: Kind) {
        self.ways.push(Way { id, kind, showing: None });
    }

    /// A way is gone; what it showed goes to the next.
    pub fn detach(&mut self, id: WayId) {
        self.ways.retain(|way| way.id != id);
    }

    /// Takes a question. Whether a person could be reached at all.
    pub fn ask(&mut self, request: u64, question: Question, nonce: String, until: Duration) -> bool {
        let item = Waiting { request, question, nonce, until, unable: Vec::new(), seen_at: None };
        let reachable = self.is_reachable(&item);
        if reachable {
            self.waiting.push(item);
        }
        reachable
    }

    /// With `ui` in the profile a question waits for whoever looks (`requests`, `approve`, `ui`); otherwise a way must
    /// be left that has not said that it cannot.
    fn is_reachable(&self, item: &Waiting) -> bool {
        self.order.contains(&Kind::Ui) || self.next_way(item).is_some()
    }

    /// The first way of the profile's order that is there and has not said that it cannot.
    fn next_way(&self, item: &Waiting) -> Option<&Way> {
        let able =
            |kind: Kind| self.ways.iter().find(move |way| way.kind == kind && !item.unable.contains(&way.id));
        self.order.iter().filter(|kind| !kind.is_shared()).find_map(|kind| able(*kind))
    }

    /// What to show now, on each way that shows nothing.
    pub fn next_shows(&mut self) -> Vec<Send> {
        let mut sends = Vec::new();
        for place in 0..self.waiting.len() {
            let Some(item) = self.waiting.get(place) else { break };
            let chosen = self.next_way(item).map(|way| way.id);
            let (request, unable) = (item.request, item.unable.clone());
            let ask = Show::Ask { question: Box::new(item.question.clone()), nonce: item.nonce.clone() };
            for way in &mut self.ways {
                let may = way.kind.is_shared() || Some(way.id) == chosen;
                if may && way.showing.is_none() && !unable.contains(&way.id) {
                    way.showing = Some(request);
                    sends.push((way.id, ask.clone()));
                }
            }
        }
        sends
    }

    /// A way says that the question is on its screen.
    pub fn visible(&mut self, way: WayId, id: &str, now: Duration) {
        let showing = self.ways.iter().find(|known| known.id == way).and_then(|known| known.showing);
        let item =
            self.waiting.iter_mut().find(|item| item.question.id == id && Some(item.request) == showing);
        if let Some(item) = item {
            item.seen_at = item.seen_at.or(Some(now));
        }
    }

    /// A way says that it cannot show the question. Gives the request when nobody is left to ask.
    pub fn unable(&mut self, way: WayId, id: &str) -> Option<u64> {
        let known = self.ways.iter_mut().find(|known| known.id == way)?;
        let showing = known.showing.take()?;
        let item = self.waiting.iter_mut().find(|item| item.request == showing && item.question.id == id)?;
        item.unable.push(way);
        let request = item.request;
        self.waiting.iter().find(|item| item.request == request).filter(|item| !self.is_reachable(item))?;
        Some(request)
    }

    /// A way gives an answer: it must show that question, and know its nonce. `None`: it is nobody's answer.
    pub fn answer(&mut self, way: WayId, id: &str, nonce: &str, now: Duration) -> Option<(Heard, Kind)> {
        let known = self.ways.iter().find(|known| known.id == way)?;
        let (kind, showing) = (known.kind, known.showing?);
        let item = self.waiting.iter().find(|item| item.request == showing && item.question.id == id)?;
        // The nonce is no secret from anybody who could answer; it tells an answer to an older question apart.
        if item.nonce != nonce {
            return None;
        }
        Some((self.heard(item, now), kind))
    }

    /// A person answers by the question's id, from another terminal.
    pub fn answer_by_id(&self, id: &str, now: Duration) -> Option<Heard> {
        self.waiting.iter().find(|item| item.question.id == id).map(|item| self.heard(item, now))
    }

    fn heard(&self, item: &Waiting, now: Duration) -> Heard {
        Heard { request: item.request, shown: item.seen_at.map(|seen| now.saturating_sub(seen)) }
    }

    /// The agent says why, after it was asked. What is on a screen goes, and comes again with the words: who was about
    /// to answer answers to what stands there.
    pub fn explain(&mut self, request: u64, why: String, nonce: String) -> Vec<Send> {
        let Some(item) = self.waiting.iter_mut().find(|item| item.request == request) else {
            return Vec::new();
        };
        (item.question.why, item.nonce, item.seen_at) = (Some(why), nonce, None);
        let id = item.question.id.clone();
        self.withdraw(request, &id)
    }

    fn withdraw(&mut self, request: u64, id: &str) -> Vec<Send> {
        let showing = self.ways.iter_mut().filter(|way| way.showing == Some(request));
        showing
            .map(|way| {
                way.showing = None;
                (way.id, Show::Withdraw { id: id.to_owned() })
            })
            .collect()
    }

    /// The question is over, by whatever way: it goes from every screen.
    pub fn close(&mut self, request: u64) -> Vec<Send> {
        let Some(place) = self.waiting.iter().position(|item| item.request == request) else {
            return Vec::new();
        };
        let id = self.waiting.remove(place).question.id;
        self.withdraw(request, &id)
    }

    /// Questions nobody can be reached for any more.
    pub fn unreachable(&self) -> Vec<u64> {
        self.waiting.iter().filter(|item| !self.is_reachable(item)).map(|item| item.request).collect()
    }

    /// Questions whose time is over.
    pub fn overdue(&self, now: Duration) -> Vec<u64> {
        self.waiting.iter().filter(|item| item.until <= now).map(|item| item.request).collect()
    }

    /// When the next one's time is over.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.waiting.iter().map(|item| item.until).min()
    }

    /// The questions, oldest first.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.waiting.iter().map(|item| &item.question)
    }
}
