//! How many events become durable in a second, and what one costs.

use crate::place::{Place, cpu, event};
use crate::turns;
use aisandbox::audit::log::SharedLog;
use std::time::Instant;

pub(crate) fn run() {
    for (words, writers) in [("two threads write", 2), ("one thread writes", 1)] {
        let each = turns(400_000, 5_000);
        let place = Place::new();
        let (folder, log) = place.begin();
        let log = SharedLog::new(log);
        log.start_thread(true).unwrap();
        let (begun, before) = (Instant::now(), cpu());
        std::thread::scope(|scope| {
            for _ in 0..writers {
                let log = log.clone();
                scope.spawn(move || {
                    let event = event(1);
                    (0..each).for_each(|_| log.note(&event).unwrap());
                });
            }
        });
        log.sync().unwrap();
        let (took, used) = (begun.elapsed(), cpu() - before);
        log.seal().unwrap();
        let events = (each * writers) as f64;
        let bytes: u64 =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        println!(
            "{words}: {:.0} durable signed events a second (150,000 must, 300,000 aim); {:.2} us of CPU each (1.8 aim); {:.0} bytes each",
            events / took.as_secs_f64(),
            used.as_secs_f64() * 1e6 / events,
            bytes as f64 / events,
        );
    }
}
