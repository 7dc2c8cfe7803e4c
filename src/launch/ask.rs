//! Questions on the person's terminal: the Guardian's side is a socket, the person's side `/dev/tty`.
//!
//! The main thread alone draws, while the relay holds the agent's output and keys. Never waits: everything here is a
//! step between two polls. Never takes a key that was typed before the question was on the screen.

use super::relay::Relay;
use super::shown::Shown;
use crate::base::{BootInstant, WallTime};
use crate::consent::prompt::{self, Prompt, Step};
use crate::consent::text::alert_text;
use crate::sys::{Errno, fd, file, random, signal, socket, terminal};
use crate::wire::codec;
use crate::wire::consent::{Answer, Question, Show, Shown as Said};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How often the screen is drawn anew and the foreground looked at.
const TICK_MS: i32 = 250;
/// Questions that wait behind the one on the screen.
const MOST_WAITING: usize = 5;
/// Codes that are not used again.
const REMEMBERED_CODES: usize = 16;
/// How long the last bytes may take when the run ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Asks on the terminal what comes through a socket.
pub(super) struct Ask {
    socket: Option<OwnedFd>,
    waiting: VecDeque<(Question, String)>,
    open: Option<Open>,
    /// What is told when no question is on the screen.
    alerts: VecDeque<String>,
    codes: VecDeque<String>,
    begun: BootInstant,
}

/// The question on the screen.
struct Open {
    prompt: Prompt,
    nonce: String,
    tty: OwnedFd,
    before: nix::sys::termios::Termios,
    to_screen: Vec<u8>,
    /// What is drawn, to draw it only when it changes.
    drawn: String,
    /// Answered or withdrawn: only the screen is left to put back.
    over: bool,
}

