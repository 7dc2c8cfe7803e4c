//! Why something was refused: stable ids that a program may compare, and a sentence for people.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $text:literal,)+) => {
        /// The reason of a refusal. The ids never change their meaning; new ones may come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Reason { $($(#[$doc])* #[serde(rename = $id)] $name,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its stable id.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// What it means, for people and for agents.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

reasons! {
    /// The profile does not allow it, whoever says yes.
    Ceiling = "ceiling", "the profile does not allow this, and nobody can be asked for it",
    /// The policy said no.
    Policy = "policy", "a policy refuses this",
    /// A person said no.
    Refused = "refused", "a person said no",
    /// A person said: never again.
    Never = "never", "a person said no, for good",
    /// Nobody answered in time.
    Timeout = "timeout", "nobody answered in time",
    /// There is no way to ask a person.
    NoChannel = "no-channel", "there is no way to ask a person here",
    /// Asked too often.
    RateLimit = "rate-limit", "too many requests; wait before asking again",
    /// The same was refused a moment ago, and the answer still stands.
    Repeated = "repeated", "the same was refused a moment ago, and that answer still stands",
    /// The token is missing, forged, expired, revoked, of another channel, or does not list this.
    Token = "token", "the token does not allow this",
    /// The lease is over or was revoked.
    Revoked = "revoked", "the lease is over or was taken back",
    /// The object changed between the answer and the act.
    Changed = "changed", "the object is not the one that was approved",
    /// There is no such object.
    NotFound = "not-found", "there is no such object",
    /// The kernel refused it to the person's own account.
    Kernel = "kernel", "the kernel refuses this to the person's own account",
    /// This run or this machine cannot do it.
    Unavailable = "unavailable", "this is not available in this run",
    /// The record could not be written, so nothing was granted.
    NoRecord = "no-record", "the record could not be written, so nothing is granted",
    /// The message makes no sense here.
    Protocol = "protocol", "the message is malformed or out of order",
    /// Who asked is gone.
    Withdrawn = "withdrawn", "who asked is gone",
    /// A rule found something in the run, and nothing more is granted.
    Detection = "detection", "a rule found something in this run, and nothing more is granted",
    /// The run is ending.
    Ending = "ending", "the run is ending",
}

/// One refusal, as it is kept, shown and told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// Names it, for `explain`: unique in the run.
    pub id: String,
    /// Why.
    pub reason: Reason,
    /// More, for people and agents: which rule, which limit. Never secret.
    pub detail: String,
    /// What was asked, in words.
    pub what: String,
    /// Seconds since 1970.
    pub at: u64,
}
