//! Role `notify`: asks by desktop notification (org.freedesktop.Notifications). The only file that names zbus.
//!
//! Never believes a signal of anybody but the server that showed the question, by its unique name on the bus. Never
//! offers a yes for something sensitive, and never more than a yes for once. Every call has an end.

use super::text::{alert_text, is_sensitive, lines};
use crate::base::{BootInstant, WallTime};
use crate::sys::{Errno, signal, socket};
use crate::wire::codec;
use crate::wire::consent::{Answer, Question, Show, Shown};
use crate::wire::session::AlertState;
use crate::wire::subject::Scope;
use std::collections::HashMap;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use zbus::Variant;
use zbus::export::futures_core::Stream;
use zbus::{Connection, Message, MessageStream};

/// The longest a call over the bus may take.
const CALL: Duration = Duration::from_secs(5);
/// An action within this time of the question's coming is a slip.
const ACTIONS_COUNT_AFTER: Duration = Duration::from_secs(1);
/// Columns of the text.
const WIDTH: usize = 60;
const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const BUS: &str = "org.freedesktop.DBus";

/// Serves until the socket closes; gives the exit code.
pub fn serve(guardian: OwnedFd) -> u8 {
    let mut asking = Asking { guardian, server: None, shown: None };
    while asking.turn().is_ok() {}
    0
}

struct Asking {
    guardian: OwnedFd,
    server: Option<Server>,
    shown: Option<OnScreen>,
}

/// The server that shows notifications now.
struct Server {
    bus: Connection,
    unique: String,
    markup: bool,
    events: PipeReader,
}

struct OnScreen {
    question: Question,
    nonce: String,
    number: u32,
    since: BootInstant,
}

/// What the server said, as it goes through the pipe: a notification's number and one byte.
const ALLOW: u8 = b'a';
const DENY: u8 = b'd';
const CLOSED: u8 = b'c';
const GONE: u8 = b'g';

impl Asking {
    /// One message of the Guardian or one event of the bus.
    fn turn(&mut self) -> Result<(), Errno> {
        let events = self.server.as_ref().map(|server| server.events.as_fd());
        let mut waits = [signal::wants_reading(Some(self.guardian.as_fd())), signal::wants_reading(events)];
        signal::poll(&mut waits, self.patience())?;
        let [guardian, events] = waits;
        if guardian.revents != 0 {
            let mut bytes = vec![0; codec::MOST_BYTES];
            let (length, _) = socket::receive(self.guardian.as_fd(), &mut bytes, true)?;
            if length == 0 {
                return Err(Errno::EPIPE);
            }
            let show = codec::decode(bytes.get(..length).unwrap_or_default()).map_err(|_| Errno::EBADMSG)?;
            self.hear(show)?;
        }
        if events.revents != 0 {
            self.event()?;
        }
        if self.shown.as_ref().is_some_and(|shown| shown.question.until <= WallTime::now().unix_seconds()) {
            self.unable_any_more("nobody answered in time")?;
        }
        Ok(())
    }

    fn patience(&self) -> i32 {
        let Some(shown) = &self.shown else { return -1 };
        let left = shown.question.until.saturating_sub(WallTime::now().unix_seconds()).saturating_add(1);
        i32::try_from(left.saturating_mul(1000)).unwrap_or(i32::MAX)
    }

    fn hear(&mut self, show: Show) -> Result<(), Errno> {
        match show {
            Show::Ask { question, .. } if self.shown.is_some() => {
                self.say(&Shown::Unable { id: question.id, why: "another question is shown".into() })
            }
            Show::Ask { question, nonce } => self.ask(*question, nonce),
            Show::Withdraw { id } if self.shown.as_ref().is_some_and(|shown| shown.question.id == id) => {
                self.close();
                Ok(())
            }
            Show::Withdraw { .. } => Ok(()),
            Show::Alert { alert } => {
                self.alert(&alert);
                Ok(())
            }
        }
    }

    fn ask(&mut self, question: Question, nonce: String) -> Result<(), Errno> {
        let id = question.id.clone();
        match self.show(&question) {
            Ok(number) => {
                self.shown = Some(OnScreen { question, nonce, number, since: BootInstant::now() });
                self.say(&Shown::Visible { id })
            }
            Err(why) => {
                self.server = None;
                self.say(&Shown::Unable { id, why })
            }
        }
    }

