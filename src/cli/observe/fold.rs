//! From what init told to events: what is done again and again by one process becomes one event with its number, and what
//! fails fast is told together.
//!
//! Never loses one: each is told by itself, or counted and told later. Never keeps more than so many.

use crate::audit::Event;
use crate::audit::access::Seen;
use crate::audit::calls::Access;
use crate::audit::event::{Command, text};
use crate::guardian::repeat::{Kind, Repeats, Ruling};
use crate::launch::observed::{Act, Observed};
use crate::profile::{Arch, call_name};
use crate::sys::Errno;
use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// What one process does again within so long is counted.
const TOGETHER: Duration = Duration::from_secs(10);
/// The most different ones that are remembered.
const MOST: usize = 4096;
/// Failures of all kinds that are told one by one in a minute.
const MOST_FAILED: u32 = 3000;
/// Processes whose number here is remembered; init remembers fewer.
const MOST_PROCESSES: usize = 256;

/// All that was not told yet.
#[derive(Debug, Default)]
pub(super) struct Fold {
    again: HashMap<Access, Again>,
    since: Duration,
    failed: Repeats,
    pids: VecDeque<(u32, i32)>,
}

#[derive(Debug)]
struct Again {
    count: u64,
    from: Duration,
    to: Duration,
}

impl Fold {
    /// A process of the sandbox has this number here.
    pub(super) fn met(&mut self, inside: u32, outside: i32) {
        self.pids.retain(|(known, _)| *known != inside);
        self.pids.push_front((inside, outside));
        self.pids.truncate(MOST_PROCESSES);
    }

    /// The events that this is now.
    pub(super) fn take(&mut self, observed: Observed, now: Duration) -> Vec<Event> {
        let mut events = Vec::new();
        for access in self.accesses(&observed) {
            match observed.error {
                Some(errno) => events.extend(self.failure(access, errno, now)),
                None if observed.act == Act::Execute => events.push(event(access)),
                None => events.extend(self.done(access, now)),
            }
        }
        if self.again.len() >= MOST {
            events.extend(self.told_together(now));
        }
        events
    }

    fn done(&mut self, access: Access, now: Duration) -> Option<Event> {
        if let Some(again) = self.again.get_mut(&access) {
            if again.count == 0 {
                again.from = now;
            }
            (again.count, again.to) = (again.count + 1, now);
            return None;
        }
        self.again.insert(access.clone(), Again { count: 0, from: now, to: now });
        Some(event(access))
    }

    fn failure(&mut self, access: Access, errno: Errno, now: Duration) -> Option<Event> {
        let resource = if access.action == "execute" { "program" } else { "file" };
        let name = format!("{resource} {}", access.path);
        let mut kind = Kind {
            of: "access",
            reason: error_name(errno),
            actions: vec![access.action.clone()],
            resource: resource.to_owned(),
            pid: access.process.pid,
        };
        match self.failed.rule(&mut kind, &name, MOST_FAILED, now) {
            Ruling::Tell => return Some(event(access)),
            Ruling::Begin => self.failed.begun_by(&kind, access.process),
            Ruling::Count => {}
        }
        None
    }

    /// What is to be told now.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Event> {
        let mut events = self.failed.told(now, false);
        if now >= self.since + TOGETHER {
            events.extend(self.told_together(now));
        }
        events
    }

    /// How long there is nothing to tell, if nothing comes.
    pub(super) fn rest(&self, now: Duration) -> Option<Duration> {
        let again = (!self.again.is_empty()).then_some(self.since + TOGETHER);
        [again, self.failed.due()].into_iter().flatten().min().map(|at| at.saturating_sub(now))
    }

    /// All that is left.
    pub(super) fn end(&mut self, now: Duration) -> Vec<Event> {
        let mut events = self.failed.told(now, true);
        events.extend(self.told_together(now));
        events
    }

    fn told_together(&mut self, now: Duration) -> Vec<Event> {
        self.since = now;
        let all = self.again.drain().filter(|(_, again)| again.count > 0);
        let told = |(access, Again { count, from, to }): (Access, Again)| {
            let within = u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX);
            event(Access { count, within_ms: Some(within), ..access })
        };
        all.map(told).collect()
    }

    /// What is moved is gone from one name, and there by another.
    fn accesses(&self, observed: &Observed) -> Vec<Access> {
        let pid = self.pids.iter().find(|(inside, _)| *inside == observed.pid).map_or(0, |(_, pid)| *pid);
        let named = |name: &[u8]| (!name.is_empty()).then(|| text(name));
        let call = call_name(observed.call, Arch::host());
        let access = |action: &str, path: &[u8], other: &[u8]| Access {
            process: Seen { pid, program: text(&observed.program), sha256: None },
            action: action.to_owned(),
            call: call.map_or_else(|| observed.call.to_string(), str::to_owned),
            path: text(path),
            other: named(other),
            outcome: outcome(observed.error).to_owned(),
            error: observed.error.map(error_name),
            src: if observed.act == Act::Execute { "notify" } else { "guard" }.to_owned(),
            count: 1,
            within_ms: None,
            command: None,
        };
        let (path, other) = (observed.path.as_slice(), observed.other.as_slice());
        let one = |action: &str| vec![access(action, path, other)];
        match observed.act {
            Act::Read => one("read"),
            Act::Append => one("append"),
            Act::Overwrite => one("overwrite"),
            Act::Create => one("create"),
            Act::Delete => one("delete"),
            Act::Mode => one("mode"),
            Act::Rename => vec![access("delete", path, other), access("create", other, path)],
            Act::Execute => vec![Access { command: command(observed), ..access("execute", path, other) }],
        }
    }
}

