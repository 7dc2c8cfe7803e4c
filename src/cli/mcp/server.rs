//! The server's side of the Model Context Protocol, without input and output: messages in, answers and calls out.
//!
//! Never waits: a call that a person thinks about is kept by its ticket, and everything else is answered meanwhile.

use super::rpc::{INVALID, Message, NO_METHOD, PARAMS, error, result};
use super::tools::{self, Called};
use crate::base::BootInstant;
use crate::cli::request::Answer;
use crate::wire::broker::Op;
use crate::wire::limit::MOST_CALLS;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Versions of the protocol, newest first. A client that wants another one is offered the newest.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The one version that has batches.
const WITH_BATCHES: &str = "2025-03-26";
/// The first version with structured results.
const STRUCTURED_SINCE: &str = "2025-06-18";

/// What is to be done.
#[derive(Debug)]
pub(super) enum Turn {
    /// Write this line.
    Say(Value),
    /// Ask the Guardian; the answer belongs to the ticket.
    Ask(u64, Op),
}

/// A call that waits for its answer.
#[derive(Debug)]
struct Open {
    ticket: u64,
    id: Value,
    batch: Option<u64>,
    until: Option<(BootInstant, Duration)>,
    /// The id a person knows the request by.
    request: Option<String>,
}

/// Answers that go out together.
#[derive(Debug)]
struct Batch {
    name: u64,
    answers: Vec<Value>,
    waiting: usize,
}

/// The state of one conversation.
#[derive(Debug)]
pub(super) struct Server {
    version: Option<&'static str>,
    here: PathBuf,
    open: Vec<Open>,
    batches: Vec<Batch>,
    next: u64,
}

impl Server {
    /// Relative paths start from `here`.
    pub(super) fn new(here: PathBuf) -> Self {
        Self { version: None, here, open: Vec::new(), batches: Vec::new(), next: 0 }
    }

    /// Takes a message.
    pub(super) fn take(&mut self, message: Message) -> Vec<Turn> {
        match message {
            Message::Batch(_) if self.version != Some(WITH_BATCHES) => {
                vec![Turn::Say(error(Value::Null, INVALID, "this version of the protocol has no batches"))]
            }
            Message::Batch(messages) => self.batch(messages),
            other => self.one(other, None).into_iter().collect(),
        }
    }

    fn batch(&mut self, messages: Vec<Message>) -> Vec<Turn> {
        let name = self.ticket();
        self.batches.push(Batch { name, answers: Vec::new(), waiting: 0 });
        let mut turns = Vec::new();
        for message in messages {
            match self.one(message, Some(name)) {
                Some(Turn::Say(answer)) => self.collect(name, Some(answer), 0),
                Some(asked) => {
                    self.collect(name, None, 1);
                    turns.push(asked);
                }
                None => {}
            }
        }
        turns.extend(self.whole(name).map(Turn::Say));
        turns
    }

    fn collect(&mut self, name: u64, answer: Option<Value>, waiting: usize) {
        if let Some(batch) = self.batches.iter_mut().find(|batch| batch.name == name) {
            batch.answers.extend(answer);
            batch.waiting += waiting;
        }
    }

    /// The batch's answers once none is missing; nothing for a batch of notifications.
    fn whole(&mut self, name: u64) -> Option<Value> {
        let place = self.batches.iter().position(|batch| batch.name == name && batch.waiting == 0)?;
        let answers = self.batches.swap_remove(place).answers;
        (!answers.is_empty()).then(|| answers.into())
    }

    fn one(&mut self, message: Message, batch: Option<u64>) -> Option<Turn> {
        match message {
            Message::Request { id, method, params } => Some(self.request(id, &method, &params, batch)),
            Message::Notification { method, params } => {
                if method == "notifications/cancelled" {
                    self.forget(params.get("requestId"));
                }
                None
            }
            Message::Wrong(answer) => Some(Turn::Say(answer)),
            Message::Batch(_) => Some(Turn::Say(error(Value::Null, INVALID, "a batch in a batch"))),
            Message::Answer => None,
        }
    }

    /// A cancelled call gets no answer. What was asked of the Guardian stays asked.
    fn forget(&mut self, id: Option<&Value>) {
        let Some(place) = self.open.iter().position(|open| Some(&open.id) == id) else { return };
        let open = self.open.remove(place);
        if let Some(batch) = self.batches.iter_mut().find(|batch| Some(batch.name) == open.batch) {
            batch.waiting = batch.waiting.saturating_sub(1);
        }
    }

