//! Policy: asks rules in Rego, of the administrator, the person and the profile, what becomes of a request.
//!
//! Never widens: what it allows is within the profile already, and whatever it does not understand is a no. Never
//! grants anything itself; the Guardian asks it over a socket.
#![forbid(unsafe_code)]

pub mod archive;
pub mod bundle;
mod depth;
mod document;
mod engine;
pub mod places;
mod record;
#[cfg(test)]
pub(crate) mod sample;
mod serve;
mod set;
mod shipped;
mod signature;
mod testing;
mod verdict;
pub mod veto;

pub use bundle::{Bundle, Manifest, Trust};
pub use engine::TIME_LIMIT;
pub use record::{Labels, apply_masks, record};
pub use serve::{MEMORY_BYTES, limit_memory, serve};
pub use set::{PolicySet, VETO};
pub use shipped::{shipped, shipped_names};
pub use testing::{TestResult, run_tests};
pub use verdict::Level;
