//! Bubblewrap with the same view: its flags are made from what `explain` says of a profile.
//!
//! No seccomp filter, no Landlock, no limits, no record: bubblewrap does not have them. A `file` entry becomes a
//! read-only bind of a file, which is cheaper for bubblewrap than its own way by a descriptor.

use crate::place::Place;
use std::path::Path;
use std::process::Command;

/// The program, if it is installed.
pub(crate) fn find() -> Option<&'static str> {
    ["/usr/bin/bwrap", "/usr/local/bin/bwrap"].into_iter().find(|path| Path::new(path).exists())
}

/// The flags for one profile.
pub(crate) fn flags(place: &Place, profile: impl AsRef<Path>) -> Vec<String> {
    let plan = place.explained(profile);
    let mut flags =
        words(&["--unshare-all", "--die-with-parent", "--new-session", "--hostname", "aisandbox"]);
    let data = place.path("work/README").to_string_lossy().into_owned();
    for step in plan["view"].as_array().expect("a view") {
        let (path, act) =
            (step["path"].as_str().unwrap_or_default(), step["act"].as_str().unwrap_or_default());
        flags.extend(flag(path, act, &data));
    }
    flags.extend(words(&["--chdir", plan["chdir"].as_str().unwrap_or("/"), "--remount-ro", "/"]));
    flags
}

/// One step of the view, by the words `explain` has for it.
fn flag(path: &str, act: &str, data: &str) -> Vec<String> {
    let parts: Vec<&str> = act.split(' ').collect();
    match parts[..] {
        ["empty", "folder"] => words(&["--dir", path]),
        ["empty", "file"] => Vec::new(), // bubblewrap makes what it mounts on
        ["ro", source] | ["ro", "noexec", source] => words(&["--ro-bind", source, path]),
        ["rw", source] | ["rw", "noexec", source] => words(&["--bind", source, path]),
        ["device", source] => words(&["--dev-bind", source, path]),
        ["tmpfs", "half", ..] => words(&["--tmpfs", path]),
        ["tmpfs", size, "MiB", mode, ..] => {
            let bytes = size.parse::<u64>().unwrap_or(1) << 20;
            words(&["--perms", mode, "--size", &bytes.to_string(), "--tmpfs", path])
        }
        ["file", ..] => words(&["--ro-bind", data, path]),
        ["link", "to", target] => words(&["--symlink", target, path]),
        ["masked"] => words(&["--ro-bind", "/dev/null", path]),
        ["minimal", "/dev"] => words(&["--dev", path]),
        ["procfs", ..] => words(&["--proc", path]),
        _ => panic!("bubblewrap has no flag for `{act}` at {path}"),
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// Bubblewrap with these flags, running a command.
pub(crate) fn command(place: &Place, program: &str, flags: &[String], argv: &[&str]) -> Command {
    let mut command = place.command(program);
    command.args(flags).arg("--").args(argv);
    command
}
