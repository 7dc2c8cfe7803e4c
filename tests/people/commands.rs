//! Each command: what it sends, what it prints, and how it ends.

use crate::stand_in::{Manner, StandIn};
use crate::support::run::{Output, PATIENCE, comes_true};
use crate::support::{Home, for_each_user};
use crate::{HOSTILE, RUNS, ask, json, runtime, states};
use aisandbox::wire::consent::Answer;
use aisandbox::wire::session::Command;
use aisandbox::wire::subject::{Action, Scope};
use std::time::Instant;

fn with(manner: Manner, mut body: impl FnMut(&Home, &StandIn)) {
    for_each_user(|home| {
        let stand_in = StandIn::start(&home, manner, &states("docs"));
        body(&home, &stand_in);
    });
}

#[test]
fn runs_requests_and_grants_are_shown_in_lines_and_as_json() {
    with(Manner::Does, |home, _| {
        let ps = ask(home, &["ps"]).expect_code(0);
        assert!(ps.starts_with("RUN ") && ps.lines().count() == 3 && ps.contains("agent docs"), "{ps}");
        let requests = ask(home, &["requests"]).expect_code(0);
        for part in ["AAAA-2\n", "/usr/bin/docs (process 812)", "(mail)", " agent > docs\n", "BBBB-2\n"] {
            assert!(requests.contains(part), "{part}: {requests}");
        }
        let grants = ask(home, &["grants"]).expect_code(0);
        assert!(
            grants.contains("AAAA-g1  read, append  /home/u/docs") && grants.contains("3 uses"),
            "{grants}"
        );
        assert!(grants.contains("descriptor, stays open"), "{grants}");
        assert_eq!(json(&ask(home, &["ps", "--json"])).as_array().unwrap().len(), 2);
        assert_eq!(json(&ask(home, &["requests", "--json"]))[1]["id"], "BBBB-2");
        let of_one = json(&ask(home, &["grants", "BBBB", "--json"]));
        assert_eq!((of_one.as_array().unwrap().len(), &of_one[0]["run"]), (1, &RUNS[1].into()));
    });
}

#[test]
fn what_an_agent_wrote_reaches_the_terminal_escaped() {
    for_each_user(|home| {
        let _stand_in = StandIn::start(&home, Manner::Refuses, &states(HOSTILE));
        for words in [
            &["ps"][..],
            &["ps", "--json"],
            &["requests"],
            &["requests", "--json"],
            &["grants"],
            &["grants", "--json"],
            &["approve", "AAAA-2"],
            &["approve", "AAAA-2", "--json"],
            &["revoke", "AAAA-g1"],
            &["revoke", "\x1b[2J"],
        ] {
            let output = ask(&home, words);
            let text = output.stdout() + &output.stderr();
            assert!(text.len() > 20, "{words:?} said something");
            let bad =
                |letter: char| letter != '\n' && (letter.is_control() || "\u{202e}\u{200b}".contains(letter));
            assert!(!text.contains(bad), "{words:?}: {text:?}");
            assert!(
                !text.lines().any(|line| line.trim_start().starts_with("fake line")),
                "{words:?}: {text}"
            );
        }
    });
}

fn allowed(id: &str, scope: Scope) -> Command {
    Command::Answer { id: id.into(), answer: Answer::Allow { scope } }
}

#[test]
fn an_answer_reaches_the_run_that_asked_with_its_scope() {
    with(Manner::Does, |home, stand_in| {
        let rows: [(&[&str], Command); 7] = [
            (&["approve", "AAAA-2"], allowed("AAAA-2", Scope::For { seconds: 3600 })),
            (&["approve", "bbbb", "--once"], allowed("BBBB-2", Scope::Once {})),
            (&["approve", "AAAA-2", "--session"], allowed("AAAA-2", Scope::Session {})),
            (&["approve", "AAAA-2", "--for", "2h"], allowed("AAAA-2", Scope::For { seconds: 7200 })),
            (&["approve", "AAAA-2", "--always"], allowed("AAAA-2", Scope::Always {})),
            (&["deny", "BBBB-2"], Command::Answer { id: "BBBB-2".into(), answer: Answer::Deny {} }),
            (
                &["deny", "AAAA-2", "--always"],
                Command::Answer { id: "AAAA-2".into(), answer: Answer::Never {} },
            ),
        ];
        for (words, command) in rows {
            let said = ask(home, words).expect_code(0);
            assert_eq!(stand_in.commands().last(), Some(&command), "{words:?}");
            assert!(said.contains("read /home/u/docs for run 01KB"), "{said}");
        }
        let said = ask(home, &["approve", "AAAA-2"]).expect_code(0);
        assert!(said.starts_with("approved AAAA-2: ") && said.contains("grant NEW-g9, holds for "), "{said}");
        let told = json(&ask(home, &["approve", "AAAA-2", "--json"]));
        assert_eq!((&told["about"]["id"], &told["run"]), (&"AAAA-2".into(), &RUNS[0].into()));
        assert_eq!(told["reply"]["done"]["grant"]["id"], "NEW-g9");
    });
}

