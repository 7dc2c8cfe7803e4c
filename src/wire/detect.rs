//! Launcher, Guardian and role `detect`: rules first, then what was found. The events themselves come as lines
//! (`audit::log::lines`), which no message here looks like.

use serde::{Deserialize, Serialize};

/// To the role, before there are events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToDetect {
    /// A file of rules. It has no answer unless they are wrong.
    Rules {
        /// What errors call it.
        name: String,
        /// Its content.
        text: String,
    },
    /// All files have come: events of this run follow.
    Begin {
        /// The run.
        run: String,
    },
}

/// From the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromDetect {
    /// The rules cannot be used.
    Wrong {
        /// Why, with file and line.
        error: String,
    },
    /// The rules are in use.
    Ready {
        /// Those that tell of what they find, in the order of [`Found::rule`].
        rules: Vec<RuleName>,
        /// The names of events that are wanted.
        events: Vec<String>,
    },
    /// So many events were looked at.
    Looked {
        /// How many.
        events: u64,
        /// What was found in them.
        found: Vec<Found>,
    },
}

/// A rule by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleName {
    /// Its name.
    pub name: String,
    /// `informational` to `critical`.
    pub level: String,
    /// Its UUID.
    pub id: String,
    /// What it finds, in a few words.
    pub title: String,
}

/// What a rule found, once or several times in one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The rule's number.
    pub rule: u32,
    /// How often.
    pub count: u64,
    /// What tells most about the first.
    pub about: Vec<Fact>,
    /// The first event of the first finding.
    pub first: u64,
    /// The last event of the last.
    pub last: u64,
}

/// A field and the beginning of its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// The field.
    pub field: String,
    /// The value. It can be the agent's words.
    pub value: String,
}
