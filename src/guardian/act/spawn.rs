//! Starting an agent beside this one, with less, and telling its caller what becomes of it.
//!
//! The profile's `agents` is the owner's consent; nobody is asked. Never starts one under a token that lists less than the
//! run may have: what is started would have more than that token.

use crate::audit::event::Command;
use crate::audit::{Event, access, new_run_id};
use crate::guardian::agents::{Caller, News};
use crate::guardian::request::Waiter;
use crate::guardian::token::{Claims, MOST_DEPTH, TokenError};
use crate::guardian::{Guardian, record};
use crate::wire::broker::{Less, Outcome};
use crate::wire::denial::Reason;

impl Guardian {
    /// Starts one; the answers come by [`Guardian::hear_agents`].
    pub(in crate::guardian) fn spawn(
        &mut self,
        caller: Caller,
        (argv, chdir): (Vec<String>, Option<String>),
        less: &Less,
        (claims, pid): (&Claims, Option<i32>),
    ) {
        let waiter = Waiter::Call { channel: caller.channel, call: caller.call };
        if !self.allowed.iter().all(|pair| claims.allows(pair.action, &pair.resource)) {
            return self.deny(waiter, Reason::Token, "an attenuated token starts no agent", "spawn");
        }
        if claims.depth >= MOST_DEPTH {
            return self.deny(waiter, Reason::Token, &TokenError::TooDeep.to_string(), "spawn");
        }
        let Ok(run) = new_run_id() else {
            return self.deny(waiter, Reason::Unavailable, "there are no random bytes", "spawn");
        };
        let asker = pid.map(|pid| self.processes.asker(pid)).unwrap_or_default();
        let start = access::AgentStart {
            run: run.to_string(),
            command: Command::of(&argv),
            who: record::who(&asker),
        };
        if let Err((reason, why)) = self.agents.may_start() {
            return self.deny(waiter, reason, &why, "spawn");
        }
        if let Err(error) = self.recorder.durably(&Event::AgentStart(Box::new(start))) {
            return self.deny(waiter, Reason::NoRecord, &error.to_string(), "spawn");
        }
        if let Err((reason, why)) = self.agents.start(run, caller, (argv, chdir), (less, claims), self.now) {
            self.deny(waiter, reason, &why, "spawn");
        }
    }

    /// What became of those that were started.
    pub(in crate::guardian) fn hear_agents(&mut self) {
        for news in self.agents.hear(self.now) {
            match news {
                News::Started(Caller { channel, call }, run, streams) => {
                    self.doors.answer(channel, call, Outcome::Spawned { run: run.to_string() }, streams);
                }
                News::Failed(Caller { channel, call }, why) => {
                    self.deny(Waiter::Call { channel, call }, Reason::Unavailable, &why, "spawn");
                }
                News::Ended(Caller { channel, call }, _, code) => {
                    self.doors.answer(channel, call, Outcome::Ended { code }, Vec::new());
                }
            }
        }
    }
}