#[test]
fn a_lease_is_given_extended_and_taken_back_by_hand() {
    with(Manner::Does, |home, stand_in| {
        let sent = |words: &[&str]| -> (String, Command) {
            let said = ask(home, words).expect_code(0);
            (said, stand_in.commands().last().unwrap().clone())
        };
        let (said, command) = sent(&["grant", "AAAA", "/srv/data", "--read", "--for", "1h"]);
        let grant = |path: &str, actions: &[Action], seconds| Command::Grant {
            path: path.into(),
            actions: actions.to_vec(),
            seconds,
        };
        assert_eq!(command, grant("/srv/data", &[Action::Read], Some(3600)));
        assert!(said.starts_with("granted NEW-g9: "), "{said}");
        let (_, command) = sent(&["grant", RUNS[1], "notes", "--append", "--execute"]);
        let notes = home.work().join("notes");
        assert_eq!(command, grant(notes.to_str().unwrap(), &[Action::Append, Action::Execute], None));
        let (_, command) = sent(&["grant", "bbbb", "/srv", "--write"]);
        let all = [Action::Read, Action::Append, Action::Overwrite, Action::Create, Action::Delete];
        assert_eq!(command, grant("/srv", &all, None));
        let (said, command) = sent(&["extend", "AAAA-g1", "--for", "30m"]);
        assert_eq!(command, Command::Extend { id: "AAAA-g1".into(), seconds: 1800 });
        assert!(said.starts_with("extended NEW-g9: "), "{said}");
        let (said, command) = sent(&["revoke", "aaaa-g1"]);
        assert_eq!(command, Command::Revoke { id: "AAAA-g1".into() });
        let held = "revoked AAAA-g1: read, append /home/u/docs\nstill held: pid 812 has \\u{1b}[31mit open\n";
        assert_eq!(said, held);
        let (said, command) = sent(&["revoke", "BBBB", "--all"]);
        assert_eq!(command, Command::Revoke { id: "all".into() });
        assert!(said.starts_with(&format!("revoked all of run {}: 1 grants", RUNS[1])), "{said}");
    });
}

#[test]
fn what_is_not_meant_for_sure_is_not_done() {
    with(Manner::Does, |home, stand_in| {
        let rows: [(&[&str], i32, &str); 9] = [
            (&["approve", "-2"], 125, "unexpected argument"),
            (&["approve", "2"], 1, "2 means 2 requests: AAAA-2, BBBB-2"),
            (&["deny", "CCCC"], 1, "there is no request CCCC"),
            (&["revoke", "01KB", "--all"], 1, "01KB means 2 runs"),
            (&["revoke", RUNS[0]], 1, "`--all` takes all of it back"),
            (&["grant", RUNS[0], "/srv"], 125, "required"),
            (&["grant", RUNS[0], "/srv/../etc", "--read"], 125, "`..`"),
            (&["extend", "AAAA-g1", "--for", "soon"], 125, "write 90s, 30m, 2h or 1d"),
            (&["approve", "AAAA-2", "--once", "--always"], 125, "cannot be used with"),
        ];
        for (words, code, said) in rows {
            let output = ask(home, words);
            output.expect_code(code);
            output.expect_said(said);
        }
        assert_eq!(stand_in.commands(), Vec::new());
    });
}

#[test]
fn a_refusal_is_one_and_names_its_reason() {
    with(Manner::Refuses, |home, _| {
        let refused = ask(home, &["approve", "AAAA-2", "--json"]);
        refused.expect_code(1);
        refused.expect_said("the profile does not allow this");
        refused.expect_said("\\u{1b}]0;title\\u{7} (ceiling)");
        assert_eq!(json(&refused)["reply"]["refused"]["reason"], "ceiling");
    });
}

#[test]
fn a_run_that_ends_in_the_middle_of_a_command_is_one() {
    with(Manner::Ends, |home, stand_in| {
        let output = ask(home, &["deny", "AAAA-2"]);
        output.expect_code(1);
        output.expect_said("it ended before it answered");
        assert_eq!(stand_in.commands().len(), 1);
    });
}

#[test]
fn a_guardian_that_says_nothing_is_given_up_after_ten_seconds() {
    with(Manner::SaysNothing, |home, _| {
        let begun = Instant::now();
        let output: Output = ask(home, &["revoke", "AAAA-g1"]);
        output.expect_code(125);
        output.expect_said("gave no answer within 10 s");
        assert!(begun.elapsed().as_secs() >= 9, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_killed_guardian_is_no_run_any_more() {
    for_each_user(|home| {
        let stand_in = StandIn::start(&home, Manner::Does, &states("docs"));
        assert_eq!(json(&ask(&home, &["ps", "--json"])).as_array().unwrap().len(), 2);
        stand_in.kill();
        assert_eq!(ask(&home, &["requests"]).expect_code(0), "nobody asks for anything\n");
        assert_eq!(ask(&home, &["grants"]).expect_code(0), "nothing is granted\n");
        assert_eq!(std::fs::read_dir(runtime(&home).join("aisandbox")).unwrap().count(), 0);
    });
}

#[test]
fn watching_prints_again_after_a_change() {
    with(Manner::Does, |home, stand_in| {
        let watch = home.aisandbox(&["requests", "--watch", "--json"]);
        let mut watch = watch.env("XDG_RUNTIME_DIR", runtime(home)).start();
        let first = watch.read_line();
        assert!(first.contains("AAAA-2") && first.contains("BBBB-2"), "{first}");
        let later = (0..4).map(|_| watch.read_line()).find(|line| line == "[]");
        assert!(later.is_some());
        let watches = || stand_in.commands().iter().filter(|command| **command == Command::Watch {}).count();
        assert!(comes_true(PATIENCE, || watches() == 2));
    });
}
