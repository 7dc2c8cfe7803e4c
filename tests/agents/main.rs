//! What an agent uses inside: `request`, `mcp`, and agents that it starts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod beside;
mod launcher;
mod mcp;
mod programs;
mod request;
mod spawn;
mod stand_in;
mod transitions;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A new folder of a test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("aisandbox-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Our program, with the stand-in's socket as its way to a Guardian.
fn asking(broker: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aisandbox"));
    command.env_remove("AISANDBOX_BROKER").env("AISANDBOX_BROKER_PATH", broker);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}
