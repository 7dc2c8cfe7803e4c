//! Who may read what: the role of a client, and what of an answer is not for it.
//!
//! Default deny: a client that no line names has no role, a field of a record that the schema does not know is personal, and
//! of rows of the index only what is listed here goes to a role that may not read what is personal.

use super::super::asked::Peer;
use super::super::pairs;
use crate::audit::schema::{self, Class};
use serde_json::Value;

/// What a client may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// What is internal; nothing personal.
    Soc,
    /// What is personal as well.
    Compliance,
    /// The user whose records they are.
    Own,
}

impl Role {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Soc, "soc"), (Self::Compliance, "compliance"), (Self::Own, "self")];

    /// Its word.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(role, _)| *role == self).map_or("", |(_, word)| word)
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(role, _)| *role)
    }

    /// The highest class it may read.
    pub(super) fn most(self) -> Class {
        match self {
            Self::Soc => Class::Internal,
            Self::Compliance | Self::Own => Class::Personal,
        }
    }

    /// Whether it may read what is personal.
    pub(super) fn reads_personal(self) -> bool {
        self.most() >= Class::Personal
    }
}

/// The roles of clients, by the name in their certificate or by its digest.
#[derive(Debug, Default)]
pub(super) struct Roles {
    named: Vec<(String, Role)>,
}

/// The most lines of the file.
const MOST_LINES: usize = 1024;

impl Roles {
    /// Reads lines of a role and a name; `#` begins a comment.
    /// # Errors
    /// The first line that makes no sense.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut named: Vec<(String, Role)> = Vec::new();
        pairs::each(text, "ROLE NAME", |word, name| {
            let role = Role::of(word).ok_or("a role is soc, compliance or self")?;
            if named.iter().any(|(known, _)| *known == name) {
                return Err("this name has a role already");
            }
            named.push((name, role));
            Ok(())
        })?;
        if named.len() > MOST_LINES {
            Err(format!("more than {MOST_LINES} names"))
        } else {
            Ok(Self { named })
        }
    }

    /// Every name that has a role.
    pub(super) fn names(&self) -> Vec<String> {
        self.named.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The role of who asks.
    pub(super) fn of(&self, peer: &Peer) -> Option<Role> {
        match peer {
            Peer::Local { uid } => {
                (*uid == nix::unistd::geteuid().as_raw() || *uid == 0).then_some(Role::Own)
            }
            Peer::Certified { name } => {
                self.named.iter().find(|(known, _)| known == name).map(|(_, role)| *role)
            }
        }
    }
}

/// Takes out of an event's data what is above a class; gives how many values went.
pub(super) fn withhold(event: &str, data: &mut Value, most: Class) -> u64 {
    below(event, data, "", most)
}

fn below(event: &str, value: &mut Value, at: &str, most: Class) -> u64 {
    match value {
        Value::Object(fields) => {
            let mut gone = 0;
            fields.retain(|name, inner| {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                if inner.is_object() || inner.is_array() {
                    let inside = below(event, inner, &at, most);
                    gone += inside;
                    return inside == 0 || !is_empty(inner);
                }
                let stays = schema::class_of(event, &at) <= most;
                gone += u64::from(!stays);
                stays
            });
            gone
        }
        Value::Array(items) => {
            let mut gone = 0;
            let all = std::mem::take(items);
            for (place, mut item) in all.into_iter().enumerate() {
                let at = format!("{at}/{place}");
                let inner = if item.is_object() || item.is_array() {
                    below(event, &mut item, &at, most)
                } else {
                    u64::from(schema::class_of(event, &at) > most)
                };
                gone += inner;
                if inner == 0 || (item.is_object() && !is_empty(&item)) {
                    items.push(item);
                }
            }
            gone
        }
        _ => 0,
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Keys of rows of the index whose values are not personal. What is not here is withheld.
const PLAIN: &[&str] = &[
    "acts",
    "alive",
    "all",
    "allowed",
    "began",
    "by_content",
    "by_rule",
    "changed",
    "checked",
    "chain",
    "count",
    "degraded",
    "deleted",
    "denials",
    "denied",
    "denied_times",
    "duration_ms",
    "ended",
    "events",
    "files",
    "first",
    "found",
    "given",
    "granted",
    "granted_times",
    "group",
    "guarded",
    "identity",
    "kind",
    "label",
    "leaves",
    "moved",
    "network",
    "objects",
    "outcome",
    "person",
    "processes",
    "profile",
    "program",
    "programs",
    "proof",
    "proven",
    "read",
    "received",
    "root",
    "rows",
    "run",
    "runs",
    "seconds",
    "seen",
    "seen_times",
    "sensitive",
    "sent",
    "size",
    "state",
    "times",
    "told",
    "uid",
    "coverage",
    "approved",
];

/// Takes out of rows of the index what is not listed as plain; gives how many values went.
pub(super) fn project(value: &mut Value) -> u64 {
    match value {
        Value::Object(fields) => {
            let mut gone = 0;
            fields.retain(|name, inner| {
                if !PLAIN.contains(&name.as_str()) {
                    gone += u64::from(!inner.is_null());
                    return false;
                }
                // What a run says of itself there is one of a few words.
                if name != "coverage" {
                    gone += project(inner);
                }
                true
            });
            gone
        }
        Value::Array(items) => items.iter_mut().map(project).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn roles_are_read_line_by_line_and_nothing_else_is_one() {
        let roles =
            Roles::read("# who\nsoc siem.example.com\n\ncompliance  Audit.Example.com # a person\n").unwrap();
        let of = |name: &str| roles.of(&Peer::Certified { name: name.into() });
        assert_eq!(of("siem.example.com"), Some(Role::Soc));
        assert_eq!(of("audit.example.com"), Some(Role::Compliance));
        assert_eq!(of("other.example.com"), None);
        for bad in ["soc", "soc a b", "root a", "soc a\nself A", "self"] {
            assert!(Roles::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_may_read_no_more_than_internal_gets_no_personal_value_and_no_unknown_one() {
        let mut data = json!({
            "reason": "ceiling", "denial": "d-1", "surprise": "x", "count": 3,
            "who": { "process": { "pid": 7, "program": "/usr/bin/cat" } },
            "what": { "actions": ["read"], "resource": "file /home/u/secret", "path": "/home/u/secret" },
        });
        let gone = withhold("denial", &mut data, Class::Internal);
        let text = data.to_string();
        assert!(!text.contains("secret") && !text.contains("surprise") && gone == 3, "{gone} {text}");
        assert!(text.contains("/usr/bin/cat") && text.contains("ceiling"), "{text}");
        let mut map = json!({ "denied": { "/home/u/name": 2 }, "duration_ms": 1 });
        withhold("run_end", &mut map, Class::Internal);
        assert_eq!(map, json!({ "duration_ms": 1 }));
        let mut unknown = json!({ "a": ["x", { "b": 1 }], "c": 2, "empty": [] });
        assert_eq!(withhold("no such event", &mut unknown, Class::Internal), 3);
        assert_eq!(unknown, json!({ "empty": [] }));
    }

    #[test]
    fn of_rows_only_what_is_listed_stays() {
        let mut row = json!({ "run": "X", "command": ["a"], "cwd": "/h", "new": 1, "told": [{ "name": "/h/x", "count": 2 }] });
        assert_eq!(project(&mut row), 4);
        assert_eq!(row, json!({ "run": "X", "told": [{ "count": 2 }] }));
    }
}
