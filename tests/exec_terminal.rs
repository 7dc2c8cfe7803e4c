//! `exec` on a terminal: a pseudo-terminal of its own, its size, job control, what is filtered, and how it is left.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use std::path::Path;
use std::time::Duration;
use support::pty::Terminal;
use support::run::{PATIENCE, Run, comes_true};
use support::{Home, for_each_user, has_program};

fn on_terminal(home: &Home, flags: &[&str], script: &str) -> Terminal {
    Terminal::start(home.sandboxed(flags, script))
}

/// A shell of the host with job control, in which the launcher is a job.
fn host_shell(home: &Home) -> Terminal {
    let run = Run::new(Path::new("/bin/bash"), home).args(&["--norc", "--noprofile", "-i"]);
    let mut shell = Terminal::start(run.env("PS1", "host> ").env("AISANDBOX", support::binary()));
    shell.wait_for("host> ");
    shell
}

#[test]
fn the_terminal_inside_is_a_file_that_exists_there() {
    for_each_user(|home| {
        let mut screen = on_terminal(
            &home,
            &[],
            "tty; test -c $(tty) && echo is there; echo to-it > $(tty); [ -t 0 -a -t 1 -a -t 2 ] && echo all",
        );
        let shown = screen.wait_for("all");
        assert!(
            shown.contains("/dev/pts/0") && shown.contains("is there") && shown.contains("to-it"),
            "{shown}"
        );
        assert_eq!(screen.finish(), 0);
    });
}

#[test]
fn what_is_no_terminal_outside_is_none_inside() {
    for_each_user(|home| {
        let script = "for n in 0 1 2; do [ -t $n ] && echo $n is one; done; echo ran";
        assert_eq!(home.exec(&[], script).expect_code(0), "ran\n");
        let mut run = home.sandboxed(&[], "echo to err >&2; [ -t 1 ] || echo plain");
        let (mut read, write) = std::io::pipe().unwrap();
        run = run.descriptor(1, write.into());
        let mut screen = Terminal::start(run);
        screen.wait_for("to err");
        assert_eq!(screen.finish(), 0);
        drop(screen);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut read, &mut text).unwrap();
        assert_eq!(text, "plain\n"); // through the pipe, untouched by the terminal
    });
}

#[test]
fn no_pty_means_no_terminal_at_all() {
    for_each_user(|home| {
        let script = "for n in 0 1 2; do [ -t $n ] && exit 9; done; readlink /proc/self/fd/0 > seen; exit 4";
        assert_eq!(on_terminal(&home, &["--no-pty"], script).finish(), 4);
        assert_eq!(std::fs::read_to_string(home.work().join("seen")).unwrap(), "/dev/null\n");
    });
}

#[test]
fn the_window_size_passes_and_so_does_its_change() {
    for_each_user(|home| {
        let script = "stty size; trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
        let mut screen = on_terminal(&home, &[], script);
        screen.wait_for("33 101");
        screen.wait_for("ready");
        screen.resize(20, 60);
        screen.wait_for("20 60");
        assert_eq!(screen.finish(), 0);
    });
}

#[test]
fn keys_reach_the_agent_and_are_not_echoed_twice() {
    for_each_user(|home| {
        let mut screen = on_terminal(
            &home,
            &[],
            "echo ready; read line; echo \"<$line>\"; stty -echo; echo quiet; read word; echo \"<$word>\"",
        );
        screen.wait_for("ready");
        screen.press("typed\r");
        let shown = screen.wait_for("<typed>");
        assert_eq!(shown.matches("typed").count(), 2, "{shown:?}"); // echo once, and the answer
        screen.wait_for("quiet");
        screen.press("hidden\r");
        let shown = screen.wait_for("<hidden>");
        assert_eq!(shown.matches("hidden").count(), 1, "{shown:?}");
        assert_eq!(screen.finish(), 0);
    });
}

