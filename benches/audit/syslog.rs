//! How many events a second reach a real rsyslogd over mTLS, every one of them counted.

use crate::certificates::Authority;
use crate::place::{Place, cpu, event};
use crate::turns;
use aisandbox::audit::log::SharedLog;
use aisandbox::sink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

pub(crate) fn run() {
    if !Path::new(RSYSLOGD).exists() {
        return println!("rsyslogd is not on this machine");
    }
    let events = turns(1_000_000, 5_000);
    let place = Place::new();
    let (_, log) = place.begin();
    let log = SharedLog::new(log);
    log.start_thread(true).unwrap();
    let event = event(1);
    (0..events).for_each(|_| log.note(&event).unwrap());
    log.seal().unwrap();
    for format in ["jsonl", "cef"] {
        forward(&place, format);
    }
}

fn forward(place: &Place, format: &str) {
    let folder = place.path().join(format);
    std::fs::create_dir(&folder).unwrap();
    let authority = Authority::new(&folder, "ca");
    authority.sign("server", &["localhost"]);
    authority.sign("client", &["client"]);
    let (receiver, port) = Receiver::start(&folder);
    let at = |name: &str| folder.join(name).display().to_string();
    let file = folder.join("forward.yaml");
    let text = format!(
        "version: 1\nsinks:\n  - {{ name: siem, kind: syslog, to: \"localhost:{port}\", format: {format}, tls: {{ ca: {}, certificate: {}, key: {} }} }}\n",
        at("ca.pem"),
        at("client.pem"),
        at("client.key"),
    );
    std::fs::write(&file, text).unwrap();
    let config = sink::load(&file).unwrap();
    let work = sink::open(&config, &folder.join("cursors"), &place.path().join("runs")).unwrap();
    let (begun, before) = (Instant::now(), cpu());
    let ended = work.run(Some(Duration::from_secs(60)), &|told| println!("{told}"));
    let (sent, used) = (begun.elapsed(), cpu() - before);
    assert!(ended[0].all, "{ended:?}");
    let messages = ended[0].sent;
    let received = receiver.wait_for(messages);
    let took = begun.elapsed();
    assert!(received.iter().copied().eq(1..=messages), "a message is missing, or came twice");
    let rate = |time: Duration| messages as f64 / time.as_secs_f64();
    println!(
        "{format}: {:.0} messages a second until rsyslogd wrote the last of {messages}, each once (50,000 must, 100,000 aim); {:.0} sent; {:.2} us of our CPU each",
        rate(took),
        rate(sent),
        used.as_secs_f64() * 1e6 / messages as f64,
    );
}

/// An rsyslogd that keeps the number of each message.
struct Receiver {
    child: Child,
    out: PathBuf,
}

impl Receiver {
    fn start(folder: &Path) -> (Self, u16) {
        let shown = |name: &str| folder.join(name).display().to_string();
        let text = format!(
            r#"global(workDirectory="{}" maxMessageSize="64k"
  defaultNetstreamDriverCAFile="{}" defaultNetstreamDriverCertFile="{}" defaultNetstreamDriverKeyFile="{}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client"])
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{}")
template(name="line" type="string" string="%structured-data%\n")
main_queue(queue.size="200000" queue.dequeueBatchSize="4096")
*.* action(type="omfile" file="{}" template="line" ioBufferSize="256k" flushOnTXEnd="on")
"#,
            folder.display(),
            shown("ca.pem"),
            shown("server.pem"),
            shown("server.key"),
            shown("port"),
            shown("received"),
        );
        std::fs::write(folder.join("rsyslog.conf"), text).unwrap();
        let mut command = Command::new(RSYSLOGD);
        command
            .arg("-n")
            .arg("-f")
            .arg(folder.join("rsyslog.conf"))
            .arg("-i")
            .arg(folder.join("rsyslog.pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Self { child: command.spawn().unwrap(), out: folder.join("received") };
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let port =
                std::fs::read_to_string(folder.join("port")).ok().and_then(|text| text.trim().parse().ok());
            if let Some(port) = port {
                return (started, port);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("rsyslogd does not listen");
    }

    /// The numbers of all messages, in the order they came.
    fn wait_for(&self, count: u64) -> Vec<u64> {
        let end = Instant::now() + Duration::from_secs(180);
        // The last one is written last; the whole is read once.
        let last = format!("\"{count}\"]\n");
        loop {
            let text = std::fs::read_to_string(&self.out).unwrap_or_default();
            if text.ends_with(&last) || Instant::now() > end {
                let number = |line: &str| line.split('"').nth(1).unwrap().parse().unwrap();
                return text.lines().map(number).collect();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
