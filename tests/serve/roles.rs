//! HTTPS: a client reads what its role says, and one without a certificate or without a role reads nothing.

use super::world::Certs;
use super::{Server, curl, header, readings, story, with_runs};
use crate::support::{Home, for_each_user, has_program};
use serde_json::Value;

/// Serves with these roles; the address.
fn serve(home: &Home, certs: &Certs, roles: &str) -> (Server, String) {
    let roles = home.write("roles", roles);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = format!("127.0.0.1:{port}");
    let [cert, key, ca] = ["server.pem", "server.key", "ca.pem"].map(|file| certs.path(file));
    let server = Server::start(
        home,
        &[
            "--listen",
            &at,
            "--cert",
            &cert,
            "--key",
            &key,
            "--client-ca",
            &ca,
            "--roles",
            roles.to_str().unwrap(),
        ],
    );
    (server, format!("https://{at}"))
}

/// What curl gets with these words; waits until the server listens.
fn get(home: &Home, words: &[String], url: &str) -> (u16, String, String) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    curl(home, &[&words[..], &["--retry", "20", "--retry-connrefused", "--retry-delay", "1"]].concat(), url)
}

fn json(home: &Home, words: &[String], url: &str) -> Value {
    let (status, _, body) = get(home, words, url);
    assert_eq!(status, 200, "{url}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// What is personal in the story, in whatever answer it stands.
const PERSONAL: [&str; 5] = ["/home/u", ".gnupg", "example.com", "to sign the release", "cwd"];

#[test]
fn each_role_reads_exactly_its_classes_and_the_record_says_who_read_what() {
    for_each_user(|home| {
        if !has_program("curl") || !has_program("openssl") {
            return;
        }
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let certs =
            Certs::make(&home, "certs", &["siem.example", "audit.example", "me.example", "nobody.example"]);
        let roles = "soc siem.example\ncompliance audit.example\nself me.example\n";
        let (_server, at) = serve(&home, &certs, roles);
        let [soc, compliance, own] =
            ["siem.example", "audit.example", "me.example"].map(|name| certs.client(name));

        let paths = [
            "/v1/sessions".to_owned(),
            format!("/v1/sessions/{run}"),
            "/v1/query?approved_by=8F3K-g1".to_owned(),
            "/v1/export".to_owned(),
            "/v1/export?format=cef".to_owned(),
        ];
        for path in &paths {
            let (status, _, body) = get(&home, &soc, &format!("{at}{path}"));
            assert_eq!(status, 200, "{path}: {body}");
            for word in PERSONAL {
                assert!(!body.contains(word), "{path} told {word}: {body}");
            }
            assert!(body.contains(&run), "{path}: {body}");
            for other in [&compliance, &own] {
                let (status, _, more) = get(&home, other, &format!("{at}{path}"));
                assert_eq!(status, 200, "{path}: {more}");
                assert!(
                    path == "/v1/sessions" || PERSONAL[..2].iter().any(|word| more.contains(word)),
                    "{path}: {more}"
                );
                assert!(more.len() > body.len(), "{path}");
            }
        }
        let session = json(&home, &soc, &format!("{at}/v1/sessions/{run}"));
        assert!(session["withheld"].as_u64().unwrap() > 0);
        assert_eq!((&session["state"], &session["profile"]), (&"sealed".into(), &"cowork".into()));
        assert_eq!(json(&home, &compliance, &format!("{at}/v1/sessions/{run}"))["withheld"], 0);

        // What would tell it by another way: questions by a name, a proof with the event in it, a form with the leaf, the page.
        for path in
            ["/v1/query?touched=/home/u/*", "/v1/query?host=api.example.com", "/v1/export?format=ocsf", "/"]
        {
            assert_eq!(get(&home, &soc, &format!("{at}{path}")).0, 403, "{path}");
            assert_eq!(get(&home, &compliance, &format!("{at}{path}")).0, 200, "{path}");
        }
        let rows = json(&home, &soc, &format!("{at}/v1/query?approved_by=8F3K-g1&prove=1"));
        for row in rows["rows"].as_array().unwrap() {
            let index = &row["record"]["seq"];
            let held_back = row["proof"].is_null();
            let status = if held_back { 403 } else { 200 };
            assert_eq!(get(&home, &soc, &format!("{at}/v1/proof/{run}/{index}")).0, status, "{row}");
            assert_eq!(get(&home, &compliance, &format!("{at}/v1/proof/{run}/{index}")).0, 200);
            // A grant names what was granted; that three files became known names nothing.
            match row["record"]["event"].as_str().unwrap() {
                "grant" => assert!(held_back, "{row}"),
                "known_files" => assert!(!held_back, "{row}"),
                _ => {}
            }
        }
        // The log's own first leaf has nothing personal.
        assert_eq!(json(&home, &soc, &format!("{at}/v1/proof/{run}/0"))["proof"]["proven"], true);

        let recorded = readings(&home);
        let who = |role: &str, client: &str| {
            recorded.iter().filter(|read| read["role"] == role && read["client"] == client).count()
        };
        assert!(who("soc", "siem.example") >= 7 && who("compliance", "audit.example") >= 8, "{recorded:?}");
        assert_eq!(who("self", "me.example"), 5);
    });
}

#[test]
fn a_client_that_cannot_show_who_it_is_or_that_nothing_names_reads_nothing() {
    for_each_user(|home| {
        with_runs(&home, &[(&story::whole(), true)]);
        let certs = Certs::make(&home, "certs", &["siem.example", "nobody.example"]);
        let others = Certs::make(&home, "others", &["siem.example"]);
        let (_server, at) = serve(&home, &certs, "soc siem.example\n");
        let url = format!("{at}/v1/sessions");
        assert_eq!(get(&home, &certs.client("siem.example"), &url).0, 200);
        let (status, head, _) = get(&home, &certs.client("nobody.example"), &url);
        assert_eq!((status, header(&head, "etag")), (403, None));
        let ca = certs.path("ca.pem");
        let none = ["--cacert".to_owned(), ca.clone()];
        let by_other: Vec<String> = [&none[..], &others.client("siem.example")[2..]].concat();
        let as_server = [
            &none[..],
            &["--cert", &certs.path("server.pem"), "--key", &certs.path("server.key")].map(str::to_owned),
        ]
        .concat();
        for words in [&none[..], &by_other, &as_server] {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(curl(&home, &words, &url).0, 0, "{words:?}");
        }
        let old = [&certs.client("siem.example")[..], &["--tls-max", "1.2"].map(str::to_owned)].concat();
        assert_eq!(get(&home, &old, &url).0, 0, "TLS 1.2");
        assert_eq!(curl(&home, &[], &url.replace("https", "http")).0, 0, "no TLS at all");
        assert_eq!(readings(&home).len(), 1);
        assert_eq!(get(&home, &certs.client("siem.example"), &url).0, 200, "and it serves on");
    });
}

#[test]
fn a_client_is_known_by_the_digest_of_its_certificate_as_well() {
    for_each_user(|home| {
        with_runs(&home, &[(&[story::start(&["x"])], true)]);
        let certs = Certs::make(&home, "certs", &["a.example", "b.example"]);
        let script =
            format!("openssl x509 -in {} -outform DER | sha256sum | cut -c1-64", certs.path("a.example.pem"));
        let digest = home.outside(&script).expect_code(0);
        let (_server, at) = serve(&home, &certs, &format!("soc sha256:{}\n", digest.trim()));
        assert_eq!(get(&home, &certs.client("a.example"), &format!("{at}/v1/sessions")).0, 200);
        assert_eq!(get(&home, &certs.client("b.example"), &format!("{at}/v1/sessions")).0, 403);
    });
}

#[test]
fn a_file_that_makes_no_sense_is_told_and_nothing_is_served() {
    for_each_user(|home| {
        with_runs(&home, &[(&[story::start(&["x"])], true)]);
        let certs = Certs::make(&home, "certs", &["a.example"]);
        let socket = home.make_folder("run").join("audit.sock");
        let bad =
            [("roles", "root a.example\n", "a role is soc"), ("server.pem", "no certificate", "certificate")];
        for (file, content, said) in bad {
            let roles = home.write("roles", if file == "roles" { content } else { "soc a.example\n" });
            let kept = (file != "roles").then(|| std::fs::read(certs.path(file)).unwrap());
            if kept.is_some() {
                std::fs::write(certs.path(file), content).unwrap();
            }
            let [cert, key, ca] = ["server.pem", "server.key", "ca.pem"].map(|file| certs.path(file));
            let words = [
                "audit",
                "serve",
                "--socket",
                socket.to_str().unwrap(),
                "--listen",
                "127.0.0.1:0",
                "--cert",
                &cert,
            ];
            let more = ["--key", &key, "--client-ca", &ca, "--roles", roles.to_str().unwrap()];
            let output = home.aisandbox(&words).args(&more).output();
            output.expect_code(125);
            output.expect_said(said);
            assert!(!socket.exists());
        }
    });
}

#[test]
fn what_was_withheld_is_served_to_nobody_and_is_no_damage() {
    for_each_user(|home| {
        if !has_program("curl") || !has_program("openssl") {
            return;
        }
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let certs = Certs::make(&home, "certs", &["siem.example", "audit.example"]);
        let (server, at) = serve(&home, &certs, "soc siem.example\ncompliance audit.example\n");
        let clients = ["siem.example", "audit.example"].map(|name| certs.client(name));
        let exports =
            ["jsonl", "cef", "ocsf", "ecs", "otlp"].map(|format| format!("/v1/export?format={format}"));
        let paths = [format!("/v1/sessions/{run}"), "/v1/sessions".into(), format!("/v1/proof/{run}/1")];
        let paths: Vec<String> = paths.into_iter().chain(exports).collect();
        let told = |client: &[String], path: &str| get(&home, client, &format!("{at}{path}"));
        let (_, _, before) = told(&clients[1], &paths[3]);
        assert!(before.contains("/home/u/.gnupg"), "the control: {before}");
        home.aisandbox(&["audit", "redact", &run, "--reason", "x"]).output().expect_code(0);
        for (client, path) in clients.iter().flat_map(|client| paths.iter().map(move |path| (client, path))) {
            let (status, _, body) = told(client, path);
            for word in [".gnupg", "to sign the release", "paste.example.net", "/home/u/work"] {
                assert!(!body.contains(word), "{path} told {word}: {body}");
            }
            // A field that is personal and says nothing (`null`) is in the leaf, so its proof is not for every role.
            let whole = ["/v1/proof", "=o", "=ecs"].iter().any(|part| path.contains(part));
            let all = client == &clients[1] || !whole;
            assert_eq!(status, if all { 200 } else { 403 }, "{path}: {body}");
        }
        let (_, _, proof) = told(&clients[1], &paths[2]);
        let proof: Value = serde_json::from_str(&proof).unwrap();
        assert_eq!((&proof["state"], &proof["proof"]["proven"]), (&"sealed".into(), &true.into()), "{proof}");
        assert!(proof["record"]["sd"]["data"].is_string(), "{proof}");
        let touched = json(&home, &clients[1], &format!("{at}/v1/query?touched=/home/u/**&prove=1"));
        assert_eq!(touched["rows"], serde_json::json!([]));
        let own = server.json(&home, &format!("/v1/sessions/{run}"));
        assert!(own.to_string().contains("sealed"), "{own}");
    });
}
