//! The same events into journald with forward secure sealing, on the same disk: `append` beside what is usual.
//!
//! Starts a journald of its own in mounts of its own, as root; says why it does not where that cannot be.

use crate::place::Place;
use crate::turns;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// `$1` is a folder of ours. After `ready` each line on stdin gets a line: how many events are stored.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs run /run
mkdir -p /run/systemd/journal /run/log "$1/log"
mount --bind "$1/log" /var/log
mkdir -p "/var/log/journal/$(cat /etc/machine-id)"
touch /run/systemd/journal/flushed
printf '[Journal]\nStorage=persistent\nSeal=yes\nRateLimitBurst=0\nSystemMaxUse=4G\n' > /run/journald.conf
mount --bind /run/journald.conf /etc/systemd/journald.conf
journalctl --setup-keys --interval=10s >/dev/null 2>&1
/usr/lib/systemd/systemd-journald >/dev/null 2>&1 &
daemon=$!
trap 'kill $daemon' EXIT
while ! [ -S /run/systemd/journal/socket ]; do sleep 0.05; done
echo ready
while read -r _; do
    ticks=$(awk '{ print $14 + $15 }' /proc/$daemon/stat)
    echo "$(journalctl -q AIS=1 -o cat | wc -l) $ticks"
done
"#;

struct Journald {
    shell: Child,
    ask: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Journald {
    fn start(place: &Place) -> Option<Self> {
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "sh", "-c", SCRIPT, "sh"]).arg(place.path());
        let mut shell = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let (ask, said) = (shell.stdin.take(), BufReader::new(shell.stdout.take()?));
        let mut journald = Self { shell, ask, said };
        (journald.line().as_deref() == Some("ready")).then_some(journald)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.said.read_line(&mut line).ok()? > 0).then(|| line.trim().to_owned())
    }

    /// Events stored, and processor time taken.
    fn stored(&mut self) -> (usize, Duration) {
        self.ask.as_mut().unwrap().write_all(b"\n").unwrap();
        let line = self.line().unwrap();
        let (events, ticks) = line.split_once(' ').unwrap();
        (events.parse().unwrap(), Duration::from_millis(ticks.parse::<u64>().unwrap() * 10))
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        self.ask = None; // the shell reads its end, and ends journald
        self.shell.wait().unwrap();
    }
}

pub(crate) fn run() {
    let place = Place::new();
    let there = std::path::Path::new("/usr/lib/systemd/systemd-journald").exists();
    let is_root = nix::unistd::geteuid().is_root();
    let Some(mut journald) = (there && is_root).then(|| Journald::start(&place)).flatten() else {
        return println!("not measured: it takes root, unshare and a journald that can start");
    };
    let root = format!("/proc/{}/root", journald.shell.id());
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(format!("{root}/run/systemd/journal/socket")).unwrap();
    let events = turns(50_000, 500);
    let (_, before) = journald.stored();
    let begun = Instant::now();
    for number in 0..events {
        let text = format!("MESSAGE={number:08}{}\nAIS=1\n", "x".repeat(432));
        socket.send(text.as_bytes()).unwrap();
    }
    let sent = begun.elapsed();
    let stored = loop {
        let (stored, used) = journald.stored();
        if stored >= events || begun.elapsed() > Duration::from_secs(120) {
            println!(
                "journald took {:.1} us of CPU an event",
                (used - before).as_secs_f64() * 1e6 / stored as f64
            );
            break stored;
        }
    };
    println!(
        "journald with sealing took {:.0} events of 440 bytes a second ({stored} of {events} stored, none waited for the disk)",
        events as f64 / sent.as_secs_f64()
    );
}
