//! `__agent`: becomes the launcher of an agent that an agent started: beside the run that asked, from its profile with less.
//!
//! Only a Guardian starts it, with a socket as descriptor 3 (`role::start_launcher`). It has the person's rights, as every
//! launcher; no byte of an agent decides anything here but the command, its folder, and what is taken away. Never lets a
//! run start whose plan is more than the one above, and ends when the Guardian's thread does.

use super::args::{Exec, exec_of};
use super::exec;
use super::output::complain;
use super::record;
use super::shape;
use crate::audit;
use crate::audit::event::Trace;
use crate::base::{RunId, Source};
use crate::guardian::above::{Above, Pinned};
use crate::guardian::token::TokenId;
use crate::plan::outline::{exceeds, outline};
use crate::plan::transitions::Covered;
use crate::plan::{Plan, programs};
use crate::profile::{self, Context, Layer, Profile};
use crate::sys::{Errno, fd, process, sealed, socket, spawn};
use crate::wire::agents::{Beside, FromLauncher, Handed, Placeholder, ToLauncher};
use crate::wire::words;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The most bytes that are handed over: a profile of thousands of entries, and the outline of its plan.
const MOST_BYTES: usize = 16 << 20;

/// What a launcher was told, and its way to say that the agent goes.
pub(super) struct Job {
    /// The new run's id.
    pub(super) run: RunId,
    handed: Handed,
    socket: OwnedFd,
}

/// Receives the job and runs it; gives the exit code.
pub(super) fn run() -> u8 {
    match receive().and_then(|job| Ok((job.as_arguments().ok_or(Errno::EINVAL)?, job))) {
        Ok((exec, job)) => exec::run_job(&exec, &job),
        Err(errno) => {
            complain(
                &format!("start an agent for an agent: {}", errno.desc()),
                Some("this command is the Guardian's own; see aisandbox --help"),
            );
            125
        }
    }
}

fn receive() -> Result<Job, Errno> {
    process::set_dumpable(false)?;
    let socket = fd::adopt(spawn::SOCKET)?;
    process::die_with_parent(libc::SIGKILL)?;
    // No terminal of anybody: a question to a person goes by the other ways.
    process::new_session()?;
    let mut buffer = vec![0; 4096];
    for number in 0..3 {
        let (ToLauncher::Stream {}, Some(stream)) = next(&socket, &mut buffer)? else {
            return Err(Errno::EPROTO);
        };
        fd::duplicate_onto(stream.as_fd(), number)?;
    }
    let (ToLauncher::Start {}, Some(file)) = next(&socket, &mut buffer)? else { return Err(Errno::EPROTO) };
    let bytes = sealed::read(file.as_fd(), MOST_BYTES)?;
    let handed: Handed = serde_json::from_slice(&bytes).map_err(|_| Errno::EPROTO)?;
    let run = handed.run.parse().map_err(|_| Errno::EPROTO)?;
    Ok(Job { run, handed, socket })
}

/// A Guardian that ended before we asked to end with it has closed its socket.
fn next(socket: &OwnedFd, buffer: &mut [u8]) -> Result<(ToLauncher, Option<OwnedFd>), Errno> {
    let (length, descriptor) = socket::receive(socket.as_fd(), buffer, true)?;
    let message = crate::wire::codec::decode(buffer.get(..length).unwrap_or_default());
    Ok((message.map_err(|_| Errno::EPROTO)?, descriptor))
}

/// What a run can hand down of the profile that it was given, where its profile lets it start agents.
pub(super) fn above(
    plan: &Plan,
    given: Profile,
    run: RunId,
    trace: &str,
    placeholders: Vec<Placeholder>,
) -> Option<Above> {
    if plan.profile.agents.is_none() && plan.transitions.is_empty() {
        return None;
    }
    let pinned = |covered: &Covered| Pinned {
        wish: covered.wish.clone(),
        dev: covered.object.dev,
        ino: covered.object.ino,
    };
    Some(Above {
        run: run.to_string(),
        chain: plan.chain.clone(),
        trace: trace.to_owned(),
        profile: given,
        outline: outline(plan),
        programs: plan.transitions.iter().map(pinned).collect(),
        placeholders,
    })
}

impl Job {
    /// The command line that says the same. A program of a transition is started by its path, whatever it is called.
    fn as_arguments(&self) -> Option<Exec> {
        let mut command = words::of_text(&self.handed.argv)?;
        if let (Some(beside), Some(name)) = (&self.handed.transition, command.first_mut()) {
            *name = beside.program.clone().into();
        }
        let chdir = self.handed.chdir.as_ref().map(|text| words::of_text(text)?.pop().map(PathBuf::from));
        match chdir {
            Some(None) => None,
            other => exec_of(command, other.flatten()),
        }
    }

