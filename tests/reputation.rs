//! `programs.reputation`: a real command and a real HTTPS endpoint on loopback are asked before anything runs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use support::run::Output;
use support::{Home, for_each_user, has_program};

/// Runs `echo ran` under these `programs`.
fn run(home: &Home, programs: &str) -> Output {
    home.write("own.yaml", &format!("version: 1\nextends: [cowork]\nprograms: {programs}\n"));
    home.exec(&["--profile", home.join("own.yaml").to_str().unwrap()], "echo ran")
}

/// A script that answers, and what asks it.
fn command(home: &Home, script: &str, more: &str) -> String {
    home.write("asked", &format!("#!/bin/sh\n{script}\n"));
    let path = home.join("asked");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let timeout = if script.contains("sleep") { "1s" } else { "60s" };
    format!("reputation: {{ command: [{}, first], timeout: {timeout}{more} }}", path.display())
}

/// What was answered before is not known any more.
fn forget(home: &Home) {
    let kept = home.join(".cache/aisandbox/reputation");
    if kept.exists() {
        fs::remove_dir_all(kept).unwrap();
    }
}

fn shell_digest() -> String {
    aisandbox::crypto::sha256(&fs::read(fs::canonicalize("/bin/sh").unwrap()).unwrap()).to_string()
}

/// Data of every record of this kind, over all runs.
fn checks(home: &Home) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for record in home.records() {
        for line in record.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if line["event"] == "program_check" {
                let word = |key: &str| line["data"][key].as_str().unwrap().to_owned();
                found.push((word("by"), word("answer")));
            }
        }
    }
    found
}

#[test]
fn a_command_that_knows_programs_is_asked_before_the_run_and_its_answer_is_recorded() {
    for_each_user(|home| {
        let digest = shell_digest();
        let shell = fs::canonicalize("/bin/sh").unwrap();
        let test = format!("[ \"$*\" = \"first {digest} {}\" ] && [ -z \"$HOME\" ]", shell.display());
        let good = command(&home, &test, "");
        assert_eq!(run(&home, &format!("{{ {good} }}")).expect_code(0), "ran\n");
        for (script, said) in [
            ("exit 1", "its reputation is: bad"),
            ("exit 2", "it is not known"),
            ("exit 3", "exit code 3"),
            ("kill -9 $$", "ended otherwise"),
            ("echo '{\"answer\":\"bad\",\"reason\":\"a \\u001b[31m worm\"}'", "bad a \\x1b[31m worm"),
            ("echo '{\"answer\":\"good\"}'; exit 1", "exit code 1"),
            ("echo good", "malformed"),
            ("head -c 9999 /dev/zero", "longer than"),
            ("sleep 600", "in time"),
            ("sleep 600 & exit 0", "in time"),
        ] {
            forget(&home);
            let asked = command(&home, script, "");
            let refused = run(&home, &format!("{{ {asked} }}"));
            assert_eq!(refused.expect_code(125), "", "{script}");
            refused.expect_said(said);
        }
        let asked = command(&home, "exit 2", "");
        assert_eq!(run(&home, &format!("{{ {asked}, unknown: allow }}")).expect_code(0), "ran\n");
        let answers: Vec<String> = checks(&home).into_iter().map(|(_, answer)| answer).collect();
        for word in ["good", "bad", "unknown", "failed"] {
            assert!(answers.iter().any(|answer| answer == word), "{answers:?}");
        }
    });
}

#[test]
fn only_a_good_answer_is_kept_and_only_for_its_time() {
    for_each_user(|home| {
        // The command can write nothing; that it was asked shows in what it answers now.
        let good = format!("{{ {} }}", command(&home, "exit 0", ""));
        assert_eq!(run(&home, &good).expect_code(0), "ran\n");
        let bad = format!("{{ {} }}", command(&home, "exit 1", ""));
        assert_eq!(run(&home, &bad).expect_code(0), "ran\n", "the good answer is kept");
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let now = format!("{{ {} }}", command(&home, "exit 1", ", cache: 1s"));
        run(&home, &now).expect_code(125);
        assert!(checks(&home).contains(&("cache".to_owned(), "good".to_owned())));
        forget(&home);
        run(&home, &bad).expect_code(125);
        let good = format!("{{ {} }}", command(&home, "exit 0", ""));
        assert_eq!(run(&home, &good).expect_code(0), "ran\n", "a bad answer is not kept");
    });
}

#[test]
fn the_command_that_is_asked_writes_nothing_and_leaves_nothing_behind() {
    for_each_user(|home| {
        let marker = home.join("written");
        let script = format!("echo x 2>/dev/null >{} && exit 1; exit 0", marker.display());
        assert_eq!(run(&home, &format!("{{ {} }}", command(&home, &script, ""))).expect_code(0), "ran\n");
        assert!(!marker.exists());
    });
}

#[test]
fn every_listed_program_without_a_digest_is_asked_about_and_a_folder_cannot_be() {
    for_each_user(|home| {
        let digest = shell_digest();
        let asked = command(&home, &format!("[ $2 != {digest} ]"), ""); // everything but the shell
        let listed = format!(
            "{{ {asked}, allow: [{{ path: /bin/sh, sha256: {digest} }}, {{ path: /usr/bin/cat }}] }}"
        );
        assert_eq!(run(&home, &listed).expect_code(0), "ran\n");
        forget(&home);
        let bare = format!("{{ {asked}, allow: [{{ path: /bin/sh }}, {{ path: /usr/bin/cat }}] }}");
        run(&home, &bare).expect_code(125);
        let folder = run(&home, &format!("{{ {asked}, allow: [{{ path: /usr/bin }}] }}"));
        folder.expect_code(125);
        folder.expect_said("knows contents");
    });
}

