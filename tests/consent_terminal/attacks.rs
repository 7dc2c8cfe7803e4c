//! What must never be a yes: keys typed ahead, guesses, what the agent prints, what it does to the terminal.

use crate::Test;
use crate::scene::{Guardian, MOMENT, code, launch, scene};
use crate::support::for_each_user;
use crate::support::pty::Terminal;
use aisandbox::wire::consent::{Answer, Shown};
use aisandbox::wire::subject::Scope;
use std::thread::sleep;
use std::time::Duration;

pub(crate) const ALL: &[Test] = &[
    ("keys_typed_ahead_never_answer", typed_ahead),
    ("three_wrong_codes_are_a_no", guesses),
    ("what_the_agent_prints_meanwhile_is_not_shown", prints_meanwhile),
    ("what_the_agent_did_to_the_terminal_is_undone_for_the_question", hides),
    ("an_agent_cannot_push_keys_into_its_terminal", pushes),
    (
        "no_question_is_asked_where_the_output_goes_to_another_program",
        no_question_is_asked_where_the_output_goes_to_another_program,
    ),
];

fn typed_ahead() {
    let (_home, mut screen, guardian) = scene("stty -echo; echo ready; sleep 60");
    screen.press("y\ry\r1234o\r");
    guardian.ask("8F3K-1");
    screen.press("y\ry\r1234o\r\r\x1bn");
    let code = code(&mut screen, "8F3K-1");
    guardian.hear_visible("8F3K-1");
    // Right, and from the first second on: what counts at last was not pressed in it.
    let said = loop {
        screen.press(&format!("{code}o\r"));
        if let Some(said) = guardian.hear_within(Duration::from_millis(50)) {
            break said;
        }
    };
    let Shown::Answered { answer, after_ms, .. } = said else { panic!("{said:?}") };
    assert_eq!(answer, Answer::Allow { scope: Scope::Once {} });
    assert!((1000..60_000).contains(&after_ms), "{after_ms}");
}

fn guesses() {
    let (_home, mut screen, guardian) = scene("echo ready; sleep 60");
    guardian.ask("8F3K-1");
    let code = code(&mut screen, "8F3K-1");
    guardian.hear_visible("8F3K-1");
    sleep(MOMENT);
    let wrong = if code == "0000" { "0001" } else { "0000" };
    screen.press(&format!("{wrong}o\r{wrong}o\r"));
    assert_eq!(guardian.hear_within(Duration::from_millis(300)), None);
    screen.press(&format!("{wrong}o\r{code}o\r"));
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
}

fn prints_meanwhile() {
    let script = "stty -echo; echo ready; while :; do echo ' Answer  aisandbox asks: FAKE-1 type yes'; done";
    let (_home, mut screen, guardian) = scene(script);
    guardian.ask("8F3K-1");
    screen.wait_for("\x18\x1b\\");
    let code = code(&mut screen, "8F3K-1");
    guardian.hear_visible("8F3K-1");
    sleep(MOMENT);
    let shown = screen.shown();
    let (_, question) = shown.rsplit_once("\x18\x1b\\").unwrap();
    assert!(!question.contains("FAKE"), "{question:?}");
    screen.press(&format!("{code}o\r"));
    guardian.hear_answer("8F3K-1");
    screen.wait_for("FAKE"); // it goes on
}

fn hides() {
    let script = "stty -echo; printf '\\033[8;30;40m\\033(0\\033[?5h\\033[?25l\\033[2;3r\\033[?6h\\033[4h\\033]10;#000\\007'; \
                  printf 'ready\\033]0;half of a tit'; read a; printf 'le\\007done'";
    let (_home, mut screen, guardian) = scene(script);
    sleep(Duration::from_millis(200));
    guardian.ask("8F3K-1");
    let cover = screen.wait_for("aisandbox asks");
    for reset in [
        "\x18\x1b\\",
        "\x1b[?1049h",
        "\x1b[0m",
        "\x1b(B\x0f",
        "\x1b[?5l",
        "\x1b[?25h",
        "\x1b[r",
        "\x1b[?6l",
        "\x1b[4l",
        "\x1b]110\x1b\\",
        "\x1b[2J",
    ] {
        assert!(cover.contains(reset), "{reset:?} is not in {cover:?}");
    }
    guardian.hear_visible("8F3K-1");
    sleep(MOMENT);
    screen.press("\r");
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
    let back = screen.wait_for("\x1b[?1049l");
    for again in ["\x1b[?5h", "\x1b[?25l", "\x1b[2;3r", "\x1b[4h"] {
        assert!(back.contains(again), "{again:?} is not in {back:?}");
    }
    screen.press_until("x\r", "done");
}

fn pushes() {
    let script = "stty -echo; echo ready; python3 -c 'import fcntl, sys, termios
for letter in b\"y\\n\":
    try: fcntl.ioctl(0, termios.TIOCSTI, bytes([letter])); print(\"pushed\")
    except OSError as error: print(\"refused\", error.errno)'; sleep 60";
    if !crate::support::has_program("python3") {
        return;
    }
    let (_home, mut screen, guardian) = scene(script);
    guardian.ask("8F3K-1");
    guardian.hear_visible("8F3K-1");
    assert_eq!(guardian.hear_within(MOMENT), None);
    screen.press("n");
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
    screen.wait_for("refused");
    assert!(!screen.shown().contains("pushed"));
}

/// Through a program that writes on the terminal, the agent's output would cover the question.
fn no_question_is_asked_where_the_output_goes_to_another_program() {
    for_each_user(|home| {
        for number in [1, 2] {
            let (guardian, theirs) = Guardian::pair();
            let (_read, write) = std::io::pipe().unwrap();
            let run = launch(&home, "echo ready | tee /dev/stderr; sleep 60", theirs);
            let mut screen = Terminal::start(run.descriptor(number, write.into()));
            screen.wait_for("ready");
            guardian.ask("8F3K-1");
            let said = guardian.hear();
            assert!(
                matches!(&said, Shown::Unable { why, .. } if why.contains("another program")),
                "{said:?}"
            );
        }
    });
}
