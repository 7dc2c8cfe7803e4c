//! Questions of the Guardian within the launcher's own loop: while one is on the screen, the agent's terminal waits.
//!
//! Never answers one itself: `ask` does what the person's keys say.

use super::ask::Ask;
use super::parent::Running;
use super::relay::Relay;
use std::os::fd::OwnedFd;

impl Running {
    /// From now on asks the person on the terminal what comes through this end of a pair of message sockets (`Show` of
    /// `wire::consent`); answers go back (`Shown`).
    pub fn asks_through(&mut self, socket: OwnedFd) {
        self.ask = Some(Ask::new(socket));
    }

    /// A question is on the screen.
    pub(super) fn asks(&self) -> bool {
        self.ask.as_ref().is_some_and(Ask::is_on_screen)
    }

    /// Does what can be done, and what had to wait for the end of a question.
    pub(super) fn serve_questions(&mut self, waits: [libc::pollfd; 2]) {
        if let Some(ask) = &mut self.ask {
            ask.serve(waits, self.relay.as_mut());
        }
        if self.asks() {
            return;
        }
        if let Some(signal) = self.stopped_meanwhile.take() {
            self.stop_with_agent(signal);
        }
        self.relay.iter_mut().filter(|relay| relay.lacks_keys()).for_each(Relay::resume);
    }

    /// What is on the screen is a no, and the screen is put back before this returns.
    pub(super) fn give_up_questions(&mut self) {
        self.ask.iter_mut().for_each(|ask| ask.give_up(self.relay.as_mut()));
    }
}
