//! Programs that others wrote, each inside a sandbox with a filtered network, ask hosts of a world of the test's own: what
//! a profile names works as it does outside, passed on and read, and what it does not name fails in words one can act on.
//!
//! The world is a network namespace with servers in it (world.py), and a mount namespace with files that name them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod denied;
mod git;
mod languages;
mod names;
mod registries;
mod tls;
mod web;

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use support::run::{Output, PATIENCE, Run, comes_true, spawn};
use support::{Home, PATH, binary, for_each_user, has_program, skip};

/// What becomes of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    Splice,
    Inspect,
}

/// Servers, and the namespaces that they are in. Everything ends when this process does: the pipe breaks.
pub(crate) struct World {
    namespaces: Vec<OwnedFd>,
    folder: PathBuf,
    _input: ChildStdin,
    _servers: Child,
}

/// The rules that most tests need.
pub(crate) const RULES: &str =
    "    - { host: site.test, ports: [80, 443], tls: TLS, networks: [127.0.0.0/8] }
    - { host: grpc.test, tls: TLS, networks: [127.0.0.0/8] }
    - { host: git.test, tls: TLS, networks: [127.0.0.0/8] }
    - { host: git.test, port: 22, networks: [127.0.0.0/8] }
";

/// What the owner of a machine with an authority of its own tells clients that bring a bundle. Where something is read,
/// they must trust without it.
const OWNERS: &str = "environment:
  set:
    SSL_CERT_FILE: /etc/ssl/certs/ca-certificates.crt
    REQUESTS_CA_BUNDLE: /etc/ssl/certs/ca-certificates.crt
    NODE_EXTRA_CA_CERTS: /etc/ssl/certs/ca-certificates.crt
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: /etc/ssl/certs/ca-certificates.crt
";

impl World {
    /// The world of all these tests; `None`, with the reason, where there can be none.
    pub(crate) fn get() -> Option<&'static Self> {
        static WORLD: OnceLock<Option<World>> = OnceLock::new();
        let world = WORLD.get_or_init(Self::start).as_ref();
        if world.is_none() {
            skip("AISANDBOX_TEST_TOOLS names no folder with clients, which .ci/run makes");
        }
        world
    }

    fn start() -> Option<Self> {
        let tools = PathBuf::from(std::env::var_os("AISANDBOX_TEST_TOOLS")?);
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/world.py");
        let folder = std::env::temp_dir().join(format!("aisandbox-world-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mut places = vec![format!("tools={}", tools.display()), format!("world={}", folder.display())];
        places.extend(rust().map(|rust| format!("rust={rust}")));
        let root = nix::unistd::getuid().is_root();
        let own: &[&str] = if root { &[] } else { &["--user", "--map-current-user", "--keep-caps"] };
        let mut servers = Command::new("unshare");
        servers
            .args(own)
            .args(["--mount", "--net", "--"])
            .arg(tools.join("python/bin/python"))
            .arg(here)
            .args(places);
        let log = File::create(folder.join("log")).unwrap();
        servers.current_dir(&folder).stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut servers = spawn(&mut servers).unwrap();
        let ready = folder.join("ready");
        let came = comes_true(PATIENCE, || ready.exists() || servers.try_wait().unwrap().is_some());
        assert!(came && ready.exists(), "{}", std::fs::read_to_string(folder.join("log")).unwrap());
        let names: &[&str] = if root { &["mnt", "net"] } else { &["user", "mnt", "net"] };
        let open = |name: &&str| File::open(format!("/proc/{}/ns/{name}", servers.id())).unwrap().into();
        let namespaces = names.iter().map(open).collect();
        Some(Self { namespaces, folder, _input: servers.stdin.take().unwrap(), _servers: servers })
    }

    /// A file that all see below /mnt/world.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program in this world, outside of a sandbox.
    pub(crate) fn outside(&'static self, home: &Home, program: &str) -> Run {
        let path = format!("/mnt/tools/python/bin:/mnt/rust/bin:{PATH}");
        Run::within(&self.namespaces, Path::new(program), home).env("PATH", path)
    }

    /// Runs a script in a sandbox of this world with these rules, where `TLS` stands for what becomes of it.
    pub(crate) fn ruled(&'static self, home: &Home, tls: Tls, rules: &str, script: &str) -> Output {
        let (word, set) = if tls == Tls::Splice { ("splice", OWNERS) } else { ("inspect", "") };
        let rules = rules.replace("TLS", word);
        let profile = format!(
            "version: 1\nextends: [offline]\nfilesystem: [{{ path: /mnt, access: ro }}]\n{set}network:\n  mode: filtered\n  allow:\n{rules}"
        );
        let profile = home.write("world.yaml", &profile);
        let script = format!("{SAY}\n{script}");
        let run = self.outside(home, binary().to_str().unwrap());
        run.args(&["exec", "--profile", profile.to_str().unwrap(), "--", "sh", "-c", &script]).output()
    }
}

/// Runs a command and prints a line: a name, then the last lines of what it said.
const SAY: &str = r#"say() { name=$1; shift; said=$(timeout 150 "$@" 2>&1 </dev/null | grep . | tail -n 4 | tr '\n' '|')
printf '%s: %s\n' "$name" "${said%|}"; }"#;

/// Where the Rust that built this lies.
pub(crate) fn rust() -> Option<String> {
    let mut compiler = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
    let mut compiler = spawn(compiler.args(["--print", "sysroot"]).stdout(Stdio::piped())).ok()?;
    let mut said = String::new();
    compiler.stdout.take()?.read_to_string(&mut said).ok()?;
    compiler.wait().ok()?;
    Some(said.trim().to_owned()).filter(|folder| Path::new(folder).join("bin/cargo").exists())
}

/// Runs a test as each user, with TLS passed on and read.
pub(crate) fn everywhere(body: impl Fn(&'static World, &Home, Tls)) {
    let Some(world) = World::get() else { return };
    for tls in [Tls::Splice, Tls::Inspect] {
        for_each_user(|home| {
            eprintln!("{tls:?}");
            body(world, &home, tls);
        });
    }
}

/// Whether all these programs are on this machine; if not, the test is skipped with the reason.
pub(crate) fn have(programs: &[&str]) -> bool {
    programs.iter().all(|program| has_program(program))
}

/// Runs a script everywhere with the usual rules, after `prepare`; what it says must be these lines, `name: text`.
pub(crate) fn says(prepare: impl Fn(&Home), script: &str, wanted: &str) {
    everywhere(|world, home, tls| {
        prepare(home);
        expect(&world.ruled(home, tls, RULES, script), wanted);
    });
}

/// Fails the test unless these lines were said.
#[track_caller]
pub(crate) fn expect(output: &Output, wanted: &str) {
    let lines = |text: &str| {
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    };
    let (said, wanted): (Vec<String>, Vec<String>) = (lines(&output.stdout()), lines(wanted));
    assert_eq!(said, wanted, "{}", output.stderr());
}
