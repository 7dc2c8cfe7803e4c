//! A report as text and as JSON: everything of a run, bounded, and nothing that does not hold.

use crate::support::for_each_user;
use crate::{ask, json, runs, story, with_runs};
use aisandbox::audit::Event;
use serde_json::Value;
use std::fs;

/// One refusal, one approval by a person, and as many connections as are asked for.
pub(crate) fn busy(connections: u64) -> Vec<Event> {
    let mut events = story::whole();
    let end = events.pop().unwrap();
    events.extend((0..connections).map(|number| {
        let network = story::network("request", "busy.example.org", number + 10, 100);
        Event::Network(Box::new(network))
    }));
    events.push(end);
    events
}

#[test]
fn a_report_tells_the_three_answers_then_when_who_and_where_to() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let text = ask(&home, &["audit", "report"]).expect_code(0);
        let mut from = 0;
        for part in [
            "TOUCHED ",
            "APPROVED  1 by a person (terminal)",
            "MOVED     1.8 MB out",
            "DENIED ",
            "TIMELINE",
            "grant",
            "PROCESSES",
            "  /usr/bin/agent (21)\n    /usr/bin/bash (40)\n      /usr/bin/gpg (50), 2 events",
            "/usr/bin/cat (51), 1 event, 1 REFUSED",
            "FLOWS",
            "/usr/bin/curl → api.example.com:443, 1.8 MB, 1 REFUSED: the content of something known was in it",
            "/home/u/.gnupg → /usr/bin/gpg [keys], 4.0 kB: seen",
            "PROOF",
            "SEALED",
            &format!("aisandbox audit verify {run}"),
        ] {
            let at = text[from..].find(part).unwrap_or_else(|| panic!("{part} after byte {from}: {text}"));
            from += at;
        }
        assert!(!text.contains("\nleft out: "), "{text}");
        let report = json(&home, &["audit", "report", &run, "--json"]);
        assert_eq!((&report["report"], &report["run"]), (&1.into(), &run.as_str().into()));
        assert_eq!(report["timeline"].as_array().unwrap().len(), story::whole().len() + 2);
        assert_eq!(report["moved"]["sent"], 1_800_000);
        assert_eq!(report["left_out"], serde_json::json!({}));
        assert_eq!(report["processes"]["all"], 6, "{}", report["processes"]);
        assert_eq!(report["flows"]["told"][0]["strength"], "content");
    });
}

#[test]
fn a_report_of_a_busy_run_is_bounded_and_says_what_it_left_out() {
    for_each_user(|home| {
        with_runs(&home, &[(&busy(3_000), true)]);
        let report = json(&home, &["audit", "report", "--json", "--limit", "10"]);
        let timeline = report["timeline"].as_array().unwrap();
        assert!(timeline.len() < 40, "{}", timeline.len());
        let names: Vec<&str> = timeline.iter().map(|record| record["event"].as_str().unwrap()).collect();
        for kept in ["run_start", "grant", "denial", "protected_denied", "run_end"] {
            assert!(names.contains(&kept), "{kept}: {names:?}");
        }
        let left: u64 = report["left_out"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        let keys = report["counts"]["log.key"].as_u64().unwrap_or(0);
        assert_eq!(left + timeline.len() as u64 + keys, report["leaves"].as_u64().unwrap());
        let text = ask(&home, &["audit", "report", "--limit", "10"]).expect_code(0);
        assert!(text.contains("left out: ") && text.contains(" network (--limit)"), "{text}");
        assert!(text.lines().count() < 120, "{text}");
    });
}

#[test]
fn a_report_of_a_changed_record_tells_what_stands_before_the_change() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let segment = runs(&home).join(&run).join("00000000.seg");
        let mut bytes = fs::read(&segment).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(&segment, bytes).unwrap();
        let text = ask(&home, &["audit", "report"]).expect_code(1);
        assert!(text.contains("TAMPERED, ") && !text.contains("run_end"), "{text}");
        let report = json(&home, &["audit", "report", "--json"]);
        assert_eq!(report["state"], "tampered");
        ask(&home, &["audit", "report", "no-such-run"]).expect_code(125);
    });
}
