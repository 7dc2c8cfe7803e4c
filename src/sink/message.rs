//! One record as it will be sent.
//!
//! Never longer than the other side takes: what is too long is cut, says so, and keeps the digest of the whole leaf.

use crate::audit::export::{Context, Format, Item, line};
use crate::audit::log::{CUTS, Cut, Found, Opening, shorten};
use crate::audit::{AuditError, Forwarded};
use crate::crypto::sha256;

/// What a sink's messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The form of a record.
    pub(super) format: Format,
    /// The most bytes of one, where there is a bound.
    pub(super) most: usize,
    /// Messages between checkpoints, where there are any.
    pub(super) checkpoint: Option<u64>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The id that it has everywhere.
    pub(super) id: String,
    /// Its index in the run.
    pub(super) index: u64,
    /// The event's name.
    pub(super) event: String,
    /// Wall time, RFC 3339 in UTC.
    pub(super) time: String,
    /// Nanoseconds since 1970.
    pub(super) ts: u64,
    /// By the scale of CEF, 0 to 10.
    pub(super) severity: u8,
    /// The line.
    pub(super) text: String,
    /// It is the forwarder's own word, and stands in no log.
    pub(super) own: bool,
}

impl Message {
    /// Of a leaf that holds.
    /// # Errors
    /// When it has no form in JSON.
    pub(super) fn of(
        run: &str,
        found: &Found<'_>,
        context: &mut Context,
        form: Form,
    ) -> Result<Self, AuditError> {
        let item = Item::of(run, found);
        context.learn(&item.record);
        Self::made(item, context, form)
    }

    /// The forwarder's own.
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn own(
        run: &str,
        said: &Forwarded,
        context: &Context,
        form: Form,
    ) -> Result<Self, AuditError> {
        let leaf = said.leaf()?;
        let item = Item::of(run, &Found { index: said.index(), bytes: &leaf, opening: Opening::None });
        Self::made(item, context, form).map(|message| Self { own: true, ..message })
    }

    fn made(mut item: Item<'_>, context: &Context, form: Form) -> Result<Self, AuditError> {
        let (id, severity) = (item.id(), item.severity());
        let mut text = line(form.format, &item, context)?;
        for most in CUTS {
            if text.len() <= form.most {
                break;
            }
            item.without_leaf = true;
            let whole = || Cut { bytes: item.leaf.len() as u64, sha256: sha256(item.leaf) };
            item.record.cut.get_or_insert_with(whole);
            shorten(&mut item.record.data, most);
            text = line(form.format, &item, context)?;
        }
        let record = item.record;
        let (index, event, time, ts) = (record.seq, record.event, record.time, record.ts);
        Ok(Self { id, index, event, time, ts, severity, text, own: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn leaf(message: &str) -> Vec<u8> {
        let data = serde_json::json!({ "stage": "plan", "message": message, "errno": null });
        serde_json::json!({ "v": 2, "ts": 5, "mono": 5, "event": "launch_failure", "data": data })
            .to_string()
            .into_bytes()
    }

    fn made(message: &str, format: Format, most: usize) -> Message {
        let form = Form { format, most, checkpoint: None };
        let (leaf, mut context) = (leaf(message), Context::new("R"));
        Message::of("R", &Found { index: 7, bytes: &leaf, opening: Opening::None }, &mut context, form)
            .unwrap()
    }

    #[test]
    fn a_message_that_is_too_long_is_cut_and_says_so_in_every_format() {
        let long = "\u{1b}\n|=\\\"é".repeat(6000);
        for (format, _) in Format::ALL {
            let message = made(&long, format, 2048);
            assert!(message.text.len() <= 2048, "{format:?}: {}", message.text.len());
            assert!(!message.text.contains(['\n', '\u{1b}']), "{format:?}");
            assert_eq!(message.id, "R:7");
        }
        let text = made(&long, Format::Jsonl, 2048).text;
        let record: Value = serde_json::from_str(&text).unwrap();
        let whole = leaf(&long);
        assert_eq!(record["cut"]["bytes"], whole.len());
        assert_eq!(record["cut"]["sha256"], sha256(&whole).to_string());
        assert!(!made("short", Format::Ocsf, 8192).text.contains("\"cut\""));
    }

    #[test]
    fn the_forwarders_own_word_has_an_id_that_no_event_has() {
        use crate::audit::Gap;
        let gap = Gap { sink: "s".into(), from: 7, to: None, root: None, why: "w".into() };
        let form = Form { format: Format::Ecs, most: usize::MAX, checkpoint: None };
        let message = Message::own("R", &Forwarded::Gap(gap), &Context::new("R"), form).unwrap();
        assert_eq!((message.id.as_str(), message.own), ("R:forward.gap:7", true));
    }
}
