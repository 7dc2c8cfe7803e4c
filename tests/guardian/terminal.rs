//! The person at the terminal that the command runs on, and an ordinary `cat` that waits for them.

use crate::support::for_each_user;
use crate::support::pty::Terminal;
use crate::{Guarded, WAITS, event, profile};

/// Waits for a question on the screen; gives its code.
fn code(screen: &mut Terminal) -> String {
    screen.wait_for("aisandbox asks: ");
    let text = screen.wait_for("o once");
    text[text.len() - 10..text.len() - 6].to_owned()
}

#[test]
fn the_code_is_a_yes_anything_else_a_no_and_silence_too() {
    for_each_user(|home| {
        for (answer, said, reason) in [
            ("code", "real", ""),
            ("n", "Permission denied", "refused"),
            ("", "Permission denied", "timeout"),
        ] {
            home.write("work/docs/note", "real\n");
            let path = profile(&home, crate::DOCS, "terminal");
            let text = std::fs::read_to_string(&path).unwrap();
            let time = if answer.is_empty() { "3s" } else { "5m" };
            home.write("guarded.yaml", &text.replace("5m", time));
            let mut screen =
                Terminal::start(home.aisandbox(&["exec", "--profile", &path, "--", "cat", "docs/note"]));
            match answer {
                "code" => {
                    let keys = format!("{}o\r", code(&mut screen));
                    screen.press_until(&keys, said) // what comes in the first second is no answer
                }
                "" => screen.wait_for(said),
                other => {
                    code(&mut screen);
                    screen.press_until(&format!("{other}\r"), said)
                }
            };
            assert_eq!(screen.finish(), i32::from(!reason.is_empty()), "{answer}");
            if reason.is_empty() {
                assert_eq!(event(&home, "grant")["approved_by"], "terminal");
            } else {
                assert_eq!(event(&home, "denial")["reason"], reason);
            }
        }
    });
}

#[test]
fn the_person_sees_which_agent_of_a_chain_asks() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let path = profile(&home, crate::DOCS, WAITS);
        let text = std::fs::read_to_string(&path).unwrap() + "agents: { most: 2, depth: 1 }\n";
        home.write("guarded.yaml", &text);
        let script = "/run/aisandbox/aisandbox exec -- sh -c 'cat docs/note'; echo $?";
        let guarded = Guarded::start(&home, &path, script);
        let id = guarded.asked();
        let asked = guarded.json(&["requests", "--json"]);
        assert_eq!(asked[0]["chain"].as_array().map(Vec::len), Some(1), "{asked}");
        let shown = guarded.person(&["requests"]).expect_code(0);
        let above = asked[0]["chain"][0].as_str().unwrap();
        assert!(shown.contains(above), "the run above is named: {shown}");
        guarded.person(&["approve", &id]).expect_code(0);
        let output = guarded.end();
        assert_eq!(output.stdout(), "real\n0\n", "{output:?}");
    });
}
