//! `mcp`: inside a sandbox, a server of the Model Context Protocol on stdin and stdout, so that an agent can ask with the
//! tools it has anyway.
//!
//! Never decides, and never holds one call back for another. Written by hand: the official package would bring an
//! asynchronous runtime and about sixty packages into what runs inside a sandbox.

mod rpc;
mod server;
mod tools;

use super::broker::{Broker, Heard, refused_for_its_token};
use super::output::{complain, print};
use super::request::Answer;
use crate::base::BootInstant;
use crate::sys::{Errno, fd, signal};
use crate::wire::broker::{Op, Outcome};
use crate::wire::hidden::Hidden;
use rpc::Lines;
use serde_json::Value;
use server::{Server, Turn};
use std::os::fd::AsFd;
use std::time::Duration;

/// Serves until stdin ends; gives the exit code.
pub(super) fn run() -> u8 {
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let conversation = Conversation {
        server: Server::new(here),
        lines: Lines::default(),
        guardian: None,
        asked: Vec::new(),
    };
    match conversation.serve() {
        Ok(()) => 0,
        Err(Stop::Errno(errno)) => {
            complain(&format!("mcp: {}", errno.desc()), None);
            125
        }
        Err(Stop::Output) => 125,
    }
}

/// Why it ends before stdin does.
enum Stop {
    /// A call of the system failed.
    Errno(Errno),
    /// Nobody reads stdout.
    Output,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

struct Conversation {
    server: Server,
    lines: Lines,
    guardian: Option<Broker>,
    /// Calls that wait.
    asked: Vec<Asked>,
}

/// A call that waits for its answer.
struct Asked {
    /// Its number on the channel.
    call: u32,
    /// Its ticket in the conversation.
    ticket: u64,
    /// The token it was made under, and what it is, while it can be repeated.
    again: Option<(Hidden, Op)>,
}

impl Conversation {
    fn serve(mut self) -> Result<(), Stop> {
        let input = std::io::stdin();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let (typed, heard) = self.wait(input.as_fd())?;
            for line in self.server.expire() {
                say(&line)?;
            }
            if heard {
                self.hear()?;
            }
            if typed {
                let length = fd::read(input.as_fd(), &mut buffer)?;
                if length == 0 {
                    return Ok(());
                }
                self.take(buffer.get(..length).unwrap_or_default())?;
            }
        }
    }

    /// Waits for the client, the Guardian, or the end of a call's patience.
    fn wait(&self, input: std::os::fd::BorrowedFd<'_>) -> Result<(bool, bool), Errno> {
        let begun = BootInstant::now();
        let left = self.server.patience();
        let guardian = self.guardian.as_ref().map(Broker::descriptor);
        let mut waits = [signal::wants_reading(Some(input)), signal::wants_reading(guardian)];
        let timeout = left.map_or(-1, |left| {
            let left = left.saturating_sub(begun.elapsed()) + Duration::from_millis(1);
            i32::try_from(left.as_millis()).unwrap_or(i32::MAX)
        });
        signal::poll(&mut waits, timeout)?;
        let [typed, heard] = waits;
        Ok((typed.revents != 0, heard.revents != 0))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        for message in self.lines.take(bytes) {
            for turn in self.server.take(message) {
                match turn {
                    Turn::Say(line) => say(&line)?,
                    Turn::Ask(ticket, op) => self.ask(ticket, op)?,
                }
            }
        }
        Ok(())
    }

    /// A channel that failed is of no use any more: the next call opens another.
    fn ask(&mut self, ticket: u64, op: Op) -> Result<(), Stop> {
        let opened = match &mut self.guardian {
            Some(guardian) => Ok(guardian),
            none => Broker::connect().map(|guardian| none.insert(guardian)),
        };
        let sent = opened.and_then(|guardian| {
            let used = Hidden::from(guardian.end().token());
            Ok((guardian.send(op.clone())?, Some((used, op))))
        });
        match sent {
            Ok((call, again)) => self.asked.push(Asked { call, ticket, again }),
            Err(error) => {
                let answer = Answer::nobody(&error.to_string());
                if let Some(line) = self.server.answered(ticket, &answer) {
                    say(&line)?;
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self) -> Result<(), Stop> {
        let Some(guardian) = &mut self.guardian else { return Ok(()) };
        let answer = match guardian.hear() {
            Ok(Heard::Answer(answer, _)) => answer,
            Ok(Heard::Event(_)) => return Ok(()),
            Err(error) => {
                self.guardian = None;
                self.asked.clear();
                return self.server.nobody(&error.to_string()).iter().try_for_each(say);
            }
        };
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.call == answer.id) else { return Ok(()) };
        let ticket = asked.ticket;
        // The token was over, or a person took something back: the new one came before this refusal.
        if refused_for_its_token(&answer.result)
            && let Some((used, op)) = asked.again.take()
            && *used != *guardian.end().token()
            && let Ok(call) = guardian.send(op)
        {
            asked.call = call;
            return Ok(());
        }
        if let Outcome::Pending { request, .. } = answer.result {
            self.server.pending(ticket, request);
            return Ok(());
        }
        self.asked.retain(|asked| asked.call != answer.id);
        self.server.answered(ticket, &Answer::of(&answer.result)).iter().try_for_each(say)
    }
}

/// One line to the client.
fn say(line: &Value) -> Result<(), Stop> {
    if print(&format!("{line}\n")) == 0 { Ok(()) } else { Err(Stop::Output) }
}