#[test]
fn ctrl_c_ends_the_foreground_and_ctrl_d_the_input() {
    for_each_user(|home| {
        let mut screen = on_terminal(&home, &[], "echo ready; exec sleep 60");
        screen.wait_for("ready");
        screen.press("\x03");
        assert_eq!(screen.finish(), 128 + libc::SIGINT);
        let mut screen = on_terminal(&home, &[], "echo ready; cat; echo over");
        screen.wait_for("ready");
        screen.press("\x04");
        screen.wait_for("over");
        assert_eq!(screen.finish(), 0);
    });
}

#[test]
fn a_shell_inside_has_job_control() {
    if !has_program("bash") {
        return;
    }
    for_each_user(|home| {
        let run = home.aisandbox(&["exec", "--env", "PS1=in> ", "--", "bash", "--norc", "--noprofile", "-i"]);
        let mut shell = Terminal::start(run);
        let shown = shell.wait_for("in> ");
        assert!(!shown.contains("no job control"), "{shown}");
        shell.press("sleep 61 & sleep 62\r");
        shell.wait_for("sleep 62");
        shell.press_until("\x1a", "Stopped"); // ^Z stops the job, not us
        shell.wait_for("in> ");
        shell.press("jobs\r");
        shell.wait_for("Running");
        shell.press("bg; jobs -r | wc -l\r");
        shell.wait_for("\r\n2\r\n");
        shell.press("fg %2\r");
        shell.wait_for("sleep 62");
        shell.press_until("\x03", "in> "); // ^C ends the job, not the shell
        shell.press("echo $((40 + 2)); kill %1; exit 6\r");
        shell.wait_for("42");
        assert_eq!(shell.finish(), 6);
    });
}

#[test]
fn the_stop_key_stops_the_whole_command_and_fg_continues_it() {
    if !has_program("bash") {
        return;
    }
    for_each_user(|home| {
        let mut shell = host_shell(&home);
        let before = shell.settings();
        shell.press("$AISANDBOX exec -- sh -c 'echo rea\"\"dy; read line; echo \"got <$line>\"; exit 8'\r");
        shell.wait_for("ready\r\n");
        shell.press_until("\x1a", "Stopped");
        shell.wait_for("host> ");
        assert_eq!(shell.settings().local_flags.bits() & 0xf, before.local_flags.bits() & 0xf);
        shell.press("echo in bet\"\"ween\r");
        shell.wait_for("in between");
        shell.press("fg; echo co\"\"de $?\r");
        shell.wait_for("sh -c");
        shell.press_until("words\r", "got <words>");
        shell.wait_for("code 8");
        shell.wait_for("host> ");
        shell.press("exit 0\r");
        assert_eq!(shell.finish(), 0);
    });
}

#[test]
fn a_launcher_in_the_background_leaves_the_terminal_alone() {
    if !has_program("bash") {
        return;
    }
    for_each_user(|home| {
        let mut shell = host_shell(&home);
        shell.press(
            "$AISANDBOX exec -- sh -c 'until [ -e go ]; do sleep 0.1; done; echo from ins\"\"ide' &\r",
        );
        shell.wait_for("host> ");
        shell.press("echo still $((50 + 5))\r");
        shell.wait_for("still 55");
        home.write("work/go", "");
        shell.wait_for("from inside");
        shell.press("wait; echo code $?\r");
        shell.wait_for("code 0");
        shell.press("exit 0\r");
        assert_eq!(shell.finish(), 0);
    });
}

#[test]
fn the_terminals_settings_are_as_before_however_it_ends() {
    for_each_user(|home| {
        for signal in [None, Some(libc::SIGTERM), Some(libc::SIGHUP), Some(libc::SIGINT)] {
            let mut screen = on_terminal(&home, &[], "echo ready; read line; exit 0");
            let before = screen.settings_before().clone();
            screen.wait_for("ready");
            assert!(comes_true(PATIENCE, || screen.settings() != before), "it becomes raw");
            match signal {
                None => screen.press("\r"),
                Some(number) => {
                    let pid = nix::unistd::Pid::from_raw(screen.pid());
                    nix::sys::signal::kill(pid, nix::sys::signal::Signal::try_from(number).unwrap()).unwrap();
                }
            }
            assert_eq!(screen.finish(), signal.map_or(0, |number| 128 + number));
            assert_eq!(screen.settings(), before, "{signal:?}");
        }
    });
}

