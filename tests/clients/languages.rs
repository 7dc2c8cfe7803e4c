//! What programs are written with: the libraries of Python, Node, Go and Java.

use super::{RULES, Tls, World, everywhere, expect, have, says};
use crate::support::for_each_user;
use crate::support::run::spawn;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

#[test]
fn python_asks_by_each_of_its_libraries() {
    says(
        |home| drop(home.write("work/client.py", include_str!("client.py"))),
        "python client.py",
        "
urllib 1.1 POST /py 5 site.test
requests ['1.1 POST /py 5 site.test', '1.1 POST /py 5 site.test']
httpx ['HTTP/2', '2 POST /py 5 site.test', ['data: 0', 'data: 1', 'data: 2']]
aiohttp 1.1 POST /py 5 site.test
websockets [11, 100006]
grpc [b'heard hello', {'heard': '5'}, [b'0', b'1', b'2']]
threads 24
",
    );
}

#[test]
fn node_asks_by_each_of_its_modules_and_by_ws() {
    if !have(&["node"]) {
        return;
    }
    says(
        |home| drop(home.write("work/client.mjs", include_str!("client.mjs"))),
        "NODE_PATH=/mnt/tools/node_modules node client.mjs | sed 's/198.18.*/INSIDE/'",
        "
fetch 1.1 POST /node 5 site.test
stream data: 0  data: 1  data: 2
https 1.1 POST /node 5 site.test
http2 2 POST /node 5 site.test:443
ws heard hello
lookup INSIDE
resolve4 INSIDE
resolve6 ENODATA queryAaaa ENODATA site.test
",
    );
}

/// Runs a tool once, outside, on files of these tests and of the world.
fn build(done: &OnceLock<()>, tool: &mut Command) {
    done.get_or_init(|| {
        let built = spawn(tool.stdin(Stdio::null()).stderr(Stdio::null())).unwrap().wait().unwrap();
        assert!(built.success(), "{tool:?}");
    });
}

/// A file beside this one.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

#[test]
fn go_asks_with_its_own_resolver_and_with_the_systems() {
    if !have(&["go"]) {
        return;
    }
    static BUILT: OnceLock<()> = OnceLock::new();
    everywhere(|world, home, tls| {
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(world.file("client-go")).arg(source("client.go"));
        go.env("GOCACHE", world.file("go")).env("GOFLAGS", "-buildvcs=false").env("GO111MODULE", "off");
        build(&BUILT, &mut go);
        let script = "for way in go cgo; do echo $way; GODEBUG=netdns=$way /mnt/world/client-go; done";
        let script = format!("{{ {script}; }} | sed 's/198.18[.0-9]*/INSIDE/'");
        let output = world.ruled(home, tls, RULES, &script);
        let each =
            "http2 2 POST /go 5 site.test <nil>\nhttp1 1.1 POST /go 5 site.test <nil>\nlookup [INSIDE] <nil>";
        expect(&output, &format!("go\n{each}\ncgo\n{each}"));
    });
}

/// Every Java that has its place in the distribution's folder.
fn javas() -> Vec<String> {
    let Ok(folders) = std::fs::read_dir("/usr/lib/jvm") else { return Vec::new() };
    let real = folders.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let all = real.map(|entry| entry.path().join("bin/java"));
    let mut all: Vec<String> =
        all.filter(|java| java.exists()).map(|java| java.to_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

#[test]
fn java_asks_by_each_of_its_ways_and_trusts_what_the_machine_does() {
    let javas = javas();
    if !have(&["javac", "keytool"]) || javas.is_empty() {
        return;
    }
    static BUILT: OnceLock<()> = OnceLock::new();
    static STORE: OnceLock<()> = OnceLock::new();
    everywhere(|world, home, tls| {
        let mut compiler = Command::new("javac");
        compiler.args(["--release", "11", "-d"]).arg(world.file("java")).arg(source("Client.java"));
        build(&BUILT, &mut compiler);
        let mut keytool = Command::new("keytool");
        keytool.args(["-importcert", "-noprompt", "-alias", "own", "-storepass", "changeit", "-file"]);
        build(&STORE, keytool.arg(world.file("ca.pem")).arg("-keystore").arg(world.file("own")));
        // Where nothing is read, the owner of the machine has a truststore of its own.
        let owners = "-Djavax.net.ssl.trustStore=/mnt/world/own -Djavax.net.ssl.trustStorePassword=changeit";
        let own = if tls == Tls::Splice { owners } else { "" };
        let all = javas.join(" ");
        let script = format!("for java in {all}; do $java {own} -cp /mnt/world/java Client; done");
        let output = world.ruled(home, tls, RULES, &script);
        let each = "
url-connection 1.1 POST /java 5 site.test
http-client 2 POST /java 5 site.test
web-socket heard hello
";
        expect(&output, &each.repeat(javas.len()));
        assert_eq!(output.stderr(), "", "nothing is said that the program does not say");
    });
}

/// A certifi that an installer left in the home, where the command cannot change it.
#[test]
fn a_python_that_asks_its_own_bundle_trusts_as_well() {
    let Some(world) = World::get() else { return };
    for_each_user(|home| {
        let home = &home;
        let site = world.outside(home, "/usr/bin/python3").args(&["-m", "site", "--user-site"]).output();
        let site = site.stdout().trim().strip_prefix(home.path().to_str().unwrap()).unwrap()[1..].to_owned();
        home.write(&format!("{site}/certifi/cacert.pem"), "");
        let script = "
import pathlib, site, ssl, urllib.request
bundle = pathlib.Path(site.getusersitepackages(), 'certifi/cacert.pem')
asks = ssl.create_default_context(cafile=bundle)
print(urllib.request.urlopen('https://site.test/certifi', context=asks).read().decode())
";
        home.write("work/client.py", script);
        let output = world.ruled(home, Tls::Inspect, RULES, "/usr/bin/python3 client.py");
        expect(&output, "1.1 GET /certifi 0 site.test");
    });
}
