//! The prompt, key by key and size by size.

use super::*;
use crate::consent::text::tests::question;
use proptest::prelude::*;

const START: Duration = Duration::from_secs(100);
const LATER: Duration = Duration::from_millis(101_500);
const NO: Step = Step::Answer(Answer::Deny {});

fn open() -> Prompt {
    let mut prompt = Prompt::new(question(), "4711".into());
    prompt.screen((24, 80), START, 1_000);
    assert!(prompt.became_visible(START));
    prompt
}

fn typed(keys: &str) -> Step {
    open().keys(keys.as_bytes(), LATER)
}

fn allow(scope: Scope) -> Step {
    Step::Answer(Answer::Allow { scope })
}

#[test]
fn the_code_and_a_word_for_how_long_are_a_yes() {
    let rows = [
        ("4711o\r", allow(Scope::Once {})),
        ("4711 s\n", allow(Scope::Session {})),
        ("4711 30m\r", allow(Scope::For { seconds: 1800 })),
        ("47119h\r", allow(Scope::For { seconds: 32_400 })),
        ("4711a\r", allow(Scope::Always {})),
        ("4711x\r", Step::Answer(Answer::Never {})),
        ("47122\x7f\x7f1s\r", allow(Scope::Session {})),
        ("999\x154711o\r", allow(Scope::Once {})),
        ("\x1b[A\x1bOP\x1b[200~4711o\r", allow(Scope::Once {})),
    ];
    for (keys, step) in rows {
        assert_eq!(typed(keys), step, "{keys:?}");
    }
}

#[test]
fn everything_that_is_no_yes_is_no_or_nothing() {
    for keys in ["\r", "\n", "n", "N", "\x1b", "\x03", "\x04", "  \r", "471\x1b", "1111o\r2222o\r3333o\r"] {
        assert_eq!(typed(keys), NO, "{keys:?}");
    }
    for keys in [
        "y",
        "yes\r",
        "4711\r",
        "4711",
        "4711y\r",
        "4711 0m\r",
        "4710o\r",
        "o4711\r",
        "4711oo\r",
        "\x1b[1;2R",
    ] {
        assert!(matches!(typed(keys), Step::Wait | Step::Redraw), "{keys:?}");
    }
}

#[test]
fn what_was_typed_in_the_first_second_never_counts() {
    let mut prompt = open();
    for millis in [0, 1, 500, 999] {
        assert_eq!(prompt.keys(b"4711o\r", START + Duration::from_millis(millis)), Step::Wait);
        assert_eq!(prompt.keys(b"n\r\x03\x1b", START + Duration::from_millis(millis)), Step::Wait);
    }
    assert_eq!(prompt.keys(b"4711", START + Duration::from_millis(999)), Step::Wait);
    assert_eq!(prompt.keys(b"o\r", LATER), Step::Redraw); // no half of it was kept
    let mut unseen = Prompt::new(question(), "4711".into());
    assert_eq!(unseen.keys(b"4711o\r", LATER), Step::Wait);
}

#[test]
fn a_report_of_the_terminal_is_no_key() {
    let mut prompt = open();
    for report in ["\x1b]l4711o\r\x1b\\", "\x1bP1$r4711o\r\x1b\\", "\x1b[?4711o", "\x1b]11;rgb:4711o\r\x07"] {
        assert_eq!(prompt.keys(report.as_bytes(), LATER), Step::Wait, "{report:?}");
    }
    assert_eq!(prompt.keys(b"4711o\r", LATER), allow(Scope::Once {})); // and the line is as it was
}

#[test]
fn a_code_is_never_one_of_the_last_ones() {
    let recent = vec!["0005".to_owned(), "0006".to_owned()];
    assert_eq!(code(5u64.to_le_bytes(), &recent), "0007");
    assert_eq!(code(9_999u64.to_le_bytes(), &["9999".to_owned()]), "0000");
    assert_eq!(code(u64::MAX.to_le_bytes(), &[]).len(), 4);
}

#[test]
fn the_screen_holds_the_question_and_what_can_be_answered() {
    let mut prompt = open();
    prompt.keys(b"47", LATER);
    let screen = prompt.screen((24, 80), LATER, 1_000);
    for part in [
        "aisandbox asks: 8F3K-2",
        " agent > I need",
        "4711o once",
        "4711s for this run",
        "Your answer: 47\x1b[J",
    ] {
        assert!(screen.contains(part), "{part:?} is not in {screen:?}");
    }
    assert!(prompt.screen((24, 80), START, 1_000).contains("Keys count in a moment."));
}

#[test]
fn a_small_window_leaves_out_the_agents_words_first_and_says_so() {
    let mut prompt = open();
    let screen = prompt.screen((15, 80), LATER, 1_000);
    assert!(!screen.contains(" agent > ") && screen.contains("do not fit") && screen.contains("budget.xlsx"));
    assert_eq!(prompt.keys(b"4711o\r", LATER), allow(Scope::Once {}));
}

#[test]
fn a_window_too_small_for_the_facts_takes_no_yes() {
    for size in [(10, 80), (5, 80), (0, 0), (1, 1), (24, 39)] {
        let mut prompt = open();
        assert!(prompt.screen(size, LATER, 1_000).contains("\x1b[7m"), "{size:?}");
        assert_eq!(prompt.keys(b"4711o\r", LATER), Step::Redraw, "{size:?}");
        prompt.screen((24, 80), LATER, 1_000);
        assert_eq!(prompt.keys(b"4711o\r", LATER), allow(Scope::Once {}), "{size:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_keys_without_the_code_are_a_yes(keys in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut prompt = open();
        let text = String::from_utf8_lossy(&keys).into_owned();
        let step = prompt.keys(&keys, LATER);
        let yes = matches!(step, Step::Answer(Answer::Allow { .. } | Answer::Never {}));
        prop_assert!(!yes || text.contains("4711"));
    }

    #[test]
    fn no_size_breaks_the_screen(rows in 0usize..60, width in 0usize..200) {
        let screen = open().screen((rows, width), LATER, 1_000);
        let lines = screen.matches("\r\n").count() + 1;
        prop_assert!(lines <= rows.max(FOOT + 1), "{} lines in {} rows", lines, rows);
    }
}
