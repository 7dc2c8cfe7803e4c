//! Starts: the time from starting the launcher to the end of `/bin/true`, in turns with bubblewrap and with less.

use crate::bwrap;
use crate::floor::Floor;
use crate::place::{Place, finish};
use crate::table::{Rival, median_of, print_times, take_turns};
use std::process::Command;

pub(crate) fn run(place: &Place) {
    let rounds = crate::turns(300, 5);
    println!("\n== start of /bin/true, {rounds} turns each");
    let floor = Floor::new();
    let sandbox = |profile: std::path::PathBuf| move || finish(&mut place.sandbox(&profile, &["/bin/true"]));
    let mut rivals = vec![
        Rival::new("aisandbox loopback", sandbox(place.profile("loopback"))),
        Rival::new("aisandbox cowork", sandbox("cowork".into())),
        Rival::new("floor", move || floor.start()),
        Rival::new("fork and exec", move || finish(&mut place.command("/bin/true"))),
        Rival::new("aisandbox offline", sandbox("offline".into())),
        Rival::new("aisandbox, record not synced", sandbox(place.profile("buffered"))),
        Rival::new("aisandbox, nothing protected", sandbox(place.profile("unguarded"))),
        Rival::new("aisandbox explain (no launch)", move || finish(&mut explain(place))),
        Rival::new("aisandbox --version", move || {
            finish(place.command(place.path("bin/aisandbox")).arg("--version"))
        }),
    ];
    if place.other().exists() {
        rivals.insert(1, Rival::new("the other build", move || finish(&mut other(place))));
    }
    match bwrap::find() {
        Some(program) => {
            let flags = bwrap::flags(place, "cowork");
            let act = move || finish(&mut bwrap::command(place, program, &flags, &["/bin/true"]));
            rivals.insert(1, Rival::new("bwrap", act));
        }
        None => crate::skip("bwrap", "not installed"),
    }
    take_turns(&mut rivals, rounds);
    print_times(&rivals, &["bwrap", "floor"].map(|name| name));
    let ours = median_of(&rivals, "aisandbox loopback");
    let filtered = median_of(&rivals, "aisandbox cowork") - ours;
    println!("the filtered network of cowork: {filtered:.0} µs more than a loopback (aim 15,000)");
    println!(
        "aisandbox / bwrap {:.2} (at most 1.0, aim 0.70); floor / bwrap {:.2}",
        ours / median_of(&rivals, "bwrap"),
        median_of(&rivals, "floor") / median_of(&rivals, "bwrap"),
    );
}

fn other(place: &Place) -> Command {
    let mut command = place.command(place.other());
    command.args(["exec", "-q", "--profile", "cowork", "--", "/bin/true"]);
    command
}

fn explain(place: &Place) -> Command {
    let mut command = place.command(place.path("bin/aisandbox"));
    command.args(["explain", "--json", "--profile", "cowork", "--", "/bin/true"]);
    command
}
