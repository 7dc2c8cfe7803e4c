//! A home with logs and a file of sinks.

use crate::certificates::Authority;
use crate::support::run::Run;
use crate::support::{Home, binary};
use aisandbox::audit::event::{Event, LaunchFailure};
use aisandbox::audit::{Log, SharedLog, new_run_id};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// What people and agents put into fields.
pub(crate) const HOSTILE: [&str; 6] =
    ["a\nb\r\nc", "x|y=z\\", "\u{1b}]0;owned\u{7}", "\u{202e}evil", "<script>\"'&", "]\"\\ é \u{0}"];

pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) certificates: PathBuf,
}

impl World {
    pub(crate) fn new(home: Home) -> Self {
        let certificates = home.make_folder("certificates");
        let authority = Authority::new(&certificates, "ca");
        authority.sign("server", &["localhost", "127.0.0.1"]);
        authority.sign("client", &["client"]);
        let other = Authority::new(&certificates, "other");
        other.sign("stranger", &["client"]);
        let world = Self { home, certificates };
        world.give(&world.certificates);
        world
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.join(".local/state/aisandbox")
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.state().join("runs")
    }

    /// A log with as many events, and as the launcher leaves it: sealed, or killed. Its run.
    pub(crate) fn log(&self, events: usize, sealed: bool) -> String {
        self.log_of(
            (0..events).map(|number| format!("event {number} {}", HOSTILE[number % HOSTILE.len()])),
            sealed,
        )
    }

    pub(crate) fn log_of(&self, events: impl Iterator<Item = String>, sealed: bool) -> String {
        self.home.make_folder(".local/state/aisandbox");
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(self.state(), private).unwrap();
        let run = new_run_id().unwrap();
        self.give_to(&self.state(), nix::unistd::getuid().as_raw());
        let log = SharedLog::new(Log::create(&self.runs(), run).unwrap());
        // Its thread would hold a log that is not sealed for as long as this process lives.
        if sealed {
            log.start_thread(false).unwrap();
        }
        for (number, message) in events.enumerate() {
            let event = LaunchFailure { stage: "plan".into(), message, errno: None };
            log.note(&Event::LaunchFailure(event)).unwrap();
            // Behind a change in the middle there is a whole block, however fast the thread is.
            if number % 50 == 49 {
                log.sync().unwrap();
            }
        }
        if sealed {
            log.seal().unwrap()
        } else {
            log.sync().unwrap()
        }
        self.give(&self.state());
        run.to_string()
    }

    /// Gives the files of a log a time long ago, as those of a run have that was killed then.
    pub(crate) fn age(&self, run: &str) {
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        for entry in std::fs::read_dir(self.runs().join(run)).unwrap() {
            let file = std::fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
            file.set_modified(long_ago).unwrap();
        }
    }

    /// How many leaves a log has.
    pub(crate) fn leaves(&self, run: &str) -> u64 {
        aisandbox::audit::log::verify(&self.runs().join(run)).unwrap().leaves
    }

    /// Everything below becomes the user's, who will read it.
    pub(crate) fn give(&self, path: &Path) {
        self.give_to(path, self.home.user.uid);
    }

    fn give_to(&self, path: &Path, uid: u32) {
        if !self.home.user.become_it {
            return;
        }
        chown(path, Some(uid), Some(uid)).unwrap();
        if std::fs::symlink_metadata(path).unwrap().is_dir() {
            std::fs::read_dir(path).unwrap().for_each(|entry| self.give_to(&entry.unwrap().path(), uid));
        }
    }

    /// Writes the file of sinks: the lines below `sinks:`.
    pub(crate) fn configure(&self, sinks: &str) {
        self.home.write(".config/aisandbox/forward.yaml", &format!("version: 1\nsinks:\n{sinks}"));
    }

    /// A sink by syslog, as YAML.
    pub(crate) fn syslog(&self, name: &str, port: u16, own: &str, more: &str) -> String {
        let at = |file: &str| self.certificates.join(file).display().to_string();
        format!(
            "  - name: {name}\n    kind: syslog\n    to: localhost:{port}\n    timeout: 5s\n    tls: {{ ca: {}, certificate: {}, key: {} }}\n{more}",
            at("ca.pem"),
            at(&format!("{own}.pem")),
            at(&format!("{own}.key")),
        )
    }

    pub(crate) fn forward(&self, args: &[&str]) -> Run {
        Run::new(binary(), &self.home).args(&["audit", "forward"]).args(args)
    }
}
