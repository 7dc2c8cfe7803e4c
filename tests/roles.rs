//! Our own processes beside the Guardian are confined before they read their first byte.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use aisandbox::sys::socket;
use nix::errno::Errno;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use support::run::{Started, comes_true};
use support::{Home, for_each_user};

/// A role that waits for its first message.
fn start(home: &Home, role: &str) -> (Started, OwnedFd) {
    let (ours, theirs) = socket::message_pair().unwrap();
    (home.aisandbox(&["__role", role]).descriptor(3, theirs).start(), ours)
}

fn status(pid: i32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t").map(str::to_owned));
    line.unwrap_or_default()
}

#[test]
fn a_role_that_waits_for_its_first_message_is_confined() {
    for_each_user(|home| {
        let (role, socket) = start(&home, "mounts");
        let pid = role.pid();
        assert!(comes_true(support::run::PATIENCE, || status(pid, "Seccomp") == "2"), "no filter");
        assert_eq!(status(pid, "NoNewPrivs"), "1");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(pid, set), "0000000000000000", "{set}");
        }
        // Only root may look into a process that is not dumpable, whoever it belongs to.
        let owner = fs::metadata(format!("/proc/{pid}/maps")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 0);
        drop(socket);
        let mut role = role;
        role.finish().expect_code(0);
    });
}

#[test]
fn a_role_ends_at_a_message_it_does_not_know() {
    for_each_user(|home| {
        for bytes in [&b"{}"[..], b"[]", br#"{"attach":{"entry":0,"read_only":true,"evil":1}}"#, b"\xff"] {
            let (mut role, socket) = start(&home, "mounts");
            socket::send(socket.as_fd(), bytes, None, true).unwrap();
            role.finish().expect_code(1);
        }
    });
}

#[test]
fn a_message_out_of_its_order_is_refused_and_the_role_stays() {
    for_each_user(|home| {
        let (_role, socket) = start(&home, "mounts");
        for _ in 0..2 {
            let answer = ask(&socket, br#"{"attach":{"entry":0,"read_only":true}}"#);
            assert_eq!(
                answer,
                format!(r#"{{"failed":{{"what":"out of order","errno":{}}}}}"#, Errno::EPROTO as i32)
            );
        }
    });
}

fn ask(socket: &OwnedFd, bytes: &[u8]) -> String {
    socket::send(socket.as_fd(), bytes, None, true).unwrap();
    let mut buffer = [0; 4096];
    let (length, _) = socket::receive(socket.as_fd(), &mut buffer, true).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn the_hidden_command_is_of_no_use_to_a_person() {
    for_each_user(|home| {
        let ran = home.aisandbox(&["__role", "guardian"]).output();
        ran.expect_code(125);
        ran.expect_said("the launcher's own");
        home.aisandbox(&["__role", "mounts"]).output().expect_code(125);
    });
}
