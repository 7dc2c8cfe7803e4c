//! Role `notify`, the real binary under its own confinement, on a session bus of the test with a notification service
//! of the test: what is shown, who may answer, and every way that is no answer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use aisandbox::sys::socket;
use aisandbox::wire::codec;
use aisandbox::wire::consent::{Answer, Object, Question, Show, Shown};
use aisandbox::wire::subject::{Action, Asker, Resource, Scope};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::pin::{Pin, pin};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::run::PATIENCE;
use zbus::export::futures_core::Stream;
use zbus::{Connection, MessageStream};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// A little more than the time in which a click does not count.
const MOMENT: Duration = Duration::from_millis(1200);

/// A process that is ended by its pid.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait_for<F: Future>(future: F) -> F::Output {
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A session bus.
struct Bus {
    address: String,
    _daemon: Ended,
}

impl Bus {
    fn start() -> Option<Self> {
        if !support::has_program("dbus-daemon") {
            return None;
        }
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { address: address.trim().into(), _daemon: Ended(daemon) })
    }

    fn connect(&self) -> Connection {
        wait_for(zbus::connection::Builder::address(self.address.as_str()).build()).unwrap()
    }
}

/// What the service was asked to show: body and actions. Each is shown as the number 7.
type Notified = (String, Vec<String>);

/// A notification service of the test.
struct Service {
    bus: Arc<Mutex<Option<Connection>>>,
    notified: Receiver<Notified>,
}

impl Service {
    fn start(bus: &Bus, abilities: &'static [&'static str]) -> Self {
        let connection = bus.connect();
        let mut stream = MessageStream::from(&connection);
        wait_for(connection.request_name(NAME)).unwrap();
        let (told, notified) = channel();
        let shared = Arc::new(Mutex::new(Some(connection)));
        let mine = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Some(Ok(message)) =
                wait_for(std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context)))
            {
                let header = message.header();
                let Some(connection) = mine.lock().unwrap().clone() else { return };
                match header.member().map(|member| member.as_str().to_owned()).as_deref() {
                    Some("GetCapabilities") => wait_for(connection.reply(&header, &abilities)).unwrap(),
                    Some("Notify") => {
                        type Arguments = (
                            String,
                            u32,
                            String,
                            String,
                            String,
                            Vec<String>,
                            HashMap<String, zbus::OwnedVariant>,
                            i32,
                        );
                        let body = message.body();
                        let all: Arguments = body.deserialize().unwrap();
                        wait_for(connection.reply(&header, &7u32)).unwrap();
                        drop(told.send((all.4, all.5)));
                    }
                    Some("CloseNotification") => wait_for(connection.reply(&header, &())).unwrap(),
                    _ => {}
                }
            }
        });
        Self { bus: shared, notified }
    }

    fn notified(&self) -> Notified {
        self.notified.recv_timeout(PATIENCE).unwrap()
    }

    fn invokes(&self, action: &str) {
        let connection = self.bus.lock().unwrap().clone().unwrap();
        invoke(&connection, action);
    }

    fn dismisses(&self) {
        let connection = self.bus.lock().unwrap().clone().unwrap();
        wait_for(connection.emit_signal(None::<&str>, PATH, NAME, "NotificationClosed", &(7u32, 2u32)))
            .unwrap();
    }

    fn dies(&self) {
        let connection = self.bus.lock().unwrap().take().unwrap();
        wait_for(connection.close()).unwrap();
    }
}

fn invoke(connection: &Connection, action: &str) {
    wait_for(connection.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &(7u32, action))).unwrap();
}

/// The role, and the Guardian's end of its socket.
struct Asked {
    socket: OwnedFd,
    _role: Ended,
}

impl Asked {
    fn start(address: &str) -> Self {
        let (ours, theirs) = socket::message_pair().unwrap();
        let number = theirs.as_raw_fd();
        let mut role = Command::new(support::binary());
        role.args(["__role", "notify"]).env_clear().env("DBUS_SESSION_BUS_ADDRESS", address);
        let place = move || {
            // SAFETY: two integers; the child is about to exec and owns nothing under number 3.
            nix::errno::Errno::result(unsafe { libc::dup2(number, 3) })?;
            Ok(())
        };
        // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
        unsafe { role.pre_exec(place) };
        Self { socket: ours, _role: Ended(role.spawn().unwrap()) }
    }

    fn ask(&self, label: &str, seconds: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let question = Box::new(Question {
            id: "8F3K-1".into(),
            run: "01TEST".into(),
            profile: "test".into(),
            chain: Vec::new(),
            asker: Asker::default(),
            actions: vec![Action::Read],
            resource: Resource::File { path: "/x".into() },
            object: Some(Object {
                path: "/home/u/<b>x</b>".into(),
                kind: "file".into(),
                size: None,
                label: label.into(),
                sha256: None,
            }),
            why: Some("new\nline \u{202e}turned & <i>so</i>".into()),
            upload: None,
            lease_s: None,
            asked_at: now,
            until: now + seconds,
            policy: None,
        });
        self.show(&Show::Ask { question, nonce: "nonce".into() });
    }

    fn show(&self, show: &Show) {
        socket::send(self.socket.as_fd(), &codec::encode(show).unwrap(), None, true).unwrap();
    }

    fn hear_within(&self, most: Duration) -> Option<Shown> {
        let mut waiting = [nix::poll::PollFd::new(self.socket.as_fd(), nix::poll::PollFlags::POLLIN)];
        let most = nix::poll::PollTimeout::try_from(most).unwrap();
        if nix::poll::poll(&mut waiting, most).unwrap() == 0 {
            return None;
        }
        let mut bytes = vec![0; codec::MOST_BYTES];
        let (length, _) = socket::receive(self.socket.as_fd(), &mut bytes, false).unwrap();
        assert!(length > 0, "the role ended");
        Some(codec::decode(&bytes[..length]).unwrap())
    }