#[test]
fn a_clipboard_sequence_never_reaches_the_persons_terminal() {
    for_each_user(|home| {
        let script = "printf 'a\\033]52;c;ZXZpbA==\\007b\\033]52;c;ZXZpbA==\\033\\\\c\\033]0;title\\007\\033[31md\\033[0m.\\n'";
        let mut screen = on_terminal(&home, &[], script);
        assert_eq!(screen.finish(), 0);
        assert_eq!(screen.shown(), "abc\x1b]0;title\x07\x1b[31md\x1b[0m.\r\n");
        let quiet = home.write(
            "quiet.yaml",
            "version: 1\nextends: [cowork]\nterminal: { title: deny, clipboard: allow }\n",
        );
        let mut screen = on_terminal(&home, &["--profile", quiet.to_str().unwrap()], script);
        assert_eq!(screen.finish(), 0);
        let shown = screen.shown();
        assert!(shown.contains("ZXZpbA==") && !shown.contains("title"), "{shown:?}"); // the control: policy decides
    });
}

#[test]
fn all_output_is_shown_before_the_end() {
    for_each_user(|home| {
        let mut screen = on_terminal(&home, &[], "seq 1 20000");
        assert_eq!(screen.finish(), 0);
        let shown = screen.shown();
        assert_eq!(shown.lines().count(), 20000);
        assert!(shown.ends_with("19999\r\n20000\r\n"));
    });
}

#[test]
fn an_agent_cannot_type_into_its_terminal() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let push = "import fcntl, termios\ntry:\n    fcntl.ioctl(0, termios.TIOCSTI, b'x')\n    print('pushed')\n\
                    except OSError as error:\n    print('refused', error.errno)\n";
        home.write("work/push.py", push);
        let mut screen = on_terminal(&home, &[], "python3 push.py");
        screen.wait_for("refused 1");
        assert_eq!(screen.finish(), 0);
        let mut screen =
            Terminal::start(Run::new(Path::new("/bin/sh"), &home).args(&["-c", "python3 push.py"]));
        assert_eq!(screen.finish(), 0);
        let shown = screen.shown();
        assert!(shown.contains("pushed") || shown.contains("refused 5"), "{shown}"); // 5: dev.tty.legacy_tiocsti=0
    });
}

#[test]
fn beside_a_pager_the_keys_are_the_pagers() {
    if !has_program("bash") {
        return;
    }
    for_each_user(|home| {
        let mut shell = host_shell(&home);
        // The right side stands for a pager: it reads keys from the terminal while the left side runs.
        shell.press("$AISANDBOX exec -- sh -c 'sleep 1; echo li\"\"ne' | sh -c 'stty -a < /dev/tty | grep -o .icanon; read key < /dev/tty; echo \"key $key\"; cat'\r");
        shell.wait_for(" icanon");
        shell.press("pressed\r");
        shell.wait_for("key pressed");
        shell.wait_for("line");
        shell.wait_for("host> ");
        shell.press("stty -a | grep -o ' icanon'; exit 0\r");
        shell.wait_for("\r icanon\r\n");
        assert_eq!(shell.finish(), 0);
    });
}

