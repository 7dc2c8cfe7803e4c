//! A sandbox with a filtered network whose proxy is the test: it holds the sockets that a launch hands out.
//!
//! Never tests anything itself.

use crate::library;
use aisandbox::host::facts::Facts;
use aisandbox::launch::egress::{Handed, Rung};
use aisandbox::launch::prepare::{Inputs, prepare};
use aisandbox::launch::{Outcome, Running, start};
use aisandbox::plan::Plan;
use aisandbox::sys::{datagram, net};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// A sandbox that is confined, and whose agent waits to be let go.
pub(crate) struct Sandbox {
    pub(crate) running: Running,
    plan: Plan,
    output: OwnedFd,
}

impl Sandbox {
    /// Under a profile with a filtered network and further keys of `network:`.
    pub(crate) fn new(folder: &Path, keys: &str, script: &str) -> Self {
        let facts = Facts::for_launch();
        let profile = format!("version: 1\nextends: [cowork]\nnetwork: {{ mode: filtered, {keys} }}\n");
        let script = format!("{BEGIN}\n{script}");
        let argv = ["python3", "-c", &script];
        let plan = library::plan(folder, &profile, &argv, &facts, library::abilities(&facts, false));
        let (output, write) = nix::unistd::pipe().unwrap();
        // SAFETY: two integers; nothing of this process owns number 1 but the standard library's stdout.
        assert_eq!(unsafe { libc::dup2(write.as_raw_fd(), 1) }, 1);
        drop(write);
        let (ready, ends) = prepare(&plan, inputs(&plan, &facts)).unwrap();
        let mut running = start(ready, ends, None).unwrap();
        // SAFETY: two integers, as above: our own copy of the pipe's end goes.
        assert_eq!(unsafe { libc::dup2(2, 1) }, 1);
        let confined = running.confined();
        assert!(confined.is_ok(), "{confined:?}");
        Self { running, plan, output }
    }

    /// The sockets; the rung must be this one.
    pub(crate) fn take(&mut self, rung: Rung) -> Handed {
        let told = self.running.way_out().map(|(rung, fell)| (rung, fell.to_vec()));
        let handed = self.running.take_egress().unwrap();
        assert_eq!((handed.rung, handed.fell.clone()), told.unwrap());
        assert_eq!(handed.rung, rung, "{:?}", handed.fell);
        assert!(self.running.take_egress().is_none(), "they are handed out once");
        handed
    }

    /// Lets the agent go and waits for its end; what it said, line by line.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let output = std::fs::File::from(self.output);
        let reader = std::thread::spawn(move || std::io::read_to_string(output).unwrap());
        self.running.go(self.plan.profile.terminal, None).unwrap();
        let outcome = self.running.wait(&mut |_, _, _| ());
        let said = reader.join().unwrap();
        assert_eq!(outcome, Outcome::Exited(0), "{said}");
        said.lines().map(str::to_owned).collect()
    }
}

/// What every script begins with: each attempt is a line, its errno's name or what came back.
const BEGIN: &str = "
import errno, os, socket, struct, sys
def attempt(name, act):
    try: told = act()
    except OSError as error: told = errno.errorcode.get(error.errno, str(error))
    print(name, told, flush=True)
def ask(host, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.settimeout(20)
        made.connect((host, port))
        made.sendall(b'hello')
        made.shutdown(socket.SHUT_WR)
        return made.makefile().read()
def send(host, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.settimeout(20)
        made.connect((host, port))
        made.send(b'query')
        answer, whence = made.recvfrom(100)
        return answer.decode() + ' from ' + whence[0]
";

fn inputs(plan: &Plan, facts: &Facts) -> Inputs {
    Inputs { mount_api: facts.calls.mount_api, ..library::inputs(plan, facts) }
}

/// Answers every connection with where it wanted to go, after what it said. Ends with the process.
pub(crate) fn answer_connections(handed: &mut Handed) {
    for (port, listener) in handed.tcp.drain(..) {
        let listener = TcpListener::from(listener);
        listener.set_nonblocking(false).unwrap();
        std::thread::spawn(move || {
            for came in listener.incoming() {
                answer(came.unwrap(), port);
            }
        });
    }
}

fn answer(mut came: TcpStream, port: Option<u16>) {
    came.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = String::new();
    came.read_to_string(&mut said).unwrap();
    let wanted: SocketAddr = match port {
        None => net::original_destination(came.as_fd()).unwrap(),
        Some(_) => net::local_address(came.as_fd()).unwrap(),
    };
    let by = port.map_or("redirected".to_owned(), |port| format!("listener {port}"));
    write!(came, "{said}, wanted {wanted}, {by}").unwrap();
}

/// Answers every datagram with the address it was sent to, from that address.
pub(crate) fn answer_names(handed: &mut Handed) {
    for socket in handed.udp.drain(..) {
        std::thread::spawn(move || {
            loop {
                wait(socket.as_fd());
                let mut buffer = [0; 512];
                let came = datagram::receive(socket.as_fd(), &mut buffer).unwrap();
                assert_eq!(&buffer[..came.length], b"query");
                datagram::send(socket.as_fd(), came.to.to_string().as_bytes(), came.peer, came.to).unwrap();
            }
        });
    }
}

/// Waits until something can be read, 20 seconds at most.
pub(crate) fn wait(socket: std::os::fd::BorrowedFd<'_>) {
    let mut waits = [aisandbox::sys::signal::wants_reading(Some(socket))];
    aisandbox::sys::signal::poll(&mut waits, -1).unwrap();
}
