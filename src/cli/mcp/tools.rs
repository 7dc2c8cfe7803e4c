//! The tools: their descriptions for a model, and a call of one as a call to the Guardian.
//!
//! Never fills in what a model left out: a wish without its reason is refused here.

use crate::base::TraceParent;
use crate::cli::request::{Answer, WORDS, Wanted, explained_reason};
use crate::wire::broker::Op;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// What a call comes to.
#[derive(Debug)]
pub(super) enum Called {
    /// The Guardian is asked; after so long the tool answers that it is still pending.
    Ask(Op, Option<Duration>),
    /// It can be answered at once.
    Now(Answer),
}

/// The most seconds a call waits when it says how long.
const MOST_WAIT: u64 = 3600;

/// The list of tools, as `tools/list` has it.
pub(super) fn list() -> Value {
    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    let meanings: Vec<String> = WORDS.iter().map(|(word, meaning)| format!("{word}: {meaning}")).collect();
    json!({ "tools": [
        {
            "name": "request_access",
            "title": "Request access",
            "description": "Ask for access that this sandbox does not have yet. A policy or a person decides; the call waits for \
                the answer. The result is granted or denied, with a stable reason. Ask for the least that is needed, and do not \
                ask again for what was refused.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "action": { "type": "string", "enum": words, "description": meanings.join("; ") },
                    "resource": { "type": "string", "description": "An absolute path, or HOST:PORT for connect" },
                    "why": { "type": "string", "description": "Why it is needed, for the person who decides; at most 500 characters" },
                    "wait_seconds": {
                        "type": "integer", "minimum": 1, "maximum": MOST_WAIT,
                        "description": "Answer `pending` after so long; list_access shows later what came of it",
                    },
                    "traceparent": { "type": "string", "description": "The W3C trace context that this is a part of" },
                },
                "required": ["action", "resource", "why"],
                "additionalProperties": false,
            },
        },
        {
            "name": "list_access",
            "title": "List access",
            "description": "List what is granted now and what can be asked for.",
            "inputSchema": { "type": "object", "properties": {}, "additionalProperties": false },
            "annotations": { "readOnlyHint": true },
        },
        {
            "name": "explain_denial",
            "title": "Explain a denial",
            "description": "Say why something was refused, and what can be done about it.",
            "inputSchema": {
                "type": "object",
                "properties": { "id": { "type": "string", "description": "The id of a denial, or the word of a reason" } },
                "required": ["id"],
                "additionalProperties": false,
            },
            "annotations": { "readOnlyHint": true },
        },
    ] })
}

/// Reads a call of a tool.
/// # Errors
/// What is wrong with it, for `invalid params`.
pub(super) fn call(params: &Value, here: &Path) -> Result<Called, String> {
    let name = params.get("name").and_then(Value::as_str).ok_or("`name` is missing")?;
    let none = Map::new();
    let arguments = match params.get("arguments") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err("`arguments` must be an object".into()),
    };
    match name {
        "request_access" => {
            only(arguments, &["action", "resource", "why", "wait_seconds", "traceparent"])?;
            let (action, about) = (text(arguments, "action")?, text(arguments, "resource")?);
            let wanted = Wanted::read(action, about, text(arguments, "why")?, here);
            let traceparent = traceparent(params, arguments)?;
            let wanted = wanted.and_then(|wanted| wanted.within(traceparent));
            Ok(Called::Ask(wanted.map_err(|why| why.to_string())?.op(), patience(arguments)?))
        }
        "list_access" => {
            only(arguments, &[])?;
            Ok(Called::Ask(Op::List {}, None))
        }
        "explain_denial" => {
            only(arguments, &["id"])?;
            let id = text(arguments, "id")?;
            let ask = || Called::Ask(Op::Explain { id: id.to_owned() }, None);
            Ok(explained_reason(id).map_or_else(ask, Called::Now))
        }
        other => Err(format!("there is no tool `{}`", crate::base::escape(other.as_bytes()))),
    }
}

