//! Leases that wait until what they give is known, with the real binary and a role `dlp` that stands still: what becomes of
//! them when the role, the run or the yes ends first.

use crate::support::run::{PATIENCE, comes_true};
use crate::support::{Home, for_each_user};
use crate::{Guarded, events, kill_role, signal_role};
use nix::sys::signal::Signal;

/// A run whose agent reads two sensitive places at once when it is told to, and says what came of it.
fn reading(home: &Home) -> Guarded<'_> {
    for place in ["Mail", "Maildir"] {
        // More than a socket holds, so that a lesson cannot be over before the role hears it.
        home.write(&format!("work/{place}/letter"), &format!("a letter of {place}. ").repeat(100_000));
    }
    let profile = home.write(
        "lesson.yaml",
        "version: 1\nextends: [cowork]\n\
         consent: { channels: [ui], timeout: 5m, templates: [{ name: all, actions: [read], path: $PWD }] }\n\
         filesystem:\n  - { path: $PWD/Mail, access: ask, actions: [read] }\n\
         \x20 - { path: $PWD/Maildir, access: ask, actions: [read] }\n\
         network:\n  mode: filtered\n  allow:\n    - { host: site.test, tls: inspect }\n",
    );
    let script = "touch here; until [ -e go ]; do sleep 0.05; done
        read_it() { if cat $1/letter > /dev/null 2>&1; then echo $1 read; else echo $1 refused; fi; }
        read_it Mail & read_it Maildir & wait";
    let guarded = Guarded::start(home, profile.to_str().unwrap(), script);
    guarded.reaches("work/here");
    guarded
}

/// Lets the agent begin while the role stands still, and waits until both leases are in the record.
fn begin(guarded: &Guarded<'_>) {
    signal_role(guarded.run.pid(), "dlp", Signal::SIGSTOP);
    guarded.home.write("work/go", "");
    let granted = || events(guarded.home).iter().filter(|(name, _)| name == "grant").count() == 2;
    assert!(comes_true(PATIENCE, granted), "{:?}", events(guarded.home));
}

/// Why the leases ended, and why the requests were refused.
fn ends(home: &Home) -> (Vec<String>, Vec<String>) {
    let of = |event: &str, field: &str| {
        let all = events(home).into_iter().filter(|(name, _)| name == event);
        all.map(|(_, data)| data[field].as_str().unwrap().to_owned()).collect()
    };
    (of("revoke", "why"), of("denial", "reason"))
}

fn sorted(stdout: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = stdout.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn leases_are_given_once_a_role_that_stood_still_goes_on() {
    for_each_user(|home| {
        let guarded = reading(&home);
        begin(&guarded);
        signal_role(guarded.run.pid(), "dlp", Signal::SIGCONT);
        let output = guarded.end();
        assert_eq!(sorted(&output.stdout()), ["Mail read", "Maildir read"], "{output:?}");
    });
}

#[test]
fn what_was_not_made_known_is_not_given_when_the_role_is_killed() {
    for_each_user(|home| {
        let guarded = reading(&home);
        begin(&guarded);
        kill_role(guarded.run.pid(), "dlp");
        let output = guarded.end();
        assert_eq!(sorted(&output.stdout()), ["Mail refused", "Maildir refused"], "{output:?}");
        let (ends, refused) = ends(&home);
        assert_eq!((ends, refused), (vec!["failed".to_owned(); 2], vec!["unavailable".to_owned(); 2]));
    });
}

#[test]
fn a_yes_that_is_taken_back_before_the_lesson_is_over_comes_to_nothing() {
    for_each_user(|home| {
        let guarded = reading(&home);
        begin(&guarded);
        let run = guarded.json(&["ps", "--json"])[0]["run"].as_str().unwrap().to_owned();
        guarded.person(&["revoke", "--all", &run]).expect_code(0);
        signal_role(guarded.run.pid(), "dlp", Signal::SIGCONT);
        let output = guarded.end();
        assert_eq!(sorted(&output.stdout()), ["Mail refused", "Maildir refused"], "{output:?}");
        let (ends, refused) = ends(&home);
        assert_eq!((ends, refused), (vec!["revoked".to_owned(); 2], vec!["revoked".to_owned(); 2]));
    });
}

#[test]
fn a_run_that_ends_in_the_middle_of_a_lesson_ends() {
    for_each_user(|home| {
        let guarded = reading(&home);
        begin(&guarded);
        let launcher = guarded.run.pid();
        guarded.run.signal(libc::SIGTERM);
        let output = guarded.end();
        assert!(!output.stdout().contains("read\n"), "{output:?}");
        let gone = || !std::path::Path::new(&format!("/proc/{launcher}")).exists();
        assert!(comes_true(PATIENCE, gone), "the launcher stays");
        assert!(events(&home).iter().any(|(name, _)| name == "guardian_end"), "{:?}", events(&home));
    });
}

#[test]
fn what_must_not_leave_is_not_given_after_the_role_is_gone() {
    for_each_user(|home| {
        let guarded = reading(&home);
        kill_role(guarded.run.pid(), "dlp");
        home.write("work/go", "");
        let output = guarded.end();
        assert_eq!(sorted(&output.stdout()), ["Mail refused", "Maildir refused"], "{output:?}");
        let (ends, refused) = ends(&home);
        assert_eq!((ends, refused), (vec!["failed".to_owned(); 2], vec!["unavailable".to_owned(); 2]));
    });
}
