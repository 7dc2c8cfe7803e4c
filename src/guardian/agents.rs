//! Agents that this run's agent started: each is a run of its own beside it, with a launcher that is our child.
//!
//! The profile that is handed over is the one of this run, narrowed here; its launcher compares the two plans once more.
//! Never hands down what was granted while the run went on, and never lets an agent outlive this run, its channel or the
//! Guardian's thread.

use super::token::Claims;
use crate::base::{InnerPath, RunId, Source};
use crate::profile::{Less, Profile, attenuate, descend, to_text};
use crate::role;
use crate::sys::process::{self, Ended, Pid};
use crate::sys::{Errno, fd, sealed, socket};
use crate::wire::agents::{FromLauncher, Handed, OWN_PLACES, Outline, Taken, ToLauncher, Under};
use crate::wire::broker;
use crate::wire::denial::Reason;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// How long a launcher has to say that the agent goes; it reads a profile, mounts and records.
const MOST_START: Duration = Duration::from_secs(30);
/// How long an agent that must end may take before its launcher is killed.
const GRACE: Duration = Duration::from_secs(2);
/// The most bytes of a launcher's words that a refusal repeats.
const MOST_WORDS: usize = 1000;

/// What this run can hand down.
#[derive(Debug)]
pub struct Above {
    /// This run.
    pub run: String,
    /// Runs above it, nearest first.
    pub chain: Vec<String>,
    /// Its profile as it was planned, flags included.
    pub profile: Profile,
    /// What its plan gives.
    pub outline: Outline,
}

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
        (argv, chdir): (Vec<String>, Option<String>),
        (less, under): (&broker::Less, &Claims),
        now: Duration,
    ) -> Result<(), (Reason, String)> {
        let above = self.may_start()?;
        let under = Under { root: under.root.to_string(), depth: under.depth };
        let handed = above.hand_down(run, argv, chdir, (less, under))?;
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
    pub fn may_start(&self) -> Result<&Above, (Reason, String)> {
        let not_here =
            || (Reason::Unavailable, "this run may start no agents (`agents:` in the profile)".to_owned());
        let above = self.above.as_ref().ok_or_else(not_here)?;
        let most = above.profile.agents.ok_or_else(not_here)?.most;
        if u64::try_from(self.running.len()).unwrap_or(u64::MAX) >= most {
            return Err((Reason::RateLimit, format!("{most} agents run already, and that is the most")));
        }
        Ok(above)
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
        for agent in &self.running {
            let Some(socket) = &agent.socket else { continue };
            let message = ToLauncher::TakenBack { root: agent.root.clone(), lease: lease.cloned() };
            let bytes = crate::wire::codec::encode(&message).unwrap_or_default();
            match socket::send(socket.as_fd(), &bytes, None, false) {
                // A launcher that is gone has taken its agent with it.
                Ok(()) | Err(Errno::EPIPE | Errno::ECONNRESET) => {}
                Err(_) => agent.end(libc::SIGKILL),
            }
        }
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

impl Above {
    /// What an agent's launcher is told.
    fn hand_down(
        &self,
        run: RunId,
        argv: Vec<String>,
        chdir: Option<String>,
        (less, under): (&broker::Less, Under),
    ) -> Result<Handed, (Reason, String)> {
        let places = |paths: &[String]| paths.iter().map(InnerPath::new).collect::<Result<Vec<_>, _>>();
        let wrong = |why: crate::base::PathError| (Reason::Protocol, format!("a place {why}"));
        let less = Less {
            read_only: places(&less.read_only).map_err(wrong)?,
            hidden: places(&less.hidden).map_err(wrong)?,
            no_network: less.no_network,
            no_requests: less.no_requests,
            wall_time: less.seconds.map(Duration::from_secs),
        };
        let mut profile = self.profile.clone();
        profile.filesystem.retain(|entry| !OWN_PLACES.contains(&entry.path.to_string().as_str()));
        descend(&mut profile);
        attenuate(&mut profile, &less, &Source::built_in("taken away for an agent that was started"));
        Ok(Handed {
            run: run.to_string(),
            chain: [self.run.clone()].into_iter().chain(self.chain.iter().cloned()).collect(),
            name: profile.name.clone(),
            profile: to_text(&profile),
            require: profile.required.iter().map(|layer| layer.name().to_owned()).collect(),
            argv,
            chdir,
            parent: self.outline.clone(),
            under,
        })
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
