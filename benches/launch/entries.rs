//! Entries: what one more filesystem entry in a profile costs at the start.

use crate::bwrap;
use crate::place::{Place, finish};
use crate::table::{Rival, median_of, print_times, take_turns};
use std::fmt::Write;
use std::path::PathBuf;

const FEW: usize = 10;
const MANY: usize = 1000;

pub(crate) fn run(place: &Place) {
    println!("\n== {MANY} filesystem entries against {FEW}");
    let (few, many) = (profile(place, FEW), profile(place, MANY));
    let start = |profile: PathBuf| move || finish(&mut place.sandbox(&profile, &["/bin/true"]));
    let mut rivals = vec![Rival::new("few", start(few.clone())), Rival::new("many", start(many.clone()))];
    if let Some(program) = bwrap::find() {
        for (name, profile) in [("bwrap, few", &few), ("bwrap, many", &many)] {
            let flags = bwrap::flags(place, profile);
            let act = move || finish(&mut bwrap::command(place, program, &flags, &["/bin/true"]));
            rivals.push(Rival::new(name, act));
        }
    }
    take_turns(&mut rivals, crate::turns(30, 2));
    print_times(&rivals, &["few"]);
    for (name, few, many) in [("aisandbox", "few", "many"), ("bwrap", "bwrap, few", "bwrap, many")] {
        let grows = (median_of(&rivals, many) - median_of(&rivals, few)) / (MANY - FEW) as f64;
        println!("{name}: {grows:.1} µs an entry (at most 40, aim 15)");
    }
}

/// A profile with so many read-only folders of their own.
fn profile(place: &Place, count: usize) -> PathBuf {
    let mut text = "version: 1\nextends: [base]\nfilesystem:\n  - { path: $PWD, access: rw }\n".to_owned();
    for number in 0..count {
        let folder = place.path(&format!("entries/{number:04}"));
        std::fs::create_dir_all(&folder).unwrap();
        writeln!(text, "  - {{ path: {}, access: ro }}", folder.display()).unwrap();
    }
    let file = place.profile(&format!("entries-{count}"));
    std::fs::write(&file, text).unwrap();
    file
}