    fn show(&mut self, question: &Question) -> Result<u32, String> {
        if self.server.is_none() {
            self.server = Some(Server::find()?);
        }
        let Some(server) = &self.server else { return Err("there is no notification service".into()) };
        let (body, actions) = (body(question, server.markup), actions(question));
        let summary = format!("aisandbox asks: {}", super::plain(&question.id));
        let hints = HashMap::from([("urgency", Variant::U8(2))]);
        let arguments = ("aisandbox", 0u32, "", summary, body, actions, hints, 0i32);
        let reply = server.call("Notify", &arguments)?;
        reply.body().deserialize::<u32>().map_err(|error| said(&error))
    }

    /// Tells what a rule found. Nothing comes back, and what cannot be shown is in the record.
    fn alert(&mut self, alert: &AlertState) {
        if self.server.is_none() {
            self.server = Server::find().ok();
        }
        let Some(server) = &self.server else { return };
        let summary = format!("aisandbox: alert {}", super::plain(&alert.id));
        let text = marked(alert_text(alert), server.markup);
        let hints = HashMap::from([("urgency", Variant::U8(2))]);
        let arguments = ("aisandbox", 0u32, "", summary, text, Vec::<&str>::new(), hints, 0i32);
        if let Err(why) = server.call("Notify", &arguments) {
            tracing::debug!("an alert is not shown: {why}");
            // A question that is shown is answered by this server.
            if self.shown.is_none() {
                self.server = None;
            }
        }
    }

    fn event(&mut self) -> Result<(), Errno> {
        let mut event = [0; 5];
        let read = self.server.as_mut().map(|server| server.events.read_exact(&mut event));
        let [number @ .., what] = event;
        if !matches!(read, Some(Ok(()))) || what == GONE {
            self.server = None;
            return self.unable_any_more("the notification service is gone");
        }
        let number = u32::from_be_bytes(number);
        let Some(shown) = self.shown.as_ref().filter(|shown| shown.number == number) else { return Ok(()) };
        let slip = shown.since.elapsed() < ACTIONS_COUNT_AFTER;
        match what {
            ALLOW if slip || is_sensitive(&shown.question) => Ok(()),
            ALLOW => self.answer(Answer::Allow { scope: Scope::Once {} }),
            _ => self.answer(Answer::Deny {}),
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Errno> {
        let Some((id, nonce, since)) =
            self.shown.as_ref().map(|shown| (shown.question.id.clone(), shown.nonce.clone(), shown.since))
        else {
            return Ok(());
        };
        self.close();
        let after_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.say(&Shown::Answered { id, nonce, answer, after_ms })
    }

    fn unable_any_more(&mut self, why: &str) -> Result<(), Errno> {
        let Some(id) = self.shown.as_ref().map(|shown| shown.question.id.clone()) else { return Ok(()) };
        self.close();
        self.say(&Shown::Unable { id, why: why.into() })
    }

    /// Takes the notification away, if it is still there.
    fn close(&mut self) {
        if let (Some(shown), Some(server)) = (self.shown.take(), &self.server)
            && let Err(why) = server.call("CloseNotification", &shown.number)
        {
            tracing::debug!("close a notification: {why}");
        }
    }

    fn say(&self, shown: &Shown) -> Result<(), Errno> {
        let bytes = codec::encode(shown).map_err(|_| Errno::EMSGSIZE)?;
        socket::send(self.guardian.as_fd(), &bytes, None, true)
    }
}

impl Server {
    /// The server of the session bus that has actions.
    fn find() -> Result<Self, String> {
        let bus = wait_for(zbus::connection::Builder::session().method_timeout(CALL).build())
            .map_err(|error| said(&error))?;
        let none = || wait_for(bus.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &()));
        let reply = none().map_err(|error| said(&error))?;
        let able: Vec<String> = reply.body().deserialize().map_err(|error| said(&error))?;
        if !able.iter().any(|ability| ability == "actions") {
            return Err("the notification service has no actions".into());
        }
        let unique = reply.header().sender().map(ToString::to_string).ok_or("a reply of nobody")?;
        let rules = [
            format!("type='signal',sender='{unique}',interface='{NAME}',path='{PATH}'"),
            format!(
                "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{unique}'"
            ),
        ];
        let stream = MessageStream::from(&bus);
        for rule in rules {
            wait_for(bus.call_method(Some(BUS), "/org/freedesktop/DBus", Some(BUS), "AddMatch", &rule))
                .map_err(|error| said(&error))?;
        }
        let (events, writer) = std::io::pipe().map_err(|error| error.to_string())?;
        let server = unique.clone();
        let listen = move || listen(stream, &server, writer);
        std::thread::Builder::new().spawn(listen).map_err(|error| error.to_string())?;
        Ok(Self { bus, unique, markup: able.iter().any(|ability| ability == "body-markup"), events })
    }

    fn call<B: serde::Serialize + zbus::zvariant::DynamicType>(
        &self,
        method: &str,
        body: &B,
    ) -> Result<Message, String> {
        wait_for(self.bus.call_method(Some(self.unique.as_str()), PATH, Some(NAME), method, body))
            .map_err(|error| said(&error))
    }
}

/// Passes on what the server says until the bus or the reader is gone.
fn listen(mut stream: MessageStream, server: &str, mut events: PipeWriter) {
    while let Some(Ok(message)) =
        wait_for(std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context)))
    {
        if let Some((number, what)) = event(&message, server) {
            let [a, b, c, d] = number.to_be_bytes();
            if events.write_all(&[a, b, c, d, what]).is_err() {
                return;
            }
        }
    }
}