    fn request(&mut self, id: Value, method: &str, params: &Value, batch: Option<u64>) -> Turn {
        if self.open.iter().any(|open| open.id == id) {
            return Turn::Say(error(id, INVALID, "a request of this id is still open"));
        }
        match method {
            "ping" => Turn::Say(result(id, json!({}))),
            "initialize" if batch.is_some() => Turn::Say(error(id, INVALID, "not in a batch")),
            "initialize" => Turn::Say(self.initialize(id, params)),
            _ if self.version.is_none() => Turn::Say(error(id, INVALID, "`initialize` comes first")),
            "tools/list" => Turn::Say(result(id, tools::list())),
            "tools/call" => self.call(id, params, batch),
            _ => Turn::Say(error(id, NO_METHOD, "this server has tools and nothing else")),
        }
    }

    fn initialize(&mut self, id: Value, params: &Value) -> Value {
        let Some(wanted) = params.get("protocolVersion").and_then(Value::as_str) else {
            return error(id, PARAMS, "`protocolVersion` must be a text");
        };
        let version = VERSIONS.into_iter().find(|known| *known == wanted).unwrap_or(VERSIONS[0]);
        self.version = Some(version);
        result(
            id,
            json!({
                "protocolVersion": version,
                "capabilities": { "tools": { "listChanged": false } },
                "serverInfo": { "name": "aisandbox", "version": env!("CARGO_PKG_VERSION") },
                "instructions": "You run in a sandbox. When something you need is refused or missing, list_access says what \
                    can be asked for, request_access asks for it, and explain_denial says why it was refused.",
            }),
        )
    }

    fn call(&mut self, id: Value, params: &Value, batch: Option<u64>) -> Turn {
        match tools::call(params, &self.here) {
            Err(why) => Turn::Say(error(id, PARAMS, &why)),
            Ok(Called::Now(answer)) => Turn::Say(result(id, tools::result(&answer, self.structured()))),
            Ok(Called::Ask(..)) if self.open.len() >= MOST_CALLS => {
                Turn::Say(error(id, INVALID, "too many calls are open; wait for their answers"))
            }
            Ok(Called::Ask(op, patience)) => {
                let ticket = self.ticket();
                let until = patience.map(|patience| (BootInstant::now(), patience));
                self.open.push(Open { ticket, id, batch, until, request: None });
                Turn::Ask(ticket, op)
            }
        }
    }

    fn structured(&self) -> bool {
        self.version.is_some_and(|version| version >= STRUCTURED_SINCE)
    }

    fn ticket(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A person was asked; nothing is said of it yet.
    pub(super) fn pending(&mut self, ticket: u64, request: String) {
        if let Some(open) = self.open.iter_mut().find(|open| open.ticket == ticket) {
            open.request = Some(request);
        }
    }

    /// The answer to a ticket, as the line to write. Nothing for a call that was cancelled or had no more patience.
    pub(super) fn answered(&mut self, ticket: u64, answer: &Answer) -> Option<Value> {
        let place = self.open.iter().position(|open| open.ticket == ticket)?;
        let open = self.open.remove(place);
        let said = result(open.id, tools::result(answer, self.structured()));
        let Some(name) = open.batch else { return Some(said) };
        let batch = self.batches.iter_mut().find(|batch| batch.name == name)?;
        batch.answers.push(said);
        batch.waiting = batch.waiting.saturating_sub(1);
        self.whole(name)
    }

    /// How long until the first call has no more patience.
    pub(super) fn patience(&self) -> Option<Duration> {
        let left = self.open.iter().filter_map(|open| open.until.as_ref());
        left.map(|(since, patience)| patience.saturating_sub(since.elapsed())).min()
    }

    /// Answers calls whose patience is over.
    pub(super) fn expire(&mut self) -> Vec<Value> {
        let over = |open: &&Open| open.until.as_ref().is_some_and(|(since, wait)| since.elapsed() >= *wait);
        let over: Vec<(u64, Option<String>)> =
            self.open.iter().filter(over).map(|open| (open.ticket, open.request.clone())).collect();
        let answer = |request: Option<String>| Answer {
            json: json!({ "result": "pending", "request": request }),
            text: String::new(),
            code: 1,
        };
        over.into_iter().filter_map(|(ticket, request)| self.answered(ticket, &answer(request))).collect()
    }

    /// Answers all that waits, when there is nobody to answer it any more.
    pub(super) fn nobody(&mut self, why: &str) -> Vec<Value> {
        let tickets: Vec<u64> = self.open.iter().map(|open| open.ticket).collect();
        tickets.into_iter().filter_map(|ticket| self.answered(ticket, &Answer::nobody(why))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rpc::Lines;
    use super::*;
    use crate::wire::broker::Outcome;

    fn server(version: &str) -> Server {
        let mut server = Server::new("/home/u".into());
        let hello = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"{version}\"}}}}"
        );
        assert!(matches!(tell(&mut server, &hello).as_slice(), [Turn::Say(_)]));
        server
    }

    fn tell(server: &mut Server, line: &str) -> Vec<Turn> {
        let messages = Lines::default().take(format!("{line}\n").as_bytes());
        messages.into_iter().flat_map(|message| server.take(message)).collect()
    }

    fn said(turns: &[Turn]) -> &Value {
        let [Turn::Say(value)] = turns else { panic!("{turns:?}") };
        value
    }

    const WISH: &str = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"request_access\",\
                        \"arguments\":{\"action\":\"read\",\"resource\":\"/x\",\"why\":\"w\"}}}";

    fn done() -> Answer {
        Answer::of(&Outcome::Done {})
    }

    #[test]
    fn a_known_version_is_taken_and_an_unknown_one_answered_with_the_newest() {
        for (wanted, given) in
            [("2024-11-05", "2024-11-05"), ("2025-06-18", "2025-06-18"), ("1999-01-01", VERSIONS[0])]
        {
            let mut server = Server::new("/".into());
            let hello = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"{wanted}\"}}}}"
            );
            assert_eq!(said(&tell(&mut server, &hello))["result"]["protocolVersion"], given);
        }
    }

    #[test]
    fn nothing_but_ping_is_answered_before_initialize() {
        let mut server = Server::new("/".into());
        let list = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}";
        assert_eq!(said(&tell(&mut server, list))["error"]["code"], INVALID);
        let ping = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
        assert_eq!(said(&tell(&mut server, ping))["result"], json!({}));
    }

