//! Host: facts about this machine as data.
//!
//! Never decides what a sandbox gets and never changes the calling process; what has to be tried is tried in a child.
#![forbid(unsafe_code)]

pub mod bundles;
pub mod cgroup;
mod delegation;
pub mod facts;
#[cfg(test)]
mod fixture;
pub mod kernel;
pub mod mounts;
pub mod surroundings;
pub mod tree;
pub mod trial;
pub mod userns;

pub use tree::{FakeTree, HostTree, Kind, Object, Tree};
