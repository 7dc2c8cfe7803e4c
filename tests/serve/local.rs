//! The local socket: the same answers as the commands give, for this user alone, and each reading recorded.

use super::{MOMENT, Server, header, readings, story, with_runs};
use crate::support::{for_each_user, has_program};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;

#[test]
fn the_owner_reads_over_the_socket_what_the_commands_say_and_each_reading_is_recorded() {
    for_each_user(|home| {
        if !has_program("curl") {
            return;
        }
        let ids = with_runs(&home, &[(&story::whole(), true), (&[story::start(&["sleep", "1"])], false)]);
        let run = ids[0].to_string();
        let server = Server::start(&home, &[]);
        let mode = std::fs::symlink_metadata(&server.socket).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let health = server.json(&home, "/v1/health");
        assert_eq!(
            (&health["ok"], &health["role"], &health["runs"]),
            (&true.into(), &"self".into(), &2.into())
        );
        assert!(readings(&home).is_empty(), "that it answers is no record");

        let sessions = server.json(&home, "/v1/sessions");
        let told: Vec<&str> =
            sessions["rows"].as_array().unwrap().iter().map(|row| row["run"].as_str().unwrap()).collect();
        assert_eq!(told, [ids[1].to_string(), run.clone()], "the newest first");
        assert_eq!(sessions["rows"][1]["state"], "sealed");

        let session = server.json(&home, &format!("/v1/sessions/{run}"));
        let command = home.aisandbox(&["audit", "last", &run, "--json"]).output().expect_code(0);
        let mut command: Value = serde_json::from_str(&command).unwrap();
        let mut same = session.clone();
        for answer in [&mut same, &mut command] {
            answer.as_object_mut().unwrap().remove("checked");
            answer.as_object_mut().unwrap().remove("withheld");
        }
        // The command says ten rows of a list, this a hundred: there are fewer.
        assert_eq!(same, command);

        let touched = server.json(&home, "/v1/query?touched=**/.gnupg/*&prove=1");
        assert!(!touched["rows"].as_array().unwrap().is_empty(), "{touched}");
        for row in touched["rows"].as_array().unwrap() {
            assert_eq!(row["proof"]["proven"], true, "{row}");
        }
        let approved = server.json(&home, "/v1/query?approved_by=8F3K-g1&prove=1");
        let grant = approved["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["record"]["event"] == "grant")
            .unwrap();
        assert_eq!(grant["proof"]["proven"], true);
        let moved = server.json(&home, "/v1/query?host=*.example.com");
        assert!(moved["sent"].as_u64().unwrap() > 0, "{moved}");

        let index = grant["record"]["seq"].as_u64().unwrap();
        let proof = server.json(&home, &format!("/v1/proof/{run}/{index}"));
        let file = home.write("proof", proof["proof"]["text"].as_str().unwrap());
        let said = home.aisandbox(&["audit", "verify", "--proof", file.to_str().unwrap()]).output();
        said.expect_code(0);

        let recorded = readings(&home);
        assert_eq!(recorded.len(), 6, "{recorded:?}");
        for (read, form) in recorded.iter().zip(["/v1/sessions", "/v1/sessions/{run}", "/v1/query"]) {
            assert_eq!(
                (&read["by"], &read["format"], &read["role"]),
                (&"serve".into(), &form.into(), &"self".into())
            );
            assert_eq!(read["uid"], home.user.uid);
        }
        assert_eq!(recorded[1]["runs"], serde_json::json!([run]));
    });
}

#[test]
fn the_document_names_every_path_and_nothing_else_is_there() {
    for_each_user(|home| {
        with_runs(&home, &[(&story::whole(), true)]);
        let server = Server::start(&home, &[]);
        let document = server.json(&home, "/v1/openapi.json");
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() >= 9, "{paths:?}");
        for (path, methods) in paths {
            assert_eq!(methods.as_object().unwrap().keys().collect::<Vec<_>>(), ["get"], "{path}");
            let mut real = path.replace("{run}", "last").replace("{index}", "2");
            if real == "/v1/query" {
                real += "?host=api.example.com";
            }
            let (status, head, body) = server.get(&home, &real, &[]);
            assert_eq!(status, 200, "{real}: {body}");
            let kind =
                methods["get"]["responses"]["200"]["content"].as_object().unwrap().keys().next().unwrap();
            assert_eq!(header(&head, "content-type"), Some(kind.to_lowercase().as_str()), "{path}");
            for param in methods["get"]["parameters"].as_array().unwrap() {
                assert_eq!(
                    path.contains(&format!("{{{}}}", param["name"].as_str().unwrap())),
                    param["in"] == "path"
                );
            }
            let and = if real.contains('?') { '&' } else { '?' };
            assert_eq!(server.get(&home, &format!("{real}{and}surprise=1"), &[]).0, 400, "{path}");
        }
        for path in ["/v1", "/v2/sessions", "/v1/sessions/last/x", "/v1/tile/0/000", "/index.html"] {
            assert_eq!(server.get(&home, path, &[]).0, 404, "{path}");
        }
    });
}

