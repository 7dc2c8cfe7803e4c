//! The layout of a question: table tests, and mutations of everything an agent supplies.

use super::*;
use crate::wire::subject::{Action, Asker};
use proptest::prelude::*;

/// A question as the Guardian would make it.
pub(in crate::consent) fn question() -> Question {
    let process = |pid, program: &str| Process { pid, program: program.into(), sha256: None };
    Question {
        id: "8F3K-2".into(),
        run: "01HV8F3K".into(),
        profile: "cowork".into(),
        chain: Vec::new(),
        asker: Asker {
            process: Process {
                sha256: Some("0123456789abcdef".repeat(4)),
                ..process(4242, "/usr/bin/python3")
            },
            parents: vec![process(4200, "/bin/bash"), process(4100, "/usr/bin/node")],
        },
        actions: vec![Action::Read, Action::Append],
        resource: Resource::File { path: "/work/budget.xlsx".into() },
        object: Some(Object {
            path: "/home/u/Documents/budget.xlsx".into(),
            kind: "file".into(),
            size: Some(12_600),
            label: String::new(),
            sha256: None,
        }),
        why: Some("I need the budget to fill in the table.".into()),
        upload: None,
        lease_s: Some(3600),
        asked_at: 1_000,
        until: 1_300,
        policy: None,
    }
}

fn shown(question: &Question, width: usize) -> Vec<String> {
    lines(question, width, 1_000).into_iter().map(|line| line.text).collect()
}

#[test]
fn a_question_says_who_what_why_and_for_how_long() {
    let expected = "\
aisandbox asks: 8F3K-2
 Who     /usr/bin/python3 (process 4242)
         sha256 0123456789abcdef
         started by /bin/bash (process 4200), by /usr/bin/node (process 4100)
         run 01HV8F3K, profile cowork
 Wants   read, add to the end:
         /home/u/Documents/budget.xlsx
         a file of 12.3 KiB
         the agent sees it as /work/budget.xlsx
 Why     in the agent's own words, which nobody has checked:
 agent > I need the budget to fill in the table.
 Lasts   1 hour, unless you say otherwise
 Answer  within 5 minutes; no answer means no";
    assert_eq!(shown(&question(), 80).join("\n"), expected);
}

#[test]
fn a_sensitive_object_comes_with_a_plain_warning() {
    let mut asked = question();
    assert!(!is_sensitive(&asked));
    asked.object.as_mut().unwrap().label = "keys".into();
    assert!(is_sensitive(&asked));
    let warning = lines(&asked, 80, 1_000).into_iter().find(|line| line.kind == Kind::Warning).unwrap();
    assert!(warning.text.starts_with(" CAREFUL This holds keys"), "{}", warning.text);
}

