//! What a rule wants read, with the real binary: programs inside trust the session's authority, requests are judged one by
//! one, and a secret is only ever outside.
//!
//! The host of these tests has a name and an authority of its own: both are bound over the host's files in a mount
//! namespace that the run is started in.

use crate::support::run::{PATIENCE, Run, Started, comes_true};
use crate::support::{Home, binary, for_each_user};
use crate::{Guarded, event, events};
use base64::Engine as _;
use serde_json::Value;
use std::path::Path;

const SECRET: &str = "sk-real-0123456789abcdef";

/// Tells what it was asked, to who asked and to its log.
const SERVER: &str = r#"
import http.server, json, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        said = json.dumps([self.command, self.path, self.headers.get("Authorization"), body])
        print(said, file=log, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())
    do_POST = do_GET
    def log_message(self, *words):
        pass
log = open("server.log", "a")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
open("port.new", "w").write(str(server.server_address[1]))
import os; os.rename("port.new", "port")
server.serve_forever()
"#;

/// Asks inside; prints the status, and what was said.
const CLIENT: &str = r#"
import os, sys, urllib.error, urllib.request
port, key = sys.argv[1], os.environ["API_KEY"]
def ask(path, method="GET", headers={}, data=None):
    wish = urllib.request.Request("https://site.test:" + port + path, method=method, headers=headers, data=data)
    try:
        answer = urllib.request.urlopen(wish, timeout=120)
        print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode())
print(key)
ask("/ok/a", headers={"Authorization": "Bearer " + key})
ask("/ok", "POST", data=("k=" + key).encode())
ask("/no")
ask("/ok/../no")
ask("/ok", "DELETE")
ask("/ok", headers={"Host": "other.test"})
ask("/ok", "POST", data=open(os.path.expanduser("~/.aws/credentials"), "rb").read())
"#;

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Makes a certificate for these names (`NAME.pem`, `NAME.key`), and `authorities.pem`, which holds the one that signed it.
pub(crate) fn certify(home: &Home, names: &[&str], name: &str) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let leaf = rcgen::CertificateParams::new(names).unwrap().signed_by(&own, &issuer).unwrap();
    home.write(&format!("{name}.pem"), &pem("CERTIFICATE", leaf.der()));
    home.write(&format!("{name}.key"), &pem("PRIVATE KEY", &own.serialize_der()));
    home.write("authorities.pem", &pem("CERTIFICATE", authority.der()));
}

/// A server with a certificate that its own authority signed, and the files that make a machine know both.
pub(crate) struct Site {
    server: Started,
    pub(crate) port: u16,
}

impl Site {
    pub(crate) fn start(home: &Home) -> Self {
        certify(home, &["site.test"], "site/server");
        home.write("site/server.py", SERVER);
        home.write("hosts", "127.0.0.1 localhost\n127.0.0.1 site.test\n");
        let server = Run::new(Path::new("/usr/bin/python3"), home)
            .args(&["server.py"])
            .folder(home.join("site"))
            .start();
        let port = home.join("site/port");
        assert!(comes_true(PATIENCE, || port.exists()), "the server never listened");
        let port = std::fs::read_to_string(port).unwrap().parse().unwrap();
        Self { server, port }
    }

    /// Starts a run on a machine that knows the site.
    pub(crate) fn run(&self, home: &Home, profile: &str, words: &[&str]) -> Run {
        let own = if home.user.is_root() { "-m" } else { "-Urm" };
        let bundle = "/etc/ssl/certs/ca-certificates.crt";
        let script = format!(
            "mount --bind {hosts} /etc/hosts && mount --bind {authorities} {bundle} && exec {binary} exec --profile {profile} -- \"$@\"",
            hosts = home.join("hosts").display(),
            authorities = home.join("authorities.pem").display(),
            binary = binary().display(),
        );
        let mut all = vec![own, "sh", "-c", &script, "sh"];
        all.extend(words);
        Run::new(Path::new("/usr/bin/unshare"), home).args(&all).env("API_KEY", SECRET)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.signal(libc::SIGKILL);
        self.server.finish();
    }
}