#[test]
fn nothing_but_get_is_served() {
    for_each_user(|home| {
        with_runs(&home, &[(&story::whole(), true)]);
        let server = Server::start(&home, &[]);
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            let (status, head, _) = server.get(&home, "/v1/sessions", &["-X", method]);
            assert_eq!((status, header(&head, "allow")), (405, Some("get")), "{method}");
        }
        let (status, ..) = server.get(&home, "/v1/sessions", &["--data", "a body", "-X", "GET"]);
        assert_eq!(status, 413, "nothing takes a body");
        assert!(readings(&home).is_empty());
    });
}

#[test]
fn hostile_names_lead_nowhere_and_come_back_harmless() {
    for_each_user(|home| {
        with_runs(&home, &[(&story::whole(), true)]);
        home.write("secret/00000000.seg", "no log");
        let server = Server::start(&home, &[]);
        for path in [
            "/v1/sessions/..%2f..%2f..%2f..%2fsecret",
            "/v1/sessions/%2fetc",
            "/v1/sessions/..",
            "/v1/sessions/../../etc/passwd",
            "/v1/sessions/a.jsonl",
            "/v1/sessions/%e2%80%aelast",
            "/v1/proof/..%2fsecret/0",
            "/v1/proof/last/99999999",
            "/?run=..%2f..%2fsecret",
        ] {
            assert_eq!(server.get(&home, path, &[]).0, 404, "{path}");
        }
        for path in [
            "/v1/sessions/%00",
            "/v1/sessions/%ff",
            "/v1/sessions/%4",
            "/v1/sessions?limit=0",
            "/v1/sessions?limit=-1",
            "/v1/sessions?limit=99999999999999999999",
            "/v1/sessions?limit=1&limit=2",
            "/v1/sessions?since=yesterday",
            "/v1/sessions?before=x",
            "/v1/query",
            "/v1/query?touched=a&host=b",
            "/v1/query?touched=[",
            "/v1/query?touched=a&prove=yes",
            "/v1/proof/last/x",
            "/v1/export?format=xml",
            "/v1/export?after=last:1",
        ] {
            assert_eq!(server.get(&home, path, &[]).0, 400, "{path}");
        }
        let escape = "/v1/query?touched=%1b]0;x%07%3cscript%3e'%3b--&since=1d";
        let (status, head, body) = server.get(&home, escape, &[]);
        assert_eq!(status, 200, "{body}");
        assert_eq!(header(&head, "x-content-type-options"), Some("nosniff"));
        assert!(!body.contains('\u{1b}') && !body.contains('\u{7}'), "{body:?}");
        assert_eq!(server.get(&home, "/v1/query?approved_by='%20OR%201=1--", &[]).0, 200);
        server.json(&home, "/v1/health");
    });
}

