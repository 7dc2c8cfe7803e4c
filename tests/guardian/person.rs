//! A person answers: by nobody, by `approve`, by `revoke`; and what is left when the answer's time is over.

use crate::support::{for_each_user, has_program};
use crate::{DOCS, Guarded, WAITS, event, events, profile};

#[test]
fn without_a_way_to_ask_the_answer_is_no_and_recorded() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = profile(&home, DOCS, "notification");
        let output = home
            .aisandbox(&["exec", "--profile", &profile, "--", "sh", "-c", "echo ran; cat docs/note"])
            .output();
        assert_eq!((output.code, output.stdout().as_str()), (1, "ran\n"));
        output.expect_said("Permission denied");
        assert_eq!(home.outside("cat docs/note").stdout(), "real\n", "the control: the file can be read");
        let denial = event(&home, "denial");
        assert_eq!(denial["reason"], "no-channel");
        assert!(denial["who"]["process"]["program"].as_str().unwrap().ends_with("/cat"), "{denial}");
        assert_eq!(event(&home, "request")["what"]["actions"][0], "read");
    });
}

#[test]
fn an_approved_touch_lands_on_the_real_file_and_a_revoke_takes_it_away() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = profile(&home, DOCS, WAITS);
        let script =
            "cat docs/note; touch first; until [ -e go ]; do sleep 0.1; done; cat docs/note; echo $?";
        let guarded = Guarded::start(&home, &profile, script);
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        guarded.reaches("work/first");
        let grants = guarded.json(&["grants", "--json"]);
        let grant = grants[0]["id"].as_str().unwrap().to_owned();
        guarded.person(&["revoke", &grant]).expect_code(0);
        home.write("work/go", "");
        let second = guarded.asked();
        assert_ne!(second, id, "it is asked anew");
        guarded.person(&["deny", &second]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "real\n1\n");
        let names: Vec<String> = events(&home).into_iter().map(|(name, _)| name).collect();
        let of = |name: &str| {
            names.iter().position(|other| other == name).unwrap_or_else(|| panic!("{name}: {names:?}"))
        };
        assert!(of("request") < of("grant") && of("grant") < of("revoke") && of("revoke") < of("denial"));
        assert_eq!(event(&home, "grant")["approved_by"], "approve");
        assert_eq!(event(&home, "denial")["reason"], "refused");
    });
}

#[test]
fn a_lease_that_ran_out_is_gone() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = profile(&home, DOCS, WAITS);
        let script = "cat docs/note; until [ -e go ]; do sleep 0.1; done; cat docs/note || echo gone";
        let guarded = Guarded::start(&home, &profile, script);
        let id = guarded.asked();
        guarded.person(&["approve", &id, "--for", "5s"]).expect_code(0);
        guarded.nothing_granted();
        home.write("work/go", "");
        let second = guarded.asked();
        guarded.person(&["deny", &second]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "real\ngone\n");
        assert_eq!(event(&home, "revoke")["why"], "expired");
    });
}

#[test]
fn a_yes_without_a_record_gives_nothing() {
    if !has_program("prlimit") {
        return;
    }
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = profile(&home, DOCS, WAITS);
        let guarded = Guarded::start(&home, &profile, "cat docs/note || echo nothing");
        let id = guarded.asked();
        let limit = format!("prlimit --pid {} --fsize=1:1", guarded.run.pid());
        home.outside(&limit).expect_code(0); // the launcher's files cannot grow from now on
        let answer = guarded.person(&["approve", &id]);
        assert_ne!(answer.code, 0, "the person is told: {answer:?}");
        assert_eq!(guarded.end().stdout(), "nothing\n");
        assert!(events(&home).iter().all(|(name, _)| name != "grant"));
    });
}

#[test]
fn an_answer_for_good_is_a_line_that_the_next_run_reads() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = profile(&home, DOCS, WAITS);
        let guarded = Guarded::start(&home, &profile, "cat docs/note");
        let id = guarded.asked();
        guarded.person(&["approve", &id, "--always"]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "real\n");
        let file = home.join(".config/aisandbox/answers.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("answer: always") && text.contains("work/docs\""), "{text}");
        let again = Guarded::start(&home, &profile, "cat docs/note").end();
        assert_eq!(again.stdout(), "real\n", "nobody had to be asked");
        assert_eq!(event(&home, "grant")["approved_by"], "always");
        std::fs::write(&file, text.replace("answer: always", "answer: never")).unwrap();
        let never = Guarded::start(&home, &profile, "cat docs/note || echo no").end();
        assert_eq!(never.stdout(), "no\n");
        assert_eq!(event(&home, "denial")["reason"], "never");
        std::fs::write(&file, "version: 1\nanswers: [x]\n").unwrap();
        let broken = Guarded::start(&home, &profile, "true").end();
        broken.expect_code(125);
        broken.expect_said("answers.yaml:2");
    });
}
