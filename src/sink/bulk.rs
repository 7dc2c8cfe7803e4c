//! Elasticsearch and OpenSearch: `_bulk`, with an answer for each document.
//!
//! A document is created under the event's id, so what is sent twice is there once: 409 says that it is there. What was
//! turned away for want of room (429, 5xx) is sent again; what the index cannot take is refused.

use super::config::Bulk;
use super::http::{Client, judge};
use super::message::{Form, Message};
use super::{Deliver, Refused, Trouble};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// The way.
pub(super) struct Way {
    client: Client,
    url: String,
    form: Form,
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "_id", default)]
    id: String,
    status: u16,
    #[serde(default)]
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
}

impl Way {
    /// Reads certificates and secrets.
    /// # Errors
    /// In words.
    pub(super) fn new(to: &Bulk, timeout: Duration) -> Result<Self, String> {
        let form = Form { format: to.http.format, most: usize::MAX, checkpoint: None };
        let url = format!("{}/{}/_bulk", to.http.url.trim_end_matches('/'), to.index);
        Ok(Self { client: to.http.client(timeout)?, url, form })
    }
}

impl Deliver for Way {
    fn form(&self) -> Form {
        self.form
    }

    fn deliver(&mut self, batch: &mut Vec<Message>) -> Result<Vec<Refused>, Trouble> {
        let lines = |one: &Message| format!("{}\n{}\n", json!({ "create": { "_id": one.id } }), one.text);
        let body: String = batch.iter().map(lines).collect();
        let answer = self.client.post(&self.url, "application/x-ndjson", &[], body.as_bytes())?;
        let answer = judge(answer, &self.url)?;
        let answer: Answer = serde_json::from_slice(&answer.body)
            .map_err(|error| Trouble::later(format!("the answer of _bulk cannot be read: {error}")))?;
        sort(batch, &answer)
    }
}

/// What became of each document, by the answer.
fn sort(batch: &mut Vec<Message>, answer: &Answer) -> Result<Vec<Refused>, Trouble> {
    let mine = batch.iter().map(|message| &message.id);
    if !mine.eq(answer.items.iter().map(|item| &item.create.id)) {
        return Err(Trouble::later("the answer of _bulk is not about the documents that were sent"));
    }
    let mut refused = Vec::new();
    let mut left = Vec::new();
    for (message, item) in batch.drain(..).zip(&answer.items) {
        match item.create.status {
            200..=299 | 409 => {}
            408 | 429 | 500..=599 => left.push(message),
            status => {
                let error = item.create.error.as_ref();
                let said =
                    error.map_or_else(String::new, |error| format!(": {}: {}", error.kind, error.reason));
                refused.push(Refused { message, why: format!("status {status}{said}") });
            }
        }
    }
    *batch = left;
    Ok(refused)
}
