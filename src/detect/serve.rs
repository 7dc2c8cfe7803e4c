//! The role: takes rules, then the events of a run, and says what it found.
//!
//! Never opens a file and never looks at a clock. Memory has a limit; when it is reached the process ends, and the
//! Guardian does what the profile says for that.

use super::engine::{Engine, Finding};
use super::place::{RuleFile, engine};
use crate::audit::log::lines;
use crate::sys::limits::{Resource, lower};
use crate::sys::{Errno, Sys, socket};
use crate::wire::codec::{decode, encode};
use crate::wire::detect::{Fact, Found, FromDetect, RuleName, ToDetect};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The most private memory of the role, bytes.
const MEMORY_BYTES: u64 = 128 << 20;
/// The most bytes of all rules.
const MOST_RULES_BYTES: usize = 4 << 20;
/// The longest message: a leaf and the value that opens it, each as long as it may be, and their index.
const MOST_MESSAGE: usize = 160 << 10;
/// The most facts about a finding that are sent.
const MOST_FACTS: usize = 6;
/// The most letters of what a rule finds.
const MOST_TITLE: usize = 120;
/// The most bytes of an error.
const MOST_ERROR: usize = 4000;
/// What the Guardian says of findings; to find something in that would never end.
const OWN: &str = "alert";

/// Bounds the memory of this process. The role calls it before its filter forbids it.
/// # Errors
/// As setrlimit(2).
pub fn limit_memory() -> Sys<()> {
    lower(Resource::Data, MEMORY_BYTES)
}

/// Serves until the socket closes; gives the exit code.
pub fn serve(socket: OwnedFd) -> u8 {
    match serve_all(socket.as_fd()) {
        Ok(()) => 0,
        Err(_) => 125,
    }
}

/// Rules that come, then the engine of them.
enum Stage {
    Rules(Vec<RuleFile>),
    Events(Box<Engine>, String, Vec<Option<u32>>),
}

fn serve_all(socket: BorrowedFd<'_>) -> Sys<()> {
    let mut stage = Stage::Rules(Vec::new());
    let mut buffer = vec![0; MOST_MESSAGE];
    loop {
        let (length, _) = socket::receive(socket, &mut buffer, true)?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        let answer = match &mut stage {
            Stage::Rules(_) => {
                let message = decode(bytes).map_err(|_| Errno::EBADMSG)?;
                let (next, answer) = told(std::mem::replace(&mut stage, Stage::Rules(Vec::new())), message)?;
                stage = next;
                answer
            }
            Stage::Events(engine, run, numbers) => Some(looked(engine, run, numbers, bytes)?),
        };
        if let Some(answer) = answer {
            send(socket, answer)?;
        }
    }
}

/// An answer that is too long goes without what the findings are about.
fn send(socket: BorrowedFd<'_>, mut answer: FromDetect) -> Sys<()> {
    let bytes = encode(&answer).or_else(|_| {
        if let FromDetect::Looked { found, .. } = &mut answer {
            found.iter_mut().for_each(|found| found.about.clear());
        }
        encode(&answer)
    });
    socket::send(socket, &bytes.map_err(|_| Errno::EMSGSIZE)?, None, true)
}

fn told(stage: Stage, message: ToDetect) -> Sys<(Stage, Option<FromDetect>)> {
    let Stage::Rules(mut files) = stage else { return Err(Errno::EBADMSG) };
    match message {
        ToDetect::Rules { name, text } => {
            let bytes: usize = files.iter().map(|file| file.text.len()).sum::<usize>() + text.len();
            if bytes > MOST_RULES_BYTES {
                let error = format!("rules have more than {MOST_RULES_BYTES} bytes");
                return Ok((Stage::Rules(files), Some(FromDetect::Wrong { error })));
            }
            files.push(RuleFile { name, text, embedded: false });
            Ok((Stage::Rules(files), None))
        }
        ToDetect::Begin { run } => match engine(&files) {
            Ok(engine) => {
                let (stage, answer) = begun(engine, run);
                Ok((stage, Some(answer)))
            }
            Err(errors) => {
                let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let error = super::correlation::cut_at(&all.join("\n"), MOST_ERROR);
                Ok((Stage::Rules(files), Some(FromDetect::Wrong { error })))
            }
        },
    }
}

/// Only rules that tell have a number outside.
fn begun(engine: Engine, run: String) -> (Stage, FromDetect) {
    let (mut rules, mut numbers) = (Vec::new(), Vec::new());
    for rule in engine.rules() {
        let tells = engine.telling().any(|telling| telling.name == rule.name);
        numbers.push(tells.then(|| u32::try_from(rules.len()).unwrap_or(u32::MAX)));
        if tells {
            let (name, id) = (rule.name.clone(), rule.id.clone());
            let title = super::correlation::cut_at(&rule.title, MOST_TITLE);
            rules.push(RuleName { name, level: rule.level.word().to_owned(), id, title });
        }
    }
    let events = engine.events().filter(|event| *event != OWN).map(str::to_owned).collect();
    let ready = FromDetect::Ready { rules, events };
    if encode(&ready).is_err() {
        let error = "the names of all rules together are too long".to_owned();
        return (Stage::Rules(Vec::new()), FromDetect::Wrong { error });
    }
    (Stage::Events(Box::new(engine), run, numbers), ready)
}

