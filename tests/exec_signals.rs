//! Signals and ends: what is passed on, what ends with what, and that nothing stays.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use support::run::{PATIENCE, comes_true, processes_with};
use support::{Home, for_each_user, has_program};

#[test]
fn signals_reach_the_agent_and_its_answer_comes_back() {
    for_each_user(|home| {
        let names =
            [("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3), ("USR1", 10), ("USR2", 12), ("ALRM", 14)];
        for (name, number) in names {
            let script =
                format!("trap 'echo got {name}; exit 33' {name}; echo ready; while :; do sleep 0.05; done");
            let mut run = home.sandboxed(&[], &script).start();
            assert_eq!(run.read_line(), "ready");
            run.signal(number);
            let end = run.finish();
            assert_eq!(end.expect_code(33), format!("got {name}\n"), "{name}");
        }
    });
}

#[test]
fn an_agent_without_a_handler_ends_by_the_signal() {
    for_each_user(|home| {
        for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1] {
            let mut run = home.sandboxed(&[], "echo ready; exec sleep 60").start();
            assert_eq!(run.read_line(), "ready");
            run.signal(number);
            run.finish().expect_code(128 + number);
        }
    });
}

#[test]
fn a_signal_the_caller_ignores_is_not_ignored_inside() {
    for_each_user(|home| {
        let script = "trap; kill -TERM $$; echo survived";
        let mut run = home.sandboxed(&[], script);
        let ignore = || {
            // SAFETY: a signal number and a constant that is no address of ours.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            Ok(())
        };
        // SAFETY: the closure makes one system call; it takes no lock and does not allocate.
        unsafe { std::os::unix::process::CommandExt::pre_exec(&mut run.command, ignore) };
        assert_eq!(run.output().expect_code(128 + libc::SIGTERM), "");
    });
}

/// Starts an agent with two children that could outlive it; gives a word that is in all their command lines.
fn busy(home: &Home, name: &str) -> (String, String) {
    let mark = format!("mark-{name}-{}-{}", home.user.uid, std::process::id());
    let stay = "import signal, time\nfor number in (1, 2, 13, 15): signal.signal(number, signal.SIG_IGN)\ntime.sleep(900)\n";
    home.write("work/stay.py", stay);
    let start = format!("/usr/bin/python3 stay.py {mark}");
    (mark, format!("(setsid {start} &) ; {start} & {start} & "))
}

#[test]
fn background_processes_of_an_agent_end_with_it() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let (mark, start) = busy(&home, "background");
        let mut run = home.sandboxed(&[], &format!("{start} echo ready; read line; exit 5"));
        run.command.stdin(std::process::Stdio::piped());
        let mut run = run.start();
        assert_eq!(run.read_line(), "ready");
        // The control: they are there, three and the launcher's own line is not among them.
        assert!(comes_true(PATIENCE, || processes_with(&mark).len() >= 3));
        run.finish().expect_code(5);
        assert_eq!(processes_with(&mark), Vec::<i32>::new()); // at once: the launcher waits for all of them
    });
}

#[test]
fn nothing_survives_a_launcher_that_is_killed() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let (mark, start) = busy(&home, "killed");
        home.write("work/run.sh", &format!("{start} echo ready; wait\n"));
        let mut run = home.aisandbox(&["exec", "--", "sh", "run.sh"]).start();
        assert_eq!(run.read_line(), "ready");
        assert!(comes_true(PATIENCE, || processes_with(&mark).len() >= 3));
        let before = home.listing();
        run.signal(libc::SIGKILL);
        assert_eq!(run.finish().code, -libc::SIGKILL);
        assert!(comes_true(PATIENCE, || processes_with(&mark).is_empty()), "{:?}", processes_with(&mark));
        assert_eq!(home.listing(), before);
    });
}

#[test]
fn nothing_survives_when_pid_1_is_killed_and_the_code_says_so() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let (mark, start) = busy(&home, "init");
        home.write("work/run.sh", &format!("{start} echo ready; wait\n"));
        let mut run = home.aisandbox(&["exec", "--net", "loopback", "--", "sh", "run.sh"]).start();
        assert_eq!(run.read_line(), "ready");
        let launcher = run.pid();
        let children = std::fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).unwrap();
        let init: i32 = children.trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(init), nix::sys::signal::Signal::SIGKILL).unwrap();
        let end = run.finish();
        assert_eq!(end.code, 128 + libc::SIGKILL);
        end.expect_said("ended from outside");
        assert!(comes_true(PATIENCE, || processes_with(&mark).is_empty()));
    });
}

#[test]
fn pid_1_reaps_what_the_agent_leaves_behind() {
    for_each_user(|home| {
        let script = "for i in 1 2 3 4 5 6 7 8; do (sh -c 'sleep 0.1' &) ; done; sleep 1; \
                      for n in $(seq 600); do z=$(cat /proc/[0-9]*/stat | grep -c ') Z '); [ $z = 0 ] && break; sleep 0.1; done; \
                      echo $z; cat /proc/1/comm";
        assert_eq!(home.exec(&[], script).expect_code(0), "0\naisandbox-init\n");
    });
}

#[test]
fn an_agent_cannot_signal_pid_1_to_death() {
    for_each_user(|home| {
        let script = "kill -9 1; kill -TERM 1; kill -INT 1; sleep 0.2; echo alive";
        let output = home.exec(&[], script);
        assert_eq!(output.expect_code(0), "alive\n");
    });
}

#[test]
fn a_run_that_is_out_of_time_gives_124_and_leaves_nothing() {
    for_each_user(|home| {
        let output = home.exec(&["--timeout", "3s"], "echo ready; exec sleep 900");
        assert_eq!(output.expect_code(124), "ready\n");
        output.expect_said("wall time");
        assert!(home.records().concat().contains("wall_time"));
        assert_eq!(home.exec(&["--timeout", "5m"], "exit 3").code, 3);
    });
}

#[test]
fn an_agent_that_ignores_the_end_of_its_time_is_ended_all_the_same() {
    for_each_user(|home| {
        let script = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
        let output = home.exec(&["--timeout", "3s"], script);
        assert_eq!(output.expect_code(124), "ready\n");
    });
}

#[test]
fn a_stopped_launcher_stops_nothing_for_good() {
    for_each_user(|home| {
        let mut run =
            home.sandboxed(&[], "echo ready; until [ -e go ]; do sleep 0.1; done; echo done").start();
        assert_eq!(run.read_line(), "ready");
        run.signal(libc::SIGTSTP);
        let stat = format!("/proc/{}/stat", run.pid());
        assert!(comes_true(PATIENCE, || std::fs::read_to_string(&stat).unwrap().contains(") T ")));
        home.write("work/go", "");
        run.signal(libc::SIGCONT);
        assert_eq!(run.finish().expect_code(0), "done\n");
    });
}