    /// The profile that was handed over.
    pub(super) fn profile(&self, context: &Context) -> Result<Profile, u8> {
        let name =
            format!("{} of run {}", self.handed.name, self.handed.chain.first().map_or("?", String::as_str));
        let loaded = profile::load_str(&name, &self.handed.profile, context);
        let mut profile = loaded.map_err(|errors| shape::report(&errors))?;
        profile.name.clone_from(&self.handed.name);
        let layer =
            |name: &String| Layer::ALL.iter().find(|(_, known)| known == name).map(|(layer, _)| *layer);
        profile.required = self.handed.require.iter().filter_map(layer).collect();
        Ok(profile)
    }

    /// Where the run belongs: below the record that says that it was started.
    pub(super) fn trace(&self) -> Result<Trace, u8> {
        let id = self.handed.trace.parse().map_err(|_| 125u8)?;
        let parent = self.handed.chain.first().map(|above| audit::span_of_agent(above, &self.handed.run));
        Ok(record::trace(id, parent, "run"))
    }

    /// What stands for secrets in the run above.
    pub(super) fn placeholders(&self) -> &[Placeholder] {
        &self.handed.placeholders
    }

    /// The root and depth of the token that it was asked for under.
    pub(super) fn under(&self) -> Result<(TokenId, u8), u8> {
        let root = TokenId::of(&self.handed.under.root).ok_or(125u8)?;
        Ok((root, self.handed.under.depth))
    }

    /// The socket to the Guardian of the run above, for the one of this run.
    pub(super) fn overseer(&self) -> Result<OwnedFd, u8> {
        fd::duplicate_above(self.socket.as_fd(), 3).map_err(|_| 125u8)
    }

    /// Refuses a plan that is more than the one above.
    pub(super) fn hold_to(&self, plan: &mut Plan) -> Result<(), u8> {
        let mut parent = self.handed.parent.clone();
        if let Some(beside) = &self.handed.transition {
            parent.transitions.retain(|wish| *wish != beside.wish);
        }
        let mut more = exceeds(&parent, &outline(plan));
        if plan.bare.is_some() {
            more.push("there are no namespaces".into());
        }
        if let Some(first) = more.first() {
            let message = format!("the agent would have more than the one that starts it: {first}");
            complain(
                &message,
                Some("something changed on the host since that one was started; start it anew"),
            );
            return Err(125);
        }
        if let Some(beside) = &self.handed.transition {
            self.become_program(beside, plan).map_err(|why| {
                complain(&format!("program {}: {why}", crate::base::escape(beside.program.as_bytes())), None);
                125
            })?;
        }
        plan.chain.clone_from(&self.handed.chain);
        Ok(())
    }

    /// The command is the very file that the run above covers, with the name and the variables of its caller.
    fn become_program(&self, beside: &Beside, plan: &mut Plan) -> Result<(), &'static str> {
        let object =
            plan.command.host.clone().filter(|object| (object.dev, object.ino) == (beside.dev, beside.ino));
        let object = object.ok_or("it is another file than when the run above was started")?;
        let asked = Source::built_in("programs.transitions of the run above");
        plan.pinned.extend(beside.sha256.clone().map(|sha256| programs::Pinned {
            path: plan.command.program.clone(),
            object,
            sha256,
            asked,
        }));
        let name = words::of_text(&self.handed.argv).and_then(|words| words.into_iter().next());
        let name = name.and_then(|name| CString::new(name.into_encoded_bytes()).ok());
        if let (Some(name), Some(first)) = (name, plan.command.argv.first_mut()) {
            *first = name;
        }
        plan.environment.retain(|name, _| is_own(name));
        for variable in words::of_text(&beside.environment).ok_or("its variables cannot be read")? {
            let bytes = variable.as_bytes();
            let Some(end) = bytes.iter().position(|byte| *byte == b'=').filter(|end| *end > 0) else {
                continue;
            };
            let (name, value) = bytes.split_at(end);
            let name = OsStr::from_bytes(name).to_owned();
            if !is_own(&name) {
                plan.environment
                    .insert(name, OsStr::from_bytes(value.get(1..).unwrap_or_default()).to_owned());
            }
        }
        Ok(())
    }

    /// Tells the Guardian that the agent goes. One that is gone takes us with it.
    pub(super) fn started(&self, guarded: bool) -> Result<(), u8> {
        let message = crate::wire::codec::encode(&FromLauncher::Started { guarded }).map_err(|_| 125u8)?;
        socket::send(self.socket.as_fd(), &message, None, true).map_err(|_| 125u8)
    }
}

/// A variable that names a sandbox to those inside it.
fn is_own(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"AISANDBOX_")
}
