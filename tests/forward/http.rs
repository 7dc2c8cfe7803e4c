//! Collectors that speak HTTP: strict receivers of our own for Splunk, Elastic and plain JSON.

use crate::mock::{Answer, Mock, Request};
use crate::support::for_each_user;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

fn lines(body: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(body).into_iter::<Value>();
    values.map(|value| value.unwrap()).collect()
}

fn ids(world: &World, run: &str) -> BTreeSet<String> {
    (0..world.leaves(run)).map(|index| format!("{run}:{index}")).collect()
}

fn sink(world: &World, kind: &str, port: u16, more: &str) -> String {
    let at = |file: &str| world.certificates.join(file).display().to_string();
    format!(
        "  - name: {kind}\n    kind: {kind}\n    url: https://localhost:{port}\n    timeout: 10s\n    tls: {{ ca: {}, certificate: {}, key: {} }}\n{more}",
        at("ca.pem"),
        at("client.pem"),
        at("client.key")
    )
}

fn token(world: &World) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = world.home.write("token", "s3cr3t-t0ken\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// Nothing that is said or kept holds the secret.
fn assert_silent(world: &World, said: &str) {
    assert!(!said.contains("s3cr3t"), "{said}");
    let kept = world.home.outside("grep -rl s3cr3t .local/state ../.local/state 2>/dev/null; true").stdout();
    assert_eq!(kept, "");
}

#[test]
fn lines_of_json_arrive_packed_and_a_busy_collector_gets_them_later() {
    for_each_user(|home| {
        let world = World::new(home);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, mut turn) = (seen.clone(), 0);
        let mock = Mock::start(&world.certificates, move |request| {
            turn += 1;
            match turn {
                1 => Answer::of(503, "").with("retry-after", "1"),
                2 => Answer::of(429, "").with("retry-after", "0"),
                _ => {
                    kept.lock().unwrap().extend(lines(&request.body));
                    Answer::of(200, "{}")
                }
            }
        });
        let token = token(&world);
        let more = format!(
            "    gzip: true\n    batch: {{ messages: 100 }}\n    authorization: {{ file: {token} }}\n"
        );
        world.configure(&sink(&world, "json", mock.port, &more));
        let run = world.log(450, true);
        let out = world.forward(&["--once"]).output();
        out.expect_code(0);
        out.expect_said("answered with status 503; it is tried again");
        out.expect_said("it goes on");
        assert_silent(&world, &out.stderr());
        let found: Vec<u64> =
            seen.lock().unwrap().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
        assert_eq!(found, (0..world.leaves(&run)).collect::<Vec<_>>());
        for request in mock.requests() {
            let header = |name: &str| request.headers.get(name).map(String::as_str);
            assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
            assert_eq!(header("content-type"), Some("application/x-ndjson"));
            assert_eq!(header("content-encoding"), Some("gzip"));
            assert_eq!(header("authorization"), Some("Bearer s3cr3t-t0ken"));
            assert!(lines(&request.body).len() <= 100);
        }
    });
}