fn event(access: Access) -> Event {
    Event::Access(Box::new(access))
}

fn outcome(error: Option<Errno>) -> &'static str {
    match error {
        None => "observed",
        Some(Errno::ENOENT | Errno::ENOTDIR) => "failed",
        Some(_) => "denied",
    }
}

fn error_name(errno: Errno) -> String {
    format!("{errno:?}")
}

fn command(observed: &Observed) -> Option<Command> {
    let arguments = observed.arguments.strip_suffix(b"\0")?;
    let arguments: Vec<&OsStr> = arguments.split(|byte| *byte == 0).map(OsStr::from_bytes).collect();
    let all = usize::try_from(observed.count).unwrap_or(usize::MAX);
    let command = Command::of(&arguments);
    let cut = command.cut || all > arguments.len();
    Some(Command { count: all.max(command.count), cut, ..command })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(act: Act, path: &str, error: Option<Errno>) -> Observed {
        let (path, program) = (path.as_bytes().to_vec(), b"/bin/sh".to_vec());
        let (other, arguments) = (Vec::new(), Vec::new());
        Observed { act, call: 257, error, pid: 7, program, path, other, arguments, count: 0 }
    }

    fn accesses(events: &[Event]) -> Vec<&Access> {
        let all = events.iter().filter_map(|event| match event {
            Event::Access(access) => Some(&**access),
            _ => None,
        });
        all.collect()
    }

    #[test]
    fn what_is_done_again_is_told_once_more_with_its_number() {
        let mut fold = Fold::default();
        fold.met(7, 4711);
        let at = Duration::from_secs;
        let first = fold.take(seen(Act::Overwrite, "/w/log", None), at(1));
        assert_eq!((accesses(&first)[0].process.pid, accesses(&first)[0].count), (4711, 1));
        for second in 2..5 {
            assert!(fold.take(seen(Act::Overwrite, "/w/log", None), at(second)).is_empty());
        }
        assert_eq!(fold.take(seen(Act::Overwrite, "/w/other", None), at(5)).len(), 1);
        assert!(fold.due(at(9)).is_empty());
        let told = fold.due(at(10));
        let [again] = accesses(&told)[..] else { panic!("{told:?}") };
        assert_eq!((again.count, again.within_ms, again.path.as_str()), (3, Some(2000), "/w/log"));
        assert!(fold.end(at(11)).is_empty());
    }

    #[test]
    fn none_is_lost_however_many_there_are() {
        let mut fold = Fold::default();
        let mut told = 0;
        let mut count = |events: Vec<Event>| {
            told += events
                .iter()
                .map(|event| match event {
                    Event::Access(access) => access.count,
                    Event::Repeat(repeat) => repeat.count,
                    _ => 0,
                })
                .sum::<u64>();
        };
        for number in 0..30_000_u64 {
            let now = Duration::from_micros(number * 300);
            let error = (number % 3 == 0).then_some(Errno::ENOENT);
            count(fold.take(seen(Act::Read, &format!("/w/{}", number % 7000), error), now));
            count(fold.due(now));
            assert!(fold.again.len() <= MOST);
        }
        count(fold.end(Duration::from_secs(20)));
        assert_eq!(told, 30_000);
    }

    #[test]
    fn what_is_moved_is_gone_and_there_and_a_program_has_its_arguments() {
        let mut fold = Fold::default();
        let moved = Observed { other: b"/w/b".to_vec(), ..seen(Act::Rename, "/w/a", None) };
        let events = fold.take(moved, Duration::ZERO);
        let [gone, there] = accesses(&events)[..] else { panic!("{events:?}") };
        assert_eq!(
            (gone.action.as_str(), gone.path.as_str(), gone.other.as_deref()),
            ("delete", "/w/a", Some("/w/b"))
        );
        assert_eq!(
            (there.action.as_str(), there.path.as_str(), there.other.as_deref()),
            ("create", "/w/b", Some("/w/a"))
        );
        let executed = Observed {
            arguments: b"git\0--token=x\0\0".to_vec(),
            count: 9,
            ..seen(Act::Execute, "/bin/git", None)
        };
        let events = fold.take(executed, Duration::ZERO);
        let told = accesses(&events)[0];
        let command = told.command.as_ref().unwrap();
        assert_eq!((command.argv.len(), command.count, command.cut, command.redacted), (3, 9, true, true));
        assert_eq!((told.src.as_str(), told.outcome.as_str()), ("notify", "observed"));
    }
}