    #[track_caller]
    fn hear(&self) -> Shown {
        self.hear_within(PATIENCE).unwrap_or_else(|| panic!("nothing was said"))
    }

    #[track_caller]
    fn hear_visible(&self) {
        assert_eq!(self.hear(), Shown::Visible { id: "8F3K-1".into() });
    }

    #[track_caller]
    fn hear_answer(&self) -> Answer {
        match self.hear() {
            Shown::Answered { answer, nonce, .. } if nonce == "nonce" => answer,
            other => panic!("no answer: {other:?}"),
        }
    }
}

const ABLE: &[&str] = &["actions", "body", "body-markup"];

#[test]
fn the_button_is_a_yes_for_once_and_the_text_is_only_text() {
    let Some(bus) = Bus::start() else { return };
    let (service, asked) = (Service::start(&bus, ABLE), Asked::start(&bus.address));
    asked.ask("", 600);
    let (body, actions) = service.notified();
    asked.hear_visible();
    assert_eq!(actions, ["allow", "Allow once", "deny", "Deny"]);
    assert!(
        body.contains("/home/u/&lt;b&gt;x&lt;/b&gt;") && !body.contains('<') && !body.contains('\u{202e}'),
        "{body}"
    );
    sleep(MOMENT);
    service.invokes("allow");
    assert_eq!(asked.hear_answer(), Answer::Allow { scope: Scope::Once {} });
    asked.ask("", 600);
    asked.hear_visible();
    service.invokes("deny");
    assert_eq!(asked.hear_answer(), Answer::Deny {});
}

#[test]
fn a_signal_of_another_client_and_a_click_at_once_are_no_yes() {
    let Some(bus) = Bus::start() else { return };
    let (service, asked) = (Service::start(&bus, ABLE), Asked::start(&bus.address));
    asked.ask("", 600);
    asked.hear_visible();
    // From the first second on: what counts at last was not clicked in it.
    let said = loop {
        service.invokes("allow");
        if let Some(said) = asked.hear_within(Duration::from_millis(50)) {
            break said;
        }
    };
    let Shown::Answered { answer, after_ms, .. } = said else { panic!("{said:?}") };
    assert_eq!(answer, Answer::Allow { scope: Scope::Once {} });
    assert!(after_ms >= 1000, "{after_ms}");
    asked.ask("", 600);
    asked.hear_visible();
    sleep(MOMENT);
    let forger = bus.connect();
    for action in ["allow", "deny"] {
        invoke(&forger, action);
    }
    assert_eq!(asked.hear_within(MOMENT), None);
    service.invokes("allow"); // the control
    assert_eq!(asked.hear_answer(), Answer::Allow { scope: Scope::Once {} });
}

#[test]
fn a_dismissal_and_an_unknown_action_are_no() {
    let Some(bus) = Bus::start() else { return };
    let (service, asked) = (Service::start(&bus, ABLE), Asked::start(&bus.address));
    asked.ask("", 600);
    asked.hear_visible();
    service.dismisses();
    assert_eq!(asked.hear_answer(), Answer::Deny {});
    asked.ask("", 600);
    asked.hear_visible();
    sleep(MOMENT);
    service.invokes("default");
    assert_eq!(asked.hear_answer(), Answer::Deny {});
}

#[test]
fn something_sensitive_cannot_be_allowed_by_a_button() {
    let Some(bus) = Bus::start() else { return };
    let (service, asked) = (Service::start(&bus, ABLE), Asked::start(&bus.address));
    asked.ask("keys", 600);
    let (body, actions) = service.notified();
    asked.hear_visible();
    assert_eq!(actions, ["deny", "Deny"]);
    assert!(body.contains("aisandbox approve 8F3K-1"), "{body}");
    sleep(MOMENT);
    service.invokes("allow");
    assert_eq!(asked.hear_within(MOMENT), None);
}

#[test]
fn where_nothing_can_be_shown_it_says_so() {
    let Some(bus) = Bus::start() else { return };
    let unable = |asked: &Asked, word: &str| {
        let said = asked.hear();
        assert!(matches!(&said, Shown::Unable { why, .. } if why.contains(word)), "{said:?}");
    };
    let nobody = Asked::start(&bus.address);
    nobody.ask("", 600);
    unable(&nobody, "session bus"); // nobody has the name
    let no_bus = Asked::start("unix:path=/no/such/bus");
    no_bus.ask("", 600);
    unable(&no_bus, "session bus");
    let _service = Service::start(&bus, &["body"]);
    let asked = Asked::start(&bus.address);
    asked.ask("", 600);
    unable(&asked, "no actions");
}

#[test]
fn a_service_that_dies_and_time_that_is_over_are_no_answer() {
    let Some(bus) = Bus::start() else { return };
    let (service, asked) = (Service::start(&bus, ABLE), Asked::start(&bus.address));
    asked.ask("", 3);
    let said = match asked.hear() {
        Shown::Visible { .. } => asked.hear(),
        other => other, // it took so long to show it
    };
    assert!(matches!(&said, Shown::Unable { why, .. } if why.contains("in time")), "{said:?}");
    asked.ask("", 600);
    asked.hear_visible();
    service.dies();
    let said = asked.hear();
    assert!(matches!(&said, Shown::Unable { why, .. } if why.contains("gone")), "{said:?}");
    let _again = Service::start(&bus, ABLE);
    asked.ask("", 600);
    asked.hear_visible();
    asked.show(&Show::Withdraw { id: "8F3K-1".into() });
    assert_eq!(asked.hear_within(Duration::from_millis(500)), None);
}
