//! How fast a log is verified, and how large one event's proof is.

use crate::place::{Place, event};
use crate::turns;
use aisandbox::audit::log::{SharedLog, State, check_proof, prove, verify};
use aisandbox::base::thread_time;
use aisandbox::crypto::sha256;
use std::time::Instant;

pub(crate) fn run() {
    let events = turns(1_000_000, 5_000);
    let place = Place::new();
    let (folder, log) = place.begin();
    let log = SharedLog::new(log);
    log.start_thread(true).unwrap();
    let event = event(1);
    (0..events).for_each(|_| log.note(&event).unwrap());
    log.seal().unwrap();
    let (begun, before) = (Instant::now(), thread_time());
    let verdict = verify(&folder).unwrap();
    let (took, used) = (begun.elapsed(), thread_time() - before);
    assert_eq!(verdict.state, State::Sealed);
    println!(
        "verified: {:.0} events a second of one processor (1,000,000 must, 1,500,000 aim), {took:.1?} for all",
        verdict.leaves as f64 / used.as_secs_f64(),
    );
    println!("its hashes alone: {:.0} a second", hashes_alone());
    let begun = Instant::now();
    let text = prove(&folder, events as u64 / 2).unwrap();
    let made = begun.elapsed();
    let begun = Instant::now();
    check_proof(&text).unwrap();
    let bare: usize = text.lines().filter(|line| !line.starts_with("extra")).map(|line| line.len() + 1).sum();
    println!(
        "proof of one event of {events}: {bare} bytes (1,200 must), {} with the event and the device's word; made in {made:.1?}, checked in {:.1?}",
        text.len(),
        begun.elapsed()
    );
}

/// SHA-256 of a leaf and of a node, as often as fits in a moment: nothing can verify faster on this machine now.
fn hashes_alone() -> f64 {
    let (leaf, node, count) = ([7u8; 441], [7u8; 65], turns(500_000, 5_000));
    let before = thread_time();
    for _ in 0..count {
        std::hint::black_box(sha256(std::hint::black_box(&leaf)));
        std::hint::black_box(sha256(std::hint::black_box(&node)));
    }
    count as f64 / (thread_time() - before).as_secs_f64()
}
