//! Uploads: what an agent is about to send to a host it may reach is a question of its own, and a yes is for that one.
//!
//! Never takes a yes to a host for one to an upload, and never lets two uploads live by one yes for once.

use super::Guardian;
use super::decide::Refusal;
use super::desk::{Closed, Key};
use super::request::{Request, Under, Waiter, Wish};
use super::target::{Sent, Target};
use crate::wire::denial::Reason;

impl Guardian {
    /// Role `egress` holds an upload back and asks. `id` names the answer.
    pub(super) fn wish_upload(&mut self, id: u64, sent: Sent, pid: Option<i32>) {
        let (resource, actions) = (sent.resource(), Sent::actions());
        let wish = Wish {
            waiter: Waiter::Upload(id),
            resource,
            actions,
            pid,
            why: None,
            under: Under::default(),
            person: None,
        };
        let place = match self.ceiling.judge_upload(&sent.to, &sent.upload) {
            Ok(place) => place,
            Err(why) => return self.turn_away(&wish, Reason::Ceiling, &why),
        };
        if let Some(lease) = self.leases.covering_upload(&sent, self.now) {
            return self.tell_granted(wish.waiter, lease);
        }
        let key = Key { place, actions, alone: Some(alike(&sent)), one: id };
        if self.goes_on(&wish, &key) {
            self.take_up(&wish, key, sent.resource(), Target::Upload(Box::new(sent)));
        }
    }

    /// The connection is gone: nobody is asked any more.
    pub(super) fn withdraw_upload(&mut self, id: u64) {
        let waits = |request: &Request| request.waiters.contains(&Waiter::Upload(id));
        let found = self.requests.iter().find(|(_, request)| waits(request)).map(|(number, _)| *number);
        if let Some(number) = found {
            let closed = Closed::Withdrawn;
            self.refuse(number, Refusal { closed, ..Refusal::of(Reason::Withdrawn, "") });
        }
    }
}

/// What makes a refusal stand for another upload too: the same request to the same host, with the same kinds in it.
fn alike(sent: &Sent) -> String {
    let mut kinds: Vec<&str> = sent.upload.found.iter().map(|found| found.kind.as_str()).collect();
    kinds.sort_unstable();
    let size = if sent.upload.large { "large" } else { "" };
    format!("{}:{} {} {size} {}", sent.to.name, sent.to.port, sent.upload.request, kinds.join(","))
}
