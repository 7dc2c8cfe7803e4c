//! How a question ends without a person: a key that breaks off, a terminal that is gone, time, the agent's own end; and
//! where there is no terminal to ask on.

use crate::Test;
use crate::scene::{Guardian, MOMENT, SOCKET, launch, launcher_copy, scene};
use crate::support::pty::Terminal;
use crate::support::run::{PATIENCE, Run, comes_true};
use crate::support::{Home, has_program, users};
use aisandbox::wire::consent::{Answer, Shown};
use std::path::Path;
use std::thread::sleep;

pub(crate) const ALL: &[Test] = &[
    ("ctrl_c_is_a_no_and_the_agent_lives", ctrl_c),
    ("a_terminal_that_is_gone_is_a_no", hang_up),
    ("silence_ends_the_question", silence),
    ("an_agent_that_ends_leaves_the_terminal_as_it_was", agent_ends),
    ("a_guardian_that_is_gone_leaves_the_terminal_to_the_agent", guardian_gone),
    ("without_a_controlling_terminal_nobody_is_asked", no_terminal),
    ("in_the_background_nobody_is_asked", background),
    ("a_stop_is_a_no", stop),
];

fn ctrl_c() {
    let (_home, mut screen, guardian) = scene("echo ready; read a; echo \"<$a>\"");
    guardian.ask("8F3K-1");
    guardian.hear_visible("8F3K-1");
    sleep(MOMENT);
    screen.press("\x03");
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
    screen.wait_for("\x1b[?1049l");
    screen.press_until("alive\r", "<alive>");
    assert_eq!(screen.finish(), 0);
}

fn hang_up() {
    let (_home, mut screen, guardian) = scene("trap '' HUP; echo ready; sleep 60");
    guardian.ask("8F3K-1");
    guardian.hear_visible("8F3K-1");
    screen.hang_up();
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
}

fn silence() {
    let (_home, mut screen, guardian) = scene("echo ready; read a; echo \"<$a>\"");
    guardian.ask_until("8F3K-1", 3);
    let said = match guardian.hear() {
        Shown::Visible { .. } => guardian.hear(),
        other => other, // it took so long to draw it
    };
    assert!(matches!(&said, Shown::Unable { why, .. } if why.contains("in time")), "{said:?}");
    screen.wait_for("\x1b[?1049l");
    screen.press_until("on\r", "<on>");
}

fn agent_ends() {
    let script = "echo ready; until [ -e go ]; do sleep 0.05; done; echo last words; exit 3";
    let (home, mut screen, guardian) = scene(script);
    guardian.ask("8F3K-1");
    guardian.hear_visible("8F3K-1");
    home.write("work/go", "");
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
    let back = screen.wait_for("last words");
    assert!(back.contains("\x1b[?1049l"), "{back:?}");
    assert_eq!(screen.finish(), 3);
    assert!(comes_true(PATIENCE, || screen.settings() == *screen.settings_before()));
}

fn guardian_gone() {
    let (_home, mut screen, guardian) = scene("echo ready; read a; echo \"<$a>\"");
    guardian.ask("8F3K-1");
    guardian.hear_visible("8F3K-1");
    drop(guardian);
    screen.wait_for("\x1b[?1049l");
    screen.press_until("on\r", "<on>");
    assert_eq!(screen.finish(), 0);
}

fn no_terminal() {
    let home = Home::of(users().remove(0));
    let (guardian, theirs) = Guardian::pair();
    let mut run = launch(&home, "sleep 60", theirs);
    // SAFETY: the closure makes one system call; it takes no lock and does not allocate.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut run.command, || {
            Ok(nix::unistd::setsid().map(|_| ())?)
        })
    };
    let _running = run.start();
    guardian.ask("8F3K-1");
    let said = guardian.hear();
    assert!(matches!(&said, Shown::Unable { why, .. } if why.contains("no controlling")), "{said:?}");
}

/// A shell of the host with job control.
fn shell(home: &Home, theirs: std::os::fd::OwnedFd) -> Terminal {
    let run = Run::new(Path::new("/bin/bash"), home).args(&["--norc", "--noprofile", "-i"]);
    let run = run.env("PS1", "host> ").env("LAUNCHER", launcher_copy()).descriptor(SOCKET, theirs);
    let mut shell = Terminal::start(run);
    shell.wait_for("host> ");
    shell
}

fn background() {
    if !has_program("bash") {
        return;
    }
    let home = Home::of(users().remove(0));
    let (guardian, theirs) = Guardian::pair();
    let mut shell = shell(&home, theirs);
    shell.press("$LAUNCHER --launch 90 'echo rea\"\"dy; sleep 60' & exec 90>&-\r");
    shell.wait_for("ready");
    guardian.ask("8F3K-1");
    let said = guardian.hear();
    assert!(matches!(&said, Shown::Unable { why, .. } if why.contains("background")), "{said:?}");
    shell.press("echo still $((50 + 5)); kill %1; exit\r");
    shell.wait_for("still 55");
}

fn stop() {
    if !has_program("bash") {
        return;
    }
    let home = Home::of(users().remove(0));
    let (guardian, theirs) = Guardian::pair();
    let mut shell = shell(&home, theirs);
    shell.press(
        "$LAUNCHER --launch 90 'echo $$$$; echo rea\"\"dy; read a; echo \"<$a>\"'; echo back\"\"again\r",
    );
    shell.wait_for("ready");
    guardian.ask("8F3K-1");
    guardian.hear_visible("8F3K-1");
    let launcher = nix::unistd::Pid::from_raw(children(shell.pid()));
    nix::sys::signal::kill(launcher, nix::sys::signal::SIGTSTP).unwrap();
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
    let back = shell.wait_for("host> ");
    assert!(back.contains("\x1b[?1049l"), "{back:?}");
    nix::sys::signal::kill(launcher, nix::sys::signal::SIGKILL).unwrap(); // stopped, it hears nothing else
}

/// The only child of a process.
fn children(pid: i32) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().last().unwrap().parse().unwrap()
}
