//! JSON-RPC 2.0 over lines, as the Model Context Protocol has it on stdio.
//!
//! Never keeps more than one line, and never reads one that is too long or nests too deeply.

use serde_json::{Value, json};

/// The most bytes of a line. A request for access is a few hundred.
const MOST_LINE: usize = 256 * 1024;
/// The most brackets that may be open at once.
const MOST_DEPTH: usize = 32;
/// The most messages of one batch.
const MOST_BATCH: usize = 64;

/// The line is no JSON.
pub(super) const PARSE: i32 = -32700;
/// The JSON is no request, or none that may come now.
pub(super) const INVALID: i32 = -32600;
/// There is no such method.
pub(super) const NO_METHOD: i32 = -32601;
/// The parameters are wrong.
pub(super) const PARAMS: i32 = -32602;

/// A message from the client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    /// Wants an answer.
    Request {
        /// Names the answer: a text or a number.
        id: Value,
        /// What.
        method: String,
        /// With what; an object, empty when nothing was given.
        params: Value,
    },
    /// Wants none.
    Notification {
        /// What.
        method: String,
        /// With what.
        params: Value,
    },
    /// An answer to something nobody asked: passed over.
    Answer,
    /// Several at once.
    Batch(Vec<Message>),
    /// Wrong; this is the answer.
    Wrong(Value),
}

/// Bytes as they come, cut into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    kept: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Takes bytes; gives the messages of the lines that are whole now.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            if self.kept.len() + text.len() > MOST_LINE {
                self.too_long = true;
                self.kept.clear();
            } else if !self.too_long {
                self.kept.extend_from_slice(text);
            }
            if ends {
                let line = std::mem::take(&mut self.kept);
                if std::mem::take(&mut self.too_long) {
                    let why = format!("a line has at most {MOST_LINE} bytes");
                    messages.push(Message::Wrong(error(Value::Null, PARSE, &why)));
                } else if !line.trim_ascii().is_empty() {
                    messages.push(read(&line));
                }
            }
        }
        messages
    }
}

/// The message of one line.
fn read(line: &[u8]) -> Message {
    if depth(line) > MOST_DEPTH {
        return Message::Wrong(error(Value::Null, PARSE, "nested too deeply"));
    }
    match serde_json::from_slice(line) {
        Ok(Value::Array(list)) if (1..=MOST_BATCH).contains(&list.len()) => {
            Message::Batch(list.into_iter().map(one).collect())
        }
        Ok(Value::Array(_)) => Message::Wrong(error(Value::Null, INVALID, "a batch has 1 to 64 messages")),
        Ok(value) => one(value),
        Err(_) => Message::Wrong(error(Value::Null, PARSE, "not JSON")),
    }
}

/// The most brackets that are open at once, not counting those in strings.
fn depth(line: &[u8]) -> usize {
    let (mut open, mut most) = (0usize, 0);
    let (mut text, mut escaped) = (false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'[' | b'{' if !text => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' if !text => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

fn one(value: Value) -> Message {
    let Value::Object(mut keys) = value else {
        return Message::Wrong(error(Value::Null, INVALID, "a message is an object"));
    };
    let id = keys.remove("id");
    let usable = id.as_ref().is_none_or(|id| id.is_string() || id.is_i64() || id.is_u64());
    let wrong =
        |why: &str| Message::Wrong(error(id.clone().filter(|_| usable).unwrap_or_default(), INVALID, why));
    if keys.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return wrong("`jsonrpc` must be \"2.0\"");
    }
    if !usable {
        return wrong("`id` must be a text or a whole number");
    }
    let method = match keys.remove("method") {
        Some(Value::String(method)) => method,
        None if keys.contains_key("result") || keys.contains_key("error") => return Message::Answer,
        _ => return wrong("`method` must be a text"),
    };
    let params = keys.remove("params").unwrap_or_else(|| json!({}));
    match id {
        _ if !params.is_object() => wrong("`params` must be an object"),
        Some(id) => Message::Request { id, method, params },
        None => Message::Notification { method, params },
    }
}

/// An answer.
pub(super) fn result(id: Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// An answer that says what is wrong.
pub(super) fn error(id: Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Message {
        let mut messages = Lines::default().take(text.as_bytes());
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    fn code(message: &Message) -> i64 {
        let Message::Wrong(answer) = message else { panic!("{message:?}") };
        answer["error"]["code"].as_i64().unwrap()
    }

    #[test]
    fn a_line_may_come_in_pieces_and_several_at_once() {
        let mut lines = Lines::default();
        assert!(lines.take(b"{\"jsonrpc\":\"2.0\",").is_empty());
        let found = lines.take(b"\"method\":\"a\"}\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"b\"}\n{");
        assert_eq!(found.len(), 2);
        assert!(matches!(&found[0], Message::Notification { method, .. } if method == "a"));
        assert!(matches!(&found[1], Message::Request { id, .. } if *id == json!(1)));
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_one_read() {
        let mut lines = Lines::default();
        let long = vec![b'x'; MOST_LINE / 2 + 1];
        assert!(lines.take(&long).is_empty() && lines.take(&long).is_empty() && lines.take(&long).is_empty());
        let found = lines.take(b"\n{\"jsonrpc\":\"2.0\",\"method\":\"a\"}\n");
        assert_eq!((found.len(), code(&found[0])), (2, -32700));
        assert!(matches!(found[1], Message::Notification { .. }));
    }

    #[test]
    fn what_nests_too_deeply_is_never_parsed() {
        let deep = |open: usize| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{{\"x\":{}{}}}}}\n",
                "[".repeat(open),
                "]".repeat(open)
            )
        };
        assert_eq!(code(&only(&deep(MOST_DEPTH - 1))), -32700);
        assert!(matches!(only(&deep(MOST_DEPTH - 2)), Message::Notification { .. })); // the control
        let quoted =
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{}\\\"{}\"}}\n", "[".repeat(99), "{".repeat(99));
        assert!(matches!(only(&quoted), Message::Notification { .. }));
    }

    #[test]
    fn what_is_no_message_gets_the_standards_codes() {
        for (text, expected) in [
            ("{", PARSE),
            ("3", INVALID),
            ("[]", INVALID),
            ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}", INVALID),
            ("{\"jsonrpc\":\"2.0\",\"id\":1}", INVALID),
            ("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"a\"}", INVALID),
            ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}", INVALID),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[1]}", INVALID),
        ] {
            assert_eq!(code(&only(&format!("{text}\n"))), i64::from(expected), "{text}");
        }
        assert_eq!(only("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"), Message::Answer);
    }
}
