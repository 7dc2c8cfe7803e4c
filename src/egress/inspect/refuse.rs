//! A request that is not let out, and how the agent is told: a status, a stable reason, and the rule.

use crate::egress::reason::Denied;
use crate::egress::refuse::json;
use crate::wire::egress::{Kind, Rule};
use std::time::Duration;

/// Why a request goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// A stable word.
    pub reason: &'static str,
    /// The rule that decided, when one did.
    pub rule: Option<String>,
    /// One sentence for people. Never holds bytes of the agent.
    pub why: String,
    /// A secret, a decoy or a placeholder was on its way.
    pub alert: bool,
    /// The same may go out after so long.
    pub again_in: Option<Duration>,
}

impl Refusal {
    /// A refusal by no rule.
    pub(super) fn new(status: u16, reason: &'static str, why: impl Into<String>) -> Self {
        Self { status, reason, rule: None, why: why.into(), alert: false, again_in: None }
    }

    /// The same, by this rule.
    #[must_use]
    pub(super) fn by(mut self, rule: &Rule) -> Self {
        self.rule = Some(rule.id.clone());
        self
    }

    /// The same, as an alert.
    #[must_use]
    pub(super) fn alarming(mut self) -> Self {
        self.alert = true;
        self
    }

    /// The same for a connection.
    pub(super) fn denied(self) -> Denied {
        Denied { reason: self.reason, rule: self.rule, alert: self.alert }
    }

    /// What it is told as.
    pub(super) fn kind(&self) -> Kind {
        if self.alert { Kind::Alert } else { Kind::Denied }
    }

    /// Whether the path may hold what must not be told either.
    pub(super) fn hides(&self) -> bool {
        self.alert || self.reason.starts_with("dlp")
    }

    /// What the agent reads.
    pub(super) fn json(&self, host: &str) -> String {
        json(host, self.reason, self.rule.as_deref(), &self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_as_json_with_reason_and_host() {
        let told = Refusal::new(403, "path", "no rule allows this path").json("a.example");
        let value: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(value["reason"], "path");
        assert_eq!(value["host"], "a.example");
        assert!(value["rule"].is_null());
    }
}
