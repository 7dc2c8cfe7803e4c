//! How long a record before a grant takes, beside one fdatasync of the same bytes.

use crate::place::{Place, event, quantile};
use crate::turns;
use aisandbox::audit::log::SharedLog;
use std::io::Write;
use std::time::{Duration, Instant};

pub(crate) fn run() {
    let place = Place::new();
    let mut file = std::fs::File::create(place.path().join("plain")).unwrap();
    let (_, log) = place.begin();
    let log = SharedLog::new(log);
    log.start_thread(true).unwrap();
    let (mut plain, mut record) = (Vec::new(), Vec::new());
    for number in 0..turns(400, 5) {
        let begun = Instant::now();
        file.write_all(&[7; 900]).unwrap();
        file.sync_data().unwrap();
        plain.push(begun.elapsed());
        let event = event(number);
        let begun = Instant::now();
        log.append_durable(&event).unwrap();
        record.push(begun.elapsed());
    }
    let (plain, one) = (quantile(&mut plain, 0.5), quantile(&mut record, 0.5));
    println!("one fdatasync of 900 bytes: {plain:.1?}");
    println!(
        "one waiter: {one:.1?}, {:.2} fdatasync (1.5 must, 1.1 aim)",
        one.as_secs_f64() / plain.as_secs_f64()
    );
    let (times, took) = many(&log, 64, turns(200, 3));
    let mut times = times;
    println!(
        "64 waiters: p50 {:.1?} (3 ms must, 2 ms aim), p99 {:.1?}; {:.0} a second",
        quantile(&mut times, 0.5),
        quantile(&mut times, 0.99),
        times.len() as f64 / took.as_secs_f64(),
    );
    inline(&place);
}

fn many(log: &SharedLog, waiters: usize, each: usize) -> (Vec<Duration>, Duration) {
    let begun = Instant::now();
    let times = std::thread::scope(|scope| {
        let one = |log: SharedLog| {
            move || {
                (0..each)
                    .map(|number| (Instant::now(), log.append_durable(&event(number)).unwrap()).0.elapsed())
                    .collect()
            }
        };
        let all: Vec<_> = (0..waiters).map(|_| scope.spawn(one(log.clone()))).collect();
        all.into_iter().flat_map(|thread| -> Vec<Duration> { thread.join().unwrap() }).collect()
    });
    (times, begun.elapsed())
}

/// A run without a Guardian has no thread for its log, and few events.
fn inline(place: &Place) {
    let (_, log) = place.begin();
    let log = SharedLog::new(log);
    let mut times: Vec<Duration> = (0..turns(2000, 5))
        .map(|number| {
            let event = event(number);
            let begun = Instant::now();
            log.append(&event).unwrap();
            begun.elapsed()
        })
        .collect();
    println!("without a thread, into the kernel: p50 {:.1?}", quantile(&mut times, 0.5));
    let mut times: Vec<Duration> = (0..turns(100, 3))
        .map(|_| {
            let begun = Instant::now();
            drop(place.begin());
            begun.elapsed()
        })
        .collect();
    println!(
        "a log begins: p50 {:.1?}, the first of a device {:.1?}",
        quantile(&mut times[1..], 0.5),
        first()
    );
}

fn first() -> Duration {
    let place = Place::new();
    let begun = Instant::now();
    drop(place.begin());
    begun.elapsed()
}
