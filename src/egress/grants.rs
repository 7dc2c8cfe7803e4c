//! What a person allowed while the run goes on, the connections that live by it, and the questions that wait.
//!
//! Never takes silence for a yes, and never lets a connection outlive its grant.

use super::place::Place;
use super::reason::{self, Denied};
use crate::wire::denial::Reason;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};

/// Questions that wait at one time.
const MOST_QUESTIONS: usize = 64;
/// Connections that wait for one question.
const MOST_WAITING: usize = 64;
/// Grants that hold at one time.
const MOST_GRANTS: usize = 1024;

/// The answer to a question: the grant.
type Answer = Result<String, &'static str>;

/// Grants, and who lives by them.
#[derive(Debug, Default)]
pub(super) struct Grants(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    grants: HashMap<String, (Place, u16)>,
    live: HashMap<u64, Live>,
    questions: HashMap<u64, Question>,
    last: u64,
}

#[derive(Debug)]
struct Live {
    grant: Option<String>,
    place: Place,
    port: u16,
    over: watch::Sender<bool>,
    /// Grants that what it sends goes out by.
    uploads: Vec<String>,
}

#[derive(Debug)]
struct Question {
    place: Place,
    port: u16,
    /// About one upload of this connection; nobody else waits for the same.
    upload: Option<u64>,
    waiting: Vec<oneshot::Sender<Answer>>,
}

/// A question that was put, or joined.
#[derive(Debug)]
pub(super) struct Put {
    /// It is new: the Guardian is to be told under this number.
    pub new: Option<u64>,
    /// Gets the answer.
    pub answer: oneshot::Receiver<Answer>,
}

/// A connection in the list; it leaves it when this is dropped.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    grants: &'a Grants,
    flow: u64,
    /// True once it must end at once.
    pub over: watch::Receiver<bool>,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.grants.inside().live.remove(&self.flow);
    }
}

impl Grants {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A grant that holds for this place.
    pub(super) fn holding(&self, place: &Place, port: u16) -> Option<String> {
        let inside = self.inside();
        let fits = |(for_place, for_port): &(Place, u16)| for_place == place && *for_port == port;
        inside.grants.iter().find(|(_, what)| fits(what)).map(|(grant, _)| grant.clone())
    }

    /// A grant begins.
    pub(super) fn begin(&self, grant: String, place: Place, port: u16) {
        let mut inside = self.inside();
        if inside.grants.len() < MOST_GRANTS {
            inside.grants.insert(grant, (place, port));
        }
    }

    /// A grant is over, and its connections with it.
    pub(super) fn end(&self, grant: &str) {
        let mut inside = self.inside();
        inside.grants.remove(grant);
        let lives = |live: &&Live| {
            live.grant.as_deref() == Some(grant) || live.uploads.iter().any(|upload| upload == grant)
        };
        for live in inside.live.values().filter(lives) {
            live.over.send_replace(true);
        }
    }

    /// Ends every connection to a place that may not be any more.
    pub(super) fn end_where(&self, denied: impl Fn(&Place, u16) -> bool) {
        for live in self.inside().live.values().filter(|live| denied(&live.place, live.port)) {
            live.over.send_replace(true);
        }
    }

    /// Lists a connection.
    /// # Errors
    /// When the grant it lives by is over already.
    pub(super) fn list(
        &self,
        flow: u64,
        grant: Option<String>,
        place: &Place,
        port: u16,
    ) -> Result<Listed<'_>, Denied> {
        let (over, end) = watch::channel(false);
        let mut inside = self.inside();
        if grant.as_ref().is_some_and(|grant| !inside.grants.contains_key(grant)) {
            return Err(Denied::because(reason::REVOKED));
        }
        inside.live.insert(flow, Live { grant, place: place.clone(), port, over, uploads: Vec::new() });
        Ok(Listed { grants: self, flow, over: end })
    }

    /// Puts a question, or joins the one that waits for the same. One about an upload of a connection waits alone.
    /// # Errors
    /// When too many wait.
    pub(super) fn put(&self, place: &Place, port: u16, upload: Option<u64>) -> Result<Put, Denied> {
        let (sender, answer) = oneshot::channel();
        let mut inside = self.inside();
        let same = |question: &&mut Question| {
            upload.is_none() && question.upload.is_none() && question.place == *place && question.port == port
        };
        if let Some(question) = inside.questions.values_mut().find(same) {
            if question.waiting.len() >= MOST_WAITING {
                return Err(Denied::because(Reason::RateLimit.id()));
            }
            question.waiting.push(sender);
            return Ok(Put { new: None, answer });
        }
        if inside.questions.len() >= MOST_QUESTIONS {
            return Err(Denied::because(Reason::RateLimit.id()));
        }
        inside.last += 1;
        let id = inside.last;
        inside.questions.insert(id, Question { place: place.clone(), port, upload, waiting: vec![sender] });
        Ok(Put { new: Some(id), answer })
    }

    /// The Guardian answered. A grant that it did not tell before, or that is for something else, is no yes.
    pub(super) fn answer(&self, id: u64, grant: Option<String>, why: Option<&str>) {
        let mut inside = self.inside();
        // An upload is another question.
        let found = inside.questions.remove(&id).filter(|question| question.upload.is_none());
        let Some(question) = found else { return };
        let fits = |what: Option<&(Place, u16)>| {
            what.is_some_and(|(place, port)| *place == question.place && *port == question.port)
        };
        let answer = match grant {
            Some(grant) if fits(inside.grants.get(&grant)) => Ok(grant),
            _ => Err(stable(why)),
        };
        for waiting in question.waiting {
            // One that went away in the meantime does not want it any more.
            drop(waiting.send(answer.clone()));
        }
    }
}

