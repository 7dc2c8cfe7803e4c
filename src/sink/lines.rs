//! Records by HTTPS POST: a line of JSON each, or OTLP logs.
//!
//! A batch arrived when the answer says so; of OTLP, when nothing of it was rejected.

use super::config::Http;
use super::http::{Client, judge};
use super::message::{Form, Message};
use super::{Deliver, Refused, Trouble};
use crate::audit::export::Format;
use serde::Deserialize;
use std::time::Duration;

/// The way.
pub(super) struct Way {
    client: Client,
    url: String,
    form: Form,
}

impl Way {
    /// Reads certificates and secrets.
    /// # Errors
    /// In words.
    pub(super) fn new(to: &Http, timeout: Duration) -> Result<Self, String> {
        let form = Form { format: to.format, most: usize::MAX, checkpoint: None };
        Ok(Self { client: to.client(timeout)?, url: to.url.clone(), form })
    }

    fn body(&self, batch: &[Message]) -> (&'static str, String) {
        match self.form.format {
            Format::Otlp => ("application/json", otlp(batch)),
            _ => ("application/x-ndjson", batch.iter().flat_map(|one| [one.text.as_str(), "\n"]).collect()),
        }
    }
}

const OTLP_HEAD: &str = "{\"resourceLogs\":[";
const OTLP_END: &str = "]}";

/// One request out of many: each message is a whole one.
fn otlp(batch: &[Message]) -> String {
    let inner = |message: &Message| {
        let text = message.text.strip_prefix(OTLP_HEAD)?;
        Some(text.strip_suffix(OTLP_END)?.to_owned())
    };
    let all: Vec<String> = batch.iter().filter_map(inner).collect();
    format!("{OTLP_HEAD}{}{OTLP_END}", all.join(","))
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct OtlpAnswer {
    partial_success: OtlpPartial,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct OtlpPartial {
    // A number of 64 bits is text in OTLP's JSON; not all write it so.
    rejected_log_records: serde_json::Value,
}

/// How many records of a request were rejected.
fn rejected(body: &[u8]) -> u64 {
    let answer: OtlpAnswer = serde_json::from_slice(body).unwrap_or_default();
    let count = answer.partial_success.rejected_log_records;
    count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0)
}

impl Deliver for Way {
    fn form(&self) -> Form {
        self.form
    }

    fn deliver(&mut self, batch: &mut Vec<Message>) -> Result<Vec<Refused>, Trouble> {
        let (kind, body) = self.body(batch);
        let answer = judge(self.client.post(&self.url, kind, &[], body.as_bytes())?, &self.url)?;
        if self.form.format == Format::Otlp && rejected(&answer.body) > 0 {
            // It does not say which: the batch is taken apart until it is known.
            return Err(Trouble::Refused { why: "the receiver rejected log records".to_owned() });
        }
        batch.clear();
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_records_are_counted_however_the_number_is_written() {
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#), 3);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedLogRecords":2}}"#), 2);
        for body in [&b"{}"[..], b"", b"{\"partialSuccess\":{}}", b"<html>"] {
            assert_eq!(rejected(body), 0);
        }
    }
}
