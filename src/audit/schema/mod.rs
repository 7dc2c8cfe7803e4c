//! The schema: what each event is, who may read each of its fields, and what other systems call it.
//!
//! The single source: the JSON Schema, the man page, the exports and whatever withholds a field are made from this table or
//! checked against it, and the table against the types of the events, both ways. Never reads a log and never changes an
//! event.

mod access;
mod beside;
mod forward;
mod json_schema;
mod network;
mod own;
mod path;
mod rows;
mod run;
#[cfg(test)]
mod tests;

pub use json_schema::{json_schema, record_schema};

use path::Segments;
use rows::Row;
use std::fmt;
use std::sync::LazyLock;

/// Who may read a field, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Time, kind, decision, sizes, ids, digests.
    Public,
    /// Programs, pids, ids of users, rules and what else tells how the machine is set up.
    Internal,
    /// Paths, names and addresses of hosts, command lines, words of people and of agents.
    Personal,
    /// What must never be stored. No field has it.
    Secret,
}

impl Class {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Personal, Self::Secret];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Personal => "personal",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// When a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before what it tells of takes effect; on the disk, where the profile wants that.
    Sync,
    /// Soon; nothing waits for it.
    Async,
    /// With the log: what the log and the device say of themselves.
    Meta,
}

impl Durability {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Meta => "meta",
        }
    }
}

/// What an event is in CEF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cef {
    /// Its name.
    pub name: &'static str,
    /// Its severity, 0 to 10: what it has by itself, and when what it tells of was refused or failed.
    pub severity: (u8, u8),
}

/// What an event is in ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ecs {
    /// `event.category`.
    pub category: &'static str,
    /// `event.type`, before the outcome is known; `allowed` and `denied` come with it.
    pub types: &'static [&'static str],
}

/// A field of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its path in `data`: `who.parents[].program`; `[]` is any element, `*` any key of a map.
    pub path: String,
    /// Who may read it. Of a map with `*` this is said of its keys as well.
    pub class: Class,
}

/// What an event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSchema {
    /// Its name in the log.
    pub name: &'static str,
    /// Counts up when fields come; none is ever renamed or goes.
    pub version: u32,
    /// What it says that happened.
    pub meaning: &'static str,
    /// When it is kept.
    pub durability: Durability,
    /// Every OCSF `type_uid` that it may be; the first is the usual one.
    pub ocsf: &'static [u32],
    /// What it is in CEF.
    pub cef: Cef,
    /// What it is in ECS.
    pub ecs: Ecs,
    /// Every field that holds a value, in the order of the types.
    pub fields: Vec<Field>,
}

impl EventSchema {
    /// The class of a value by its JSON pointer in `data`. Of an object or a list, the highest class below it. A field
    /// that is not known is [`Class::Personal`]: a newer program wrote it, or somebody made it up.
    pub fn class_of(&self, pointer: &str) -> Class {
        let asked = Segments::of_pointer(pointer);
        let classes = self.fields.iter().filter(|field| asked.leads_to(&field.path)).map(|field| field.class);
        classes.max().unwrap_or(Class::Personal)
    }
}

static TABLE: LazyLock<Vec<EventSchema>> = LazyLock::new(|| {
    [run::ROWS, beside::ROWS, access::ROWS, network::ROWS, own::ROWS, forward::ROWS]
        .into_iter()
        .flatten()
        .map(Row::schema)
        .collect()
});

/// Every event: those of a run, then what the log, the device and a forwarder say of themselves.
pub fn events() -> &'static [EventSchema] {
    &TABLE
}

/// What an event is, by its name in the log.
pub fn event(name: &str) -> Option<&'static EventSchema> {
    events().iter().find(|schema| schema.name == name)
}

/// As [`EventSchema::class_of`]; everything of an event that is not known is [`Class::Personal`].
pub fn class_of(event_name: &str, pointer: &str) -> Class {
    event(event_name).map_or(Class::Personal, |schema| schema.class_of(pointer))
}
