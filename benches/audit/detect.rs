//! How long the shipped rules take for one event: its leaf read and judged, as role `detect` does it.

use crate::turns;
use aisandbox::audit::Record;
use aisandbox::audit::log::{Salted, encode_event};
use aisandbox::base::{WallTime, thread_time};
use aisandbox::detect::{engine, shipped};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn run() {
    let leaves = leaves();
    let bytes: usize = leaves.iter().map(|(_, (leaf, hidden))| leaf.len() + hidden.len()).sum();
    let mut of_event: BTreeMap<&str, Vec<Parts>> = BTreeMap::new();
    leaves.iter().for_each(|(event, leaf)| of_event.entry(event).or_default().push(leaf.clone()));
    let all: Vec<Parts> = leaves.iter().map(|(_, leaf)| leaf.clone()).collect();
    let (took, found) = each(&all, turns(2_000_000, 20_000));
    println!(
        "live rules: {took:.2} µs an event (2 must, 0.6 aim), {} rules, {} bytes an event, {found} findings",
        engine(&shipped()).unwrap().rules().len(),
        bytes / leaves.len(),
    );
    for (event, leaves) in of_event {
        let (took, _) = each(&leaves, turns(200_000, 5_000));
        println!("  {event}: {took:.2} µs");
    }
}

/// Processor time of one of these leaves, microseconds, and how many findings there were.
fn each(leaves: &[Parts], count: usize) -> (f64, usize) {
    let (mut engine, mut found, mut findings) = (engine(&shipped()).unwrap(), Vec::new(), 0);
    let before = thread_time();
    for (seq, (leaf, hidden)) in leaves.iter().cycle().take(count).enumerate() {
        engine.take("01K9V6Z4E8Q3R7T5W2Y1N0M4B6", seq as u64, (leaf, hidden), &mut found).unwrap();
        findings += found.len();
        found.clear();
    }
    ((thread_time() - before).as_secs_f64() * 1e6 / count as f64, findings)
}

/// A leaf, and the value that opens it.
type Parts = (Vec<u8>, Vec<u8>);

/// The events of tests/detect, as the log has them, at their time.
fn leaves() -> Vec<(String, Parts)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detect");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let one = |line: &str| {
        let record: Record = serde_json::from_str(line).unwrap();
        let (ts, mono) = (record.time.parse::<WallTime>().unwrap().0, record.boot_ms * 1_000_000);
        let split = record.known_event().map(|event| encode_event(&event).unwrap());
        let hidden = split
            .as_ref()
            .and_then(|split| Salted::of(&split.opening))
            .map_or(Vec::new(), |of| of.value.to_vec());
        let Record { event, data, .. } = record;
        let rest = match &split {
            Some(split) => {
                let text = str::from_utf8(&split.leaf).unwrap();
                text[text.find(",\"event\"").unwrap()..].to_owned()
            }
            None => format!(",\"event\":\"{event}\",\"data\":{data}}}"),
        };
        let leaf = format!("{{\"v\":2,\"ts\":{ts},\"mono\":{mono}{rest}");
        (event, (leaf.into_bytes(), hidden))
    };
    text.lines().map(one).collect()
}
