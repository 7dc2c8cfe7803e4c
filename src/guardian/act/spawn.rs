//! Starting an agent beside this one, with less, and telling its caller what becomes of it.
//!
//! The profile's `agents` is the owner's consent; nobody is asked. Never starts one under a token that lists less than the
//! run may have: what is started would have more than that token.

use crate::audit::event::Command;
use crate::audit::{Event, access, new_run_id};
use crate::guardian::above::{Start, What};
use crate::guardian::agents::{Caller, News};
use crate::guardian::request::Waiter;
use crate::guardian::token::{Claims, MOST_DEPTH, TokenError};
use crate::guardian::{Guardian, record};
use crate::wire::broker::{Less, Outcome};
use crate::wire::denial::Reason;
use crate::wire::words;
use std::ffi::OsString;

/// Who asks for what, for the record.
pub(super) struct Asked<'a> {
    pub(super) argv: Vec<OsString>,
    pub(super) transition: Option<&'a str>,
    pub(super) pid: Option<i32>,
}

impl<'a> Asked<'a> {
    /// What a refusal names.
    fn word(&self) -> &'a str {
        self.transition.unwrap_or("spawn")
    }
}

impl Guardian {
    /// Starts one; the answers come by [`Guardian::hear_agents`].
    pub(in crate::guardian) fn spawn(
        &mut self,
        caller: Caller,
        (argv, chdir): (Vec<String>, Option<String>),
        less: &Less,
        (claims, pid): (&Claims, Option<i32>),
    ) {
        let (Some(words), Ok(chdir)) =
            (words::to_text(&argv), chdir.map(|folder| words::to_text([folder]).ok_or(())).transpose())
        else {
            let waiter = Waiter::Call { channel: caller.channel, call: caller.call };
            return self.deny(waiter, Reason::Protocol, "a word holds a zero byte", "spawn");
        };
        let asked = Asked { argv: argv.into_iter().map(Into::into).collect(), transition: None, pid };
        self.begin(caller, asked, Start { argv: words, chdir, what: What::Agent(less), under: claims });
    }

    /// Starts an agent, or the program of a transition.
    pub(super) fn begin(&mut self, caller: Caller, asked: Asked<'_>, start: Start<'_>) {
        let waiter = Waiter::Call { channel: caller.channel, call: caller.call };
        if !self.allowed.iter().all(|pair| start.under.allows(pair.action, &pair.resource)) {
            return self.deny(waiter, Reason::Token, "an attenuated token starts no agent", asked.word());
        }
        if start.under.depth >= MOST_DEPTH {
            return self.deny(waiter, Reason::Token, &TokenError::TooDeep.to_string(), asked.word());
        }
        let Ok(run) = new_run_id() else {
            return self.deny(waiter, Reason::Unavailable, "there are no random bytes", asked.word());
        };
        let asker = asked.pid.map(|pid| self.processes.asker(pid)).unwrap_or_default();
        let event = access::AgentStart {
            run: run.to_string(),
            command: Command::of(&asked.argv),
            transition: asked.transition.map(str::to_owned),
            who: record::who(&asker),
            token: Some(start.under.id.to_string()),
        };
        if let Err((reason, why)) = self.agents.may_start(&start.what) {
            return self.deny(waiter, reason, &why, asked.word());
        }
        if let Err(error) = self.recorder.durably(&Event::AgentStart(Box::new(event))) {
            return self.deny(waiter, Reason::NoRecord, &error.to_string(), asked.word());
        }
        if let Err((reason, why)) = self.agents.start(run, caller, start, self.now) {
            self.deny(waiter, reason, &why, asked.word());
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