#[test]
fn requests_are_judged_one_by_one_and_the_secret_stays_outside() {
    for_each_user(|home| {
        let home = &home;
        let site = Site::start(home);
        let profile = format!(
            "version: 1\nextends: [cowork]\nnetwork:\n  mode: filtered\n  allow:\n    \
             - {{ host: site.test, port: {}, tls: inspect, methods: [GET, POST], paths: [/ok], networks: [127.0.0.0/8] }}\n\
             credentials:\n  - {{ name: api, source: {{ environment: API_KEY }}, hosts: [site.test], places: [header, body], variable: API_KEY }}\n",
            site.port
        );
        let profile = home.write("inspect.yaml", &profile);
        home.write("work/client.py", CLIENT);
        let port = site.port.to_string();
        let output = site.run(home, profile.to_str().unwrap(), &["python3", "client.py", &port]).output();
        let lines: Vec<String> =
            output.stdout().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        assert_eq!(lines.len(), 8, "{lines:?} {}", output.stderr());
        let placeholder = &lines[0];
        assert!(placeholder.starts_with("sk-") && placeholder.len() == SECRET.len() && placeholder != SECRET);
        assert_eq!(lines[1], format!("200 [\"GET\", \"/ok/a\", \"Bearer {placeholder}\", \"\"]"));
        assert_eq!(lines[2], format!("200 [\"POST\", \"/ok\", null, \"k={placeholder}\"]"));
        for (line, code, reason) in [(3, "403", "path"), (4, "403", "odd-path"), (5, "403", "method")] {
            assert!(lines[line].starts_with(code), "{}", lines[line]);
            assert!(lines[line].contains(&format!("\"reason\":\"{reason}\"")), "{}", lines[line]);
        }
        assert!(lines[6].starts_with("421"), "{}", lines[6]);
        assert!(
            lines[7].starts_with("403") && lines[7].contains("\"reason\":\"dlp\""),
            "a decoy: {}",
            lines[7]
        );
        let alert = events(home).into_iter().any(|(name, data)| name == "network" && data["what"] == "alert");
        assert!(alert, "{:?}", events(home));
        let heard = std::fs::read_to_string(home.join("site/server.log")).unwrap();
        assert_eq!(heard.lines().count(), 2, "{heard}");
        assert!(
            heard.contains(&format!("Bearer {SECRET}")) && heard.contains(&format!("k={SECRET}")),
            "{heard}"
        );
        assert!(!output.stdout().contains(SECRET) && !output.stderr().contains(SECRET));
        let record = home.records().pop().unwrap();
        assert!(!record.contains(SECRET) && !record.contains(placeholder), "no record has either");
        let start = event(home, "network_start");
        assert_eq!(start["credentials"][0], "api");
        assert_eq!(start["authority"].as_str().unwrap().len(), 64, "{start}");
        let requests =
            events(home).into_iter().filter(|(name, data)| name == "network" && data["what"] == "request");
        let told: Vec<String> =
            requests.map(|(_, data)| data["request"].as_str().unwrap().to_owned()).collect();
        assert!(told.contains(&"GET /ok/a".to_owned()) && told.contains(&"POST /ok".to_owned()), "{told:?}");
    });
}

/// Asks inside, one body after another: something small, three over `ask_above`, a larger one, one with a finding that a
/// person is to be asked about; then a program that ends while the person is asked.
const ASKING: &str = r#"
import os, subprocess, sys, time, urllib.error, urllib.request
url = "https://site.test:" + sys.argv[1] + "/ok"
def send(data):
    try:
        print(urllib.request.urlopen(urllib.request.Request(url, method="POST", data=data), timeout=120).status)
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode())
for data in b"small", b"x" * 100, b"x" * 100, b"x" * 90, b"x" * 200, b"mail anna.schmidt@firma-mueller.de":
    send(data)