#[test]
fn what_a_collector_refuses_is_a_gap_that_it_is_told_and_the_rest_arrives() {
    for_each_user(|home| {
        let world = World::new(home);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        // It takes no batch with event 7 in it.
        let mock = Mock::start(&world.certificates, move |request| {
            let records = lines(&request.body);
            let is_poison = |record: &Value| record["seq"] == 7 && record["event"] == "launch_failure";
            if records.iter().any(is_poison) {
                return Answer::of(400, "{}");
            }
            kept.lock().unwrap().extend(records);
            Answer::of(200, "{}")
        });
        world.configure(&sink(&world, "json", mock.port, ""));
        let run = world.log(40, true);
        let out = world.forward(&["--once"]).output();
        out.expect_code(0);
        out.expect_said(&format!("it does not take event {run}:7"));
        let seen = seen.lock().unwrap();
        let gaps: Vec<&Value> = seen.iter().filter(|record| record["event"] == "forward.gap").collect();
        assert_eq!(gaps.len(), 1);
        assert_eq!((&gaps[0]["data"]["from"], &gaps[0]["data"]["to"]), (&json!(7), &json!(8)));
        let events: Vec<u64> = seen
            .iter()
            .filter(|record| record["event"] != "forward.gap")
            .map(|record| record["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(events, (0..world.leaves(&run)).filter(|index| *index != 7).collect::<Vec<_>>());
        // One that refuses everything gets nothing, and nothing is lost.
        let none = Mock::start(&world.certificates, |_: &Request| Answer::of(400, "{}"));
        world.configure(&sink(&world, "json", none.port, "").replace("name: json", "name: none"));
        let out = world.forward(&["--once", "--wait", "2"]).output();
        out.expect_code(2);
        out.expect_said("it refuses all that it gets");
    });
}

#[test]
fn splunk_has_a_batch_when_it_says_that_it_is_indexed() {
    for_each_user(|home| {
        let world = World::new(home);
        let indexed = Arc::new(Mutex::new(Vec::<Value>::new()));
        let (kept, mut acks, mut asked) = (indexed.clone(), BTreeMap::<u64, Vec<Value>>::new(), 0);
        let mock = Mock::start(&world.certificates, move |request| {
            let channel =
                request.headers.get("x-splunk-request-channel").map(String::as_str).unwrap_or_default();
            if request.headers.get("authorization").is_none_or(|token| token != "Splunk s3cr3t-t0ken") {
                return Answer::of(403, json!({ "text": "Invalid token", "code": 4 }));
            }
            if channel.len() != 36 {
                return Answer::of(400, json!({ "text": "Data channel is missing", "code": 10 }));
            }
            match request.path.as_str() {
                "/services/collector/event" => {
                    let events = lines(&request.body);
                    for event in &events {
                        assert!(event["time"].is_number() && event["event"].is_object(), "{event}");
                        assert_eq!(
                            (&event["sourcetype"], &event["index"]),
                            (&json!("aisandbox:audit"), &json!("audit"))
                        );
                    }
                    let ack = acks.len() as u64;
                    acks.insert(ack, events);
                    Answer::of(200, json!({ "text": "Success", "code": 0, "ackId": ack }))
                }
                "/services/collector/ack" => {
                    // The first batch is lost: never acknowledged. Others on the second question.
                    let ids = lines(&request.body)[0]["acks"].as_array().unwrap().clone();
                    asked += 1;
                    let mut told = serde_json::Map::new();
                    for id in ids {
                        let id = id.as_u64().unwrap();
                        let is_indexed = id > 0 && asked % 2 == 0;
                        if is_indexed {
                            kept.lock().unwrap().extend(acks[&id].clone());
                        }
                        told.insert(id.to_string(), is_indexed.into());
                    }
                    Answer::of(200, json!({ "acks": told }))
                }
                other => panic!("{other}"),
            }
        });
        let token = token(&world);
        let more = format!(
            "    token: {{ file: {token} }}\n    index: audit\n    acknowledge: 1s\n    gzip: true\n    batch: {{ messages: 60 }}\n"
        );
        world.configure(&sink(&world, "hec", mock.port, &more));
        let run = world.log(150, true);
        let out = world.forward(&["--once"]).output();
        out.expect_code(0);
        out.expect_said("received and not acknowledged in time");
        assert_silent(&world, &out.stderr());
        let ids = ids(&world, &run);
        let indexed = indexed.lock().unwrap();
        let found: BTreeSet<String> =
            indexed.iter().map(|event| event["fields"]["event_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!((found, indexed.len()), (ids.clone(), ids.len()));
    });
}

#[test]
fn a_document_of_bulk_that_has_no_room_is_sent_again_and_one_that_does_not_fit_is_a_gap() {
    for_each_user(|home| {
        let world = World::new(home);
        let index = Arc::new(Mutex::new(BTreeMap::<String, Value>::new()));
        let (kept, mut turn) = (index.clone(), 0);
        let mock = Mock::start(&world.certificates, move |request| {
            turn += 1;
            assert_eq!(
                (request.path.as_str(), request.headers["content-type"].as_str()),
                ("/audit/_bulk", "application/x-ndjson")
            );
            assert_eq!(request.headers["authorization"], "ApiKey s3cr3t-t0ken");
            assert!(request.body.ends_with('\n'));
            let texts: Vec<&str> = request.body.lines().collect();
            let (mut items, mut errors) = (Vec::new(), false);
            for pair in texts.chunks(2) {
                let action: Value = serde_json::from_str(pair[0]).unwrap();
                let document: Value = serde_json::from_str(pair[1]).unwrap();
                assert!(
                    document["@timestamp"].is_string() && document["event"]["id"] == action["create"]["_id"],
                    "{document}"
                );
                let id = action["create"]["_id"].as_str().unwrap().to_owned();
                let poison = format!("{}:5", id.split(':').next().unwrap());
                let (status, error) = match () {
                    () if kept.lock().unwrap().contains_key(&id) => {
                        (409, json!({ "type": "version_conflict_engine_exception", "reason": "there" }))
                    }
                    () if id == poison => {
                        (400, json!({ "type": "document_parsing_exception", "reason": "\u{1b}[31mno\n" }))
                    }
                    () if turn == 1 && id.ends_with('3') => {
                        (429, json!({ "type": "es_rejected_execution_exception", "reason": "full" }))
                    }
                    () => {
                        kept.lock().unwrap().insert(id.clone(), document);
                        (201, Value::Null)
                    }
                };
                errors |= status >= 400;
                items.push(
                    json!({ "create": { "_index": "audit", "_id": id, "status": status, "error": error } }),
                );
            }
            Answer::of(200, json!({ "took": 1, "errors": errors, "items": items }))
        });
        let token = token(&world);
        let more = format!("    index: audit\n    authorization: {{ scheme: ApiKey, file: {token} }}\n");
        world.configure(&sink(&world, "bulk", mock.port, &more));
        let run = world.log(60, true);
        let out = world.forward(&["--once"]).output();
        out.expect_code(0);
        out.expect_said(&format!("it does not take event {run}:5"));
        assert!(!out.stderr().contains('\u{1b}'));
        let mut wanted = ids(&world, &run);
        wanted.remove(&format!("{run}:5"));
        wanted.insert(format!("{run}:forward.gap:5"));
        assert_eq!(index.lock().unwrap().keys().cloned().collect::<BTreeSet<_>>(), wanted);
        // Sent again, each is there once: 409 is as good as 201.
        std::fs::remove_dir_all(world.state().join("forward")).unwrap();
        world.forward(&["--once"]).output().expect_code(0);
        assert_eq!(index.lock().unwrap().len(), wanted.len());
    });
}

#[test]
fn one_sink_that_hangs_or_is_half_open_holds_up_no_other() {
    for_each_user(|home| {
        let world = World::new(home);
        let seen = Arc::new(Mutex::new(0));
        let kept = seen.clone();
        let good = Mock::start(&world.certificates, move |request| {
            *kept.lock().unwrap() += lines(&request.body).len();
            Answer::of(200, "{}")
        });
        // One takes connections and never says a word; one takes the request and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stuck = Mock::start(&world.certificates, |_: &Request| {
            std::thread::sleep(std::time::Duration::from_secs(5));
            Answer::of(500, "")
        });
        let named = |name: &str, port| {
            sink(&world, "json", port, "")
                .replace("name: json", &format!("name: {name}"))
                .replace("10s", "1s")
        };
        let silent_port = silent.local_addr().unwrap().port();
        let hung = world.syslog("hung", silent_port, "client", "").replace("5s", "1s");
        world.configure(&format!(
            "{hung}{}{}{}",
            named("silent", silent_port),
            named("stuck", stuck.port),
            named("good", good.port)
        ));
        let run = world.log(30, true);
        let out = world.forward(&["--once", "--wait", "2", "--json"]).output();
        let told: Value = serde_json::from_str(&out.expect_code(2)).unwrap();
        let all: Vec<bool> =
            told.as_array().unwrap().iter().map(|one| one["all"].as_bool().unwrap()).collect();
        assert_eq!(all, [false, false, false, true], "{told}");
        assert_eq!(*seen.lock().unwrap() as u64, world.leaves(&run));
    });
}
