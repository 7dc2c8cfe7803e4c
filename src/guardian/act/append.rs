//! Appending: the Guardian itself adds a text to the end of a file of a lease, so nothing that is there can be changed.

use super::open::{open, reason};
use crate::guardian::Guardian;
use crate::guardian::record::Through;
use crate::guardian::request::Waiter;
use crate::guardian::token::Claims;
use crate::sys::fd;
use crate::wire::broker::Outcome;
use crate::wire::denial::Reason;
use crate::wire::subject::Action;
use std::os::fd::AsFd;

impl Guardian {
    /// `append`: in one write(2), to what the lease pinned.
    pub(in crate::guardian) fn append(
        &mut self,
        channel: u64,
        call: u32,
        path: &str,
        text: &str,
        claims: &Claims,
    ) {
        let waiter = Waiter::Call { channel, call };
        let (number, inner) = match self.lease_for(path, Action::Append, claims) {
            Ok(found) => found,
            Err(denial) => {
                return self.doors.answer(channel, call, Outcome::Denied { denial: *denial }, Vec::new());
            }
        };
        let Some(lease) = self.leases.get_mut(number) else { return };
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if lease.bytes_left.is_some_and(|left| left < bytes) {
            return self.deny(waiter, Reason::Revoked, "the lease has fewer bytes left", path);
        }
        let wrote = open(lease, &inner, Action::Append)
            .and_then(|file| fd::write_all(file.as_fd(), text.as_bytes()).map_err(reason));
        if let Err(reason) = wrote {
            return self.deny(waiter, reason, reason.text(), path);
        }
        let spent = lease.spend_bytes(bytes) | lease.spend_use();
        let through = Through { token: Some(claims.id.to_string()), ..Through::of(lease) };
        self.recorder.transfer(through, Some(path), Action::Append, (0, bytes), 0);
        self.doors.answer(channel, call, Outcome::Done {}, Vec::new());
        if spent {
            self.end_lease(number, "used", None);
        }
    }
}