fn only(arguments: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match arguments.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("there is no argument `{}`", crate::base::escape(key.as_bytes()))),
        None => Ok(()),
    }
}

fn text<'a>(arguments: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    arguments.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` must be a text"))
}

/// What the call is a part of: its own word, or that of the host of the model (`_meta`), where it is one.
fn traceparent<'a>(params: &'a Value, arguments: &'a Map<String, Value>) -> Result<Option<&'a str>, String> {
    if arguments.contains_key("traceparent") {
        return text(arguments, "traceparent").map(Some);
    }
    let given = params.pointer("/_meta/traceparent").and_then(Value::as_str);
    Ok(given.filter(|given| given.parse::<TraceParent>().is_ok()))
}

fn patience(arguments: &Map<String, Value>) -> Result<Option<Duration>, String> {
    let Some(value) = arguments.get("wait_seconds") else { return Ok(None) };
    let seconds = value.as_u64().filter(|seconds| (1..=MOST_WAIT).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("`wait_seconds` must be from 1 to {MOST_WAIT}"))?;
    Ok(Some(Duration::from_secs(seconds)))
}

/// An answer, as `tools/call` returns it. A refusal is an answer; only that nobody could be asked is an error.
pub(super) fn result(answer: &Answer, structured: bool) -> Value {
    let mut keys = Map::new();
    let text = json!([{ "type": "text", "text": answer.json.to_string() }]);
    keys.insert("content".into(), text);
    if structured {
        keys.insert("structuredContent".into(), answer.json.clone());
    }
    keys.insert("isError".into(), (answer.code == 125).into());
    keys.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_refuses_arguments_it_does_not_know() {
        let here = Path::new("/");
        for tool in list()["tools"].as_array().unwrap() {
            assert_eq!(tool["inputSchema"]["additionalProperties"], false);
            let params = json!({ "name": tool["name"], "arguments": { "evil": 1 } });
            assert!(call(&params, here).unwrap_err().contains("evil"), "{tool}");
        }
        assert!(call(&json!({ "name": "rm" }), here).is_err());
    }

    #[test]
    fn a_wish_needs_its_reason_and_a_wait_its_bounds() {
        let here = Path::new("/home/u");
        let wish = |more: Value| {
            let mut arguments = json!({ "action": "read", "resource": "x" });
            arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            call(&json!({ "name": "request_access", "arguments": arguments }), here)
        };
        assert!(wish(json!({})).is_err() && wish(json!({ "why": "" })).is_err());
        assert!(wish(json!({ "why": "w", "wait_seconds": 0 })).is_err());
        let called = wish(json!({ "why": "w", "wait_seconds": 5 })).unwrap();
        assert!(matches!(called, Called::Ask(Op::Request { .. }, Some(wait)) if wait.as_secs() == 5));
    }

    #[test]
    fn a_traceparent_is_an_argument_or_the_hosts_word_and_never_half_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let asked = |argument: Option<Value>, meta: &str| {
            let mut arguments = json!({ "action": "read", "resource": "/x", "why": "w" });
            arguments
                .as_object_mut()
                .unwrap()
                .extend(argument.map(|value| ("traceparent".to_owned(), value)));
            let params =
                json!({ "name": "request_access", "arguments": arguments, "_meta": { "traceparent": meta } });
            call(&params, Path::new("/")).map(|called| match called {
                Called::Ask(Op::Request { traceparent, .. }, _) => traceparent,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(asked(None, good), Ok(Some(good.to_owned())));
        assert_eq!(asked(None, "nonsense"), Ok(None), "the model did not say that");
        assert_eq!(asked(Some(good.into()), "nonsense"), Ok(Some(good.to_owned())));
        assert!(asked(Some("nonsense".into()), good).is_err() && asked(Some(7.into()), good).is_err());
    }
}
