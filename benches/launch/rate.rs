//! Rate: launches of `/bin/true` per second with so many in flight.

use crate::bwrap;
use crate::place::{Place, finish};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub(crate) fn run(place: &Place) {
    println!("\n== launches per second");
    let Some(program) = bwrap::find() else {
        return crate::skip("launches per second", "bwrap is not installed");
    };
    let flags = bwrap::flags(place, "cowork");
    println!(
        "{:<12} {:>10} {:>10} {:>8}   (8 in flight: at least 1.0, aim 1.5)",
        "in flight", "aisandbox", "bwrap", "ratio"
    );
    for in_flight in [1, 2, 8, 64] {
        let (mut ours, mut theirs) = (0.0, 0.0);
        let rounds = crate::turns(4, 1);
        for _ in 0..rounds {
            ours += rate(in_flight, || place.sandbox(place.profile("loopback"), &["/bin/true"]));
            theirs += rate(in_flight, || bwrap::command(place, program, &flags, &["/bin/true"]));
        }
        let rounds = rounds as f64;
        println!("{in_flight:<12} {:>10.0} {:>10.0} {:>8.2}", ours / rounds, theirs / rounds, ours / theirs);
    }
}

/// Launches per second over a burst; a thread for each launch in flight.
fn rate(in_flight: usize, command: impl Fn() -> Command + Sync) -> f64 {
    let burst = crate::turns(200, 16).max(in_flight * 2);
    let left = AtomicUsize::new(burst);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..in_flight {
            scope.spawn(|| {
                while take() {
                    finish(&mut command());
                }
            });
        }
    });
    burst as f64 / start.elapsed().as_secs_f64()
}
