//! What belongs together: a run among traces, and the request and token behind whatever goes through a lease.

use crate::support::{for_each_user, has_program};
use crate::{DOCS, Guarded, WAITS, client, event, events, lines, profile};
use serde_json::Value;

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ALL: &str =
    "  - { path: $PWD/docs, access: ask, actions: [read, append, overwrite, create, delete], lease: 1h }";

fn ask(path: &str, actions: &str, traceparent: &str) -> String {
    format!(
        r#"{{"request": {{"actions": [{actions}], "resource": {{"file": {{"path": "{path}"}}}}, "why": "test", "traceparent": "{traceparent}"}}}}"#
    )
}

#[test]
fn a_run_belongs_to_the_trace_of_the_person_and_else_to_its_own() {
    for_each_user(|home| {
        let args = ["exec", "--profile", "offline", "--", "true"];
        let mut own = Vec::new();
        for given in [GIVEN, "", "nonsense", &GIVEN.to_uppercase()] {
            home.aisandbox(&args).env("TRACEPARENT", given).output().expect_code(0);
            let trace = event(&home, "run_start")["trace"].clone();
            if given == GIVEN {
                assert_eq!(
                    (trace["id"].as_str(), trace["parent"].as_str()),
                    (Some(&GIVEN[3..35]), Some(&GIVEN[36..52]))
                );
                assert_eq!(trace["from"], "environment");
            } else {
                assert_eq!(
                    (trace["from"].as_str(), trace["parent"].is_null()),
                    (Some("random"), true),
                    "{given}"
                );
                own.push(trace["id"].as_str().unwrap().to_owned());
            }
        }
        own.sort_unstable();
        own.dedup();
        assert!(own.len() == 3 && own.iter().all(|id| id.len() == 32), "{own:?}");
        let inside =
            home.aisandbox(&["exec", "--profile", "offline", "--", "sh", "-c", "echo ${TRACEPARENT-none}"]);
        assert_eq!(inside.env("TRACEPARENT", GIVEN).output().stdout(), "none\n", "it does not leak inside");
    });
}

#[test]
fn whatever_goes_through_a_lease_names_the_request_and_the_token_behind_it() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        client(&home);
        home.write("work/docs/note", "approved");
        let profile = profile(&home, ALL, WAITS);
        let note = home.join("work/docs/note").display().to_string();
        let open = format!(r#"{{"open": {{"paths": ["{note}"], "action": "read"}}}}"#);
        let actions = r#""read", "append", "overwrite""#;
        let calls = [ask(&note, actions, "00-none"), ask(&note, actions, GIVEN), open];
        let script = format!("python3 broker_client.py '{}'", calls.join("' '"));
        let guarded = Guarded::start(&home, &profile, &script);
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        let said = lines(&guarded.end());
        assert_eq!(said[0]["result"]["denied"]["denial"]["reason"], "protocol", "{said:?}");
        assert_eq!(said[3]["texts"][0], "approved", "{said:?}");
        let request = event(&home, "request");
        assert_eq!(
            (request["claimed"].as_str(), request["request"].as_str()),
            (Some(GIVEN), Some(id.as_str()))
        );
        let token = request["token"].as_str().unwrap();
        assert_eq!(token.len(), 32);
        for name in ["grant", "transfer"] {
            let data = event(&home, name);
            assert_eq!(
                (data["request"].as_str(), data["token"].as_str()),
                (Some(id.as_str()), Some(token)),
                "{name}"
            );
        }
        let trace = event(&home, "run_start")["trace"]["id"].clone();
        assert_ne!(trace, GIVEN[3..35], "an agent's word moves nothing");
        // Where it is sent, all of it is one trace, and the use of the lease a span below the request.
        let otlp = home.aisandbox(&["audit", "export", "last", "--format", "otlp"]).output();
        let records: Vec<Value> = otlp.stdout().lines().map(record).collect();
        // What the log says before the run's first event knows of no trace yet.
        let said = |record: &&Value| record["eventName"] != "log.start";
        let others: Vec<&Value> = records.iter().filter(said).map(|record| &record["traceId"]).collect();
        assert!(others.len() > 5 && others.iter().all(|id| **id == trace), "{others:?}");
        let of = |name: &str| records.iter().find(|record| record["eventName"] == name).unwrap();
        assert_eq!(of("transfer")["spanId"], of("grant")["spanId"]);
        assert_eq!(attribute(of("grant"), "aisandbox.parent_span.id"), of("request")["spanId"]);
        let under = home.aisandbox(&["audit", "who-approved", token]).output();
        assert!(under.stdout().contains(&id) && under.stdout().contains("APPROVED"), "{under:?}");
    });
}

fn record(line: &str) -> Value {
    let line: Value = serde_json::from_str(line).unwrap();
    line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].clone()
}

fn attribute(record: &Value, key: &str) -> Value {
    let all = record["attributes"].as_array().unwrap();
    all.iter().find(|one| one["key"] == key).map_or(Value::Null, |one| one["value"]["stringValue"].clone())
}

#[test]
fn a_grant_of_the_persons_own_names_no_request_and_its_end_neither() {
    for_each_user(|home| {
        home.write("work/docs/note", "real");
        let profile = profile(&home, DOCS, WAITS);
        let guarded = Guarded::start(&home, &profile, "touch begun; until [ -e go ]; do sleep 0.1; done");
        let docs = home.join("work/docs").display().to_string();
        guarded.reaches("work/begun");
        let run = guarded.json(&["ps", "--json"])[0]["run"].as_str().unwrap().to_owned();
        guarded.person(&["grant", &run, &docs, "--read", "--for", "60s"]).expect_code(0);
        home.write("work/go", "");
        guarded.end().expect_code(0);
        let grant = event(&home, "grant");
        assert!(grant["request"].is_null() && grant["token"].is_null(), "{grant}");
        assert!(events(&home).iter().any(|(name, _)| name == "run_end"));
    });
}
