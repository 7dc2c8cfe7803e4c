//! Batches to the other side: tried again until they arrive, taken apart where something in them is refused.
//!
//! Never drops a message without telling the other side which, and never gives up but when it is told to.

use super::message::{Form, Message};
use super::tries::{GaveUp, Tries};
use super::{Deliver, Refused, Trouble};
use crate::audit::export::Context;
use crate::audit::{Forwarded, Gap};
use crate::base::escape;

/// The longest reason of a refusal that is told on.
const MOST_WHY: usize = 500;

/// The way to the other side.
pub(super) struct Push<'a> {
    name: String,
    way: Box<dyn Deliver>,
    pub(super) tries: Tries<'a>,
}

impl<'a> Push<'a> {
    pub(super) fn new(name: &str, way: Box<dyn Deliver>, tries: Tries<'a>) -> Self {
        Self { name: name.to_owned(), way, tries }
    }

    /// What a message is.
    pub(super) fn form(&self) -> Form {
        self.way.form()
    }

    /// Sends a batch, however long it takes.
    /// # Errors
    /// When it is over.
    pub(super) fn all(&mut self, mut rest: Vec<Message>) -> Result<(), GaveUp> {
        let mut at_once = usize::MAX;
        while !rest.is_empty() {
            let mut part: Vec<Message> = rest.drain(..at_once.min(rest.len())).collect();
            let count = part.len();
            let ended = self.way.deliver(&mut part);
            let gone = (count - part.len()) as u64;
            match ended {
                Ok(refused) => {
                    self.tries.report.standing.sent += gone.saturating_sub(refused.len() as u64);
                    at_once = usize::MAX;
                    if part.is_empty() {
                        self.tries.works();
                    } else {
                        self.tries.wait("it took only a part", None)?;
                    }
                    refused.into_iter().try_for_each(|one| self.refused(one, &mut part))?;
                }
                Err(Trouble::Refused { why }) if count == 1 => {
                    let message = part.pop().map(|message| Refused { message, why });
                    message.into_iter().try_for_each(|one| self.refused(one, &mut part))?;
                }
                Err(Trouble::Refused { .. }) => at_once = (count / 2).max(1),
                Err(Trouble::Later { why, after }) => {
                    self.tries.report.standing.sent += gone;
                    self.tries.wait(&why, after)?;
                }
            }
            part.append(&mut rest);
            rest = part;
        }
        Ok(())
    }

    /// An event that the other side does not take is a gap, which it is told in its place. If it does not take even that,
    /// it takes nothing.
    fn refused(&mut self, Refused { message, why }: Refused, part: &mut Vec<Message>) -> Result<(), GaveUp> {
        let why: String = escape(why.as_bytes()).chars().take(MOST_WHY).collect();
        if message.own {
            self.tries.wait(&format!("it refuses all that it gets: {why}"), None)?;
            part.insert(0, message);
            return Ok(());
        }
        self.tries.report.standing.refused += 1;
        self.tries.report.tell(&format!("it does not take event {}: {why}", message.id));
        let run = message.id.split(':').next().unwrap_or_default();
        let (from, to) = (message.index, Some(message.index + 1));
        let gap = Gap { sink: self.name.clone(), from, to, root: None, why: format!("refused: {why}") };
        match Message::own(run, &Forwarded::Gap(gap), &Context::new(run), self.way.form()) {
            Ok(gap) => part.insert(0, gap),
            Err(error) => self.tries.wait(&error.to_string(), None)?,
        }
        Ok(())
    }
}