    #[test]
    fn others_are_answered_while_a_person_thinks() {
        let mut server = server("2025-06-18");
        let turns = tell(&mut server, WISH);
        let [Turn::Ask(ticket, Op::Request { .. })] = turns.as_slice() else { panic!("{turns:?}") };
        let ping = "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}";
        assert_eq!(said(&tell(&mut server, ping))["id"], 8);
        assert_eq!(said(&tell(&mut server, WISH))["error"]["code"], INVALID, "the same id again");
        let answer = server.answered(*ticket, &done()).unwrap();
        assert_eq!(
            (&answer["id"], &answer["result"]["structuredContent"]["result"]),
            (&json!(7), &json!("done"))
        );
        assert_eq!(server.answered(*ticket, &done()), None, "an answer comes once");
    }

    #[test]
    fn a_cancelled_call_gets_no_answer() {
        let mut server = server("2025-06-18");
        let turns = tell(&mut server, WISH);
        let [Turn::Ask(ticket, _)] = turns.as_slice() else { panic!("{turns:?}") };
        let cancel =
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}";
        assert!(tell(&mut server, cancel).is_empty());
        assert_eq!(server.answered(*ticket, &done()), None);
    }

    #[test]
    fn a_batch_is_answered_as_one_where_the_version_has_batches() {
        let ping = "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}";
        let batch = format!("[{WISH},{ping}]");
        let mut server = server("2025-03-26");
        let turns = tell(&mut server, &batch);
        let [Turn::Ask(ticket, _)] = turns.as_slice() else { panic!("{turns:?}") };
        let answer = server.answered(*ticket, &done()).unwrap();
        assert_eq!(answer.as_array().unwrap().len(), 2, "{answer}");
        let mut newer = super::tests::server("2025-06-18");
        assert_eq!(said(&tell(&mut newer, &batch))["error"]["code"], INVALID);
    }

    #[test]
    fn a_call_without_patience_is_pending_and_its_late_answer_is_dropped() {
        let mut server = server("2025-06-18");
        let wish = WISH.replace("\"why\":\"w\"", "\"why\":\"w\",\"wait_seconds\":1");
        let turns = tell(&mut server, &wish);
        let [Turn::Ask(ticket, _)] = turns.as_slice() else { panic!("{turns:?}") };
        server.pending(*ticket, "8F3K-1".into());
        assert!(server.expire().is_empty() && server.patience().is_some());
        server.open[0].until = Some((BootInstant::now(), Duration::ZERO));
        let answers = server.expire();
        assert_eq!(
            answers[0]["result"]["structuredContent"],
            json!({ "result": "pending", "request": "8F3K-1" })
        );
        assert_eq!(server.answered(*ticket, &done()), None);
    }

    #[test]
    fn more_calls_than_a_channel_takes_are_refused_here() {
        let mut server = server("2025-06-18");
        for id in 100..100 + MOST_CALLS {
            let turns = tell(&mut server, &WISH.replace("\"id\":7", &format!("\"id\":{id}")));
            assert!(matches!(turns.as_slice(), [Turn::Ask(..)]));
        }
        assert_eq!(said(&tell(&mut server, WISH))["error"]["code"], INVALID);
        assert_eq!(server.nobody("gone").len(), MOST_CALLS);
    }
}
