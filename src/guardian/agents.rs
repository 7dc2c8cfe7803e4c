//! Agents that this run's agent started, and programs of transitions: each is a run of its own beside it, with a launcher
//! that is our child.
//!
//! Never hands down what was granted while the run went on, and never lets an agent outlive this run, its channel or the
//! Guardian's thread.

use super::above::{Above, Start, What};
use crate::base::RunId;
use crate::role;
use crate::sys::process::{self, Ended, Pid};
use crate::sys::{Errno, fd, sealed, socket};
use crate::wire::agents::{FromLauncher, Handed, Taken, ToLauncher};
use crate::wire::denial::Reason;
use crate::wire::limit::MOST_TRANSITIONS;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// How long a launcher has to say that the agent goes; it reads a profile, mounts and records.
const MOST_START: Duration = Duration::from_secs(30);
/// How long an agent that must end may take before its launcher is killed.
const GRACE: Duration = Duration::from_secs(2);
/// The most bytes of a launcher's words that a refusal repeats.
const MOST_WORDS: usize = 1000;

/// Who waits for an agent: a call of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The channel.
    pub channel: u64,
    /// The call.
    pub call: u32,
}

/// Something happened to an agent.
#[derive(Debug)]
pub enum News {
    /// It goes. The streams are its stdin (to write), stdout and stderr.
    Started(Caller, RunId, Vec<OwnedFd>),
    /// It did not start; why, for its caller.
    Failed(Caller, String),
    /// It ended, with the exit code of its launcher.
    Ended(Caller, RunId, u8),
}

#[derive(Debug)]
struct Agent {
    run: RunId,
    caller: Caller,
    pid: Pid,
    pidfd: OwnedFd,
    /// The root of the token that it was asked for under.
    root: String,
    /// Its launcher's, until that says that nobody there listens.
    socket: Option<OwnedFd>,
    /// Its streams, until it has started.
    starting: Option<Vec<OwnedFd>>,
    /// When its launcher is killed (CLOCK_BOOTTIME).
    kill_at: Option<Duration>,
    /// It was told to end.
    ending: bool,
    /// It is the program of a transition.
    beside: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Agents {
    above: Option<Above>,
    running: Vec<Agent>,
}

impl Agents {
    /// Those of a run; `None` where the run can hand nothing down.
    pub fn new(above: Option<Above>) -> Self {
        Self { above, running: Vec::new() }
    }

    /// Starts one. What becomes of it comes as [`News`]; gives its run's id, which is in no record yet.
    /// # Errors
    /// Why not.
    pub fn start(
        &mut self,
        run: RunId,
        caller: Caller,
        start: Start<'_>,
        now: Duration,
    ) -> Result<(), (Reason, String)> {
        let above = self.may_start(&start.what)?;
        let beside = matches!(start.what, What::Program { .. });
        let handed = above.hand_down(run, start)?;
        let failed = |errno: Errno| (Reason::Kernel, format!("start a launcher: {}", errno.desc()));
        let (pid, pidfd, socket) = role::start_launcher().map_err(failed)?;
        let told = tell(&socket, &handed);
        let mut agent = Agent {
            run,
            caller,
            pid,
            pidfd,
            root: handed.under.root,
            socket: Some(socket),
            starting: None,
            kill_at: Some(now + MOST_START),
            ending: false,
            beside,
        };
        match told {
            Ok(streams) => agent.starting = Some(streams),
            Err(errno) => {
                agent.end(libc::SIGKILL);
                process::wait_for(pid).map_err(failed)?;
                return Err(failed(errno));
            }
        }
        self.running.push(agent);
        Ok(())
    }

    /// Whether one more may be started.
    /// # Errors
    /// Why not.
    pub fn may_start(&self, what: &What<'_>) -> Result<&Above, (Reason, String)> {
        let nothing = || (Reason::Ceiling, "this run starts nothing beside itself".to_owned());
        let (most, beside) = match (what, self.above.as_ref().and_then(|above| above.profile.agents)) {
            (What::Program { program, .. }, _) => {
                self.above.as_ref().ok_or_else(nothing)?.program(program)?;
                (u64::try_from(MOST_TRANSITIONS).unwrap_or(u64::MAX), true)
            }
            (What::Agent(_), Some(agents)) => (agents.most, false),
            (What::Agent(_), None) => {
                let why = "this run may start no agents (`agents:` in the profile)";
                return Err((Reason::Unavailable, why.to_owned()));
            }
        };
        let running = self.running.iter().filter(|agent| agent.beside == beside).count();
        if u64::try_from(running).unwrap_or(u64::MAX) >= most {
            let what = if beside { "programs of transitions" } else { "agents" };
            return Err((Reason::RateLimit, format!("{most} {what} run already, and that is the most")));
        }
        self.above.as_ref().ok_or_else(nothing)
    }

    /// Sends a signal to what a call started.
    /// # Errors
    /// When it has not started yet, or has ended.
    pub fn signal(&self, caller: Caller, number: i32) -> Result<(), Errno> {
        let goes = |agent: &&Agent| agent.caller == caller && agent.starting.is_none() && !agent.ending;
        let agent = self.running.iter().find(goes).ok_or(Errno::ESRCH)?;
        process::signal_pidfd(agent.pidfd.as_fd(), number)
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.running.iter().flat_map(|agent| {
            let starting = agent.socket.as_ref().filter(|_| agent.starting.is_some()).map(AsFd::as_fd);
            starting.into_iter().chain([agent.pidfd.as_fd()])
        })
    }

    /// When something is due without anything to read.
    pub fn due(&self) -> Option<Duration> {
        self.running.iter().filter_map(|agent| agent.kill_at).min()
    }

