//! A filtered network with the real binary: what is named is reached, nothing else is; a person can be asked, and what
//! was given is taken back; the record says all of it.

use crate::support::{Home, for_each_user};
use crate::{Guarded, event, events, kill_role};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A service on the host's loopback that answers `hello` to whoever sends a line, until it is told `end`.
pub(crate) struct Service {
    pub(crate) port: u16,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = [0; 4];
                if stream.read(&mut line).is_ok_and(|count| line.get(..count) == Some(b"end\n")) {
                    return;
                }
                // A peer that is gone is as good as one that read it.
                let _answered = stream.write_all(b"hello\n").is_ok();
            }
        };
        Self { port, thread: Some(std::thread::spawn(serve)) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap().write_all(b"end\n").unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A profile with this under `network`.
fn profile(home: &Home, network: &str) -> String {
    let text = format!(
        "version: 1\nextends: [offline]\nnetwork:\n  mode: filtered\n{network}\nconsent: {{ channels: [ui], timeout: 5m }}\n"
    );
    home.write("filtered.yaml", &text).to_str().unwrap().to_owned()
}

/// Python that says a line to a host and prints what comes, or the error's name. `{}` are host and port.
pub(crate) fn say(host: &str, port: u16) -> String {
    let text = format!(
        "import socket\ntry:\n s = socket.create_connection((\"{host}\", {port}), 120)\n s.sendall(b\"hey\\n\")\n \
         print(s.recv(99).decode().strip() or \"closed\")\nexcept OSError as e:\n print(type(e).__name__)\n"
    );
    format!("python3 -c '{text}'")
}

/// The events of the way out.
fn network(home: &Home) -> Vec<Value> {
    events(home).into_iter().filter(|(name, _)| name == "network").map(|(_, data)| data).collect()
}

#[test]
fn a_service_of_the_host_is_reached_by_its_port_and_nothing_else_is() {
    for_each_user(|home| {
        let home = &home;
        let (named, other) = (Service::start(), Service::start());
        let path = profile(home, &format!("  allow: [{{ host: localhost, port: {} }}]", named.port));
        let script = [
            say("localhost", named.port),
            say("127.0.0.1", named.port),
            say("127.0.0.1", other.port),
            say("unlisted.example", 80),
            say("192.0.2.1", 80),
            say("169.254.169.254", 80),
            say("::1", named.port),
        ];
        let output = Guarded::start(home, &path, &script.join("; ")).end();
        let lines: Vec<String> = output.stdout().lines().map(str::to_owned).collect();
        assert_eq!(lines[..4], ["hello", "hello", "ConnectionRefusedError", "gaierror"], "{output:?}");
        // A literal is taken by the proxy and then ended.
        assert!(
            lines[4..6].iter().all(|line| line == "closed" || line == "ConnectionResetError"),
            "{lines:?}"
        );
        assert_eq!(lines[6], "hello", "the loopback of IPv6 is the host's too");
        let start = event(home, "network_start");
        assert!(start["rules"][0].as_str().unwrap().contains("allow localhost:"), "{start}");
        let told = network(home);
        let opened = told.iter().filter(|event| event["what"] == "open" && event["host"] == "localhost");
        assert_eq!(opened.count(), 3, "{told:?}");
        let closed = told.iter().find(|event| event["what"] == "close").unwrap();
        assert_eq!((closed["sent"].as_u64(), closed["received"].as_u64()), (Some(4), Some(6)));
        for denied in ["unlisted.example", "192.0.2.1", "169.254.169.254"] {
            let refused = told.iter().any(|event| event["what"] == "denied" && event["host"] == denied);
            assert!(refused, "{denied}: {told:?}");
        }
    });
}

#[test]
fn a_connection_waits_for_the_person_and_ends_when_the_yes_does() {
    for_each_user(|home| {
        let home = &home;
        let service = Service::start();
        let path =
            profile(home, &format!("  allow: [{{ host: localhost, port: {}, access: ask }}]", service.port));
        let again = say("localhost", service.port);
        let script = format!("{again}; touch first; until [ -e go ]; do sleep 0.1; done; {again}");
        let guarded = Guarded::start(home, &path, &script);
        let id = guarded.asked();
        let asked = guarded.json(&["requests", "--json"]);
        assert_eq!(asked[0]["resource"]["host"]["host"], "localhost", "{asked}");
        guarded.person(&["approve", &id]).expect_code(0);
        guarded.reaches("work/first");
        let grants = guarded.json(&["grants", "--json"]);
        assert_eq!(grants[0]["resource"]["host"]["port"], service.port, "{grants}");
        guarded.person(&["revoke", grants[0]["id"].as_str().unwrap()]).expect_code(0);
        guarded.nothing_granted();
        home.write("work/go", "");
        let second = guarded.asked();
        guarded.person(&["deny", &second]).expect_code(0);
        let output = guarded.end();
        let lines: Vec<String> = output.stdout().lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "hello", "{output:?}");
        assert!(["closed", "ConnectionResetError"].contains(&lines[1].as_str()), "{lines:?}");
        assert_eq!(event(home, "grant")["what"]["resource"], format!("host localhost:{}", service.port));
        assert_eq!(event(home, "denial")["reason"], "refused");
        let grant = event(home, "grant")["grant"].clone();
        for what in ["open", "close"] {
            let told = network(home).into_iter().find(|event| event["what"] == what).unwrap();
            assert_eq!((&told["grant"], told["approval"].as_str()), (&grant, Some(id.as_str())), "{told}");
        }
        assert_eq!(event(home, "revoke")["request"], id.as_str());
    });
}

