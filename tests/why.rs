//! `why` and `--net host`: what the tool says is what happens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

mod support;

use support::{Home, for_each_user};

fn why(home: &Home, subject: &str) -> (i32, String) {
    let output = home.aisandbox(&["why", subject]).output();
    (output.code, output.stdout())
}

#[test]
fn why_says_of_a_path_what_a_run_then_does() {
    for_each_user(|home| {
        home.write(".ssh/id_work", "secret");
        home.write("work/mine", "mine");
        home.write("work/.bashrc", "mine");
        for (subject, allowed, said) in [
            ("mine", true, "can be changed"),
            (".bashrc", true, "read-only"),
            (".envrc", false, "nothing can create it"),
            ("~/.ssh/id_work", false, "it is not shown"),
            ("/etc/shadow", false, "does not exist inside"),
            ("/usr/bin/env", true, "read-only"),
        ] {
            let asked = if subject == "mine" { "./mine" } else { subject };
            let (code, text) = why(&home, asked);
            assert_eq!(code, i32::from(!allowed), "{subject}: {text}");
            assert!(text.contains(said), "{subject}: {text}");
        }
        let script =
            "cat mine; echo >> .bashrc; touch .envrc; cat ~/.ssh/id_work; head -c 1 /etc/shadow; echo end";
        let inside = home.exec(&[], script);
        assert_eq!(inside.stdout(), "mineend\n", "{}", inside.stderr());
    });
}

#[test]
fn a_name_below_two_protected_ones_is_answered_once() {
    for_each_user(|home| {
        let (code, text) = why(&home, ".git/hooks/pre-commit");
        assert_eq!((code, text.matches("nothing can create it").count()), (1, 1), "{text}");
    });
}

#[test]
fn why_says_of_a_call_what_the_filter_does() {
    for_each_user(|home| {
        let (code, text) = why(&home, "mount");
        assert!(code == 1 && text.contains("EPERM") && text.contains("agent.yaml:"), "{text}");
        let (code, text) = why(&home, "read");
        assert!(code == 0 && text.contains("allowed"), "{text}");
        let (code, text) = why(&home, "nonsense");
        assert!(code == 125 && text.is_empty(), "{text}");
    });
}

#[test]
fn with_the_hosts_network_the_hosts_name_servers_are_there() {
    for_each_user(|home| {
        let outside = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        assert_eq!(
            home.exec(&["--net", "loopback"], "cat /etc/resolv.conf").stdout(),
            "",
            "the control: without network it is empty"
        );
        assert_eq!(home.exec(&["--net", "host"], "cat /etc/resolv.conf").stdout(), outside);
    });
}
