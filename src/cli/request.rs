//! `request`: inside a sandbox, asks the Guardian for access and waits for the answer.
//!
//! Never takes silence for a yes. Exit codes: 0 granted, 1 denied, 2 a mistake in the words, 125 nobody to ask.

mod answer;
mod wanted;

pub(super) use answer::{Answer, explained_reason};
pub(super) use wanted::{WORDS, Wanted};

use super::args::{Request, Wish};
use super::broker::{Broker, BrokerError, Heard};
use super::output::{complain, print};
use crate::base::{BootInstant, TraceParent};
use crate::profile::parse_duration;
use crate::sys::{fd, file, signal};
use crate::wire::broker::{Op, Outcome};
use crate::wire::session::Given;
use crate::wire::subject::{Action, Resource};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Asks; gives the exit code.
pub(super) fn run(request: &Request) -> u8 {
    match request {
        Request::Read(read) => ask("read", &read.wish, read.print),
        Request::Write(wish) => ask("write", wish, false),
        Request::Append(wish) => ask("append", wish, false),
        Request::Overwrite(wish) => ask("overwrite", wish, false),
        Request::Create(wish) => ask("create", wish, false),
        Request::Delete(wish) => ask("delete", wish, false),
        Request::Exec(wish) => ask("exec", wish, false),
        Request::Connect(wish) => ask("connect", wish, false),
        Request::List { json } => say(&one_call(Op::List {}), *json),
        Request::Explain { denial, json } => {
            let known = explained_reason(denial);
            say(&known.unwrap_or_else(|| one_call(Op::Explain { id: denial.clone() })), *json)
        }
    }
}

fn ask(word: &str, wish: &Wish, print_it: bool) -> u8 {
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let given = std::env::var("TRACEPARENT").ok().filter(|text| text.parse::<TraceParent>().is_ok());
    let traceparent = wish.traceparent.clone().or(given);
    let wanted = Wanted::read(word, &wish.resource, &wish.why, &here);
    let wanted = match wanted.and_then(|wanted| wanted.within(traceparent.as_deref())) {
        Ok(wanted) => wanted,
        Err(why) => return mistake(&why.to_string()),
    };
    let patience = wish.timeout.as_deref().map(|text| parse_duration(text).ok_or(text)).transpose();
    let patience = match patience {
        Ok(patience) => patience,
        Err(text) => {
            return mistake(&format!(
                "`{}` is no duration: write 90s or 5m",
                crate::base::escape(text.as_bytes())
            ));
        }
    };
    let mut broker = match Broker::connect() {
        Ok(broker) => broker,
        Err(error) => return say(&Answer::nobody(&error.to_string()), wish.json),
    };
    match wait(&mut broker, &wanted, patience) {
        Ok((Some(Outcome::Granted { how, .. }), _)) if print_it => print_file(&mut broker, &wanted, how),
        Ok((Some(outcome), _)) => say(&Answer::of(&outcome), wish.json),
        Ok((None, request)) => say(&Answer::out_of_time(request.as_deref()), wish.json),
        Err(error) => say(&Answer::nobody(&error.to_string()), wish.json),
    }
}

fn mistake(why: &str) -> u8 {
    complain(why, Some("aisandbox request --help"));
    2
}

/// The last word on a wish; `None` when patience is over first. With the id a person knows the request by.
fn wait(
    broker: &mut Broker,
    wanted: &Wanted,
    patience: Option<Duration>,
) -> Result<(Option<Outcome>, Option<String>), BrokerError> {
    let begun = BootInstant::now();
    let call = broker.send(wanted.op())?;
    let mut known = None;
    loop {
        let left = patience.map(|patience| patience.saturating_sub(begun.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok((None, known));
        }
        let left = left.map_or(-1, |left| i32::try_from(left.as_millis().max(1)).unwrap_or(i32::MAX));
        let mut waits = [signal::wants_reading(Some(broker.descriptor()))];
        if signal::poll(&mut waits, left).map_err(|errno| BrokerError::Socket { what: "poll", errno })? == 0 {
            continue;
        }
        match broker.hear()? {
            Heard::Answer(answer, _) if answer.id == call => match answer.result {
                Outcome::Pending { request, seconds } => {
                    complain(&Answer::of(&Outcome::Pending { request: request.clone(), seconds }).text, None);
                    known = Some(request);
                }
                last => return Ok((Some(last), known)),
            },
            Heard::Answer(..) | Heard::Event(_) => {}
        }
    }
}

fn one_call(op: Op) -> Answer {
    let called = Broker::connect().and_then(|mut broker| broker.call(op, &mut |_, _| {}));
    match called {
        Ok((outcome, _)) => Answer::of(&outcome),
        Err(error) => Answer::nobody(&error.to_string()),
    }
}

/// A no goes to stderr, for people; JSON is always on stdout, for programs.
fn say(answer: &Answer, json: bool) -> u8 {
    if json {
        let printed = print(&format!("{}\n", answer.json));
        return if printed == 0 { answer.code } else { printed };
    }
    if answer.code != 0 {
        complain(&answer.text, None);
        return answer.code;
    }
    print(&format!("{}\n", answer.text))
}

/// What a granted file holds, to stdout: by its path where it is there now, else by the descriptor of the Guardian.
fn print_file(broker: &mut Broker, wanted: &Wanted, how: Given) -> u8 {
    let Resource::File { path } = &wanted.resource else { return mistake("only a file can be printed") };
    let opened = match how {
        Given::Mount | Given::Served => open_path(path),
        Given::Descriptor | Given::Act => open_by_guardian(broker, path),
    };
    let copied =
        opened.and_then(|file| copy(file.as_fd()).map_err(|errno| format!("read it: {}", errno.desc())));
    match copied {
        Ok(()) => 0,
        Err(why) => {
            complain(
                &format!("granted, but not printed: {}: {why}", crate::base::escape(path.as_bytes())),
                None,
            );
            1
        }
    }
}

fn open_path(path: &str) -> Result<OwnedFd, String> {
    let name = std::ffi::CString::new(path).map_err(|_| "the path holds a NUL byte".to_owned())?;
    file::open(&name, libc::O_RDONLY | libc::O_NOCTTY).map_err(|errno| errno.desc().to_owned())
}

fn open_by_guardian(broker: &mut Broker, path: &str) -> Result<OwnedFd, String> {
    let op = Op::Open { paths: vec![path.to_owned()], action: Action::Read };
    let (outcome, descriptors) = broker.call(op, &mut |_, _| {}).map_err(|error| error.to_string())?;
    let denied = match outcome {
        Outcome::Opened { denials, .. } => denials.into_iter().next(),
        Outcome::Denied { denial } => Some(denial),
        _ => None,
    };
    let text = denied.map(|denial| Answer::of(&Outcome::Denied { denial }).text);
    descriptors
        .into_iter()
        .next()
        .ok_or_else(|| text.unwrap_or_else(|| "the Guardian did not open it".into()))
}

fn copy(from: BorrowedFd<'_>) -> Result<(), crate::sys::Errno> {
    let mut buffer = vec![0; 1 << 16];
    let out = std::io::stdout();
    loop {
        match fd::read(from, &mut buffer)? {
            0 => return Ok(()),
            length => fd::write_all(out.as_fd(), buffer.get(..length).unwrap_or_default())?,
        }
    }
}
