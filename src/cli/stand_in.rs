//! A stand-in: this program at the path of one that the profile gives less. It asks the Guardian to start the real one
//! beside this sandbox, and passes streams, signals and the exit code on.
//!
//! Never runs the real program itself: that is not there. It holds no authority, and what it says of itself decides only
//! which line of the profile is meant; whoever lies gets what another line says.

use super::beside;
use super::broker::Broker;
use super::output::complain;
use crate::wire::agents::BROKER_AT;
use crate::wire::broker::Op;
use crate::wire::transitions::{MOST_TABLE, TABLE, program_at};
use crate::wire::words;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;

/// The exit code when nothing was started, as a shell has it for a program that cannot be executed.
const REFUSED: u8 = 126;
/// Variables that name this sandbox's own doors.
const OWN: &[u8] = b"AISANDBOX_";

/// The program that this process stands for, by the launcher's table and where the kernel says that this program lies.
pub(super) fn stands_for() -> Option<String> {
    let mut table = Vec::new();
    let room = u64::try_from(MOST_TABLE).unwrap_or(u64::MAX);
    File::open(TABLE).ok()?.take(room).read_to_end(&mut table).ok()?;
    program_at(&table, std::env::current_exe().ok()?.to_str()?)
}

/// Has it started; gives its exit code.
pub(super) fn run(program: &str) -> u8 {
    let started = wanted(program).and_then(|op| {
        let broker = Broker::by_path(BROKER_AT.as_bytes()).map_err(|error| error.to_string())?;
        beside::run(broker, op)
    });
    started.unwrap_or_else(|why| {
        let program = crate::base::escape(program.as_bytes());
        complain(&format!("{program} runs beside this sandbox, and was not started: {why}"), None);
        REFUSED
    })
}

fn wanted(program: &str) -> Result<Op, String> {
    let here = std::env::current_dir().map_err(|error| format!("the working folder: {error}"))?;
    let own = |name: &OsString| name.as_encoded_bytes().starts_with(OWN);
    let variables = std::env::vars_os().filter(|(name, _)| !own(name)).map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    });
    let text = |words: Option<String>| words.ok_or("a word holds a zero byte");
    Ok(Op::Transition {
        program: program.to_owned(),
        argv: text(words::to_text(std::env::args_os()))?,
        environment: text(words::to_text(variables))?.into(),
        chdir: text(words::to_text([here]))?,
    })
}
