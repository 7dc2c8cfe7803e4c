//! OTLP logs to a real collector, rotel, which writes what it got.

use crate::support::run::{PATIENCE, comes_true, spawn};
use crate::support::{for_each_user, skip};
use crate::world::World;
use std::collections::BTreeSet;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Rotel {
    child: Child,
    port: u16,
    out: PathBuf,
}

fn program() -> Option<PathBuf> {
    let tools = PathBuf::from(std::env::var_os("AISANDBOX_TEST_TOOLS")?);
    let versions = std::fs::read_dir(tools.join("python/lib")).ok()?.flatten();
    let mut places = versions.map(|entry| entry.path().join("site-packages/rotel/rotel-agent"));
    places.find(|place| place.exists())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Rotel {
    fn start(program: &Path, folder: &Path) -> Self {
        let (http, grpc) = (free_port(), free_port());
        let out = folder.join("rotel.log");
        let mut command = Command::new(program);
        command.arg("start").args([
            "--exporter",
            "blackhole",
            "--debug-log",
            "logs",
            "--debug-log-verbosity",
            "detailed",
        ]);
        command.args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")]);
        command.args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")]);
        command.env_clear().current_dir(folder).stdin(Stdio::null());
        command.stdout(File::create(&out).unwrap()).stderr(Stdio::null());
        let child = spawn(&mut command).unwrap();
        let started = Self { child, port: http, out };
        assert!(
            comes_true(PATIENCE, || TcpStream::connect(("127.0.0.1", http)).is_ok()),
            "rotel does not listen"
        );
        started
    }

    fn ids(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&std::fs::read(&self.out).unwrap()).into_owned();
        let ids = text.lines().filter_map(|line| line.trim().strip_prefix("-> log.record.uid: Str("));
        ids.map(|id| id.trim_end_matches(')').to_owned()).collect()
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_collector_of_opentelemetry_gets_every_event_as_a_log_record() {
    let Some(program) = program() else { return skip("rotel is not in AISANDBOX_TEST_TOOLS") };
    for_each_user(|home| {
        let world = World::new(home);
        let rotel = Rotel::start(&program, &world.certificates);
        let url = format!("http://127.0.0.1:{}/v1/logs", rotel.port);
        world.configure(&format!(
            "  - {{ name: otel, kind: otlp, url: \"{url}\", gzip: true, batch: {{ messages: 50 }} }}\n"
        ));
        let run = world.log(130, true);
        let out = world.forward(&["--once"]).output();
        assert!(out.expect_code(0).contains("it has all"), "{}", out.stderr());
        let wanted: BTreeSet<String> =
            (0..world.leaves(&run)).map(|index| format!("{run}:{index}")).collect();
        assert!(comes_true(PATIENCE, || rotel.ids().len() >= wanted.len()), "{} came", rotel.ids().len());
        assert_eq!(rotel.ids().into_iter().collect::<BTreeSet<_>>(), wanted);
        assert_eq!(rotel.ids().len(), wanted.len());
    });
}
