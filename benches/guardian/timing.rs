//! Timing: what one turn of something short costs, from the medians of batches.

use std::time::Instant;

/// Turns of one batch: many enough that reading the clock does not count.
const BATCH: usize = 50;

/// Prints the median and the least cost of a turn, beside what it must and should be (µs).
pub(crate) fn report(name: &str, wanted: Option<(f64, f64)>, mut turn: impl FnMut()) {
    let batches = crate::turns(2_000, 20);
    let mut costs: Vec<f64> = (0..batches)
        .map(|_| {
            let start = Instant::now();
            (0..BATCH).for_each(|_| turn());
            start.elapsed().as_secs_f64() * 1e6 / BATCH as f64
        })
        .collect();
    let (median, least) = (median(&mut costs), costs[0]);
    let wanted = wanted.map_or(String::new(), |(must, aim)| format!("   (at most {must}, aim {aim})"));
    println!("{name:<44} {median:>8.2} µs   least {least:>7.2} µs{wanted}");
}

/// The one in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// As many things as [`report`] takes turns with: for what a turn uses up.
pub(crate) fn supply<T>(mut make: impl FnMut() -> T) -> impl Iterator<Item = T> {
    let mut made: Vec<T> = (0..crate::turns(2_000, 20) * BATCH).map(|_| make()).collect();
    made.reverse();
    std::iter::from_fn(move || made.pop())
}
