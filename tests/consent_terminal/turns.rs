//! What a person sees and can do: a yes, a no, one question after another, a window that changes.

use crate::Test;
use crate::scene::{Guardian, MOMENT, code, launch, scene};
use crate::support::for_each_user;
use crate::support::pty::Terminal;
use crate::support::run::{PATIENCE, comes_true};
use aisandbox::wire::consent::{Answer, Shown};
use aisandbox::wire::subject::Scope;
use std::thread::sleep;
use std::time::Duration;

pub(crate) const ALL: &[Test] = &[
    ("the_code_on_the_screen_is_a_yes_and_the_keys_stay_with_the_prompt", yes),
    ("the_output_of_the_agent_waits_and_comes_unchanged", output_waits),
    ("two_questions_come_one_after_the_other", two),
    ("a_question_that_is_withdrawn_leaves_the_screen", withdrawn),
    ("a_full_screen_program_draws_itself_anew", full_screen),
    ("a_window_that_changes_shows_the_question_anew", resized),
    ("a_pipe_as_stdin_does_not_hinder_a_question", piped),
];

/// What the launcher does to the screen for a question, and after it.
const COVER: &str = "\x18\x1b\\";
const UNCOVER: &str = "\x1b[?1049l";

fn yes() {
    for_each_user(|home| {
        let (guardian, theirs) = Guardian::pair();
        let mut screen = Terminal::start(launch(&home, "echo ready; read a; echo \"<$a>\"", theirs));
        screen.wait_for("ready");
        let before = screen.settings();
        guardian.ask("8F3K-1");
        let code = code(&mut screen, "8F3K-1");
        guardian.hear_visible("8F3K-1");
        sleep(MOMENT);
        screen.press(&format!("{code} 5m\r"));
        assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Allow { scope: Scope::For { seconds: 300 } });
        screen.wait_for(UNCOVER);
        assert!(comes_true(PATIENCE, || screen.settings() == before));
        screen.press_until("words\r", "<words>");
        assert_eq!(screen.finish(), 0);
    });
}

fn output_waits() {
    let script = "echo ready; i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo $i; done";
    let (_home, mut screen, guardian) = scene(script);
    guardian.ask("8F3K-1");
    screen.wait_for("aisandbox asks");
    guardian.hear_visible("8F3K-1");
    sleep(MOMENT);
    screen.press("n");
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Deny {});
    screen.wait_for(UNCOVER);
    assert_eq!(screen.finish(), 0);
    let shown = screen.shown();
    let (before, rest) = shown.split_once(COVER).unwrap();
    let (question, after) = rest.split_once(UNCOVER).unwrap();
    assert!(question.contains(" agent > \\u{1b}[2Jto be\\n Answer"), "{question:?}");
    let numbers: String = (1..=30000).map(|number| format!("{number}\r\n")).collect();
    let (whole, expected) = (format!("{before}{after}"), format!("ready\r\n{numbers}"));
    let differs = whole.bytes().zip(expected.bytes()).position(|(left, right)| left != right);
    let near = whole.get(differs.unwrap_or(expected.len()).saturating_sub(40)..).unwrap_or_default();
    assert_eq!((differs, whole.len()), (None, expected.len()), "{:?}", near.get(..80.min(near.len())));
}

fn two() {
    let (_home, mut screen, guardian) = scene("echo ready; read a");
    guardian.ask("8F3K-1");
    guardian.ask("8F3K-2");
    let first = code(&mut screen, "8F3K-1");
    guardian.hear_visible("8F3K-1");
    assert_eq!(guardian.hear_within(MOMENT), None); // one at a time
    screen.press(&format!("{first}o\r{first}o\r\r"));
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Allow { scope: Scope::Once {} });
    let second = code(&mut screen, "8F3K-2");
    assert_ne!(first, second);
    guardian.hear_visible("8F3K-2");
    sleep(MOMENT);
    screen.press(&format!("{first}o\r")); // the code of an older question
    screen.wait_for("That is not the code");
    assert_eq!(guardian.hear_within(Duration::from_millis(300)), None);
    screen.press(&format!("{second}s\r"));
    assert_eq!(guardian.hear_answer("8F3K-2"), Answer::Allow { scope: Scope::Session {} });
}

fn withdrawn() {
    let (_home, mut screen, guardian) = scene("echo ready; read a; echo \"<$a>\"");
    guardian.ask("8F3K-1");
    guardian.ask("8F3K-2");
    guardian.hear_visible("8F3K-1");
    guardian.withdraw("8F3K-2");
    guardian.withdraw("8F3K-1");
    screen.wait_for(UNCOVER);
    screen.press_until("on\r", "<on>");
    assert_eq!(guardian.hear_within(Duration::from_millis(100)), None);
}

fn full_screen() {
    let script = "trap 'stty size' WINCH; printf '\\033[?1049h\\033[?25l'; stty raw -echo; echo ready; \
                  while :; do sleep 0.05; done";
    let (_home, mut screen, guardian) = scene(script);
    guardian.ask("8F3K-1");
    let code = code(&mut screen, "8F3K-1");
    guardian.hear_visible("8F3K-1");
    assert!(screen.shown().contains("\x1b7") && !screen.shown().contains("32 101"));
    sleep(MOMENT);
    screen.press(&format!("{code}a\r"));
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Allow { scope: Scope::Always {} });
    screen.wait_for("\x1b[?25l\x1b8"); // hidden again, as the program had it
    screen.wait_for("32 101");
    screen.wait_for("33 101");
}

fn resized() {
    let (_home, mut screen, guardian) = scene("echo ready; read a");
    guardian.ask("8F3K-1");
    let code = code(&mut screen, "8F3K-1");
    guardian.hear_visible("8F3K-1");
    sleep(MOMENT);
    screen.resize(4, 20);
    screen.wait_for("aisandbox: this w...");
    screen.press(&format!("{code}o\r"));
    screen.wait_for(" Make the window ...");
    assert_eq!(guardian.hear_within(Duration::from_millis(300)), None);
    screen.resize(30, 60);
    screen.wait_for("/home/u/Documents");
    screen.press(&format!("{code}o\r"));
    assert_eq!(guardian.hear_answer("8F3K-1"), Answer::Allow { scope: Scope::Once {} });
}

fn piped() {
    for_each_user(|home| {
        let (guardian, theirs) = Guardian::pair();
        let (read, _write) = std::io::pipe().unwrap();
        let run = launch(&home, "echo ready; read a; echo \"<$a>\"", theirs).descriptor(0, read.into());
        let mut screen = Terminal::start(run);
        screen.wait_for("ready");
        guardian.ask("8F3K-1");
        let code = code(&mut screen, "8F3K-1");
        guardian.hear_visible("8F3K-1");
        sleep(MOMENT);
        screen.press(&format!("{code}o\r"));
        assert!(matches!(guardian.hear(), Shown::Answered { answer: Answer::Allow { .. }, .. }));
    });
}
