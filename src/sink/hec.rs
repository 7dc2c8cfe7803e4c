//! Splunk's HTTP Event Collector.
//!
//! Its 200 says that a batch was received, not that it was indexed. With `acknowledge` a batch arrived when its
//! acknowledgement came; one whose does not come in time is sent again.

use super::config::Hec;
use super::http::{Answer, Client, judge};
use super::message::{Form, Message};
use super::{Deliver, Refused, Trouble};
use crate::audit::export::Format;
use crate::sys::random::random_bytes;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The first and the longest rest between two questions whether a batch is indexed.
const ASK_FIRST: Duration = Duration::from_millis(100);
const ASK_LONGEST: Duration = Duration::from_secs(5);

/// The way.
pub(super) struct Way {
    client: Client,
    url: String,
    form: Form,
    index: Option<String>,
    source_type: String,
    /// How long a batch may take to be indexed; `None` when that is not asked.
    acknowledge: Option<Duration>,
    /// Names what we send, so that acknowledgements are ours.
    channel: String,
}

#[derive(Deserialize)]
struct Received {
    code: i64,
    #[serde(rename = "ackId", default)]
    ack: Option<u64>,
}

#[derive(Deserialize)]
struct Acks {
    acks: BTreeMap<String, bool>,
}

impl Way {
    /// Reads certificates and the token.
    /// # Errors
    /// In words.
    pub(super) fn new(to: &Hec, timeout: Duration) -> Result<Self, String> {
        let form = Form { format: to.http.format, most: usize::MAX, checkpoint: None };
        let random = random_bytes::<16>().map_err(|errno| errno.desc().to_owned())?;
        Ok(Self {
            client: to.http.client(timeout)?,
            url: to.http.url.trim_end_matches('/').to_owned(),
            form,
            index: to.index.clone(),
            source_type: to.source_type.clone(),
            acknowledge: to.acknowledge,
            channel: uuid(random),
        })
    }

    fn event(&self, message: &Message) -> String {
        let event = match self.form.format {
            Format::Cef => json!(message.text).to_string(),
            _ => message.text.clone(),
        };
        let (seconds, micros) = (message.ts / 1_000_000_000, message.ts / 1000 % 1_000_000);
        let mut head = json!({
            "source": "aisandbox",
            "sourcetype": self.source_type,
            "fields": { "event_id": message.id, "event_name": message.event },
        });
        if let (Some(index), Some(fields)) = (&self.index, head.as_object_mut()) {
            fields.insert("index".to_owned(), index.as_str().into());
        }
        let head = head.to_string();
        let head = head.strip_suffix('}').unwrap_or_default();
        format!("{head},\"time\":{seconds}.{micros:06},\"event\":{event}}}")
    }

    fn post(&self, path: &str, body: &str) -> Result<Answer, Trouble> {
        let url = format!("{}{path}", self.url);
        let channel = [("x-splunk-request-channel", self.channel.as_str())];
        let answer = self.client.post(&url, "application/json", &channel, body.as_bytes())?;
        let code = serde_json::from_slice::<Received>(&answer.body).map(|said| said.code).ok();
        match (answer.status, code) {
            // Not about the events: the token, the channel, acknowledgements that are not switched on.
            (400, Some(1..=4 | 7 | 10 | 11 | 14)) => {
                let why = format!("the collector answered with code {}", code.unwrap_or_default());
                Err(Trouble::Later { why, after: answer.after })
            }
            _ => judge(answer, &url),
        }
    }

    /// Waits until a batch is indexed.
    fn indexed(&self, ack: u64, most: Duration) -> Result<(), Trouble> {
        let (end, mut rest) = (Instant::now() + most, ASK_FIRST);
        loop {
            std::thread::sleep(rest);
            let answer = self.post("/services/collector/ack", &json!({ "acks": [ack] }).to_string())?;
            let acks: Acks = serde_json::from_slice(&answer.body)
                .map_err(|error| Trouble::later(format!("the acknowledgements cannot be read: {error}")))?;
            if acks.acks.get(&ack.to_string()) == Some(&true) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(Trouble::later("a batch was received and not acknowledged in time"));
            }
            rest = (rest * 2).min(ASK_LONGEST);
        }
    }
}

impl Deliver for Way {
    fn form(&self) -> Form {
        self.form
    }

    fn deliver(&mut self, batch: &mut Vec<Message>) -> Result<Vec<Refused>, Trouble> {
        let body: String = batch.iter().map(|message| self.event(message)).collect();
        let answer = self.post("/services/collector/event", &body)?;
        let said: Received = serde_json::from_slice(&answer.body)
            .map_err(|error| Trouble::later(format!("the collector's answer cannot be read: {error}")))?;
        if said.code != 0 {
            return Err(Trouble::later(format!("the collector answered with code {}", said.code)));
        }
        match (self.acknowledge, said.ack) {
            (None, _) => {}
            (Some(most), Some(ack)) => self.indexed(ack, most)?,
            (Some(_), None) => return Err(Trouble::later("the token has no acknowledgement switched on")),
        }
        batch.clear();
        Ok(Vec::new())
    }
}

/// A random UUID (RFC 9562, version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let hex = crate::base::to_hex(&bytes);
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_channel_is_a_uuid() {
        assert_eq!(super::uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