#[test]
fn an_answer_about_a_host_for_good_is_one_line_that_later_runs_read() {
    for_each_user(|home| {
        let home = &home;
        let (service, other) = (Service::start(), Service::start());
        let path = profile(
            home,
            &format!(
                "  allow: [{{ host: localhost, ports: [{}, {}], access: ask }}]",
                service.port, other.port
            ),
        );
        let script = say("localhost", service.port);
        let guarded = Guarded::start(home, &path, &script);
        let id = guarded.asked();
        guarded.person(&["approve", &id, "--always"]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "hello\n");
        let file = home.join(".config/aisandbox/answers.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let line = format!("host: \"localhost\", port: {}", service.port);
        assert!(text.contains("answer: always") && text.contains(&line), "{text}");
        let again = Guarded::start(home, &path, &script).end();
        assert_eq!(again.stdout(), "hello\n", "{again:?}");
        assert_eq!(event(home, "grant")["approved_by"], "always");
        // Another port of the same host is another question, and its no for good is kept as well.
        let guarded = Guarded::start(home, &path, &say("localhost", other.port));
        let id = guarded.asked();
        guarded.person(&["deny", &id, "--always"]).expect_code(0);
        assert_ne!(guarded.end().stdout(), "hello\n");
        let never = Guarded::start(home, &path, &say("localhost", other.port)).end();
        assert_ne!(never.stdout(), "hello\n", "{never:?}");
        assert_eq!(event(home, "denial")["reason"], "never");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches("host: \"localhost\"").count(), 2, "{text}");
        // Under another profile it says nothing, and a ceiling that is gone is not made by an answer.
        let none = profile(home, "");
        let closed = Guarded::start(home, &none, &script).end();
        assert_ne!(closed.stdout(), "hello\n", "{closed:?}");
    });
}

#[test]
fn without_its_proxy_nothing_leads_out_and_the_run_goes_on() {
    for_each_user(|home| {
        let home = &home;
        let service = Service::start();
        let path = profile(home, &format!("  allow: [{{ host: localhost, port: {} }}]", service.port));
        let again = say("localhost", service.port);
        let script = format!("{again}; touch first; until [ -e go ]; do sleep 0.1; done; {again}; echo on");
        let guarded = Guarded::start(home, &path, &script);
        guarded.reaches("work/first");
        let launcher = guarded.json(&["ps", "--json"])[0]["launcher"].as_i64().unwrap();
        kill_role(i32::try_from(launcher).unwrap(), "egress");
        home.write("work/go", "");
        let output = guarded.end();
        assert_eq!(output.stdout().lines().next(), Some("hello"), "{output:?}");
        assert!(output.stdout().ends_with("Error\non\n"), "{output:?}");
        assert!(network(home).iter().any(|event| event["what"] == "lost"), "{:?}", network(home));
    });
}

/// A port below those that the kernel gives out by itself: between now and its use no other test is given it.
fn free_port() -> u16 {
    let from = std::process::id() % 10_000;
    let mut ports = (0..10_000).map(|step| 20_000 + ((from + step) % 10_000) as u16);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

#[test]
fn a_published_port_leads_inside() {
    for_each_user(|home| {
        let home = &home;
        let free = free_port();
        let path = profile(home, &format!("  publish: [{{ inside: 3000, port: {free} }}]"));
        let server = "import socket\ns = socket.create_server((\"127.0.0.1\", 3000))\nopen(\"ready\", \"w\")\n\
                      c, _ = s.accept()\nc.sendall(b\"from inside \" + c.recv(9))\nc.shutdown(socket.SHUT_WR)\nc.recv(1)\n";
        let guarded = Guarded::start(home, &path, &format!("python3 -c '{server}'"));
        guarded.reaches("work/ready");
        let mut stream = TcpStream::connect(("127.0.0.1", free)).unwrap();
        stream.write_all(b"hey").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "from inside hey");
        drop(stream); // it waits for that: what is on its way when a run ends is cut
        guarded.end().expect_code(0);
    });
}

#[test]
fn a_filtered_run_without_a_rule_reaches_nothing_and_its_own_servers_work() {
    for_each_user(|home| {
        let home = &home;
        let own = "import socket, threading\ns = socket.create_server((\"127.0.0.1\", 8123))\n\
                   threading.Thread(target=lambda: s.accept()[0].sendall(b\"own\"), daemon=True).start()\n\
                   print(socket.create_connection((\"127.0.0.1\", 8123)).recv(9).decode())\n";
        let path = profile(home, "");
        let script = format!("python3 -c '{own}'; {}", say("a.example", 443));
        let output = Guarded::start(home, &path, &script).end();
        assert_eq!(output.stdout(), "own\ngaierror\n", "{output:?}");
    });
}
