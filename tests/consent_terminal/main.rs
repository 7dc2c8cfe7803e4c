//! Questions on a real terminal: this test plays the Guardian and the person, a launcher of the library runs an agent.
//!
//! Without the test harness: the launcher is this program again, and it must have one thread when it clones.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod attacks;
mod ends;
mod launcher;
#[path = "../support/library.rs"]
mod library;
mod scene;
#[path = "../support/mod.rs"]
mod support;
mod turns;

/// A test: its sentence and its body.
type Test = (&'static str, fn());

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, socket, script] = arguments.as_slice()
        && first == "--launch"
    {
        std::process::exit(launcher::run(socket.parse().unwrap(), script).into());
    }
    let wanted = arguments.iter().find(|word| !word.starts_with('-')).cloned().unwrap_or_default();
    let all: Vec<Test> = [turns::ALL, attacks::ALL, ends::ALL].concat();
    let chosen: Vec<Test> = all.into_iter().filter(|(name, _)| name.contains(&wanted)).collect();
    scene::launcher_copy(); // first: a process forked while it is being written could keep it busy (ETXTBSY)
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..4)
            .map(|lane| {
                let mine: Vec<Test> = chosen.iter().skip(lane).step_by(4).copied().collect();
                scope.spawn(move || {
                    let fails = |test: &Test| {
                        let ok = std::panic::catch_unwind(test.1).is_ok();
                        println!("test {} ... {}", test.0, if ok { "ok" } else { "FAILED" });
                        !ok
                    };
                    mine.into_iter().filter(fails).map(|(name, _)| name).collect::<Vec<_>>()
                })
            })
            .collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    scene::remove_copy();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}
