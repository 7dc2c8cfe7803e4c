//! Launch: carries a plan out: prepare, clone, stages in the child, init, and the parent that waits.
//!
//! Never parses what a person wrote. After the clone the child works on memory laid out before.

mod ask;
mod brood;
mod build;
mod child;
mod classic;
pub mod egress;
mod ending;
mod frozen;
pub mod guard;
pub mod hint;
mod init;
mod kernel_files;
mod message;
pub mod mounts;
pub mod observed;
mod outcome;
mod output;
mod parent;
pub mod prepare;
mod probe;
mod questions;
mod ready;
mod relay;
pub mod ruleset;
mod shown;
mod stage;

pub use outcome::Outcome;
pub use parent::{Running, start};
pub use probe::PROBES;
pub use ready::Ready;
pub use stage::{Stage, StageFailure};
