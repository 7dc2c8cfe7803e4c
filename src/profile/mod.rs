//! Profile: what an administrator wrote, as types, each with the line it came from.
//!
//! Never clones, mounts, or opens anything but the files it is given; `plan` turns a [`Profile`] into steps.
#![forbid(unsafe_code)]

mod decode;
mod error;
mod model;
mod nearest;
mod parse;

pub use error::ProfileError;
pub use model::*;
