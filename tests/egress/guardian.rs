//! A Guardian for one role, the rules that tests write, and clients and servers on loopback.

use aisandbox::sys::process::ExecStrings;
use aisandbox::sys::{socket, spawn};
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::egress::{
    Carried, Deny, Event, FromEgress, Host, Kind, Limits, Network, Rule, ToEgress,
};
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Longer than any slow machine takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What a test gives the role.
pub(crate) struct Setup {
    pub(crate) messages: Vec<ToEgress>,
    pub(crate) hosts: String,
    pub(crate) servers: Vec<String>,
    pub(crate) parent: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        let hosts =
            "127.0.0.1 a.test b.test ssh.test\n10.0.0.1 inner.test\n127.0.0.1 c.wild.test\n".to_owned();
        Self { messages: Vec::new(), hosts, servers: Vec::new(), parent: None }
    }
}

impl Setup {
    pub(crate) fn of(rules: impl IntoIterator<Item = Rule>) -> Self {
        let allow = |rule| ToEgress::Allow { rule: Box::new(rule) };
        Self { messages: rules.into_iter().map(allow).collect(), ..Self::default() }
    }

    pub(crate) fn deny(mut self, id: &str, host: Host, port: Option<u16>) -> Self {
        self.messages.push(ToEgress::Deny { rule: Deny { id: id.to_owned(), host, port } });
        self
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.messages.push(ToEgress::Limits { limits });
        self
    }
}

pub(crate) fn name(name: &str) -> Host {
    Host::Name { name: name.to_owned() }
}

/// A rule for this name and port that may go to loopback, where the servers of tests are.
pub(crate) fn rule(host: Host, port: u16) -> Rule {
    let networks = vec![Network { address: "127.0.0.0".to_owned(), bits: 8 }];
    Rule { networks, ..Rule::plain("test.yaml:1", host, &[port]) }
}

/// The running role.
pub(crate) struct Role {
    pub(crate) socket: OwnedFd,
    /// Its SOCKS proxy.
    pub(crate) socks: SocketAddr,
    /// Its HTTP proxy.
    pub(crate) connect: SocketAddr,
    pub(crate) pid: i32,
}

impl Role {
    pub(crate) fn start(setup: Setup) -> Self {
        Self::try_start(setup).unwrap_or_else(|why| panic!("{why}"))
    }

