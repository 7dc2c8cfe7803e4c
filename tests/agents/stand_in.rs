//! A Guardian behind a socket's path that answers by a fixed table, at once or after a person has thought.
//!
//! Built from the real state machine; it never judges.

use aisandbox::sys::{Errno, signal, socket};
use aisandbox::wire::broker::{Askable, Op, Outcome};
use aisandbox::wire::channel::{GuardianEnd, Received, check_hello};
use aisandbox::wire::denial::{Denial, Reason};
use aisandbox::wire::frame::{ChannelId, MOST_FRAME};
use aisandbox::wire::session::Given;
use aisandbox::wire::subject::{Action, Resource};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept, bind, listen, socket as open,
};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a person thinks about what lies below `/slow`.
pub(crate) const THINKS: Duration = Duration::from_secs(4);

/// Listens at a new socket in `folder`; every connection is served by a thread of its own.
pub(crate) fn listen_in(folder: &Path) -> PathBuf {
    let path = folder.join("broker");
    let listener = open(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    listen(&listener, Backlog::new(8).unwrap()).unwrap();
    std::thread::spawn(move || {
        while let Ok(socket) = accept(&listener) {
            std::thread::spawn(move || serve(&socket));
        }
    });
    path
}

fn serve(socket: &OwnedFd) {
    let mut buffer = vec![0; MOST_FRAME + 1];
    let Ok((length, _)) = socket::receive(socket.as_fd(), &mut buffer, true) else { return };
    check_hello(&buffer[..length]).unwrap();
    let (mut end, welcome) =
        GuardianEnd::open(ChannelId::random().unwrap(), "01KB0000000000000000000000", "token", 300).unwrap();
    socket::send(socket.as_fd(), &welcome, None, true).unwrap();
    let mut later: Vec<(Instant, u32, Outcome)> = Vec::new();
    loop {
        let left = later.iter().map(|(at, ..)| at.saturating_duration_since(Instant::now())).min();
        let left = left.map_or(-1, |left| i32::try_from(left.as_millis()).unwrap() + 1);
        let mut waits = [signal::wants_reading(Some(socket.as_fd()))];
        signal::poll(&mut waits, left).unwrap();
        let (due, rest) = later.into_iter().partition(|(at, ..)| *at <= Instant::now());
        later = rest;
        for (_, id, outcome) in due {
            say(socket, &mut end, id, outcome, &[]);
        }
        match socket::receive(socket.as_fd(), &mut buffer, false) {
            Err(Errno::EAGAIN) => {}
            Ok((0, _)) | Err(_) => return,
            Ok((length, _)) => {
                let Ok(Received::Call(call)) = end.receive(&buffer[..length]) else { panic!("no call") };
                later.extend(answer(socket, &mut end, call.id, call.op));
            }
        }
    }
}

/// Answers at once, or says what comes later.
fn answer(socket: &OwnedFd, end: &mut GuardianEnd, id: u32, op: Op) -> Option<(Instant, u32, Outcome)> {
    let path = |resource: &Resource| match resource {
        Resource::File { path } | Resource::Program { path } => path.clone(),
        other => format!("{other:?}"),
    };
    let granted = |how| Outcome::Granted { grant: "8F3K-g1".into(), seconds: Some(60), how };
    match &op {
        Op::Request { resource, .. } if path(resource).starts_with("/slow") => {
            let pending = Outcome::Pending { request: "8F3K-1".into(), seconds: 300 };
            say(socket, end, id, pending, &[]);
            return Some((Instant::now() + THINKS, id, granted(Given::Mount)));
        }
        Op::Request { resource, .. } if path(resource).contains("granted") => {
            say(socket, end, id, granted(Given::Descriptor), &[]);
        }
        Op::Open { paths, .. } => {
            let file = File::open(&paths[0]).unwrap();
            let opened = Outcome::Opened { opened: vec![true], denials: Vec::new() };
            say(socket, end, id, opened, &[file.as_fd()]);
        }
        Op::List {} => {
            let askable =
                Askable { actions: vec![Action::Read], resource: Resource::File { path: "/slow".into() } };
            say(socket, end, id, Outcome::Listed { grants: Vec::new(), askable: vec![askable] }, &[]);
        }
        Op::Explain { id: denial } if denial == "8F3K-d1" => {
            let explained = Outcome::Explained { denial: refusal(), hint: "do without".into() };
            say(socket, end, id, explained, &[]);
        }
        Op::Request { resource, .. } if path(resource) == "/silent" => {}
        _ => say(socket, end, id, Outcome::Denied { denial: refusal() }, &[]),
    }
    None
}

fn refusal() -> Denial {
    Denial {
        id: "8F3K-d1".into(),
        reason: Reason::Ceiling,
        detail: "no entry of the profile\u{1b}[31m".into(),
        what: "a test".into(),
        at: 1_764_000_000,
    }
}

fn say(socket: &OwnedFd, end: &mut GuardianEnd, id: u32, outcome: Outcome, files: &[BorrowedFd<'_>]) {
    let frame = end.answer(id, outcome).unwrap();
    // EPIPE: the client is gone, its patience was over.
    assert!(matches!(socket::send_with(socket.as_fd(), &frame, files, true), Ok(()) | Err(Errno::EPIPE)));
}
