//! Detect: rules in Sigma over the events of a run, while it goes on and over records.
//!
//! Never decides and never acts: it says which rule holds for which events. What becomes of that is the Guardian's.
#![forbid(unsafe_code)]

mod condition;
mod correlation;
mod engine;
mod fields;
mod matcher;
mod place;
mod read;
mod rule;
mod serve;
mod shipped;
mod walk;

pub use engine::{Engine, Finding, MOST_RULES};
pub use fields::Unreadable;
pub use place::{RuleFile, engine, folder};
pub use rule::{About, Level, MOST_BYTES};
pub use serve::{limit_memory, serve};
pub use shipped::shipped;