/// The most grants that uploads of one connection are remembered by; the oldest has long gone out.
const MOST_UPLOADS: usize = 16;

impl Grants {
    /// The Guardian answered about an upload.
    pub(super) fn answer_upload(&self, id: u64, grant: Option<String>, why: Option<&str>) {
        let mut inside = self.inside();
        let found = inside.questions.remove(&id).and_then(|question| Some((question.upload?, question)));
        let Some((flow, question)) = found else { return };
        if let (Some(grant), Some(live)) = (&grant, inside.live.get_mut(&flow)) {
            if live.uploads.len() >= MOST_UPLOADS {
                live.uploads.remove(0);
            }
            live.uploads.push(grant.clone());
        }
        let answer = grant.ok_or_else(|| stable(why));
        for waiting in question.waiting {
            // One that went away in the meantime does not want it any more.
            drop(waiting.send(answer.clone()));
        }
    }

    /// Nobody waits for this answer any more. Whether there was none yet.
    pub(super) fn withdraw(&self, id: u64) -> bool {
        self.inside().questions.remove(&id).is_some()
    }
}

/// The Guardian's word, when it is one of those that are known.
fn stable(why: Option<&str>) -> &'static str {
    let known = |why: &str| Reason::ALL.iter().map(|reason| reason.id()).find(|id| *id == why);
    why.and_then(known).unwrap_or(reason::REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place::of_text(name).unwrap()
    }

    #[test]
    fn those_who_want_the_same_wait_for_one_question() {
        let grants = Grants::default();
        let mut first = grants.put(&place("a.org"), 443, None).unwrap();
        let mut second = grants.put(&place("a.org"), 443, None).unwrap();
        let other = grants.put(&place("a.org"), 80, None).unwrap();
        let mut upload = grants.put(&place("a.org"), 443, Some(7)).unwrap();
        assert_eq!((first.new, second.new, other.new, upload.new), (Some(1), None, Some(2), Some(3)));
        grants.begin("g".to_owned(), place("a.org"), 443);
        grants.answer(1, Some("g".to_owned()), None);
        assert_eq!(first.answer.try_recv(), Ok(Ok("g".to_owned())));
        assert_eq!(second.answer.try_recv(), Ok(Ok("g".to_owned())));
        grants.answer(3, Some("g".to_owned()), None);
        assert!(upload.answer.try_recv().is_err(), "a yes to a host is none to an upload");
    }

    #[test]
    fn an_upload_has_an_answer_of_its_own_and_ends_with_its_grant() {
        let grants = Grants::default();
        let live = grants.list(7, None, &place("a.org"), 443).unwrap();
        let put = || grants.put(&place("a.org"), 443, Some(7)).unwrap();
        let (mut one, mut two, three) = (put(), put(), put());
        grants.answer_upload(one.new.unwrap(), Some("u".to_owned()), None);
        assert_eq!(one.answer.try_recv(), Ok(Ok("u".to_owned())));
        grants.answer_upload(two.new.unwrap(), None, Some("withdrawn"));
        assert_eq!(two.answer.try_recv(), Ok(Err("withdrawn")));
        let id = three.new.unwrap();
        assert!(grants.withdraw(id) && !grants.withdraw(id));
        let host = grants.put(&place("b.org"), 443, None).unwrap().new.unwrap();
        grants.answer_upload(host, Some("u".to_owned()), None);
        assert!(!*live.over.borrow());
        grants.end("u");
        assert!(*live.over.borrow(), "what goes out by it ends");
    }

    #[test]
    fn an_answer_that_fits_no_grant_is_no_yes() {
        let grants = Grants::default();
        grants.begin("g".to_owned(), place("b.org"), 443);
        for (grant, why, wanted) in [
            (None, Some("timeout"), "timeout"),
            (None, Some("\u{1b}[31m"), reason::REFUSED),
            (Some("g"), None, reason::REFUSED),
            (Some("unknown"), None, reason::REFUSED),
        ] {
            let mut put = grants.put(&place("a.org"), 443, None).unwrap();
            grants.answer(put.new.unwrap(), grant.map(str::to_owned), why);
            assert_eq!(put.answer.try_recv(), Ok(Err(wanted)));
        }
    }

    #[test]
    fn the_end_of_a_grant_is_the_end_of_its_connections_and_of_no_other() {
        let grants = Grants::default();
        grants.begin("g".to_owned(), place("a.org"), 443);
        let by_grant = grants.list(1, Some("g".to_owned()), &place("a.org"), 443).unwrap();
        let by_rule = grants.list(2, None, &place("a.org"), 443).unwrap();
        assert_eq!(grants.holding(&place("a.org"), 443).as_deref(), Some("g"));
        grants.end("g");
        assert!(*by_grant.over.borrow() && !*by_rule.over.borrow());
        assert_eq!(grants.holding(&place("a.org"), 443), None);
        assert!(grants.list(3, Some("g".to_owned()), &place("a.org"), 443).is_err(), "too late");
        grants.end_where(|place, port| place.to_string() == "a.org" && port == 443);
        assert!(*by_rule.over.borrow());
    }

    #[test]
    fn questions_have_an_end() {
        let grants = Grants::default();
        let put = |n: usize| grants.put(&place(&format!("n{n}.org")), 443, None);
        let waiting: Vec<Put> = (0..MOST_QUESTIONS).map(|n| put(n).unwrap()).collect();
        assert_eq!(put(MOST_QUESTIONS).unwrap_err().reason, "rate-limit");
        assert!((1..MOST_WAITING).all(|_| put(0).is_ok()) && put(0).is_err());
        drop(waiting);
    }
}
