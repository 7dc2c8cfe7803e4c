//! Roles `egress` and `dlp`, as a run starts them, with the bench as their Guardian.
//!
//! Clients connect to 127.0.0.2, which role `egress` takes as one port of every address: no packet filter is in between.

use aisandbox::sys::process::ExecStrings;
use aisandbox::sys::{socket, spawn};
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::dlp::{Act, FromDlp, ToDlp};
use aisandbox::wire::egress::{Carried, FromEgress, Host, Rule, Tls, ToEgress};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::CString;
use std::fs::File;
use std::io::{Seek, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, SystemTime};

/// What a role is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Bytes go by unread.
    Spliced,
    /// They are read.
    Inspected,
    /// They are read, and role `dlp` looks into what leaves.
    Scanned,
}

/// A running role `egress`, which is ended when this is dropped.
pub(crate) struct Role {
    pid: Pid,
    /// Where clients connect to.
    pub(crate) at: SocketAddr,
    /// The session's certificate authority, PEM.
    pub(crate) authority: String,
    dlp: Option<Pid>,
}

impl Role {
    /// The role before a server at this port of 127.0.0.1, whose certificate `roots` (PEM) stand for.
    pub(crate) fn start(way: Way, port: u16, roots: &str) -> Self {
        let front = TcpListener::bind(("127.0.0.2", port)).unwrap();
        let (socket, pid) = begin("egress");
        let take = |what, fd: BorrowedFd<'_>| say(&socket, &ToEgress::Take { what }, Some(fd));
        take(Carried::Port { port }, front.as_fd());
        let (servers, hosts, own) = (Vec::new(), String::new(), Vec::new());
        say(&socket, &ToEgress::Resolver { servers, hosts, own, parent: None }, None);
        say(&socket, &ToEgress::Allow { rule: Box::new(rule(way, port)) }, None);
        let (mut authority, mut dlp) = (String::new(), None);
        if way != Way::Spliced {
            take(Carried::Roots {}, file(roots).as_fd());
            let until = SystemTime::now() + Duration::from_secs(24 * 3600);
            let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            say(&socket, &ToEgress::Authority { names: vec!["localhost".to_owned()], until }, None);
            let FromEgress::Authority { pem } = hear(&socket) else { panic!("no authority") };
            authority = pem;
        }
        if way == Way::Scanned {
            let (reader, pid) = begin("dlp");
            // What the text holds by chance is found and told, and goes on.
            say(&reader, &ToDlp::Action { kind: "*".to_owned(), act: Act::Log }, None);
            say(&reader, &ToDlp::Start {}, None);
            assert_eq!(hear::<FromDlp>(&reader), FromDlp::Ready {});
            take(Carried::Dlp {}, reader.as_fd());
            dlp = Some(pid);
        }
        say(&socket, &ToEgress::Start {}, None);
        assert_eq!(hear::<FromEgress>(&socket), FromEgress::Ready {});
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while matches!(socket::receive(socket.as_fd(), &mut buffer, true), Ok((1.., _))) {}
        });
        Self { pid, at: SocketAddr::from(([127, 0, 0, 2], port)), authority, dlp }
    }

    /// Processor time that role `egress` used so far.
    pub(crate) fn time(&self) -> Duration {
        let clock = nix::time::clock_getcpuclockid(self.pid).unwrap();
        nix::time::clock_gettime(clock).unwrap().into()
    }

    /// Keeps it on one processor.
    pub(crate) fn pin(&self, cpu: usize) {
        pin(self.pid, &[cpu]);
    }

    /// Private memory in use, bytes; `None` where only root may know it and we are not.
    pub(crate) fn memory(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).ok()?;
        let line = text.lines().find(|line| line.starts_with("Pss:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        for pid in std::iter::once(self.pid).chain(self.dlp) {
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
            nix::sys::wait::waitpid(pid, None).unwrap();
        }
    }
}

/// Keeps a process, or this thread (0) and those it starts, on these processors.
pub(crate) fn pin(pid: Pid, cpus: &[usize]) {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu).unwrap());
    sched_setaffinity(pid, &set).unwrap();
}

fn begin(name: &str) -> (OwnedFd, Pid) {
    let (ours, theirs) = socket::message_pair().unwrap();
    let program = File::open(env!("CARGO_BIN_EXE_aisandbox")).unwrap();
    let name = CString::new(name).unwrap();
    let argv = ExecStrings::new(vec![c"aisandbox".into(), c"__role".into(), name]);
    let none = ExecStrings::new(Vec::new());
    let (pid, _) = spawn::start(program.as_fd(), &argv, &none, theirs.as_fd(), None).unwrap();
    (ours, Pid::from_raw(pid))
}

fn say(to: &OwnedFd, message: &impl Serialize, with: Option<BorrowedFd<'_>>) {
    socket::send(to.as_fd(), &encode(message).unwrap(), with, true).unwrap();
}

fn hear<T: DeserializeOwned>(from: &OwnedFd) -> T {
    let mut buffer = vec![0; 65_536];
    let (length, _) = socket::receive(from.as_fd(), &mut buffer, true).unwrap();
    decode(&buffer[..length]).unwrap()
}

/// A file that holds this text and has no name.
fn file(text: &str) -> File {
    let mut file =
        File::from(nix::sys::memfd::memfd_create(c"roots", nix::sys::memfd::MFdFlags::MFD_CLOEXEC).unwrap());
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

fn rule(way: Way, port: u16) -> Rule {
    let tls = if way == Way::Spliced { Tls::Splice } else { Tls::Inspect };
    Rule { tls, dlp: way == Way::Scanned, ..Rule::plain("bench", Host::Loopback {}, &[port]) }
}
