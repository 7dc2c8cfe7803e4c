//! `audit.observe`: how much is observed of the calls that a sandbox makes.

/// How much, the least first. Each level observes what those before it do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Observe {
    /// What is refused and asked for, and what passes the Guardian and the proxy.
    Deny,
    /// Opens that may write, names that are made, moved or removed, modes that are changed, programs that are executed.
    Writes,
    /// Every open.
    All,
    /// Every open, and no sensitive place is there from the start: what is in it comes by requests.
    Strict,
}

impl Observe {
    /// Every level with its word.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Deny, "deny"), (Self::Writes, "writes"), (Self::All, "all"), (Self::Strict, "strict")];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("", |(_, word)| word)
    }

    /// Calls are observed.
    pub fn calls(self) -> bool {
        self >= Self::Writes
    }

    /// Opens that only read are among them.
    pub fn reads(self) -> bool {
        self >= Self::All
    }
}
