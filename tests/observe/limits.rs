//! What would pass by who observes: it is refused, or it ends.

use crate::run;
use crate::support::for_each_user;
use crate::support::run::comes_true;
use crate::{events, seen};
use std::time::Duration;

const MOST: Duration = Duration::from_secs(120);

#[test]
fn a_program_that_hides_its_memory_opens_nothing_and_that_is_recorded() {
    for_each_user(|home| {
        // Whoever executes a file that he cannot read has a process that nobody may look into.
        let script =
            "cp /bin/cp blind; chmod 0111 blind; echo text > there; ./blind there copy; echo $?; cat there";
        let out = run(&home, "writes", script);
        assert_eq!(out.stdout(), "1\ntext\n", "{}", out.stderr());
        assert!(!home.join("work/copy").exists());
        let denied = |one: &crate::Seen| one.path.is_empty() && one.data["error"] == "EPERM";
        assert_eq!(seen(&home).iter().filter(|one| denied(one)).count(), 1, "{:?}", events(&home));
        let out = run(&home, "all", "./blind there copy; [ $? -ne 0 ] && echo refused");
        assert_eq!(out.stdout(), "refused\n", "{}", out.stderr());
        assert!(seen(&home).iter().any(denied), "{:?}", events(&home));
    });
}

#[test]
fn when_init_is_killed_nothing_goes_on() {
    for_each_user(|home| {
        let profile = "version: 1\nextends: [offline]\naudit: { observe: all }\nfilesystem:\n  - { path: $PWD, access: rw }\n";
        let path = home.write("observed.yaml", profile);
        let script = "n=0; while :; do n=$((n + 1)); echo $n > file$n; done";
        let mut run =
            home.aisandbox(&["exec", "--profile", path.to_str().unwrap(), "--", "sh", "-c", script]).start();
        assert!(comes_true(MOST, || home.join("work/file20").exists()));
        let children = format!("/proc/{0}/task/{0}/children", run.pid());
        let init = std::fs::read_to_string(children).unwrap();
        let init: i32 = init.split_whitespace().next().unwrap().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(init), nix::sys::signal::Signal::SIGKILL).unwrap();
        let out = run.finish();
        assert!(out.code != 0, "{out:?}");
        let count = || std::fs::read_dir(home.work()).unwrap().count();
        let made = count();
        assert!(!comes_true(Duration::from_secs(2), || count() != made), "something went on");
        let names: Vec<String> = seen(&home).into_iter().map(|one| one.path).collect();
        assert!(names.iter().any(|name| name == "file10"), "what was done before is recorded");
    });
}

/// Each child removes a file, and is killed while it does: some before, some after, some between that and its record.
const KILLED: &str = r#"
import os, signal, time
for number in range(1500):
    path = f"file{number}"
    open(path, "w").close()
    child = os.fork()
    if child == 0:
        os.unlink(path)
        os._exit(0)
    time.sleep(number % 50 * 0.00004)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(1500 - sum(name.startswith("file") for name in os.listdir(".")))
"#;

#[test]
fn what_was_done_for_a_caller_that_is_killed_meanwhile_is_recorded() {
    for_each_user(|home| {
        home.write("work/killed.py", KILLED);
        let out = run(&home, "writes", "/usr/bin/python3 killed.py");
        let gone: usize = out.stdout().trim().parse().unwrap_or_else(|_| panic!("{out:?}"));
        let is_one = |one: &&crate::Seen| one.action == "delete" && one.path.starts_with("file");
        let told = seen(&home).iter().filter(is_one).filter(|one| one.data["outcome"] == "observed").count();
        assert!(gone > 100, "{gone}");
        assert_eq!(told, gone);
    });
}