    /// With further descriptors.
    pub(crate) fn start_with(setup: Setup, descriptors: &[(Carried, BorrowedFd<'_>)]) -> Self {
        Self::begin(setup, descriptors).unwrap_or_else(|why| panic!("{why}"))
    }

    pub(crate) fn try_start(setup: Setup) -> Result<Self, String> {
        Self::begin(setup, &[])
    }

    fn begin(setup: Setup, descriptors: &[(Carried, BorrowedFd<'_>)]) -> Result<Self, String> {
        let argv = vec![c"aisandbox".into(), c"__role".into(), c"egress".into()];
        Self::run(env!("CARGO_BIN_EXE_aisandbox"), argv, setup, descriptors)
    }

    /// With at most so many descriptors of its own.
    pub(crate) fn start_within(setup: Setup, descriptors: u32) -> Self {
        let line = format!("ulimit -n {descriptors}; exec {} __role egress", env!("CARGO_BIN_EXE_aisandbox"));
        let argv = vec![c"sh".into(), c"-c".into(), CString::new(line).unwrap()];
        Self::run("/bin/sh", argv, setup, &[]).unwrap_or_else(|why| panic!("{why}"))
    }

    fn run(
        program: &str,
        argv: Vec<CString>,
        setup: Setup,
        descriptors: &[(Carried, BorrowedFd<'_>)],
    ) -> Result<Self, String> {
        let (ours, theirs) = socket::message_pair().unwrap();
        let program = File::open(program).unwrap();
        let (argv, none) = (ExecStrings::new(argv), ExecStrings::new(Vec::new()));
        let (pid, _pidfd) = spawn::start(program.as_fd(), &argv, &none, theirs.as_fd(), None).unwrap();
        drop(theirs);
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (socks, connect) = (listen(), listen());
        let role = Self {
            socket: ours,
            socks: socks.local_addr().unwrap(),
            connect: connect.local_addr().unwrap(),
            pid,
        };
        role.say(&ToEgress::Take { what: Carried::Socks {} }, Some(socks.as_fd()));
        role.say(&ToEgress::Take { what: Carried::Connect {} }, Some(connect.as_fd()));
        descriptors.iter().for_each(|(what, fd)| role.say(&ToEgress::Take { what: *what }, Some(*fd)));
        let Setup { messages, hosts, servers, parent } = setup;
        role.say(&ToEgress::Resolver { servers, hosts, own: Vec::new(), parent }, None);
        messages.iter().for_each(|message| role.say(message, None));
        role.say(&ToEgress::Start {}, None);
        match role.hear() {
            Some(FromEgress::Ready {}) => Ok(role),
            Some(FromEgress::Refused { why }) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn say(&self, message: &ToEgress, descriptor: Option<BorrowedFd<'_>>) {
        let bytes = encode(message).unwrap();
        socket::send(self.socket.as_fd(), &bytes, descriptor, true).unwrap();
    }

    pub(crate) fn hear(&self) -> Option<FromEgress> {
        let mut buffer = vec![0; 65_536];
        match socket::receive(self.socket.as_fd(), &mut buffer, true) {
            Ok((0, _)) | Err(_) => None,
            Ok((length, _)) => Some(decode(&buffer[..length]).unwrap()),
        }
    }

    /// The next event of this kind; others are passed over.
    pub(crate) fn event(&self, kind: Kind) -> Event {
        loop {
            match self.hear() {
                Some(FromEgress::Event { event }) if event.kind == kind => return *event,
                Some(FromEgress::Event { .. }) => {}
                other => panic!("{other:?} instead of {kind:?}"),
            }
        }
    }

    /// A connection through the SOCKS proxy; the error is its reply.
    pub(crate) fn socks(&self, host: &str, port: u16) -> Result<TcpStream, u8> {
        let mut stream = patient(TcpStream::connect(self.socks).unwrap());
        stream.write_all(&[5, 1, 0]).unwrap();
        let mut reply = [0; 2];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply, [5, 0]);
        let length = u8::try_from(host.len()).unwrap();
        let request = [&[5, 1, 0, 3, length][..], host.as_bytes(), &port.to_be_bytes()].concat();
        stream.write_all(&request).unwrap();
        let mut reply = [0; 10];
        stream.read_exact(&mut reply).unwrap();
        if reply[1] == 0 { Ok(stream) } else { Err(reply[1]) }
    }

    /// Memory of its own, KiB.
    pub(crate) fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A connection through the SOCKS proxy that is let out.
    pub(crate) fn open(&self, host: &str, port: u16) -> TcpStream {
        self.socks(host, port).unwrap_or_else(|reply| panic!("{host}:{port} was refused: {reply}"))
    }
}

impl Role {
    /// Closes the socket and waits for the role's end: its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let (gone, _) = socket::message_pair().unwrap();
        drop(std::mem::replace(&mut self.socket, gone));
        let pid = nix::unistd::Pid::from_raw(std::mem::take(&mut self.pid));
        match nix::sys::wait::waitpid(pid, None) {
            Ok(nix::sys::wait::WaitStatus::Exited(_, code)) => Some(code),
            _ => None,
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if self.pid != 0 {
            let pid = nix::unistd::Pid::from_raw(self.pid);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
            nix::sys::wait::waitpid(pid, None).unwrap();
        }
    }
}

/// Reads and writes that give up at last.
pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream
}

/// A server whose connections are handled one by one on a thread each.
pub(crate) fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), patient(stream.unwrap()));
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Gives back what it gets until the end.
pub(crate) fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// Waits until this is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A hello of TLS that names this host, or none.
pub(crate) fn hello(sni: Option<&str>) -> Vec<u8> {
    let counted = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let extension = |kind: u16, content: &[u8]| [&kind.to_be_bytes()[..], &counted(content)].concat();
    let mut extensions = extension(43, &[2, 3, 4]);
    if let Some(sni) = sni {
        extensions.extend(extension(0, &counted(&[&[0][..], &counted(sni.as_bytes())].concat())));
    }
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0], &counted(&extensions)].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    [&[22, 3, 1][..], &counted(&message)].concat()
}
