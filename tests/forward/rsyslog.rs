//! A real rsyslogd with mTLS on loopback, which writes what it got as lines of JSON.

use crate::support::run::{PATIENCE, spawn};
use crate::support::{for_each_user, has_program};
use crate::world::World;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A receiver; it ends with the test.
pub(crate) struct Rsyslog {
    child: Child,
    pub(crate) port: u16,
    out: PathBuf,
}

/// A message as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) text: String,
    pub(crate) sequence: u64,
    pub(crate) name: String,
}

/// For each user a home with logs, and a receiver; nothing where there is no rsyslogd.
pub(crate) fn with_rsyslog(body: impl Fn(World, Rsyslog)) {
    if !has_program("rsyslogd") {
        return;
    }
    for_each_user(|home| {
        let world = World::new(home);
        let receiver = Rsyslog::start(&world.certificates, 0);
        body(world, receiver);
    });
}

impl Rsyslog {
    /// Starts it with the certificates `ca.pem`, `server.pem` of a folder; only `client` may send. With a port, on that.
    pub(crate) fn start(folder: &Path, port: u16) -> Self {
        let (at, out) = (folder.join("port"), folder.join("received"));
        drop(std::fs::remove_file(&at));
        let shown = |name: &str| folder.join(name).display().to_string();
        let text = format!(
            r#"global(workDirectory="{}" maxMessageSize="64k"
  defaultNetstreamDriverCAFile="{}" defaultNetstreamDriverCertFile="{}" defaultNetstreamDriverKeyFile="{}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client"])
input(type="imtcp" address="127.0.0.1" port="{port}" listenPortFileName="{}")
template(name="line" type="list" option.jsonf="on") {{
  property(outname="text" name="msg" format="jsonf") property(outname="sd" name="structured-data" format="jsonf")
  property(outname="name" name="msgid" format="jsonf") property(outname="app" name="app-name" format="jsonf") }}
*.* action(type="omfile" file="{}" template="line")
"#,
            folder.display(),
            shown("ca.pem"),
            shown("server.pem"),
            shown("server.key"),
            at.display(),
            out.display(),
        );
        std::fs::write(folder.join("rsyslog.conf"), text).unwrap();
        let mut command = Command::new("/usr/sbin/rsyslogd");
        command
            .arg("-n")
            .arg("-f")
            .arg(folder.join("rsyslog.conf"))
            .arg("-i")
            .arg(folder.join("rsyslog.pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = spawn(&mut command).unwrap();
        let mut started = Self { child, port, out };
        let end = Instant::now() + PATIENCE;
        loop {
            // It says the port only where it chose one.
            let told = std::fs::read_to_string(&at).ok().and_then(|text| text.trim().parse().ok());
            let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
            if let Some(port) = if port == 0 { told } else { Some(port).filter(|_| listens()) } {
                started.port = port;
                return started;
            }
            assert!(started.child.try_wait().unwrap().is_none(), "rsyslogd ended");
            assert!(Instant::now() < end, "rsyslogd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until as many messages came, and gives all.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Received> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.received();
            if found.len() >= count {
                return found;
            }
            assert!(Instant::now() < end, "{} of {count} messages came", found.len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All that came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        let text = std::fs::read_to_string(&self.out).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(received).collect()
    }
}

fn received(line: &str) -> Received {
    let value: serde_json::Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    assert_eq!(text("app"), "aisandbox");
    let sd = text("sd");
    let sequence = sd.strip_prefix("[meta sequenceId=\"").and_then(|rest| rest.strip_suffix("\"]"));
    Received { text: text("text"), name: text("name"), sequence: sequence.unwrap().parse().unwrap() }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
