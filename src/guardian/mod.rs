//! Guardian: what decides while an agent runs, and the folder a person's commands reach it by.
//!
//! Never runs a command, and never reads what the agent prints.
#![forbid(unsafe_code)]

pub mod agents;
pub mod session;
pub mod token;
