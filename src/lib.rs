//! aisandbox: runs an AI agent with exactly the access its owner gave it.
//!
//! ARCHITECTURE.md draws the modules and their arrows; `tests/architecture.rs` compares the drawing with the code.

pub mod audit;
pub mod base;
pub mod cli;
pub mod consent;
pub mod crypto;
pub mod detect;
pub mod dlp;
pub mod egress;
pub mod files;
pub mod guardian;
pub mod host;
pub mod launch;
pub mod plan;
pub mod policy;
pub mod profile;
pub mod reputation;
pub mod role;
pub mod server;
pub mod sink;
pub mod sys;
pub mod wire;
