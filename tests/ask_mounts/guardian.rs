//! A Guardian of a test: launches a sandbox through the library, starts role `mounts`, and answers touches by a closure.

use super::fuse::{self, Answer, Touch};
use super::library;
use super::support::binary;
use aisandbox::base::to_hex;
use aisandbox::host::facts::Facts;
use aisandbox::launch::prepare::{Inputs, prepare};
use aisandbox::launch::{Outcome, Running, start};
use aisandbox::plan::Plan;
use aisandbox::profile::Layer;
use aisandbox::sys::socket;
use aisandbox::wire::codec;
use aisandbox::wire::mounts::{FromMounts, ToMounts};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// Role `mounts`, and its socket.
pub(crate) struct Mounts {
    role: Child,
    socket: OwnedFd,
}

impl Mounts {
    fn start() -> Self {
        let (ours, theirs) = socket::message_pair().unwrap();
        Self { role: role("mounts", &theirs, None), socket: ours }
    }

    /// Says one thing, and gives the answer.
    pub(crate) fn say(&self, message: &ToMounts, descriptor: Option<&OwnedFd>) -> FromMounts {
        let bytes = codec::encode(message).unwrap();
        socket::send(self.socket.as_fd(), &bytes, descriptor.map(AsFd::as_fd), true).unwrap();
        let mut buffer = [0; 4096];
        let (length, _) = socket::receive(self.socket.as_fd(), &mut buffer, true).unwrap();
        codec::decode(&buffer[..length]).unwrap()
    }

    pub(crate) fn attach(&self, entry: u16, read_only: bool) -> FromMounts {
        self.say(&ToMounts::Attach { entry, read_only }, None)
    }

    pub(crate) fn detach(&self, entry: u16) -> FromMounts {
        self.say(&ToMounts::Detach { entry }, None)
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        drop(self.role.kill());
        drop(self.role.wait());
    }
}

/// Starts a role of the binary under test, with its socket and perhaps a ruleset.
pub(crate) fn role(name: &str, socket: &OwnedFd, ruleset: Option<&OwnedFd>) -> Child {
    let mut command = Command::new(binary());
    command.args(["__role", name]).stdin(Stdio::null()).stdout(Stdio::null());
    // Above the numbers that are about to be filled.
    let above = |fd: &OwnedFd| aisandbox::sys::fd::duplicate_above(fd.as_fd(), 8).unwrap();
    let given = [(3, Some(socket)), (4, ruleset)].map(|(number, fd)| (number, fd.map(above)));
    let hand_over = move || {
        for (number, fd) in &given {
            let Some(fd) = fd else { continue };
            // SAFETY: two integers; the child is about to exec, so what `number` was before has no owner left.
            nix::errno::Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), *number) })?;
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
    unsafe { command.pre_exec(hand_over) };
    command.spawn().unwrap()
}

/// What it was done.
pub(crate) const DONE: FromMounts = FromMounts::Done {};

/// A sandbox that is confined, and whose agent waits to be let go.
pub(crate) struct Guarded {
    pub(crate) mounts: Arc<Mutex<Mounts>>,
    pub(crate) plan: Plan,
    running: Running,
    devices: Vec<(u16, OwnedFd)>,
    output: OwnedFd,
}

impl Guarded {
    /// Builds the sandbox of a profile around a script.
    pub(crate) fn new(folder: &Path, profile: &str, script: &str) -> Self {
        let facts = Facts::for_launch();
        let plan = plan(folder, profile, script, &facts);
        let (output, write) = nix::unistd::pipe().unwrap();
        // SAFETY: two integers; nothing of this process owns number 1 but the standard library's stdout.
        assert_eq!(unsafe { libc::dup2(write.as_raw_fd(), 1) }, 1);
        drop(write);
        let (ready, ends) = prepare(&plan, inputs(&plan, &facts)).unwrap();
        let mut running = start(ready, ends, None).unwrap();
        // SAFETY: two integers, as above: our own copy of the pipe's end goes.
        assert_eq!(unsafe { libc::dup2(2, 1) }, 1);
        running.confined().unwrap();
        let devices = running.take_asks();
        let mounts = Mounts::start();
        let namespaces = running.take_namespaces();
        assert_eq!(namespaces.is_some(), plan.profile.asks());
        if let Some((user, inside)) = namespaces {
            assert_eq!(mounts.say(&ToMounts::UserNamespace {}, Some(&user)), DONE);
            assert_eq!(mounts.say(&ToMounts::MountNamespace {}, Some(&inside)), DONE);
        }
        for ask in &plan.view.asks {
            let message = ToMounts::Entry {
                entry: ask.number,
                inner_hex: to_hex(ask.inner.as_path().as_os_str().as_bytes()),
                host_hex: to_hex(ask.object.canonical.as_path().as_os_str().as_bytes()),
                dev: ask.object.dev,
                ino: ask.object.ino,
                noexec: ask.noexec,
            };
            assert_eq!(mounts.say(&message, None), DONE);
        }
        Self { mounts: Arc::new(Mutex::new(mounts)), plan, running, devices, output }
    }

    /// Lets the agent go; `decide` answers touches. Gives how it ended and what it said.
    pub(crate) fn run(
        mut self,
        decide: impl FnMut(Touch, &Mounts) -> Answer + Send + 'static,
    ) -> (Outcome, String) {
        let decide = Arc::new(Mutex::new(decide));
        for (entry, device) in self.devices.drain(..) {
            let folder = self.plan.view.asks[usize::from(entry)].is_folder();
            let (decide, mounts) = (Arc::clone(&decide), Arc::clone(&self.mounts));
            std::thread::spawn(move || {
                fuse::serve(entry, device, folder, &mut |touch| {
                    (decide.lock().unwrap())(touch, &mounts.lock().unwrap())
                });
            });
        }
        self.finish()
    }

    /// Init's pid.
    pub(crate) fn init(&self) -> i32 {
        self.running.pid()
    }

    /// Gives what keeps the run's mounts alive: the devices, and what closes when the agent has ended.
    pub(crate) fn take_devices(&mut self) -> (Vec<(u16, OwnedFd)>, OwnedFd) {
        let (ours, theirs) = socket::message_pair().unwrap();
        self.running.close_at_end(theirs);
        (std::mem::take(&mut self.devices), ours)
    }

    /// Lets the agent go and waits for its end.
    pub(crate) fn finish(mut self) -> (Outcome, String) {
        let output = std::mem::replace(&mut self.output, std::fs::File::open("/dev/null").unwrap().into());
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            drop(std::fs::File::from(output).read_to_string(&mut text));
            text
        });
        self.running.go(self.plan.profile.terminal, None).unwrap();
        let outcome = self.running.wait(&mut |_, _, _| ());
        (outcome, reader.join().unwrap())
    }
}

fn plan(folder: &Path, profile: &str, script: &str, facts: &Facts) -> Plan {
    let profile = format!("version: 1\nextends: [cowork]\n{profile}");
    library::plan(folder, &profile, &["sh", "-c", script], facts, library::abilities(facts, true))
}

fn inputs(plan: &Plan, facts: &Facts) -> Inputs {
    assert!(plan.has(Layer::AskMounts) == plan.profile.asks() && plan.has(Layer::ProtectNew));
    library::inputs(plan, facts)
}
