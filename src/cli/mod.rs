//! Cli: the command line, one command a file. Words for people are made here and in `output`.
//!
//! Never makes a system call of its own: it puts profile, plan, launch and audit together.
#![forbid(unsafe_code)]

mod agent;
pub mod args;
pub mod audit;
mod beside;
pub mod broker;
mod bundles;
mod collector;
mod confine;
mod detection;
mod dlp;
mod doctor;
mod egress;
mod exec;
mod explain;
mod filter;
mod guarded;
mod keep;
mod mcp;
mod nested;
mod observe;
mod output;
mod people;
mod person;
mod policy;
mod private;
mod profile;
mod programs;
mod record;
mod reputation;
mod request;
mod role;
mod roles;
mod serve;
mod session;
mod shape;
mod stand_in;
mod status;
mod table;
mod token;
mod trace;
mod way_out;
mod why;

use args::Command;
use std::process::ExitCode;

/// Runs the command line; gives the exit code.
pub fn main() -> ExitCode {
    if let Some(program) = stand_in::stands_for() {
        return ExitCode::from(stand_in::run(&program));
    }
    ExitCode::from(match args::parse() {
        Ok(cli) => run(cli.command),
        Err(code) => code,
    })
}

fn run(command: Command) -> u8 {
    match command {
        Command::Exec(exec) if nested::applies() => nested::run(&exec),
        Command::Exec(exec) => exec::run(&exec),
        Command::Agent => agent::run(),
        Command::Serve => serve::run_confined(),
        Command::Explain(wish) => explain::run(&wish),
        Command::Why(question) => why::run(&question),
        Command::Doctor { json } => examine(json),
        Command::People(command) => people::run(&command),
        Command::Profile { command } => profile::run(&command),
        Command::Policy { command } => policy::run(&command),
        Command::Dlp { command } => dlp::run(&command),
        Command::Audit { command } => audit::run(&command),
        Command::Collector(wish) => collector::run(&wish),
        Command::Request { command } => request::run(&command),
        Command::Mcp => mcp::run(),
        Command::Token(wish) => token::run(&wish),
        Command::Broker { command: args::Broker::Schema } => {
            output::print(&format!("{:#}\n", crate::wire::schema::broker()))
        }
        Command::Role { role } => role::run(&role),
        Command::Completion { shell } => {
            args::print_completion(shell);
            0
        }
    }
}

fn examine(json: bool) -> u8 {
    match filter::compiled(&filter::agent()) {
        Ok((_, program)) => doctor::run(json, &program.instructions),
        Err(message) => {
            output::complain(&message, None);
            125
        }
    }
}