    /// Hears of an agent after its descriptor became readable, or when something is due.
    pub fn hear(&mut self, now: Duration) -> Vec<News> {
        let mut news = Vec::new();
        let mut left = Vec::new();
        for mut agent in std::mem::take(&mut self.running) {
            if agent.kill_at.is_some_and(|at| at <= now) {
                agent.end(libc::SIGKILL);
                agent.kill_at = None;
            }
            news.extend(agent.started());
            match agent.ended() {
                Some(ended) => news.push(ended),
                None => left.push(agent),
            }
        }
        self.running = left;
        news
    }

    /// Tells every agent that what it was started under was taken back: one lease, or everything. One that cannot be
    /// told is ended.
    pub fn tell_taken_back(&mut self, lease: Option<&Taken>) {
        for agent in self.running.iter().filter(|agent| agent.socket.is_some()) {
            agent.tell(&ToLauncher::TakenBack { root: agent.root.clone(), lease: lease.cloned() });
        }
    }

    /// Tells every agent. One that cannot be told, or has nobody who hears it, is ended.
    pub fn tell_all(&mut self, message: &ToLauncher) {
        self.running.iter().for_each(|agent| agent.tell(message));
    }

    /// Ends every agent whose channel is gone.
    pub fn end_of_closed(&mut self, lives: impl Fn(u64) -> bool, now: Duration) {
        let concerned = |agent: &&mut Agent| !agent.ending && !lives(agent.caller.channel);
        for agent in self.running.iter_mut().filter(concerned) {
            agent.end(libc::SIGTERM);
            agent.ending = true;
            let at = now + GRACE;
            agent.kill_at = Some(agent.kill_at.map_or(at, |due| due.min(at)));
        }
    }
}

impl Drop for Agents {
    /// None outlives the run that started it.
    fn drop(&mut self) {
        for agent in &self.running {
            agent.end(libc::SIGKILL);
            if let Err(errno) = process::wait_for(agent.pid) {
                tracing::debug!("wait for agent {}: {errno}", agent.run);
            }
        }
    }
}

/// Gives a launcher its streams and its job; what is left are our ends.
fn tell(socket: &OwnedFd, handed: &Handed) -> Result<Vec<OwnedFd>, Errno> {
    let (its_input, input) = fd::pipe()?;
    let (output, its_output) = fd::pipe()?;
    let (error, its_error) = fd::pipe()?;
    let message = |message: &ToLauncher| serde_json::to_vec(message).map_err(|_| Errno::EINVAL);
    for stream in [&its_input, &its_output, &its_error] {
        socket::send(socket.as_fd(), &message(&ToLauncher::Stream {})?, Some(stream.as_fd()), false)?;
    }
    let bytes = serde_json::to_vec(handed).map_err(|_| Errno::EINVAL)?;
    let file = sealed::make(c"aisandbox-agent", &bytes)?;
    socket::send(socket.as_fd(), &message(&ToLauncher::Start {})?, Some(file.as_fd()), false)?;
    Ok(vec![input, output, error])
}

impl Agent {
    /// Asks its launcher to end, or ends it. The kernel ends the sandbox with it.
    fn end(&self, signal: i32) {
        if let Err(errno) = process::signal_pidfd(self.pidfd.as_fd(), signal) {
            tracing::debug!("end agent {}: {errno}", self.run);
        }
    }

    fn tell(&self, message: &ToLauncher) {
        let Some(socket) = &self.socket else { return self.end(libc::SIGKILL) };
        let bytes = crate::wire::codec::encode(message).unwrap_or_default();
        match socket::send(socket.as_fd(), &bytes, None, false) {
            // A launcher that is gone has taken its agent with it.
            Ok(()) | Err(Errno::EPIPE | Errno::ECONNRESET) => {}
            Err(_) => self.end(libc::SIGKILL),
        }
    }

    fn started(&mut self) -> Option<News> {
        let socket = self.socket.as_ref().filter(|_| self.starting.is_some())?;
        let mut buffer = [0; 256];
        let (length, _) = socket::receive(socket.as_fd(), &mut buffer, false).ok()?;
        let said = crate::wire::codec::decode(buffer.get(..length)?);
        let Ok(FromLauncher::Started { guarded }) = said else { return None };
        self.kill_at = self.kill_at.filter(|_| self.ending);
        self.socket = self.socket.take().filter(|_| guarded);
        let streams = self.starting.take()?;
        Some(News::Started(self.caller, self.run, streams))
    }

    /// Whether it has ended; it is reaped then.
    fn ended(&mut self) -> Option<News> {
        let mut waits = [crate::sys::signal::wants_reading(Some(self.pidfd.as_fd()))];
        crate::sys::signal::poll(&mut waits, 0).ok().filter(|ready| *ready > 0)?;
        let code = match process::wait_for(self.pid) {
            Ok(Ended::Exited(code)) => u8::try_from(code).unwrap_or(125),
            Ok(Ended::Signaled(signal)) => u8::try_from(128 + signal).unwrap_or(255),
            Ok(Ended::Stopped(_)) | Err(_) => 125,
        };
        Some(match self.starting.take() {
            Some(streams) => News::Failed(self.caller, words(&streams)),
            None => News::Ended(self.caller, self.run, code),
        })
    }
}

/// What a launcher that started nothing has said. No agent had its stderr yet, so the words are ours.
fn words(streams: &[OwnedFd]) -> String {
    let mut buffer = [0; MOST_WORDS];
    let stderr = streams.get(2).filter(|stream| fd::set_nonblocking(stream.as_fd()).is_ok());
    let length = stderr.and_then(|stream| fd::read(stream.as_fd(), &mut buffer).ok()).unwrap_or(0);
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).replace('\n', "; ");
    let text = text.trim_end_matches("; ").to_owned();
    if text.is_empty() { "its launcher ended without a word".into() } else { text }
}