#[test]
fn an_agent_that_wants_keys_in_a_pipeline_gets_them() {
    if !has_program("bash") {
        return;
    }
    for_each_user(|home| {
        let mut shell = host_shell(&home);
        // Keys by stdin with stdout in a pipe; then by /dev/tty with both in pipes, and without an echo.
        shell.press("$AISANDBOX exec -- sh -c 'echo rea\"\"dy >&2; read line; echo \"got <$line>\"' | cat\r");
        shell.wait_for("ready\r\n");
        shell.press_until("words\r", "got <words>");
        shell.wait_for("host> ");
        shell.press("echo pi\"\"ped | $AISANDBOX exec -- sh -c 'cat; stty -echo < /dev/tty; echo se\"\"cret: >&2; read word < /dev/tty; echo \"<$word>\"' | cat\r");
        shell.wait_for("secret:");
        shell.press("hidden\r");
        let shown = shell.wait_for("<hidden>");
        assert!(shown.matches("hidden").count() == 1 && shell.shown().contains("piped"), "{shown:?}");
        shell.wait_for("host> ");
        shell.press("exit 0\r");
        assert_eq!(shell.finish(), 0);
    });
}

#[test]
fn a_launcher_that_was_told_to_stop_goes_on_at_the_first_fg() {
    if !has_program("bash") {
        return;
    }
    for_each_user(|home| {
        let mut shell = host_shell(&home);
        shell.press("$AISANDBOX exec -- sh -c 'echo rea\"\"dy; read a; echo \"<$a>\"'\r");
        shell.wait_for("ready");
        let children = format!("/proc/{0}/task/{0}/children", shell.pid());
        let launcher: i32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(launcher), nix::sys::signal::SIGTSTP).unwrap();
        shell.wait_for("Stopped");
        shell.wait_for("host> ");
        shell.press("fg\r");
        shell.wait_for("sh -c");
        shell.press_until("word\r", "<word>");
        shell.wait_for("host> ");
        shell.press("exit 0\r");
        assert_eq!(shell.finish(), 0);
    });
}

#[test]
fn an_agent_in_the_background_that_reads_stops_until_fg() {
    if !has_program("bash") {
        return;
    }
    for_each_user(|home| {
        let mut shell = host_shell(&home);
        shell.press(
            "$AISANDBOX exec -- sh -c 'sleep 0.3; read line; echo \"got <$line>\"; exit 8' & sleep 1.5\r",
        );
        shell.wait_for("host> ");
        shell.press_until("jobs\r", "Stopped");
        shell.wait_for("host> ");
        shell.press("fg; echo co\"\"de $?\r");
        shell.wait_for("sh -c");
        shell.press_until("words\r", "got <words>");
        shell.wait_for("code 8");
        shell.wait_for("host> ");
        shell.press("exit 0\r");
        assert_eq!(shell.finish(), 0);
    });
}

#[test]
fn output_from_a_pipe_to_the_terminal_has_plain_line_ends() {
    for_each_user(|home| {
        let run = home.sandboxed(&[], "cat; echo two");
        let (read, write) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut &write, b"one\n").unwrap();
        drop(write);
        let mut screen = Terminal::start(run.descriptor(0, read.into()));
        assert_eq!(screen.finish(), 0);
        assert_eq!(screen.shown(), "one\r\ntwo\r\n");
    });
}

#[test]
fn a_terminal_that_goes_away_ends_the_agent_by_hangup() {
    for_each_user(|home| {
        let mut screen = on_terminal(&home, &[], "echo ready; exec sleep 60");
        screen.wait_for("ready");
        screen.hang_up();
        assert_eq!(screen.finish(), 128 + libc::SIGHUP);
        // One that goes on without a terminal keeps its code, and the launcher does not spin meanwhile.
        let mut screen = on_terminal(&home, &[], "trap '' HUP; echo ready; sleep 1; echo more; exit 7");
        screen.wait_for("ready");
        let before = cpu_ticks(screen.pid());
        screen.hang_up();
        std::thread::sleep(Duration::from_millis(700));
        let after = cpu_ticks(screen.pid());
        assert!(after - before < 30, "{before} to {after} hundredths of a second");
        assert_eq!(screen.finish(), 7);
    });
}

/// Processor time of a process in hundredths of a second (proc_pid_stat(5)).
fn cpu_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.split(' ').skip(13).take(2).map(|word| word.parse::<u64>().unwrap()).sum()
}
