//! Programs that are asked for: what role `reputation` knows of them comes before the policy and the person.
//!
//! Only narrows: a good answer is no yes. What is bad, and what there is no answer about, nobody is asked for.

use super::Guardian;
use super::ceiling::Actions;
use super::decide::Refusal;
use super::request::Stage;
use crate::audit::{Event, KnownGood, access};
use crate::wire::denial::Reason;
use crate::wire::reputation::Standing;
use crate::wire::subject::Action;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// What is known of the one who knows programs.
#[derive(Debug)]
pub struct Reputation {
    /// Who is asked, in words.
    pub by: String,
    /// Good answers of before.
    pub known: Option<KnownGood>,
    /// How long one answer may take, with what the role takes itself.
    pub patience: Duration,
    /// What is not known is refused; otherwise it is for the policy and the person.
    pub refuse_unknown: bool,
}

impl Guardian {
    /// The first that is asked about a request.
    pub(super) fn ask_reputation(&mut self, number: u64) {
        let Some(request) = self.requests.get_mut(&number) else { return };
        let execute = Actions::of(&[Action::Execute]);
        let Some(reputation) = self.reputation.as_ref().filter(|_| request.actions.has_all(execute)) else {
            return self.ask_policy(number);
        };
        let reads = [Action::Read, Action::Execute];
        let (actions, Some(place)) = (request.actions, request.target.place_mut()) else {
            return self.ask_policy(number);
        };
        if place.object.kind != "file" || actions.list().iter().any(|action| !reads.contains(action)) {
            let why = "`programs.reputation` knows contents: one file can be asked for, to read and execute";
            return self.refuse(number, Refusal::of(Reason::Policy, why));
        }
        let file = File::open(format!("/proc/self/fd/{}", place.pinned.as_raw_fd())).ok();
        let Some(digest) = file.and_then(|file| self.processes.digest(&file)) else {
            return self.refuse(number, Refusal::of(Reason::Policy, "the program cannot be read"));
        };
        place.object.sha256 = Some(digest.clone());
        let (path, size) = (place.object.path.clone(), place.object.size.unwrap_or(0));
        request.stage = Stage::Reputation;
        if reputation.known.as_ref().is_some_and(|known| known.has(&digest)) {
            return self.known(number, "cache".to_owned(), Standing::Good, String::new());
        }
        if !self.roles.ask_reputation(number, (digest, path, size), reputation.patience, self.now) {
            self.known(number, "role".to_owned(), Standing::Failed, "role reputation is gone".to_owned());
        }
    }

    /// Its answer.
    pub(super) fn reputed(&mut self, number: u64, standing: Standing, reason: String) {
        let by = self.reputation.as_ref().map_or_else(String::new, |reputation| reputation.by.clone());
        self.known(number, by, standing, reason);
    }

    fn known(&mut self, number: u64, by: String, standing: Standing, reason: String) {
        let Some(request) =
            self.requests.get_mut(&number).filter(|request| request.stage == Stage::Reputation)
        else {
            return;
        };
        request.stage = Stage::Policy;
        let object = request.target.place().map(|place| &place.object);
        let sha256 = object.and_then(|object| object.sha256.clone());
        let fresh = by != "cache" && standing == Standing::Good;
        let detail = format!("its reputation is: {} {reason}", standing.word());
        self.recorder.note(&Event::ProgramCheck(access::ProgramCheck {
            request: Some(request.id.clone()),
            path: object.map(|object| object.path.clone()).unwrap_or_default(),
            sha256: sha256.clone(),
            by,
            answer: standing.word().to_owned(),
            reason,
        }));
        let reputation = self.reputation.as_ref();
        let known = reputation.and_then(|reputation| reputation.known.as_ref()).filter(|_| fresh);
        if let (Some(known), Some(digest)) = (known, &sha256) {
            known.add(digest);
        }
        let refuse_unknown = reputation.is_none_or(|reputation| reputation.refuse_unknown);
        match standing {
            Standing::Good => self.ask_policy(number),
            Standing::Unknown if !refuse_unknown => self.ask_policy(number),
            _ => self.refuse(
                number,
                Refusal { by: Some("reputation".into()), ..Refusal::of(Reason::Policy, detail) },
            ),
        }
    }
}
