//! A command that knows programs: started with the digest and the path behind its own arguments.
//!
//! Never by a shell, with no variable but PATH, and never longer than its time: then its process group is killed.

use super::Question;
use super::answer::{self, MOST_BYTES};
use crate::sys::process::{self, Ended, ExecStrings, Pid};
use crate::sys::{Errno, fd, signal, spawn};
use crate::wire::reputation::Standing;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Its only variable.
const PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin";

/// Asks it. Nothing on its stdout: exit code 0 says good, 1 bad, 2 unknown. Otherwise a JSON answer, and exit code 0.
/// # Errors
/// In words, when there is no answer.
pub(super) fn ask(
    argv: &[String],
    question: &Question<'_>,
    timeout: Duration,
) -> Result<(Standing, String), String> {
    let until = Instant::now() + timeout;
    let strings = argv.iter().map(String::as_str).chain([question.sha256, question.path]);
    let strings: Result<Vec<CString>, _> = strings.map(CString::new).collect();
    let strings = strings.map_err(|_| "a word for it has a zero byte".to_owned())?;
    let program = strings.first().cloned().ok_or_else(|| "there is no command".to_owned())?;
    let variables = CString::new(PATH).map(|path| vec![path]).map_err(|error| error.to_string())?;
    let failed = |errno: Errno| format!("start the command: {}", errno.desc());
    let (output, its_output) = fd::pipe().map_err(failed)?;
    let (argv, envp) = (ExecStrings::new(strings), ExecStrings::new(variables));
    let (pid, pidfd) = spawn::start_command(&program, &argv, &envp, its_output.as_fd()).map_err(failed)?;
    drop(its_output);
    let read = read_to_end(output.as_fd(), &pidfd, until);
    end_group(pid);
    let ended = process::wait_for(pid).map_err(failed)?;
    judge(&read?, ended)
}

fn judge(bytes: &[u8], ended: Ended) -> Result<(Standing, String), String> {
    match (ended, bytes.trim_ascii().is_empty()) {
        (Ended::Exited(0), false) => answer::read(bytes),
        (Ended::Exited(0), true) => Ok((Standing::Good, String::new())),
        (Ended::Exited(1), true) => Ok((Standing::Bad, String::new())),
        (Ended::Exited(2), true) => Ok((Standing::Unknown, String::new())),
        (Ended::Exited(code), _) => Err(format!("the command ended with exit code {code}")),
        (ended, _) => Err(format!("the command ended otherwise: {ended:?}")),
    }
}

/// What it writes until it ends.
fn read_to_end(output: BorrowedFd<'_>, pidfd: &OwnedFd, until: Instant) -> Result<Vec<u8>, String> {
    let (mut all, mut open) = (Vec::new(), true);
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("the command gave no answer in time".to_owned());
        }
        let mut waits = [
            signal::wants_reading(open.then_some(output)),
            signal::wants_reading((!open).then_some(pidfd.as_fd())),
        ];
        let wait = i32::try_from(left.as_millis()).unwrap_or(i32::MAX).max(1);
        signal::poll(&mut waits, wait).map_err(|errno| format!("wait for the command: {}", errno.desc()))?;
        let [readable, ended] = waits.map(|wait| wait.revents != 0);
        if ended {
            return Ok(all);
        }
        if readable {
            let length = fd::read(output, &mut buffer).map_err(|errno| errno.desc().to_owned())?;
            open = length > 0;
            all.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
        if all.len() > MOST_BYTES {
            return Err(format!("its answer is longer than {MOST_BYTES} bytes"));
        }
    }
}

/// The command and what it started and left in its group.
fn end_group(pid: Pid) {
    for whom in [-pid, pid] {
        if let Err(errno) = process::send_signal(whom, libc::SIGKILL) {
            tracing::debug!("the command has ended already: {errno}");
        }
    }
}
