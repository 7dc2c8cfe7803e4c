//! The guard on a real kernel: an agent under the trap filter, and the guard doing its creating calls.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "an attack is raw system calls in a row")]

mod attacks;
mod changes;
mod cost;
mod differential;
mod harness;
mod observing;
mod pressure;
mod programs;
mod protection;
mod random;