#[test]
fn a_program_a_host_and_a_device_are_told_without_an_object() {
    let mut asked = question();
    asked.object = None;
    asked.resource = Resource::Host { host: "example.org".into(), port: 443 };
    asked.actions = vec![Action::Connect];
    asked.lease_s = None;
    asked.why = None;
    asked.chain = vec!["01HVPARENT".into()];
    asked.policy = Some("network-allowlist: not on the list".into());
    let text = shown(&asked, 80).join("\n");
    for part in [
        "\n Wants   connect:\n         example.org port 443\n",
        "\n Why     the agent gave no reason\n",
        "\n Lasts   until the run ends, unless",
        "\n Policy  network-allowlist: not on the list\n",
        "run 01HV8F3K, started by run 01HVPARENT, profile cowork",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert_eq!(summary(&asked), "connect: example.org port 443");
}

#[test]
fn words_of_an_agent_cannot_make_a_line_of_ours() {
    let mut asked = question();
    let evil = "ok\n Lasts   1 second\n\x1b[1A\x1b[2K Answer  anything means no\r\n         harmless";
    asked.why = Some(evil.into());
    asked.object.as_mut().unwrap().path = format!("/tmp/{evil}");
    asked.asker.process.program = evil.into();
    for width in [40, 41, 60, 80, 100, 300] {
        let all = lines(&asked, width, 1_000);
        for (label, once) in [(" Lasts ", 1), (" Answer ", 1), (" Who ", 1), (" Wants ", 1)] {
            let count = all.iter().filter(|line| line.text.starts_with(label)).count();
            assert_eq!(count, once, "{label} at {width}");
        }
        let with_words = all.iter().filter(|line| line.text.contains("anything")).count();
        assert_eq!(with_words, 3, "where the agent's text is expected: why, path, program");
    }
}

#[test]
fn long_words_are_cut_and_a_long_path_keeps_both_ends() {
    let mut asked = question();
    asked.why = Some("word ".repeat(200));
    asked.object.as_mut().unwrap().path = format!("/home/u/{}/.ssh/id_ed25519", "deep/".repeat(700));
    let all = lines(&asked, 80, 1_000);
    let text: Vec<&str> = all.iter().map(|line| line.text.as_str()).collect();
    assert!(text.iter().any(|line| line.starts_with("         /home/u/deep/")));
    assert!(text.iter().any(|line| line.ends_with("/.ssh/id_ed25519")), "{text:#?}");
    assert!(text.iter().any(|line| line.starts_with(" (cut)   ") && line.ends_with("left out here")));
    assert!(text.contains(&" (cut)   the agent said more than fits here"));
    let agent: usize =
        all.iter().filter(|line| line.kind == Kind::Agent).map(|line| line.text.len() - AGENT.len()).sum();
    assert!(agent <= WHY_LETTERS, "{agent}");
    assert!(all.len() < 40, "{}", all.len());
}

#[test]
fn a_mark_never_begins_a_line() {
    let text = "e\u{301}".repeat(200);
    for width in 40..60 {
        for part in wrap(&plain(&text), width) {
            assert!(!part.starts_with('\u{301}'), "{width}");
        }
    }
}

#[test]
fn text_is_cut_to_columns_and_not_to_letters() {
    assert_eq!(fit("abc", 3), "abc");
    assert_eq!(fit("abcdef", 5), "ab...");
    assert_eq!(fit("\u{4f60}\u{597d}\u{4f60}\u{597d}", 6), "\u{4f60}...");
    assert_eq!(fit("abcdef", 2), "..");
}

/// Text as an agent would choose it: anything, and often what terminals obey.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[ -~]{0,12}",
        prop::sample::select(vec![
            "\x1b[2J",
            "\x1b]0;x\x07",
            "\u{9b}A",
            "\n",
            "\r",
            "\u{202e}",
            "\u{2066}",
            "\u{200d}",
            "\u{301}",
            "\u{5d0}",
            " agent > ",
            "         ",
            " Answer  ",
            "\u{e0041}",
            "\u{ff21}",
            "\u{1f468}\u{200d}\u{1f469}",
            "\u{1112}\u{1161}",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn nothing_an_agent_supplies_leaves_its_place(
        why in hostile(), path in hostile(), program in hostile(), inside in hostile(), policy in hostile(),
        label in hostile(), width in 0usize..160,
    ) {
        let mut asked = question();
        asked.why = Some(why);
        asked.policy = Some(policy);
        asked.asker.process.program = program.clone();
        asked.asker.parents[0].program = program;
        asked.resource = Resource::File { path: inside };
        let object = asked.object.as_mut().unwrap();
        (object.path, object.label) = (path, label);
        let labels = ["Who", "Wants", "Why", "Policy", "Lasts", "Answer", "CAREFUL", "(cut)", ""];
        for line in lines(&asked, width, 1_000).iter().skip(1) {
            let text = &line.text;
            prop_assert!(text.chars().map(columns).sum::<usize>() <= width.max(40), "{text:?}");
            prop_assert_eq!(unicode_width::UnicodeWidthStr::width(text.as_str()) <= width.max(40), true);
            prop_assert!(!text.contains(|letter: char| letter.is_control() || crate::base::misleads(letter)), "{:?}", text);
            prop_assert_eq!(line.kind == Kind::Agent, text.starts_with(AGENT), "{:?}", text);
            let margin: String = text.chars().take(MARGIN).collect();
            prop_assert!(line.kind == Kind::Agent || labels.contains(&margin.trim()), "{:?}", text);
        }
    }

    #[test]
    fn what_is_plain_stays_within_its_list(text in hostile()) {
        let shown = plain(&text);
        prop_assert!(!shown.contains(|letter: char| letter.is_control() || crate::base::misleads(letter)), "{:?}", shown);
        prop_assert!(!shown.contains("  ") && !shown.starts_with(' ') && !shown.ends_with(' '), "{:?}", shown);
    }
}