/// What a message means; nothing when it is not a signal of this server, or of the bus about it.
fn event(message: &Message, server: &str) -> Option<(u32, u8)> {
    let header = message.header();
    if message.message_type() != zbus::message::Type::Signal {
        return None;
    }
    let sender = header.sender()?.as_str();
    let (interface, member) = (header.interface()?.as_str(), header.member()?.as_str());
    match (sender, interface, member) {
        (BUS, BUS, "NameOwnerChanged") => {
            let (name, _, new) = message.body().deserialize::<(String, String, String)>().ok()?;
            (name == server && new.is_empty()).then_some((0, GONE))
        }
        (_, NAME, "ActionInvoked") if sender == server => {
            let (number, action) = message.body().deserialize::<(u32, String)>().ok()?;
            Some((number, if action == "allow" { ALLOW } else { DENY }))
        }
        (_, NAME, "NotificationClosed") if sender == server => {
            let (number, _) = message.body().deserialize::<(u32, u32)>().ok()?;
            Some((number, CLOSED))
        }
        _ => None,
    }
}

/// Names and labels of the buttons. None is called `default`, which a click anywhere would mean.
fn actions(question: &Question) -> Vec<&'static str> {
    let deny = ["deny", "Deny"];
    let allow = ["allow", "Allow once"];
    if is_sensitive(question) { deny.to_vec() } else { [allow, deny].concat() }
}

/// The question as the text of a notification. Where the server reads markup, none of it is the agent's.
fn body(question: &Question, markup: bool) -> String {
    let mut text: Vec<String> = lines(question, WIDTH, WallTime::now().unix_seconds())
        .into_iter()
        .skip(1)
        .map(|line| line.text)
        .collect();
    if is_sensitive(question) {
        let id = super::plain(&question.id);
        text.push(format!(" To allow it: aisandbox ui, or aisandbox approve {id}"));
    }
    marked(text.join("\n"), markup)
}

/// A text for a server that may take it for markup.
fn marked(text: String, markup: bool) -> String {
    if markup { text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") } else { text }
}

fn said(error: &zbus::Error) -> String {
    super::plain(&format!("the session bus: {error}"))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread.
fn wait_for<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::text::tests::question;

    #[test]
    fn markup_and_line_ends_of_an_agent_are_text() {
        let mut asked = question();
        asked.why = Some("<b>bold</b> & <a href=\"x\">y</a>\n\u{202e}gpj".into());
        let body = body(&asked, true);
        assert!(!body.contains("<") && body.contains("&lt;b&gt;bold&lt;/b&gt; &amp;"), "{body}");
        assert!(body.contains("\\n\\u{202e}gpj"), "{body}");
        assert!(super::body(&asked, false).contains("<b>bold</b> &"));
    }

    #[test]
    fn something_sensitive_has_no_button_for_yes() {
        let mut asked = question();
        assert_eq!(actions(&asked), ["allow", "Allow once", "deny", "Deny"]);
        asked.object.as_mut().unwrap().label = "keys".into();
        assert_eq!(actions(&asked), ["deny", "Deny"]);
        assert!(body(&asked, true).contains("aisandbox approve 8F3K-2"));
    }
}