open("last", "w")
last = "import urllib.request; urllib.request.urlopen(urllib.request.Request('%s/last', method='POST', data=b'y' * 300))" % url
subprocess.run(["timeout", "-s", "KILL", "10", sys.executable, "-c", last], stderr=subprocess.DEVNULL)
while not os.path.exists("go"):
    time.sleep(0.1)
"#;

#[test]
fn a_yes_to_a_host_is_no_yes_to_an_upload_and_each_is_asked_about_by_itself() {
    for_each_user(|home| {
        // The person's commands are outside of the user namespace that others need here, and would be strangers.
        if !home.user.is_root() {
            return;
        }
        let home = &home;
        let site = Site::start(home);
        let profile = format!(
            "version: 1\nextends: [cowork]\nconsent: {{ channels: [ui], timeout: 5m }}\ndlp: {{ actions: {{ email: ask }} }}\n\
             network:\n  mode: filtered\n  allow:\n    - {{ host: site.test, port: {}, tls: inspect, access: ask, \
             networks: [127.0.0.0/8], limits: {{ ask_above: 50 }} }}\n",
            site.port
        );
        let profile = home.write("asking.yaml", &profile);
        home.write("work/client.py", ASKING);
        let port = site.port.to_string();
        let run = site.run(home, profile.to_str().unwrap(), &["python3", "client.py", &port]).start();
        let guarded = Guarded { home, run };
        let answer = |words: &[&str]| {
            let id = guarded.asked();
            let asked = guarded.json(&["requests", "--json"])[0].clone();
            guarded.person(&[words, &[&id]].concat()).expect_code(0);
            asked
        };
        assert_eq!(answer(&["approve"])["resource"]["host"]["host"], "site.test");
        let first = answer(&["approve"]);
        assert_eq!(first["resource"]["upload"]["host"], "site.test", "{first}");
        assert_eq!(first["actions"][0], "upload");
        assert_eq!((&first["upload"]["bytes"], &first["upload"]["large"]), (&100.into(), &true.into()));
        assert_eq!(first["upload"]["request"], "POST /ok");
        assert!(first["asker"]["process"]["program"].as_str().unwrap().contains("python"), "{first}");
        let second = answer(&["approve", "--session"]);
        assert_eq!(second["upload"]["bytes"], 100, "the first yes was for the first alone");
        assert_eq!(answer(&["deny"])["upload"]["bytes"], 200, "90 are within the second yes");
        let found = answer(&["approve", "--once"]);
        assert_eq!(found["upload"]["found"], serde_json::json!([{ "kind": "email", "count": 1 }]));
        guarded.reaches("work/last");
        guarded.asked();
        assert_eq!(guarded.json(&["requests", "--json"])[0]["upload"]["bytes"], 300);
        let nobody = || guarded.json(&["requests", "--json"]).as_array().is_some_and(Vec::is_empty);
        assert!(comes_true(PATIENCE, nobody), "nobody waits for this answer any more");
        home.write("work/go", "");
        let output = guarded.end();
        let lines: Vec<String> =
            output.stdout().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        assert_eq!(lines.len(), 6, "{lines:?} {}", output.stderr());
        assert!([0, 1, 2, 3, 5].iter().all(|at| lines[*at] == "200"), "{lines:?}");
        assert!(lines[4].starts_with("403") && lines[4].contains("\"reason\":\"refused\""), "{}", lines[4]);
        let heard = std::fs::read_to_string(home.join("site/server.log")).unwrap();
        assert_eq!(heard.lines().count(), 5, "{heard}");
        let of = |name: &'static str| events(home).into_iter().filter(move |(event, _)| event == name);
        let uploads: Vec<Value> =
            of("grant").map(|(_, data)| data).filter(|data| data["what"]["upload"].is_object()).collect();
        let scopes: Vec<&Value> = uploads.iter().map(|grant| &grant["scope"]).collect();
        assert_eq!(scopes, ["once", "session", "once"], "{uploads:?}");
        assert_eq!(of("revoke").filter(|(_, data)| data["why"] == "used").count(), 2);
        let reasons: Vec<Value> = of("denial").map(|(_, data)| data["reason"].clone()).collect();
        assert_eq!(reasons, ["refused", "withdrawn"], "nobody waits for the last one any more");
        let record = home.records().pop().unwrap();
        assert!(!record.contains("anna.schmidt"), "a record has kinds and no values");
    });
}

