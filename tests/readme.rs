//! What README.md shows is what happens.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use support::{for_each_user, has_program};

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The text of the first block of this language.
fn block(language: &str) -> String {
    blocks(language).remove(0)
}

fn blocks(language: &str) -> Vec<String> {
    let (text, opening) = (readme(), format!("```{language}\n"));
    text.split(&opening).skip(1).map(|start| start.split("\n```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_first_command_shows_what_it_says() {
    if !has_program("git") {
        return;
    }
    let command = block("sh");
    let script = command.strip_prefix("cargo run --release -- exec --profile cowork -- sh -xc '").unwrap();
    let script = script.strip_suffix('\'').unwrap();
    for_each_user(|home| {
        let home = home.with(".ssh/id_ed25519", "secret").with(".bash_history", "secret");
        home.outside("git init -q").expect_code(0);
        let shown = home.aisandbox(&["exec", "--profile", "cowork", "--", "sh", "-xc", script]).output();
        let said = shown.stdout() + &shown.stderr();
        for words in [
            ".bash_history: No such file or directory",
            "'/usr/x': Read-only file system",
            "'.git/hooks/post-commit': Read-only file system",
            "'.envrc': Permission denied",
            "Could not resolve host",
        ] {
            assert!(said.contains(words), "{words} is missing in:\n{said}");
        }
        assert!(shown.stdout().ends_with("done\n") && !said.contains("secret"), "{said}");
        let processes =
            shown.stdout().lines().find(|line| line.starts_with("/proc/1 ")).unwrap().split(' ').count();
        assert!(processes <= 4, "{said}"); // init, the shell, and a helper of git that ends late
        // The control: outside, nothing forbids these.
        home.outside("cat ~/.bash_history && touch .git/hooks/post-commit .envrc").expect_code(0);
    });
}

#[test]
fn the_profile_of_the_tour_works() {
    let profile = block("yaml");
    for_each_user(|home| {
        let home = home.with(".config/aisandbox/profiles/mine.yaml", &profile).with("specs/a", "text");
        home.aisandbox(&["profile", "validate", "mine"]).output().expect_code(0);
        let run =
            home.sandboxed(&["--profile", "mine"], "cat ~/specs/a; echo \" $API_KEY\"; touch ~/specs/b");
        let out = run.env("API_KEY", "k").output();
        assert_eq!(out.stdout(), "text k\n");
        out.expect_said("Read-only file system");
        assert_eq!(home.exec(&[], "cat ~/specs/a").stdout(), ""); // the control: cowork alone does not show it
    });
}

#[test]
fn the_ci_script_runs_the_test_command_of_the_readme() {
    let text = readme();
    let command = text.split("<!-- tests -->\n```sh\n").nth(1).unwrap().split("\n```").next().unwrap();
    assert_eq!(command, "cargo test");
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/run")).unwrap();
    assert!(script.contains("<!-- tests -->") && script.contains("README.md"));
    assert!(!script.contains("cargo test"), "the command is written in one place");
}

#[test]
fn the_profile_that_asks_lets_the_documents_be_asked_for() {
    let profile = blocks("yaml").remove(1);
    for_each_user(|home| {
        let home = home.with(".config/aisandbox/profiles/asking.yaml", &profile);
        let note = home.write("Documents/a", "text").to_str().unwrap().to_owned();
        home.aisandbox(&["profile", "validate", "asking"]).output().expect_code(0);
        let said = |profile| home.aisandbox(&["why", "--profile", profile, &note]).output().expect_code(1);
        assert!(said("asking").contains("may be asked for: read"), "{}", said("asking"));
        assert!(!said("cowork").contains("may be asked for"), "{}", said("cowork")); // the control
    });
}
