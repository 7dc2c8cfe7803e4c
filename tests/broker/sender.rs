//! Who wrote a message: the kernel's word for it, with real processes.

use aisandbox::sys::{asker, local, socket};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

/// A pair that names who writes to it.
fn pair() -> Option<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socket::message_pair().unwrap();
    match asker::name_senders(ours.as_fd()) {
        Ok(()) => Some((ours, theirs)),
        Err(errno) => skip(&format!("the kernel names no senders (Linux 6.5): {errno}")),
    }
}

fn skip<T>(why: &str) -> Option<T> {
    let must = std::env::var("AISANDBOX_MUST_RUN").is_ok_and(|value| value == "1");
    assert!(!must, "must run, but: {why}");
    eprintln!("skipped: {why}");
    None
}

/// A process that writes one message, says so, and stays until its stdin closes.
fn writer(socket: &OwnedFd, before: &[&str]) -> Child {
    let script = "printf x; echo sent >&2; read _ || :";
    let words: Vec<&str> = before.iter().copied().chain(["sh", "-c", script]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::piped()).stdout(socket.try_clone().unwrap());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line == "sent\n" || !before.is_empty(), "{line}");
    child
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_message_names_the_process_that_wrote_it_whoever_made_the_pair() {
    let Some((ours, theirs)) = pair() else { return };
    let (one, two) = (writer(&theirs, &[]), writer(&theirs, &[]));
    for child in [&one, &two] {
        let message = asker::receive(ours.as_fd(), &mut [0; 8]).unwrap();
        let pid = asker::pid_of(message.sender.unwrap().as_fd()).unwrap();
        assert_eq!(pid, child.id() as i32);
        assert_eq!(local::credentials(ours.as_fd()).unwrap().pid, std::process::id() as i32, "the trap");
    }
    end(one);
    end(two);
}

#[test]
fn a_process_of_another_pid_namespace_is_told_apart() {
    let Some((ours, theirs)) = pair() else { return };
    let namespaces = || {
        let message = asker::receive(ours.as_fd(), &mut [0; 8]).ok()?;
        local::namespaces(message.sender?.as_fd()).ok()
    };
    let beside = writer(&theirs, &[]);
    let own = namespaces().unwrap();
    end(beside);
    let inside = writer(&theirs, &["unshare", "-U", "-r", "-p", "-f"]);
    match namespaces() {
        Some(other) => assert!(other.0 != own.0 && other.1 != own.1, "{other:?} {own:?}"),
        None => drop(skip::<()>("no namespaces can be made or told apart here")),
    }
    end(inside);
}
