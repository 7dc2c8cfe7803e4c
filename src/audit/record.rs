//! A record as others read it: an event with its place in a run.
//!
//! Never checks anything: it is made of a leaf that holds.

use super::event::Event;
use super::log::{Cut, Found, Leaf, Own, typed};
use super::schema::{self, Class};
use super::spans::Span;
use crate::base::WallTime;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// What stands for a field that was withheld, where a type needs one.
const WITHHELD: &str = "[withheld]";

/// One event of a run.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// Version of the leaf.
    pub v: u32,
    /// Its index in the log, from 0.
    pub seq: u64,
    /// Nanoseconds since 1970; not written out, for `time` says it.
    #[serde(skip)]
    pub ts: u64,
    /// Wall time, RFC 3339 in UTC.
    pub time: String,
    /// Milliseconds of CLOCK_BOOTTIME.
    pub boot_ms: u64,
    /// The run.
    pub run: String,
    /// The event's name.
    pub event: String,
    /// Its fields, as they are: a newer program may have written events this one does not know.
    pub data: serde_json::Value,
    /// What is missing of it because it was too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Fields of which only a commitment is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<BTreeMap<String, String>>,
}

impl Record {
    /// The record of a leaf; of one that cannot be read, a record that says so.
    pub fn of(run: &str, found: &Found<'_>) -> Self {
        let unreadable = || Leaf {
            v: 0,
            ts: 0,
            mono: 0,
            event: "unreadable".to_owned(),
            data: serde_json::Value::Null,
            cut: None,
            sd: None,
        };
        let leaf = found.leaf().unwrap_or_else(unreadable);
        Self {
            v: leaf.v,
            seq: found.index,
            ts: leaf.ts,
            time: WallTime(leaf.ts.into()).to_string(),
            boot_ms: leaf.mono / 1_000_000,
            run: run.to_owned(),
            event: leaf.event,
            data: leaf.data,
            cut: leaf.cut,
            sd: leaf.sd,
        }
    }

    /// The event as a type; `None` for one this version does not know.
    pub fn known_event(&self) -> Option<Event> {
        if self.sd.is_none() {
            return typed(&self.event, &self.data);
        }
        // What was withheld may be what the type needs.
        let mut data = self.data.clone();
        for field in schema::event(&self.event)?.fields.iter().filter(|field| field.class == Class::Personal)
        {
            stand_in(&mut data, &field.path);
        }
        typed(&self.event, &data)
    }

    /// What the log itself says with it.
    pub fn own(&self) -> Option<Own> {
        typed(&self.event, &self.data)
    }
}

/// Puts [`WITHHELD`] where a value is missing.
fn stand_in(data: &mut Value, path: &str) {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = step.trim_end_matches("[]");
    let Value::Object(fields) = data else { return };
    match (rest, fields.get_mut(name)) {
        ("", None) if step != name => drop(fields.insert(name.to_owned(), vec![WITHHELD].into())),
        ("", None) => drop(fields.insert(name.to_owned(), WITHHELD.into())),
        ("*", None) => drop(fields.insert(name.to_owned(), Value::Object(serde_json::Map::new()))),
        (rest, Some(Value::Array(items))) if !rest.is_empty() => {
            items.iter_mut().for_each(|item| stand_in(item, rest));
        }
        (rest, Some(inner)) if !rest.is_empty() => stand_in(inner, rest),
        _ => {}
    }
}

/// Written out with the span it is in, which is made of the rest.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Span { id, parent } = Span::of(self);
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("v", &self.v)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("boot_ms", &self.boot_ms)?;
        map.serialize_entry("run", &self.run)?;
        map.serialize_entry("span", &id)?;
        if let Some(parent) = parent {
            map.serialize_entry("parent", &parent)?;
        }
        map.serialize_entry("event", &self.event)?;
        map.serialize_entry("data", &self.data)?;
        if let Some(cut) = &self.cut {
            map.serialize_entry("cut", cut)?;
        }
        if let Some(sd) = &self.sd {
            map.serialize_entry("sd", sd)?;
        }
        map.end()
    }
}
