//! Observe: what each level of `audit.observe` costs, by call and for whole programs, against none.

use crate::place::Place;
use crate::price;
use crate::table::{Rival, median_of, take_turns};
use std::process::Stdio;

const LEVELS: [&str; 3] = ["deny", "writes", "all"];

/// Files of the tree that is read.
const FILES: usize = 2000;

/// Whole programs: a name, and a script.
const LOADS: [(&str, &str); 4] = [
    ("read a tree", "find tree -type f -exec cat {} + >/dev/null"),
    ("copy a tree", "rm -rf copy && cp -r tree copy"),
    ("compile", "for n in 1 2 3 4 5 6 7 8; do cc -O0 -c -o \"$n.o\" unit.c; done"),
    ("start programs", "n=0; while [ $n -lt 200 ]; do /bin/true; n=$((n + 1)); done"),
];

pub(crate) fn run(place: &Place) {
    println!("\n== what observing costs, ns a call");
    println!("{:<22} {:>9} {:>9} {:>7} {:>9} {:>7}", "", "deny", "writes", "ratio", "all", "ratio");
    let (names, found) = price::measure_all(place, &LEVELS);
    for (number, name) in names.iter().enumerate() {
        let [deny, writes, all] = LEVELS.map(|at| found[&(number, at)].median());
        println!(
            "{name:<22} {deny:>9.0} {writes:>9.0} {:>7.2} {all:>9.0} {:>7.2}",
            writes / deny,
            all / deny
        );
    }
    make_loads(place);
    println!("\n== what observing costs, ms for a run with its start");
    println!("{:<22} {:>9} {:>9} {:>7} {:>9} {:>7}", "", "deny", "writes", "ratio", "all", "ratio");
    for (name, script) in LOADS {
        let mut rivals: Vec<Rival<'_>> =
            LEVELS.map(|level| Rival::new(level, move || load(place, level, script))).into();
        take_turns(&mut rivals, crate::turns(9, 1));
        let [deny, writes, all] = LEVELS.map(|level| median_of(&rivals, level) / 1000.0);
        println!(
            "{name:<22} {deny:>9.1} {writes:>9.1} {:>7.2} {all:>9.1} {:>7.2}",
            writes / deny,
            all / deny
        );
    }
}

fn make_loads(place: &Place) {
    for number in 0..FILES {
        let folder = place.work().join(format!("tree/{}", number / 50));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(number.to_string()), vec![b'x'; 2048]).unwrap();
    }
    let unit = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n\
                int main(void) { puts(\"x\"); return 0; }\n";
    std::fs::write(place.work().join("unit.c"), unit).unwrap();
}

fn load(place: &Place, level: &str, script: &str) {
    let mut command = place.command(place.path("bin/aisandbox"));
    command.args(["exec", "-q", "--profile"]).arg(place.profile(level)).args(["--", "sh", "-c", script]);
    let ran = command.stdout(Stdio::null()).status().unwrap();
    assert!(ran.success(), "{level}: {script}: {ran}");
}
