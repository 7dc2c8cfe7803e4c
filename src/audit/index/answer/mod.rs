//! Questions to the tables: which runs, what was touched, who approved, how data moved.
//!
//! Each answer has a bound and says how much more there is. Never reads a log: rows name their leaves.

mod approved;
mod moved;
mod runs;
mod stats;
mod summary;
mod touched;

pub use approved::{Approval, Leaf};
pub use moved::{Closeness, Moved, MovedRow};
pub use runs::RunRow;
pub use stats::{Stats, Tally};
pub use summary::{Count, Denied, Given, Group, Summary, is_person};
pub use touched::{Touched, TouchedRow};

use super::{Index, Kind};
use serde::Serialize;

/// An object with how often it was so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// What it is.
    pub kind: Option<Kind>,
    /// Its name, as the log has it.
    pub name: String,
    /// How often.
    pub count: i64,
}

/// A part of an answer, and how much there is in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part<T> {
    /// All there are.
    pub all: u64,
    /// Those that are told.
    pub told: Vec<T>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { all: 0, told: Vec::new() }
    }
}

/// The number of rows a query gives at most.
fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
