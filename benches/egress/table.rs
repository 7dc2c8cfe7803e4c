//! Table: what was measured beside what is wanted, as one list at the end.

use std::sync::{Mutex, PoisonError};

/// What a number must and should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// At least so much, and what is aimed at.
    Least(f64, f64),
    /// At most so much, and what is aimed at.
    Most(f64, f64),
}

struct Row {
    name: String,
    value: f64,
    wanted: Wanted,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// One more number of the table.
pub(crate) fn add(name: impl Into<String>, value: f64, wanted: Wanted) {
    let row = Row { name: name.into(), value, wanted };
    ROWS.lock().unwrap_or_else(PoisonError::into_inner).push(row);
}

/// All that were added.
pub(crate) fn print() {
    let rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    if rows.is_empty() {
        return;
    }
    println!("\n== what is wanted\n{:<58} {:>10} {:>10} {:>10}", "", "measured", "must", "aim");
    for Row { name, value, wanted } in rows.iter() {
        let (sign, must, aim) = match *wanted {
            Wanted::Least(must, aim) => ('≥', must, aim),
            Wanted::Most(must, aim) => ('≤', must, aim),
        };
        let reached = |limit: f64| if sign == '≥' { *value >= limit } else { *value <= limit };
        let word = match (reached(must), reached(aim)) {
            (_, true) => "aim reached",
            (true, false) => "",
            (false, false) => "MISSED",
        };
        let limit = |limit: f64| format!("{sign} {}", shown(limit));
        println!("{name:<58} {:>10} {:>10} {:>10}  {word}", shown(*value), limit(must), limit(aim));
    }
}

fn shown(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The one in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
