//! Injection: system calls of the program under test that fail, or claim to have worked, by a filter above it.
//!
//! The filter looks at numbers and arguments and is put in place before the program starts, with no_new_privs, so it
//! holds for every user. What depends on who calls, and how often, is answered by a thread of the test.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use super::support::run::Run;
use aisandbox::sys::seccomp::{self, Instruction};
use aisandbox::sys::{notify, process, signal, socket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;

const ALLOW: u32 = 0x7fff_0000;
const RETURN_ERRNO: u32 = 0x0005_0000;
const USER_NOTIF: u32 = 0x7fc0_0000;

/// One kind of call, and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    number: u32,
    when: Vec<When>,
    action: u32,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Is(u32, u32),
    Has(u32, u32),
}

impl Rule {
    /// Calls of this number. They fail with `EPERM` unless something else is said.
    pub(crate) fn on(number: i64) -> Self {
        Self { number: u32::try_from(number).unwrap(), when: Vec::new(), action: RETURN_ERRNO | 1 }
    }

    /// Only with this value (its low 32 bits) as argument `place`.
    pub(crate) fn with(mut self, place: u32, value: i64) -> Self {
        self.when.push(When::Is(place, value as u32));
        self
    }

    /// Only with any of these bits in argument `place`.
    pub(crate) fn having(mut self, place: u32, bits: i64) -> Self {
        self.when.push(When::Has(place, bits as u32));
        self
    }

    /// It fails with this errno.
    pub(crate) fn fails(mut self, errno: i32) -> Self {
        self.action = RETURN_ERRNO | errno.unsigned_abs();
        self
    }

    /// The test is asked; see [`answered`].
    pub(crate) fn asks(mut self) -> Self {
        self.action = USER_NOTIF;
        self
    }

    fn instructions(&self) -> Vec<Instruction> {
        let plain = |code, k| Instruction { code, jt: 0, jf: 0, k };
        let mut tests = vec![(vec![plain(0x20, 0)], 0x15, self.number)];
        for when in &self.when {
            let (place, code, value) = match *when {
                When::Is(place, value) => (place, 0x15, value),
                When::Has(place, bits) => (place, 0x45, bits),
            };
            tests.push((vec![plain(0x20, 16 + 8 * place)], code, value));
        }
        let mut left = tests.len() * 2 + 1;
        let mut out = Vec::new();
        for (load, code, k) in tests {
            left -= 2;
            out.extend(load);
            out.push(Instruction { code, jt: 0, jf: u8::try_from(left).unwrap(), k });
        }
        out.push(plain(0x06, self.action));
        out
    }
}

/// The filter of these rules; the first that fits decides, and all other calls are allowed.
fn filter(rules: &[Rule]) -> Vec<Instruction> {
    let mut all: Vec<Instruction> = rules.iter().flat_map(Rule::instructions).collect();
    all.push(Instruction { code: 0x06, jt: 0, jf: 0, k: ALLOW });
    all
}

/// The program will run below a filter of these rules.
pub(crate) fn under(mut run: Run, rules: &[Rule]) -> Run {
    let filter = filter(rules);
    let install = move || {
        process::enter_no_new_privs()?;
        Ok(seccomp::install(&filter)?)
    };
    // SAFETY: the closure makes system calls on memory laid out before; it takes no lock and does not allocate.
    unsafe { run.command.pre_exec(install) };
    run
}

/// This process runs below a filter of these rules from here on, and all it starts.
pub(crate) fn install(rules: &[Rule]) {
    process::enter_no_new_privs().unwrap();
    seccomp::install(&filter(rules)).unwrap();
}

/// A call that asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// The caller is the one that asked first of all: the launcher, when it makes such calls.
    pub(crate) first_caller: bool,
    /// Which one of this caller it is, counted from 1.
    pub(crate) time: usize,
    /// The thread that waits for the answer.
    pub(crate) tid: u32,
    /// Its arguments.
    pub(crate) args: [u64; 6],
}

/// The program will run below a filter whose asking calls are answered by `decide`: a result, or `None` to let the
/// kernel go on. As long as this listener is there, the program can have none of its own.
pub(crate) fn answered(
    mut run: Run,
    rules: &[Rule],
    decide: impl Fn(Asked) -> Option<Result<i64, nix::errno::Errno>> + Send + 'static,
) -> Run {
    let filter = filter(rules);
    let (ours, theirs) = socket::message_pair().unwrap();
    let install = move || {
        process::enter_no_new_privs()?;
        let listener = seccomp::install_with_listener(&filter)?;
        Ok(socket::send(theirs.as_fd(), b"l", Some(listener.as_fd()), true)?)
    };
    // SAFETY: the closure makes system calls on memory laid out before; it takes no lock and does not allocate.
    unsafe { run.command.pre_exec(install) };
    std::thread::spawn(move || {
        let (_, listener) = socket::receive(ours.as_fd(), &mut [0; 1], true).unwrap();
        if let Some(listener) = listener {
            serve(&listener, decide);
        }
    });
    run
}

fn serve(listener: &OwnedFd, decide: impl Fn(Asked) -> Option<Result<i64, nix::errno::Errno>>) {
    let mut callers: Vec<(u32, usize)> = Vec::new();
    loop {
        let mut waits = [signal::wants_reading(Some(listener.as_fd()))];
        signal::poll(&mut waits, -1).unwrap();
        if waits[0].revents & libc::POLLIN == 0 {
            return; // nobody is under the filter any more
        }
        let Some(call) = notify::receive(listener.as_fd()).unwrap() else { continue };
        let place = callers.iter().position(|(tid, _)| *tid == call.tid).unwrap_or_else(|| {
            callers.push((call.tid, 0));
            callers.len() - 1
        });
        callers[place].1 += 1;
        match decide(Asked {
            first_caller: place == 0,
            time: callers[place].1,
            tid: call.tid,
            args: call.args,
        }) {
            Some(result) => drop(notify::answer(listener.as_fd(), call.id, result)),
            None => go_on(listener, call.id),
        }
    }
}

/// Lets the kernel carry the call out. A test may; the guard never does.
fn go_on(listener: &OwnedFd, id: u64) {
    #[repr(C)]
    struct Response {
        id: u64,
        value: i64,
        error: i32,
        flags: u32,
    }
    const SEND: libc::c_ulong = 0xc018_2101;
    const CONTINUE: u32 = 1;
    let response = Response { id, value: 0, error: 0, flags: CONTINUE };
    // SAFETY: the kernel reads this struct, whose size the request number carries. A caller that is gone is no loss.
    unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, &raw const response) };
}