/// Sends a text with an address of mail, more than may go at once.
const SENDING: &str = r#"
import sys, urllib.request
text = b"mail anna.schmidt@firma-mueller.de " + b"and more words " * 2000
url = "https://site.test:" + sys.argv[1] + "/ok?q=1"
print(urllib.request.urlopen(urllib.request.Request(url, method="POST", data=text), timeout=120).status)
"#;

#[test]
fn one_record_of_a_connection_says_all_that_is_known_of_it() {
    for_each_user(|home| {
        let home = &home;
        let site = Site::start(home);
        let profile = format!(
            "version: 1\nextends: [cowork]\ndlp: {{ actions: {{ email: redact }} }}\nnetwork:\n  mode: filtered\n  allow:\n    \
             - {{ host: site.test, port: {}, tls: inspect, networks: [127.0.0.0/8], limits: {{ upload_rate: 20K }} }}\n",
            site.port
        );
        let profile = home.write("fields.yaml", &profile);
        home.write("work/client.py", SENDING);
        let port = site.port.to_string();
        let output = site.run(home, profile.to_str().unwrap(), &["python3", "client.py", &port]).output();
        assert_eq!(output.stdout(), "200\n", "{}", output.stderr());
        let all: Vec<Value> =
            events(home).into_iter().filter(|(name, _)| name == "network").map(|(_, data)| data).collect();
        let of =
            |what: &str| all.iter().find(|event| event["what"] == what).unwrap_or_else(|| panic!("{all:?}"));
        let request = of("request");
        for event in [request, of("close")] {
            assert_eq!((&event["host"], &event["port"]), (&"site.test".into(), &site.port.into()), "{event}");
            assert_eq!(event["address"], format!("127.0.0.1:{}", site.port), "{event}");
            assert_eq!((&event["protocol"], &event["sni"]), (&"tls".into(), &"site.test".into()), "{event}");
            assert_eq!(event["alpn"], serde_json::json!(["http/1.1"]), "{event}");
            let process = &event["process"];
            assert!(process["program"].as_str().is_some_and(|program| program.contains("python")), "{event}");
            assert_eq!(process["sha256"].as_str().map(str::len), Some(64), "{event}");
            assert!(process["pid"].as_u64().is_some_and(|pid| pid > 0), "{event}");
            assert!(event["rule"].as_str().is_some_and(|rule| rule.contains("fields.yaml:")), "{event}");
            let number = |field: &str| event[field].as_u64().unwrap();
            assert!((29_000..33_000).contains(&number("sent")), "{event}");
            assert!(number("received") > 0 && number("took_ms") >= number("delay_ms"), "{event}");
            assert!(number("delay_ms") > 100, "what is over the rate waited: {event}");
            assert_eq!((number("requests"), number("flow") > 0), (1, true), "{event}");
            assert_eq!(event["reason"], Value::Null, "{event}");
        }
        assert_eq!(request["findings"], serde_json::json!([["email", 1]]), "{request}");
        assert_eq!((&request["request"], &request["status"]), (&"POST /ok".into(), &200.into()), "{request}");
        let heard = std::fs::read_to_string(home.join("site/server.log")).unwrap();
        assert!(!heard.contains("anna.schmidt") && heard.contains("and more words"), "{heard}");
    });
}
