//! Logs that do not hold, a disk that is full, files of sinks that are wrong.

use crate::rsyslog::with_rsyslog;
use crate::support::run::Run;
use crate::support::{binary, for_each_user, has_program};
use crate::world::World;
use std::os::unix::fs::FileExt;
use std::path::Path;

fn named(received: &[crate::rsyslog::Received], name: &str) -> Vec<serde_json::Value> {
    let found = received.iter().filter(|one| one.name == name);
    found.map(|one| serde_json::from_str(&one.text).unwrap()).collect()
}

#[test]
fn nothing_behind_a_change_is_sent_and_an_alert_is() {
    with_rsyslog(|world, receiver| {
        world.configure(&world.syslog("siem", receiver.port, "client", ""));
        let (changed, whole) = (world.log(600, true), world.log(10, true));
        let before = world.leaves(&changed);
        let segment = world.runs().join(&changed).join("00000000.seg");
        let file = std::fs::File::options().read(true).write(true).open(&segment).unwrap();
        let length = file.metadata().unwrap().len();
        file.write_all_at(b"X", length * 3 / 4).unwrap();
        let held = world.leaves(&changed);
        assert!(held < before, "{held} of {before}");
        let out = world.forward(&["--once"]).output();
        assert!(out.expect_code(1).contains("a record was changed"), "{}", out.stderr());
        out.expect_said(&format!("the log of run {changed} is tampered"));
        let all = held + 1 + world.leaves(&whole);
        let received = receiver.wait_for(usize::try_from(all).unwrap());
        let alerts = named(&received, "forward.alert");
        assert_eq!((alerts.len(), received.len() as u64), (1, all));
        let data = &alerts[0]["data"];
        assert_eq!((&data["state"], &data["leaves"]), (&"tampered".into(), &held.into()));
        assert_eq!(data["segment"], "00000000.seg");
        // It is told once, as long as nothing else happens to the log.
        world.forward(&["--once"]).output().expect_code(0);
        assert_eq!(receiver.received().len() as u64, all);
    });
}

#[test]
fn a_log_that_became_shorter_or_another_after_it_was_sent_is_an_alert() {
    with_rsyslog(|world, receiver| {
        world.configure(&world.syslog("siem", receiver.port, "client", ""));
        let (cut, other, killed) = (world.log(300, true), world.log(300, true), world.log(30, false));
        world.age(&killed);
        world.forward(&["--once"]).output().expect_code(0);
        let sent = 2 + world.leaves(&cut) + world.leaves(&other) + world.leaves(&killed);
        let received = receiver.wait_for(usize::try_from(sent - 1).unwrap());
        let alerts = named(&received, "forward.alert");
        assert_eq!((alerts.len(), &alerts[0]["data"]["state"]), (1, &"open".into()));

        let segment = world.runs().join(&cut).join("00000000.seg");
        let file = std::fs::File::options().write(true).open(&segment).unwrap();
        file.set_len(file.metadata().unwrap().len() - 20).unwrap();
        // Another log in the place of one: it holds by itself.
        let new = world.log(400, true);
        std::fs::remove_dir_all(world.runs().join(&other)).unwrap();
        std::fs::rename(world.runs().join(&new), world.runs().join(&other)).unwrap();
        world.forward(&["--once"]).output().expect_code(1);
        let received = receiver.wait_for(usize::try_from(sent + 1).unwrap());
        let states: Vec<String> = named(&received, "forward.alert")
            .iter()
            .map(|alert| {
                format!("{} {}", alert["run"].as_str().unwrap(), alert["data"]["state"].as_str().unwrap())
            })
            .collect();
        assert!(states.contains(&format!("{cut} truncated")), "{states:?}");
        assert!(states.contains(&format!("{other} tampered")), "{states:?}");
        assert_eq!(states.len(), 3);
    });
}

