//! Syslog over mTLS to a real rsyslogd.

use crate::rsyslog::{Received, Rsyslog, with_rsyslog};
use crate::support::run::PATIENCE;
use crate::world::{HOSTILE, World};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn events(received: &[Received]) -> Vec<(String, u64)> {
    let value = |one: &Received| serde_json::from_str::<serde_json::Value>(&one.text).unwrap();
    let events = received.iter().filter(|one| !one.name.starts_with("forward."));
    events
        .map(value)
        .map(|record| (record["run"].as_str().unwrap().to_owned(), record["seq"].as_u64().unwrap()))
        .collect()
}

fn all_of(world: &World, runs: &[&String]) -> BTreeSet<(String, u64)> {
    runs.iter().flat_map(|run| (0..world.leaves(run)).map(|seq| ((*run).clone(), seq))).collect()
}

#[test]
fn every_event_reaches_rsyslog_once_whole_and_in_order_with_checkpoints() {
    with_rsyslog(|world, receiver| {
        world.configure(&world.syslog("siem", receiver.port, "client", ""));
        let (one, two) = (world.log(1_500, true), world.log(700, true));
        let out = world.forward(&["--once"]).output();
        assert!(out.expect_code(0).contains("it has all"), "{}", out.stderr());
        let all = all_of(&world, &[&one, &two]);
        let received = receiver.wait_for(all.len() + 1);
        let found = events(&received);
        assert_eq!(found, all.iter().cloned().collect::<Vec<_>>());
        assert!(received.iter().zip(1..).all(|(one, number)| one.sequence == number));
        // What was written is what arrived, to the letter.
        let texts: Vec<String> = received
            .iter()
            .filter_map(|one| {
                serde_json::from_str::<serde_json::Value>(&one.text).unwrap()["data"]["message"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        assert_eq!(texts.len(), 2_200);
        for (number, text) in texts[..1_500].iter().enumerate() {
            assert_eq!(*text, format!("event {number} {}", HOSTILE[number % HOSTILE.len()]));
        }
        let checkpoints: Vec<&Received> =
            received.iter().filter(|one| one.name == "forward.checkpoint").collect();
        let told: serde_json::Value = serde_json::from_str(&checkpoints[0].text).unwrap();
        assert_eq!(
            (checkpoints.len(), &told["data"]["size"], &told["data"]["sent"]),
            (1, &1000.into(), &1000.into())
        );
        assert!(told["data"]["note"].as_str().unwrap().starts_with(&format!("aisandbox.run/{one}\n")));

        // Nothing is sent again; what comes is.
        world.forward(&["--once"]).output().expect_code(0);
        let three = world.log(3, true);
        world.forward(&["--once"]).output().expect_code(0);
        let received = receiver.wait_for(all.len() + 1 + usize::try_from(world.leaves(&three)).unwrap());
        assert_eq!(events(&received).len(), all_of(&world, &[&one, &two, &three]).len());
        let status = world.forward(&["status"]).output();
        assert!(status.expect_code(0).contains("it has all"), "{}", status.stdout());
    });
}

#[test]
fn a_certificate_that_does_not_hold_is_refused_on_either_side_and_other_sinks_go_on() {
    with_rsyslog(|world, receiver| {
        let (good, port) = (world.syslog("good", receiver.port, "client", ""), receiver.port);
        let stranger = world.syslog("stranger", port, "stranger", "");
        let mistrusting = world.syslog("mistrusting", port, "client", "").replace("ca.pem", "other.pem");
        let elsewhere =
            world.syslog("elsewhere", port, "client", "").replace("tls: {", "tls: { name: other.example,");
        world.configure(&format!("{stranger}{mistrusting}{elsewhere}{good}"));
        let run = world.log(20, true);
        let out = world.forward(&["--once", "--wait", "2", "--json"]).output();
        let told: serde_json::Value = serde_json::from_str(&out.expect_code(2)).unwrap();
        let trouble: Vec<&str> =
            told.as_array().unwrap().iter().map(|one| one["trouble"].as_str().unwrap_or("none")).collect();
        assert_ne!(trouble[0], "none", "{trouble:?}");
        assert!(trouble[1].contains("no authority that is trusted"), "{trouble:?}");
        assert!(trouble[2].contains("for another name"), "{trouble:?}");
        assert_eq!(trouble[3], "none");
        assert_eq!(told[0]["sent"], 0, "{told}");
        let all = all_of(&world, &[&run]);
        assert_eq!(events(&receiver.wait_for(all.len())).into_iter().collect::<BTreeSet<_>>(), all);
        let status = world.forward(&["status"]).output();
        assert!(status.expect_code(1).contains("stranger: waits since"), "{}", status.stdout());
    });
}

#[test]
fn a_forwarder_that_is_killed_and_a_receiver_that_goes_away_leave_no_gap() {
    with_rsyslog(|world, mut receiver| {
        let port = receiver.port;
        let batch = "    batch: { messages: 50 }\n";
        world.configure(&world.syslog("siem", port, "client", batch));
        let runs: Vec<String> = (0..4).map(|_| world.log(1_000, true)).collect();
        for turn in 0..6 {
            let before = receiver.received().len();
            let mut forwarder = world.forward(&[]).start();
            let end = Instant::now() + PATIENCE;
            while receiver.received().len() < before + 200 && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            forwarder.child.kill().unwrap();
            forwarder.child.wait().unwrap();
            if turn == 2 {
                drop(receiver);
                let out = world.forward(&["--once", "--wait", "1"]).output();
                assert!(out.expect_code(2).contains("refused"), "{}", out.stdout());
                receiver = Rsyslog::start(&world.certificates, port);
            }
        }
        world.forward(&["--once"]).output().expect_code(0);
        let all = all_of(&world, &runs.iter().collect::<Vec<_>>());
        let end = Instant::now() + PATIENCE;
        let mut found = BTreeSet::new();
        while found != all && Instant::now() < end {
            found = events(&receiver.received()).into_iter().collect();
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(all.difference(&found).collect::<Vec<_>>(), Vec::<&(String, u64)>::new());
        assert_eq!(found, all);
    });
}
