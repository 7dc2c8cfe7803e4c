//! Dlp: finds credentials and personal data in bytes that leave, also where they are encoded.
//!
//! Never reads a file, a clock or a socket, and never keeps a value it found: a [`Finding`] has its place, its length and
//! a keyed hash. The same bytes give the same findings, in whatever pieces they come. Work is counted and has an end; what
//! cannot be looked into to its end is told as [`Unscannable`], never passed over.
#![forbid(unsafe_code)]

pub mod canary;
mod carve;
mod check;
pub mod classify;
mod containers;
mod context;
mod edit;
mod engine;
mod escapes;
pub mod exact;
mod example;
mod finding;
mod gitleaks;
mod kingfisher;
mod layer;
mod lettered;
mod letters;
mod looking;
mod mail;
mod map;
mod mnemonic;
mod numbers;
mod pairs;
mod person;
mod prefilter;
mod rule;
mod rule_file;
mod secrets;
mod separated;
mod serve;
mod settle;
mod stream;
mod token;
mod trial;
mod wide;
mod work;

pub use edit::Edit;
pub use engine::{Classifier, Engine, Options, Scan};
pub use finding::{Finding, Unscannable};
pub use rule::{Class, Rule, Rules};
pub use rule_file::{RuleError, RuleErrors};
pub use serve::{MEMORY_BYTES, limit_memory, serve};
pub use stream::{Limits, Step, Stream};
pub use trial::Failed;

#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod stream_tests;