#[test]
fn a_program_that_only_a_person_can_allow_does_not_start_without_a_terminal() {
    for_each_user(|home| {
        let refused = run(&home, "{ allow: [{ path: /usr/bin/cat }], unknown: ask }");
        refused.expect_code(125);
        refused.expect_said("there is no terminal");
    });
}

#[test]
fn a_program_that_is_asked_for_while_the_run_goes_on_needs_a_reputation_too() {
    for_each_user(|home| {
        let tool = home.write_program("work/tool", "#!/bin/sh\necho tool\n");
        let digest = shell_digest();
        let ask = |answer: &str, entry: &str| {
            forget(&home);
            let asked = command(&home, &format!("[ $2 = {digest} ] && exit 0; {answer}"), "");
            home.write(
                "own.yaml",
                &format!(
                    "version: 1\nextends: [cowork]\nprograms: {{ {asked} }}\nfilesystem:\n\
                     - {{ path: {entry}, access: ask, actions: [read, execute] }}\n\
                     consent: {{ channels: [ui], timeout: 5m, templates: [{{ name: t, actions: [read, execute], \
                     path: {entry} }}] }}\n"
                ),
            );
            home.exec(
                &["--profile", home.join("own.yaml").to_str().unwrap()],
                "cat tool >/dev/null 2>&1; ./tool 2>&1; echo ran",
            )
        };
        let file = tool.to_str().unwrap();
        assert_eq!(ask("exit 0", file).expect_code(0), "tool\nran\n");
        for answer in ["exit 1", "exit 2", "echo x", "sleep 600"] {
            let refused = ask(answer, file).expect_code(0);
            assert!(!refused.contains("tool\n") && refused.ends_with("ran\n"), "{answer}: {refused}");
        }
        // A folder has no content to know, so nothing in it is given.
        let folder = home.work();
        let refused = ask("exit 0", folder.to_str().unwrap());
        assert!(!refused.stdout().contains("tool\n"), "{refused:?}");
        let answers: Vec<String> = checks(&home).into_iter().map(|(_, answer)| answer).collect();
        for word in ["good", "bad", "unknown", "failed"] {
            assert!(answers.iter().any(|answer| answer == word), "{answers:?}");
        }
    });
}

/// An HTTPS server on loopback with a certificate of its own; the path says what it answers.
struct Server {
    child: Child,
    port: u16,
    ca: PathBuf,
}

const SERVER: &str = r#"
import http.server, json, ssl, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers['content-length'])))
        assert set(asked) == {'sha256', 'path', 'size'} and len(asked['sha256']) == 64
        kind = self.path[1:]
        body = {'malformed': b'{"answer":', 'long': b' ' * 100000, 'words': b'{"answer":"fine"}',
                'moved': b'{"answer":"good"}', 'status': b'{"answer":"good"}'}
        body = body.get(kind, ('{"answer":"%s","reason":"listed"}' % kind).encode())
        if kind == 'slow': time.sleep(600)
        self.send_response({'moved': 302, 'status': 503}.get(kind, 200))
        if kind == 'moved': self.send_header('location', '/good')
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

impl Server {
    fn start(home: &Home) -> Self {
        let (cert, key) = (home.join("cert.pem"), home.join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=reputation", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        fs::set_permissions(&cert, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .args([&cert, &key])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap(), ca: cert }
    }

    fn url(&self, kind: &str) -> String {
        let timeout = if kind == "slow" { "2s" } else { "60s" };
        format!("url: \"https://127.0.0.1:{}/{kind}\", timeout: {timeout}, cache: 1s", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn an_https_endpoint_is_asked_and_whatever_is_no_answer_is_a_no() {
    if !has_program("python3") || !has_program("openssl") {
        return;
    }
    for_each_user(|home| {
        let server = Server::start(&home);
        let ask = |kind: &str| {
            forget(&home);
            run(&home, &format!("{{ reputation: {{ {}, ca: {} }} }}", server.url(kind), server.ca.display()))
        };
        assert_eq!(ask("good").expect_code(0), "ran\n");
        for (kind, said) in [
            ("bad", "its reputation is: bad listed"),
            ("unknown", "it is not known"),
            ("malformed", "malformed"),
            ("words", "malformed"),
            ("long", "failed"),
            ("moved", "status 302"),
            ("status", "status 503"),
            ("slow", "imeout"),
        ] {
            let refused = ask(kind);
            assert_eq!(refused.expect_code(125), "", "{kind}");
            refused.expect_said(said);
        }
        // A certificate that nobody named is none, and a server that is gone gives no answer.
        forget(&home);
        let refused = run(&home, &format!("{{ reputation: {{ {} }} }}", server.url("good")));
        refused.expect_code(125);
        let gone =
            format!("{{ reputation: {{ url: \"https://127.0.0.1:1/\", ca: {} }} }}", server.ca.display());
        run(&home, &gone).expect_code(125);
    });
}
