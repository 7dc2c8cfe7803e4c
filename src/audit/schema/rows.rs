//! How the table is written down: an event a row, and fields that come in several events once.

use super::{Cef, Class, Durability, Ecs, EventSchema, Field};

/// Fields of one class, or fields of a type that several events have, below a name.
pub(super) enum Part {
    /// Fields of this class, by their paths.
    Of(Class, &'static [&'static str]),
    /// These parts below a name.
    In(&'static str, &'static [Part]),
}

/// An event as it is written down.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) meaning: &'static str,
    pub(super) durability: Durability,
    pub(super) ocsf: &'static [u32],
    pub(super) cef: (&'static str, u8, u8),
    pub(super) ecs: (&'static str, &'static [&'static str]),
    pub(super) parts: &'static [Part],
}

impl Row {
    pub(super) fn schema(&self) -> EventSchema {
        let mut fields = Vec::new();
        collect(self.parts, "", &mut fields);
        let (name, low, high) = self.cef;
        let (category, types) = self.ecs;
        EventSchema {
            name: self.name,
            version: self.version,
            meaning: self.meaning,
            durability: self.durability,
            ocsf: self.ocsf,
            cef: Cef { name, severity: (low, high) },
            ecs: Ecs { category, types },
            fields,
        }
    }
}

fn collect(parts: &[Part], below: &str, fields: &mut Vec<Field>) {
    let joined = |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}.{name}") };
    for part in parts {
        match part {
            Part::Of(class, paths) => {
                fields.extend(paths.iter().map(|path| Field { path: joined(path), class: *class }));
            }
            Part::In(name, inner) => collect(inner, &joined(name), fields),
        }
    }
}

use Class::{Internal, Personal, Public};

/// A process, as it was seen.
pub(super) const SEEN: &[Part] = &[Part::Of(Internal, &["pid", "program"]), Part::Of(Public, &["sha256"])];

/// Who asked.
pub(super) const WHO: &[Part] = &[Part::In("process", SEEN), Part::In("parents[]", SEEN)];

/// On what.
pub(super) const WHAT: &[Part] = &[
    Part::Of(Public, &["actions[]"]),
    Part::Of(Personal, &["resource", "path"]),
    Part::Of(Public, &["label"]),
    Part::In("upload", &[Part::Of(Personal, &["request"]), Part::Of(Public, &["bytes", "found[][]"])]),
];

/// The arguments of a command.
pub(super) const COMMAND: &[Part] =
    &[Part::Of(Personal, &["argv[]"]), Part::Of(Public, &["count", "cut", "redacted", "not_utf8"])];

/// A file by name and content: one that is executed.
pub(super) const PROGRAM: &[Part] = &[Part::Of(Internal, &["path"]), Part::Of(Public, &["sha256"])];
