//! The launcher of these tests: a sandbox of the library whose questions come through an inherited socket.

use super::library;
use aisandbox::host::facts::Facts;
use aisandbox::host::mounts;
use aisandbox::launch::prepare::{Inputs, close_inherited, prepare};
use aisandbox::launch::start;
use aisandbox::sys::{fd, process};

/// Runs a shell script as the agent; gives the exit code.
pub(crate) fn run(socket: i32, script: &str) -> u8 {
    close_inherited(&[socket]).unwrap();
    fd::mark_close_on_exec(socket, true).unwrap();
    let socket = fd::adopt(socket).unwrap();
    let facts = Facts::for_launch();
    let here = std::env::current_dir().unwrap();
    let profile = "version: 1\nextends: [cowork]\n";
    let abilities = library::abilities(&facts, false);
    let plan = library::plan(&here, profile, &["sh", "-c", script], &facts, abilities);
    let inputs =
        Inputs { mounts: mounts::table().unwrap(), pseudo_terminal: true, ..library::inputs(&plan, &facts) };
    process::set_dumpable(false).unwrap();
    let (ready, ends) = prepare(&plan, inputs).unwrap();
    let mut running = start(ready, ends, None).unwrap();
    running.confined().unwrap();
    running.asks_through(socket);
    running.go(plan.profile.terminal, None).unwrap();
    running.wait(&mut |_, _, _| ()).code()
}
