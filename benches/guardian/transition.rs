//! Transition: what a program of a transition costs to start, beside the same program without one.
//!
//! The caller is inside a real run, as an ordinary user where root runs the bench; each start is a launch of its own.

use super::support::{Home, users};
use super::timing::median;
use super::turns;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Everything of this part.
pub(crate) fn run() {
    let Some(user) = users().pop() else { return println!("skipped: nobody here may make user namespaces") };
    let home = Home::of(user);
    let this = home.write_program("work/bench", "");
    std::fs::copy(std::env::current_exe().unwrap(), &this).unwrap();
    let text = "version: 1\nextends: [cowork]\nprograms:\n  transitions: [{ path: /usr/bin/true, less: { no_network: true } }]\n";
    let profile = home.write("transition.yaml", text).display().to_string();
    for (name, profile) in [("a program, plain", "cowork"), ("a program of a transition", profile.as_str())] {
        let args = ["exec", "-q", "--profile", profile, "--", "./bench", "--start", name];
        print!("{}", home.aisandbox(&args).output().expect_code(0));
    }
}

/// The part that runs as the caller.
pub(crate) fn inside(name: &str) {
    let mut times: Vec<f64> = (0..turns(100, 3))
        .map(|_| {
            let begun = Instant::now();
            let mut program = Command::new("/usr/bin/true");
            let status = program.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
            assert!(status.success(), "{status}");
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let median = median(&mut times);
    println!("{name:<34} {median:>9.2} ms   least {:>7.2} ms", times[0]);
}