impl Ask {
    /// Questions come through this end of a pair of SOCK_SEQPACKET sockets, answers go back.
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket: Some(socket),
            waiting: VecDeque::new(),
            open: None,
            alerts: VecDeque::new(),
            codes: VecDeque::new(),
            begun: BootInstant::now(),
        }
    }

    /// A question is on the screen, or the screen is being put back.
    pub(super) fn is_on_screen(&self) -> bool {
        self.open.is_some()
    }

    /// What to wait for: the socket, the terminal.
    pub(super) fn waits(&self) -> [libc::pollfd; 2] {
        let mut tty = signal::wants_reading(self.open.as_ref().map(|open| open.tty.as_fd()));
        if self.open.as_ref().is_some_and(|open| !open.to_screen.is_empty()) {
            tty.events |= libc::POLLOUT;
        }
        [signal::wants_reading(self.socket.as_ref().map(AsFd::as_fd)), tty]
    }

    /// Does what can be done now.
    pub(super) fn serve(&mut self, [socket, tty]: [libc::pollfd; 2], mut relay: Option<&mut Relay>) {
        if socket.revents != 0 {
            self.hear(relay.as_deref());
        }
        if tty.revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0 {
            self.read_keys(relay.as_deref());
        }
        self.tick(relay.as_deref());
        self.write();
        self.put_back(relay.as_deref_mut());
        while self.open.is_none()
            && let Some((question, nonce)) = self.waiting.pop_front()
        {
            self.begin(question, nonce, relay.as_deref_mut());
        }
        if self.open.is_none()
            && let Some(alert) = self.alerts.pop_front()
        {
            tell(&alert);
        }
    }

    /// The run ends, or we are to be stopped: whatever is on the screen is a no, and the screen is put back now.
    pub(super) fn give_up(&mut self, mut relay: Option<&mut Relay>) {
        self.answer(Answer::Deny {}, relay.as_deref());
        let since = BootInstant::now();
        while self.open.is_some() && since.elapsed() < LAST_WORDS {
            let [_, mut tty] = self.waits();
            tty.events = libc::POLLOUT;
            if signal::poll(&mut [tty], TICK_MS).is_err() {
                break;
            }
            self.write();
            self.put_back(relay.as_deref_mut());
        }
        if let Some(open) = &mut self.open {
            open.to_screen.clear();
        }
        self.put_back(relay);
    }

    fn hear(&mut self, relay: Option<&Relay>) {
        let mut bytes = vec![0; codec::MOST_BYTES];
        let Some(socket) = &self.socket else { return };
        let received = socket::receive(socket.as_fd(), &mut bytes, false);
        let message = match received {
            Err(Errno::EAGAIN) => return,
            Ok((length, _)) if length > 0 => {
                codec::decode::<Show>(bytes.get(..length).unwrap_or_default()).ok()
            }
            _ => None,
        };
        match message {
            Some(Show::Ask { question, nonce }) if self.waiting.len() < MOST_WAITING => {
                self.waiting.push_back((*question, nonce));
            }
            Some(Show::Ask { question, .. }) => self.unable(&question.id, "too many questions wait already"),
            Some(Show::Withdraw { id }) => {
                self.waiting.retain(|(question, _)| question.id != id);
                if self.open.as_ref().is_some_and(|open| open.prompt.question().id == id) {
                    self.finish(relay);
                }
            }
            Some(Show::Alert { alert }) => {
                self.alerts.truncate(MOST_WAITING - 1);
                self.alerts.push_back(alert_text(&alert));
            }
            // The Guardian is gone, or speaks another tongue: nobody would hear an answer.
            None => {
                self.socket = None;
                self.waiting.clear();
                self.finish(relay);
            }
        }
    }

    fn begin(&mut self, question: Question, nonce: String, relay: Option<&mut Relay>) {
        let id = question.id.clone();
        match self.open_terminal(question, nonce, relay) {
            Ok(open) => self.open = Some(open),
            Err(why) => self.unable(&id, why),
        }
    }

    fn open_terminal(
        &mut self,
        question: Question,
        nonce: String,
        relay: Option<&mut Relay>,
    ) -> Result<Open, &'static str> {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK;
        let tty = file::open(c"/dev/tty", flags).map_err(|_| "there is no controlling terminal")?;
        if !terminal::in_foreground(tty.as_fd()) {
            return Err("the launcher is in the background of its terminal");
        }
        if prints_to_a_program() {
            return Err(
                "what the command prints goes to another program, which could draw over the question",
            );
        }
        let before = terminal::settings(tty.as_fd()).map_err(|_| "the terminal cannot be set")?;
        let ours = relay.as_ref().is_some_and(|relay| relay.has_keys());
        if !ours && !terminal::edits_lines(&before) {
            return Err("another program has the terminal's keys");
        }
        let random = random::random_bytes().map_err(|_| "the kernel gives no random bytes")?;
        let code = prompt::code(random, self.codes.make_contiguous());
        self.codes.push_front(code.clone());
        self.codes.truncate(REMEMBERED_CODES);
        // Drops what was typed ahead; keys are not echoed and make no signals from here on.
        terminal::set_settings_dropping_input(tty.as_fd(), &terminal::raw(&before))
            .map_err(|_| "the terminal cannot be set")?;
        let cover = match relay {
            Some(relay) => relay.hold(),
            None => Shown::default().cover(),
        };
        let mut open = Open {
            prompt: Prompt::new(question, code),
            nonce,
            tty,
            before,
            to_screen: cover.into_bytes(),
            drawn: String::new(),
            over: false,
        };
        open.draw(self.begun.elapsed());
        Ok(open)
    }

    fn read_keys(&mut self, relay: Option<&Relay>) {
        let now = self.begun.elapsed();
        let Some(open) = self.open.as_mut().filter(|open| !open.over) else { return };
        let mut bytes = [0; 256];
        let step = match fd::read(open.tty.as_fd(), &mut bytes) {
            Err(Errno::EAGAIN) => return,
            Ok(count) if count > 0 => open.prompt.keys(bytes.get(..count).unwrap_or_default(), now),
            _ => Step::Answer(Answer::Deny {}), // the terminal is gone
        };
        match step {
            Step::Wait => {}
            Step::Redraw => open.draw(now),
            Step::Answer(answer) => self.answer(answer, relay),
        }
    }

    fn tick(&mut self, relay: Option<&Relay>) {
        let (now, unix) = (self.begun.elapsed(), WallTime::now().unix_seconds());
        let Some(open) = self.open.as_mut().filter(|open| !open.over) else { return };
        if !terminal::in_foreground(open.tty.as_fd()) {
            self.answer(Answer::Deny {}, relay);
        } else if open.prompt.question().until <= unix {
            let id = open.prompt.question().id.clone();
            self.unable(&id, "nobody answered in time");
            self.finish(relay);
        } else if open.to_screen.is_empty() {
            open.draw(now);
        }
    }

    fn answer(&mut self, answer: Answer, relay: Option<&Relay>) {
        let now = self.begun.elapsed();
        let Some(open) = self.open.as_ref().filter(|open| !open.over) else { return };
        let after_ms = u64::try_from(open.prompt.visible_for(now).as_millis()).unwrap_or(u64::MAX);
        let id = open.prompt.question().id.clone();
        self.say(&Said::Answered { id, nonce: open.nonce.clone(), answer, after_ms });
        self.finish(relay);
    }

    /// Begins to put the screen back.
    fn finish(&mut self, relay: Option<&Relay>) {
        let Some(open) = self.open.as_mut().filter(|open| !open.over) else { return };
        open.over = true;
        let uncover = relay.map_or_else(|| Shown::default().uncover(), Relay::uncover);
        open.to_screen.extend(uncover);
    }

    fn write(&mut self) {
        let now = self.begun.elapsed();
        let Some(open) = &mut self.open else { return };
        match fd::write(open.tty.as_fd(), &open.to_screen) {
            Ok(count) => drop(open.to_screen.drain(..count)),
            Err(Errno::EAGAIN) => {}
            Err(_) => open.to_screen.clear(),
        }
        if open.to_screen.is_empty() && !open.over && open.prompt.became_visible(now) {
            let id = open.prompt.question().id.clone();
            self.say(&Said::Visible { id });
        }
    }

    /// Once the last byte is written: the terminal's settings, and the agent's output.
    fn put_back(&mut self, relay: Option<&mut Relay>) {
        let Some(open) = self.open.take_if(|open| open.over && open.to_screen.is_empty()) else { return };
        let ours = terminal::in_foreground(open.tty.as_fd());
        if ours && terminal::set_settings_dropping_input(open.tty.as_fd(), &open.before).is_err() {
            tracing::warn!("the terminal's settings could not be restored; `reset` does it");
        }
        if let Some(relay) = relay {
            relay.release();
        }
    }

    fn unable(&mut self, id: &str, why: &str) {
        self.say(&Said::Unable { id: id.to_owned(), why: why.to_owned() });
    }

    fn say(&mut self, said: &Said) {
        let Some(socket) = &self.socket else { return };
        let sent = codec::encode(said).ok().map(|bytes| socket::send(socket.as_fd(), &bytes, None, false));
        if !matches!(sent, Some(Ok(()))) {
            tracing::debug!("the Guardian does not hear what the terminal says");
        }
    }
}

