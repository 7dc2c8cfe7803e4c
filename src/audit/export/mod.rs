//! Records as other systems read them: OCSF, CEF, ECS and OTLP, one line each.
//!
//! Pure: never reads a log, never sends anything, and never says more than the record. What a format has no name for is kept
//! aside in it (`unmapped`, `aisandbox.*`); CEF alone leaves such fields out. The table of names is `audit/schema/`.

mod cef;
mod context;
mod ecs;
mod facts;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
mod judge;
mod objects;
mod ocsf;
#[cfg(test)]
mod ocsf_names;
mod otlp;
mod rest;
mod run;
#[cfg(test)]
mod samples;

pub use context::Context;
pub use run::{Exported, run};

use super::log::Found;
pub(crate) use super::log::leaf_hash;
use super::{AuditError, Forwarded, Record};
use crate::base::to_hex;
use facts::Facts;
use std::fmt;
use std::str::FromStr;

/// A form of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own, as `audit show --json` has it: a record a line.
    Jsonl,
    /// OCSF 1.9, with the leaf beside.
    Ocsf,
    /// CEF 0.
    Cef,
    /// Elastic Common Schema.
    Ecs,
    /// OTLP logs as JSON lines.
    Otlp,
}

impl Format {
    /// All of them with their words.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Jsonl, "jsonl"),
        (Self::Ocsf, "ocsf"),
        (Self::Cef, "cef"),
        (Self::Ecs, "ecs"),
        (Self::Otlp, "otlp"),
    ];
}

/// No form of records is called so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoFormat;

impl fmt::Display for NoFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a format is one of:")?;
        Format::ALL.iter().try_for_each(|(_, word)| write!(out, " {word}"))
    }
}

impl std::error::Error for NoFormat {}

impl FromStr for Format {
    type Err = NoFormat;

    fn from_str(text: &str) -> Result<Self, NoFormat> {
        Self::ALL.iter().find(|(_, word)| *word == text).map(|(format, _)| *format).ok_or(NoFormat)
    }
}

/// A record with the leaf that it was made of.
#[derive(Debug)]
pub struct Item<'a> {
    /// The record.
    pub record: Record,
    /// The bytes that are hashed.
    pub leaf: &'a [u8],
    /// The leaf itself is not said, where a format has it beside the record.
    pub without_leaf: bool,
}

impl<'a> Item<'a> {
    /// Of a leaf that holds.
    pub fn of(run: &str, found: &Found<'a>) -> Self {
        Self { record: Record::of(run, found), leaf: found.bytes, without_leaf: false }
    }

    /// The id that an event has everywhere and for good: `RUN:INDEX`. What a forwarder says of a place in a run is
    /// another thing than the event there: `RUN:NAME:INDEX`.
    pub fn id(&self) -> String {
        let Record { run, seq, event, .. } = &self.record;
        if event.starts_with(Forwarded::PREFIX) {
            format!("{run}:{event}:{seq}")
        } else {
            format!("{run}:{seq}")
        }
    }

    /// How severe it is, by the scale of CEF, 0 to 10.
    pub fn severity(&self) -> u8 {
        let schema = super::schema::event(&self.record.event);
        judge::severity(schema, &self.record.data, judge::outcome(&self.record.event, &self.record.data))
    }

    /// The leaf's hash (RFC 6962), as hex.
    pub fn hash(&self) -> String {
        to_hex(&leaf_hash(self.leaf))
    }

    fn millis(&self) -> u64 {
        self.record.ts / 1_000_000
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(if self.without_leaf { &[] } else { self.leaf }).into_owned()
    }
}

/// One line, without its newline. The context must have learned the records before this one, and this one.
/// # Errors
/// When the record has no form in JSON.
pub fn line(format: Format, item: &Item<'_>, context: &Context) -> Result<String, AuditError> {
    match format {
        Format::Jsonl => super::json(&item.record),
        Format::Ocsf => super::json(&ocsf::event(item, Facts::of(&item.record), context)),
        Format::Cef => Ok(cef::line(item, &Facts::seen(&item.record), context)),
        Format::Ecs => super::json(&ecs::document(item, Facts::of(&item.record), context)),
        Format::Otlp => super::json(&otlp::logs(item, &Facts::seen(&item.record), context)),
    }
}