#[test]
fn an_etag_says_that_nothing_changed_until_something_does() {
    for_each_user(|home| {
        let ids = with_runs(&home, &[(&story::whole(), true)]);
        let server = Server::start(&home, &[]);
        let path = format!("/v1/sessions/{}", ids[0]);
        let (_, head, _) = server.get(&home, &path, &[]);
        let tag = header(&head, "etag").unwrap().to_owned();
        let unless = format!("If-None-Match: {tag}");
        let (status, head, body) = server.get(&home, &path, &["-H", &unless]);
        assert_eq!((status, header(&head, "etag"), body.as_str()), (304, Some(tag.as_str()), ""));
        assert_eq!(readings(&home).len(), 1, "nothing was handed out the second time");
        with_runs(&home, &[(&story::whole(), true)]);
        let (status, head, _) = server.get(&home, &path, &["-H", &unless]);
        assert_eq!(status, 200);
        assert_ne!(header(&head, "etag"), Some(tag.as_str()));
    });
}

#[test]
fn the_page_is_the_report_with_the_data_of_the_moment() {
    for_each_user(|home| {
        let ids = with_runs(&home, &[(&[story::start(&["one"])], true)]);
        let server = Server::start(&home, &[]);
        let (status, head, page) = server.get(&home, "/", &[]);
        assert_eq!((status, header(&head, "content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.contains("<!doctype html>") && page.contains(&ids[0].to_string()));
        assert_eq!(header(&head, "refresh"), None);
        let later = with_runs(&home, &[(&story::whole(), true)]);
        let (_, head, page) = server.get(&home, "/?every=10", &[]);
        assert_eq!(header(&head, "refresh"), Some("10"));
        assert!(page.contains(&later[0].to_string()));
        let (_, _, page) = server.get(&home, &format!("/?run={}", ids[0]), &[]);
        assert!(page.contains(&ids[0].to_string()) && !page.contains(&later[0].to_string()));
    });
}

#[test]
fn an_export_goes_on_where_it_ended_and_gives_each_event_once() {
    for_each_user(|home| {
        with_runs(&home, &[(&story::whole(), true), (&story::whole(), true)]);
        let server = Server::start(&home, &[]);
        let whole = home.aisandbox(&["audit", "export", "--all"]).output().expect_code(0);
        let (mut after, mut all) = (String::new(), String::new());
        loop {
            let (status, head, body) = server.get(&home, &format!("/v1/export?limit=7{after}"), &[]);
            assert_eq!(status, 200, "{body}");
            all += &body;
            let Some(next) = header(&head, "next") else { break };
            after = format!("&after={}", next.to_uppercase());
        }
        assert_eq!(all, whole);
        assert!(server.get(&home, "/v1/export?format=cef&run=last", &[]).2.starts_with("CEF:0|"));
    });
}

#[test]
fn another_user_of_the_machine_is_not_served() {
    if !nix::unistd::getuid().is_root() {
        return crate::support::skip("only root becomes another user");
    }
    for_each_user(|home| {
        with_runs(&home, &[(&story::whole(), true)]);
        let server = Server::start(&home, &[]);
        std::fs::set_permissions(&server.socket, std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .unwrap();
        let script = format!(
            "exec setpriv --reuid=4242 --regid=4242 --clear-groups curl -s -o /dev/null -w '%{{http_code}}' --unix-socket {} http://localhost/v1/sessions",
            server.socket.display()
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "403", "{output:?}");
        assert!(readings(&home).is_empty());
    });
}

#[test]
fn the_half_that_serves_ends_with_the_other_and_the_socket_goes() {
    for_each_user(|home| {
        with_runs(&home, &[(&story::whole(), true)]);
        let mut server = Server::start(&home, &[]);
        let second =
            home.aisandbox(&["audit", "serve", "--socket", server.socket.to_str().unwrap()]).output();
        second.expect_code(125);
        second.expect_said("somebody does already");
        server.json(&home, "/v1/health");
        server.started.signal(libc::SIGTERM);
        server.started.finish().expect_code(0);
        assert!(!server.socket.exists());
        let mut server = Server::start(&home, &[]);
        server.started.signal(libc::SIGKILL);
        server.started.finish();
        std::thread::sleep(MOMENT);
        assert_eq!(server.get(&home, "/v1/health", &[]).0, 0, "nobody serves any more");
        let again = Server::start(&home, &[]); // and what was left behind is replaced
        let answers = crate::support::run::comes_true(crate::support::run::PATIENCE, || {
            again.get(&home, "/v1/health", &[]).0 == 200
        });
        assert!(answers);
    });
}