impl Open {
    /// The screen anew, whole: a bit of an older one that is not written yet comes first.
    fn draw(&mut self, now: Duration) {
        let size = terminal::window_size(self.tty.as_fd()).ok();
        let (rows, columns) = size.map_or((0, 0), |size| (size.ws_row, size.ws_col));
        let screen = self.prompt.screen((rows.into(), columns.into()), now, WallTime::now().unix_seconds());
        if screen != self.drawn {
            self.to_screen.extend_from_slice(screen.as_bytes());
            self.drawn = screen;
        }
    }
}

/// Writes an alert as a line of its own. A terminal that takes nothing now, or is not ours, is passed by: the record has it.
fn tell(alert: &str) {
    let flags = libc::O_WRONLY | libc::O_NOCTTY | libc::O_NONBLOCK;
    let Ok(tty) = file::open(c"/dev/tty", flags) else { return };
    if terminal::in_foreground(tty.as_fd())
        && let Err(errno) = fd::write(tty.as_fd(), format!("\r\naisandbox: {alert}\r\n").as_bytes())
    {
        tracing::debug!("an alert is not on the terminal: {errno}");
    }
}

/// What we do not hold back may end on the very terminal (`… | less`): a pipe or socket as stdout or stderr.
fn prints_to_a_program() -> bool {
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let kinds = [stdout.as_fd(), stderr.as_fd()].map(file::kind_and_identity);
    let leads = |mode: u32| matches!(mode & libc::S_IFMT, libc::S_IFIFO | libc::S_IFSOCK);
    kinds.into_iter().flatten().any(|identity| leads(identity.mode))
}
