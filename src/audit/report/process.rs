//! Processes of a run, as far as records name them: each with its parent, and what it asked for.
//!
//! A pid stands for a process only with its program, since the kernel gives pids anew. Bounded; what has no room is counted
//! with its parent.

use crate::audit::Record;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;

/// The most processes that are kept, and parents of one that are looked at.
const MOST: usize = 2_000;
const MOST_PARENTS: usize = 32;

/// A process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its pid outside; 0 when it is not known.
    pub pid: i64,
    /// Its program, as the sandbox sees it.
    pub program: String,
    /// The SHA-256 of the program, where a record has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its parent's place in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// Events that name it as the one who asked.
    pub events: u64,
    /// Those that say no.
    pub denied: u64,
    /// The first and the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves: Option<(u64, u64)>,
    /// Runs that it started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub started: Vec<String>,
}

/// All processes of a run.
#[derive(Debug, Default)]
pub struct Processes {
    all: Vec<Process>,
    known: HashMap<(i64, String), usize>,
    /// Events of processes that had no room.
    crowded: u64,
}

impl Processes {
    /// Takes what a record says of processes; `denied` when it says no.
    pub(super) fn take(&mut self, record: &Record, denied: bool) {
        let Some((seen, parents)) = named(&record.data) else { return };
        let mut above = None;
        for one in parents.iter().take(MOST_PARENTS).rev() {
            above = self.place(one, above).or(above);
        }
        let Some(place) = self.place(seen, above) else {
            self.crowded += 1;
            return;
        };
        let Some(process) = self.all.get_mut(place) else { return };
        process.events += 1;
        process.denied += u64::from(denied);
        process.leaves = Some((process.leaves.map_or(record.seq, |(first, _)| first), record.seq));
        let digest = seen.get("sha256").and_then(Value::as_str).filter(|text| text.len() == 64);
        process.sha256 = process.sha256.take().or(digest.map(str::to_owned));
        if record.event == "agent_start"
            && process.started.len() < MOST_PARENTS
            && let Some(run) = record.data.get("run").and_then(Value::as_str)
        {
            process.started.push(super::flow::name(run));
        }
    }

    /// The place of a process, which is made where there is room.
    fn place(&mut self, seen: &Value, above: Option<usize>) -> Option<usize> {
        let pid = seen.get("pid").and_then(Value::as_i64).unwrap_or(0);
        let program = super::flow::name(seen.get("program").and_then(Value::as_str)?);
        let next = self.all.len();
        if let Some(place) = self.known.get(&(pid, program.clone())) {
            // One that was first seen without its parents gets them, unless it would become its own.
            let loops = above.is_some_and(|above| self.is_below(above, *place));
            if let Some(process) = self.all.get_mut(*place)
                && process.parent.is_none()
                && !loops
            {
                process.parent = above;
            }
            return Some(*place);
        }
        if next >= MOST {
            return None;
        }
        self.known.insert((pid, program.clone()), next);
        self.all.push(Process { pid, program, parent: above, ..Process::default() });
        Some(next)
    }

    /// Whether one is another, or below it.
    fn is_below(&self, one: usize, other: usize) -> bool {
        let up = |place: &usize| self.all.get(*place).and_then(|process| process.parent);
        std::iter::successors(Some(one), up).take(MOST).any(|place| place == other)
    }

    /// All that had room; a parent stands before what is below it only by chance.
    pub fn all(&self) -> &[Process] {
        &self.all
    }

    /// Events of processes that had no room.
    pub fn crowded(&self) -> u64 {
        self.crowded
    }

    /// The places of those below one; without one, of those that have no parent.
    pub fn below(&self, parent: Option<usize>) -> impl Iterator<Item = usize> {
        let all = self.all.iter().enumerate();
        all.filter(move |(_, process)| process.parent == parent).map(|(place, _)| place)
    }
}

/// The process of a record and its parents, nearest first.
pub(super) fn named(data: &Value) -> Option<(&Value, &[Value])> {
    let who = data.get("who");
    let seen = who.and_then(|who| who.get("process")).or_else(|| data.get("process"))?;
    let is_known = seen.get("program").and_then(Value::as_str).is_some_and(|program| !program.is_empty());
    let parents = who.and_then(|who| who.get("parents")).and_then(Value::as_array);
    is_known.then(|| (seen, parents.map_or(&[][..], Vec::as_slice)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(seq: u64, data: Value) -> Record {
        let (time, run, event) = (String::new(), String::new(), "request".to_owned());
        Record { v: 2, seq, ts: 0, time, boot_ms: 0, run, event, data, cut: None, sd: None }
    }

    fn seen(pid: i64, program: &str) -> Value {
        json!({ "pid": pid, "program": program })
    }

    #[test]
    fn a_process_stands_below_its_parents_also_when_they_come_later() {
        let mut processes = Processes::default();
        processes.take(&record(1, json!({ "process": seen(5, "curl") })), true);
        let who = json!({ "process": seen(5, "curl"), "parents": [seen(4, "bash"), seen(3, "agent")] });
        processes.take(&record(2, json!({ "who": who })), false);
        let programs = |parent| {
            processes.below(parent).map(|at| processes.all()[at].program.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(programs(None), ["agent"]);
        let place = |program| processes.all().iter().position(|one| one.program == program);
        assert_eq!(programs(place("agent")), ["bash"]);
        let curl = &processes.all()[processes.below(place("bash")).next().unwrap()];
        assert_eq!((curl.events, curl.denied, curl.leaves), (2, 1, Some((1, 2))));
    }

    #[test]
    fn records_that_lie_make_no_circle_and_no_flood() {
        let mut processes = Processes::default();
        let who = |one: i64, other: i64| json!({ "process": seen(one, "a"), "parents": [seen(other, "a")] });
        processes.take(&record(1, json!({ "who": who(1, 2) })), false);
        processes.take(&record(2, json!({ "who": who(2, 1) })), false);
        processes.take(&record(3, json!({ "who": who(3, 3) })), false);
        assert_eq!(processes.below(None).count(), 2);
        for pid in 0..3 * MOST as i64 {
            processes.take(&record(4, json!({ "process": seen(pid + 10, "b") })), false);
        }
        assert!(processes.all().len() == MOST && processes.crowded() > MOST as u64);
        processes.take(&record(5, json!({ "who": "nobody", "process": 7 })), false);
    }
}
