//! Cli: the command line, one command a file. Words for people are made here and in `output`.
//!
//! Never makes a system call of its own: it puts profile, plan, launch and audit together.
#![forbid(unsafe_code)]

pub mod args;
pub mod audit;
mod doctor;
mod exec;
mod explain;
mod filter;
mod output;
mod record;
mod shape;
mod status;
mod why;

use args::{Audit, Command, Profile};
use std::process::ExitCode;

/// Runs the command line; gives the exit code.
pub fn main() -> ExitCode {
    ExitCode::from(match args::parse() {
        Ok(cli) => run(cli.command),
        Err(code) => code,
    })
}

fn run(command: Command) -> u8 {
    match command {
        Command::Exec(exec) => exec::run(&exec),
        Command::Explain(wish) => explain::run(&wish),
        _ => 125,
    }
}