fn looked(engine: &mut Engine, run: &str, numbers: &[Option<u32>], bytes: &[u8]) -> Sys<FromDetect> {
    let (mut events, mut findings) = (0, Vec::new());
    for line in lines(bytes) {
        let leaf = line.ok_or(Errno::EBADMSG)?;
        events += 1;
        // The log writes no other leaves: one that cannot be read is a fault, and nothing to pass over.
        engine.take(run, leaf.index, (leaf.leaf, leaf.hidden), &mut findings).map_err(|_| Errno::EBADMSG)?;
    }
    let mut found: Vec<Found> = Vec::new();
    for finding in findings {
        let Some(number) = numbers.get(finding.rule).copied().flatten() else { continue };
        match found.iter_mut().find(|known| known.rule == number) {
            Some(known) => {
                known.count += 1;
                known.last = finding.last.1;
            }
            None => found.push(of(number, finding)),
        }
    }
    Ok(FromDetect::Looked { events, found })
}

fn of(number: u32, finding: Finding) -> Found {
    let about = finding.about.into_iter().take(MOST_FACTS).map(|(field, value)| Fact { field, value });
    Found { rule: number, count: 1, about: about.collect(), first: finding.first.1, last: finding.last.1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::shipped;

    /// A role in a thread, with the shipped rules.
    fn role() -> (OwnedFd, std::thread::JoinHandle<u8>, FromDetect) {
        let (ours, theirs) = socket::message_pair().unwrap();
        let thread = std::thread::spawn(move || serve(theirs));
        for RuleFile { name, text, .. } in shipped() {
            let rules = encode(&ToDetect::Rules { name, text }).unwrap();
            socket::send(ours.as_fd(), &rules, None, true).unwrap();
        }
        let ready = ask(&ours, &encode(&ToDetect::Begin { run: "r".into() }).unwrap());
        (ours, thread, ready)
    }

    fn ask(role: &OwnedFd, bytes: &[u8]) -> FromDetect {
        socket::send(role.as_fd(), bytes, None, true).unwrap();
        let mut buffer = vec![0; 1 << 17];
        let (length, _) = socket::receive(role.as_fd(), &mut buffer, true).unwrap();
        decode(&buffer[..length]).unwrap()
    }

    fn decoy(index: u64, host: &str) -> String {
        format!(
            "{index} {{\"v\":2,\"ts\":1,\"mono\":2,\"event\":\"network\",\"data\":{{\"what\":\"alert\",\"host\":\"{host}\",\"findings\":[[\"canary-github\",1]]}}}}\t\n"
        )
    }

    #[test]
    fn many_findings_of_a_rule_in_one_message_are_one_with_their_number() {
        let (role, thread, ready) = role();
        let FromDetect::Ready { rules, events } = ready else { panic!("{ready:?}") };
        assert!(events.contains(&"network".to_owned()) && !events.contains(&OWN.to_owned()));
        let message: String = (5..105).map(|index| decoy(index, "a.example")).collect();
        let FromDetect::Looked { events, found } = ask(&role, message.as_bytes()) else { panic!("looked") };
        assert_eq!((events, found.len()), (100, 1));
        let found = &found[0];
        assert_eq!((found.count, found.first, found.last), (100, 5, 104));
        assert_eq!(rules[found.rule as usize].name, "decoy-taken");
        assert!(found.about.iter().any(|fact| fact.value == "canary-github"));
        drop(role);
        assert_eq!(thread.join().unwrap(), 0);
    }

    #[test]
    fn what_is_no_event_ends_the_role() {
        for bytes in ["x", "1 {}\t\n", "{}", "1 {\"v\":2}\t\n", "1 {\"v\":2}\n"] {
            let (role, thread, _) = role();
            socket::send(role.as_fd(), bytes.as_bytes(), None, true).unwrap();
            assert_eq!(thread.join().unwrap(), 125, "{bytes}");
        }
    }

    #[test]
    fn rules_that_are_wrong_are_refused_in_words() {
        let (ours, theirs) = socket::message_pair().unwrap();
        let thread = std::thread::spawn(move || serve(theirs));
        let rules = ToDetect::Rules { name: "x.yml".into(), text: "a: b\n".repeat(4000) };
        socket::send(ours.as_fd(), &encode(&rules).unwrap(), None, true).unwrap();
        let answer = ask(&ours, &encode(&ToDetect::Begin { run: "r".into() }).unwrap());
        let FromDetect::Wrong { error } = answer else { panic!("{answer:?}") };
        assert!(error.starts_with("x.yml:") && error.len() <= MOST_ERROR + 8, "{error}");
        drop(ours);
        assert_eq!(thread.join().unwrap(), 0);
    }
}
