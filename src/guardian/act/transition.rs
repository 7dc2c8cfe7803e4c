//! Starting the program of a transition beside this run, and passing signals on to it.
//!
//! The profile's `programs.transitions` is the owner's consent; nobody is asked. What is started, and what it gets less,
//! is the profile's alone: the caller chooses among its lines, and says arguments, variables and a folder.

use super::spawn::Asked;
use crate::guardian::Guardian;
use crate::guardian::above::{Start, What};
use crate::guardian::agents::Caller;
use crate::guardian::request::Waiter;
use crate::guardian::token::Claims;
use crate::wire::broker::Outcome;
use crate::wire::denial::Reason;
use crate::wire::hidden::Hidden;
use crate::wire::words;

impl Guardian {
    /// Starts one; the answers come by [`Guardian::hear_agents`].
    pub(in crate::guardian) fn transition(
        &mut self,
        caller: Caller,
        (program, argv, environment, chdir): (&str, String, Hidden, String),
        (claims, pid): (&Claims, Option<i32>),
    ) {
        let asked = Asked { argv: words::of_text(&argv).unwrap_or_default(), transition: Some(program), pid };
        let what = What::Program { program, environment };
        self.begin(caller, asked, Start { argv, chdir: Some(chdir), what, under: claims });
    }

    /// Passes a signal on to what `started` has started.
    pub(in crate::guardian) fn signal(&mut self, started: Caller, call: u32, number: i32) {
        let Caller { channel, .. } = started;
        match self.agents.signal(started, number) {
            Ok(()) => self.doors.answer(channel, call, Outcome::Done {}, Vec::new()),
            Err(errno) => {
                let detail = format!("nothing that this call started is there: {}", errno.desc());
                self.deny(Waiter::Call { channel, call }, Reason::NotFound, &detail, "signal");
            }
        }
    }
}
