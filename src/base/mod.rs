//! Base: the words every module shares: paths seen from two sides, where a wish was written, run ids, clocks.
//!
//! Never makes a syscall that changes anything, and knows no other module.
#![forbid(unsafe_code)]

mod action;
pub mod address;
mod clock;
mod escape;
mod hex;
mod id;
mod path;
mod source;
mod trace;
pub mod zstd;

pub use action::Action;
pub use clock::{BootInstant, NotATime, WallTime, thread_time};
pub use escape::{Escaped, escape, misleads};
pub use hex::{to_hex, unhex};
pub use id::RunId;
pub use path::{HostPath, InnerPath, PathError, components_from_end};
pub use source::Source;
pub use trace::{NotATrace, TraceId, TraceParent};