#[test]
fn what_was_withheld_before_is_not_sent_and_what_is_withheld_later_is_no_alert() {
    with_rsyslog(|world, receiver| {
        world.configure(&world.syslog("siem", receiver.port, "client", ""));
        let (early, late) = (world.log(20, true), world.log(20, true));
        let redact = |run: &str| {
            let run = Run::new(binary(), &world.home).args(&["audit", "redact", run, "--reason", "x"]);
            run.output().expect_code(0);
        };
        redact(&early);
        world.forward(&["--once"]).output().expect_code(0);
        let all = world.leaves(&early) + world.leaves(&late);
        let received = receiver.wait_for(usize::try_from(all).unwrap());
        let failures = named(&received, "launch_failure");
        let of = |run: &str| failures.iter().filter(|one| one["run"] == run).collect::<Vec<_>>();
        let withheld =
            |one: &&&serde_json::Value| one["data"]["message"].is_null() && one["sd"]["data"].is_string();
        assert_eq!(of(&early).iter().filter(withheld).count(), 20);
        assert_eq!(of(&late).iter().filter(withheld).count(), 0);
        assert!(of(&late)[0]["data"]["message"].as_str().unwrap().starts_with("event "));
        redact(&late);
        for _ in 0..2 {
            world.forward(&["--once"]).output().expect_code(0);
        }
        assert_eq!(receiver.received().len() as u64, all, "nothing comes twice, and no alert");
    });
}

#[test]
fn a_full_disk_at_the_cursor_holds_the_sink_up_and_loses_nothing() {
    if !has_program("unshare") {
        return;
    }
    with_rsyslog(|world, receiver| {
        world.configure(&world.syslog("siem", receiver.port, "client", ""));
        let run = world.log(50, true);
        let place = world.home.make_folder(".local/state/aisandbox/forward");
        // A small disk for the cursors alone, full.
        let script = "mount -t tmpfs -o size=16k,mode=0700 none \"$1\" && mkdir -m 0700 \"$1/siem\" && { cat /dev/zero > \"$1/fill\"; \
                      \"$2\" audit forward --once --wait 1; echo code $?; rm \"$1/fill\"; \"$2\" audit forward --once; echo code $?; }";
        let program = Path::new("/usr/bin/unshare");
        let out = Run::new(program, &world.home)
            .args(&["-rm", "sh", "-c", script, "sh"])
            .args(&[&place])
            .args(&[binary()])
            .output();
        let said = format!("{}{}", out.stdout(), out.stderr());
        assert!(said.contains("write the cursor: No space left on device"), "{said}");
        assert!(out.stdout().contains("code 2") && out.stdout().ends_with("code 0\n"), "{said}");
        let leaves = usize::try_from(world.leaves(&run)).unwrap();
        let received = receiver.wait_for(leaves * 2);
        assert_eq!(received.len(), leaves * 2, "once before the cursor could be written, and once after");
    });
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_line() {
    for_each_user(|home| {
        let world = World::new(home);
        let say = |text: &str| {
            world.home.write(".config/aisandbox/forward.yaml", text);
            let out = world.forward(&["--check"]).output();
            out.expect_code(125);
            out.stderr()
        };
        for (text, line, what) in [
            ("version: 1\nsinks:\n  - name: a\n    kind: telegraph\n", 4, "unknown kind `telegraph`"),
            (
                "version: 1\nsinks:\n  - name: a\n    kind: syslog\n    to: h\n    url: x\n",
                6,
                "unknown key `url`",
            ),
            ("version: 1\nsinks:\n  - { name: a, kind: syslog }\n", 3, "`to` is missing"),
            ("version: 1\nsinks:\n  - { name: ../a, kind: syslog, to: h }\n", 3, "no name for a sink"),
            (
                "version: 1\nsinks:\n  - { name: a, kind: syslog, to: h, tls: { certificate: /x } }\n",
                3,
                "come together",
            ),
            ("version: 2\nsinks: []\n", 1, "reads version 1"),
            ("version: 1\nspool: { when_full: skip }\nsinks: []\n", 1, "without an age or a size"),
        ] {
            let said = say(text);
            assert!(
                said.contains(&format!("forward.yaml:{line}: ")) && said.contains(what),
                "{text}: {said}"
            );
        }
        let key = world.certificates.join("client.key");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        world.configure(&world.syslog("siem", 1, "client", ""));
        let out = world.forward(&["--check"]).output();
        out.expect_code(125);
        out.expect_said("others may read or change it");
    });
}
