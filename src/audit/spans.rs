//! Spans: what a record is a part of, in the words of W3C trace context. A run is one; in it each request, each lease, each
//! connection and each agent that was started; a lease is below its request, a connection below the lease that let it out.
//!
//! Never kept: a span's id is a digest of ids that the record has, so whoever has the record can make it anew, and it is
//! proven with the record.

use super::Record;
use crate::base::to_hex;
use crate::crypto::sha256;
use serde_json::Value;

/// The span that a record is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its id: 8 bytes as hex.
    pub id: String,
    /// The span around it; `None` for the run's own, whose place its first record says.
    pub parent: Option<String>,
}

/// The id of a span: the first 8 bytes of SHA-256 over these words, a zero byte between them.
fn id(run: &str, kind: &str, name: &str) -> String {
    let digest = sha256(format!("ais.span.v1\0{run}\0{kind}\0{name}").as_bytes());
    to_hex(digest.bytes().get(..8).unwrap_or_default())
}

/// The span of an agent that a run started: what the agent's own run is below.
pub fn of_agent(run: &str, agent: &str) -> String {
    id(run, "agent", agent)
}

impl Span {
    /// That of a record.
    pub fn of(record: &Record) -> Self {
        let run = record.run.as_str();
        let text = |name: &str| record.data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let whole = || id(run, "run", "");
        let lease = |asked: Option<&str>| {
            let grant = text("grant")?;
            let parent = asked.map_or_else(whole, |asked| id(run, "request", asked));
            Some(Self { id: id(run, "grant", grant), parent: Some(parent) })
        };
        let below = |kind: &str, name: &str| Self { id: id(run, kind, name), parent: Some(whole()) };
        let found = match record.event.as_str() {
            "network" => {
                let flow = record.data.get("flow").and_then(Value::as_u64).filter(|flow| *flow > 0);
                flow.map(|flow| Self {
                    id: id(run, "connection", &flow.to_string()),
                    parent: Some(lease(text("approval")).map_or_else(whole, |lease| lease.id)),
                })
            }
            "agent_start" => text("run").map(|agent| below("agent", agent)),
            _ => lease(text("request")).or_else(|| text("request").map(|asked| below("request", asked))),
        };
        found.unwrap_or_else(|| Self { id: whole(), parent: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(event: &str, data: Value) -> Record {
        let text = json!({
            "v": 2, "seq": 1, "time": "", "boot_ms": 0, "run": "R", "event": event, "data": data,
        });
        serde_json::from_value(text).unwrap()
    }

    fn span(event: &str, data: Value) -> Span {
        Span::of(&record(event, data))
    }

    #[test]
    fn a_lease_is_below_its_request_and_a_connection_below_its_lease() {
        let run = span("run_start", json!({}));
        let request = span("request", json!({ "request": "R-1" }));
        let lease = span("grant", json!({ "grant": "R-g1", "request": "R-1" }));
        let used = span("transfer", json!({ "grant": "R-g1", "request": "R-1" }));
        let sent = json!({ "flow": 3, "grant": "R-g1", "approval": "R-1", "request": "POST /" });
        let connection = span("network", sent);
        assert_eq!(run.parent, None);
        assert_eq!(request.parent.as_ref(), Some(&run.id));
        assert_eq!((lease.parent.as_ref(), used.id.as_str()), (Some(&request.id), lease.id.as_str()));
        assert_eq!(connection.parent.as_ref(), Some(&lease.id));
        let unasked = span("network", json!({ "flow": 4, "request": "GET /" }));
        assert_eq!(unasked.parent.as_ref(), Some(&run.id));
        assert_ne!(unasked.id, connection.id);
        assert_eq!(span("network", json!({ "flow": 0 })), run, "a lookup is no connection");
    }

    #[test]
    fn ids_of_a_kind_are_none_of_another_and_an_agent_is_found_from_both_sides() {
        let ids = [span("grant", json!({ "grant": "1" })), span("request", json!({ "request": "1" }))];
        assert_ne!(ids[0].id, ids[1].id);
        assert_eq!(span("agent_start", json!({ "run": "A" })).id, of_agent("R", "A"));
        assert_eq!(id("R", "run", "").len(), 16);
    }
}
