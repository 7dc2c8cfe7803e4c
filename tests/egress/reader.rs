//! Role `dlp` for tests of role `egress`.

use aisandbox::sys::process::ExecStrings;
use aisandbox::sys::{socket, spawn};
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::dlp::{FromDlp, ToDlp};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

/// The role; it ends with this.
pub(crate) struct Reader(i32);

impl Drop for Reader {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
    }
}

/// The role, which was told this, and the socket that role `egress` gets.
pub(crate) fn reader(told: &[ToDlp]) -> (Reader, OwnedFd) {
    let (ours, theirs) = socket::message_pair().unwrap();
    let program = File::open(env!("CARGO_BIN_EXE_aisandbox")).unwrap();
    let argv = ExecStrings::new(vec![c"aisandbox".into(), c"__role".into(), c"dlp".into()]);
    let none = ExecStrings::new(Vec::new());
    let (pid, _pidfd) = spawn::start(program.as_fd(), &argv, &none, theirs.as_fd(), None).unwrap();
    drop(theirs);
    for message in told.iter().chain([&ToDlp::Start {}]) {
        socket::send(ours.as_fd(), &encode(message).unwrap(), None, true).unwrap();
    }
    let mut buffer = vec![0; 65_536];
    let (length, _) = socket::receive(ours.as_fd(), &mut buffer, true).unwrap();
    assert_eq!(decode::<FromDlp>(&buffer[..length]), Ok(FromDlp::Ready {}));
    (Reader(pid), ours)
}
