//! Every bundle of a run, by level, and the decision they come to.
//!
//! Never lets bundles share rules or data: each has an engine of its own, so a lower one cannot define what a higher one
//! reads. Whatever fails is a no.

use super::bundle::Bundle;
use super::verdict::{self, Level, Said, Verdict};
use super::{document, record, veto};
use crate::sys::random::random_bytes;
use crate::wire::policy::{Decision, Input, Outcome};
use std::time::Instant;

/// The name of what is decided before any policy.
pub const VETO: &str = "veto";

/// The bundles, administrator first.
#[derive(Clone, Default)]
pub struct PolicySet {
    bundles: Vec<(Level, Bundle)>,
}

impl PolicySet {
    /// Puts a bundle in. One of the same level and name goes.
    pub fn put(&mut self, level: Level, bundle: Bundle) {
        match self.bundles.iter_mut().find(|(at, known)| *at == level && known.name == bundle.name) {
            Some(place) => place.1 = bundle,
            None => self.bundles.push((level, bundle)),
        }
        self.bundles.sort_by_key(|(level, _)| *level);
    }

    /// Its bundles with their levels.
    pub fn bundles(&self) -> impl Iterator<Item = (Level, &Bundle)> {
        self.bundles.iter().map(|(level, bundle)| (*level, bundle))
    }

    /// Decides.
    pub fn decide(&mut self, input: &Input) -> Decision {
        let begun = Instant::now();
        let mut decision = self.judge(input);
        decision.took_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        decision
    }

    /// What the bundles want masked in a record: `data.system.log.mask`, of each that has it. A rule that fails masks the
    /// whole input, which is the careful side.
    pub fn masks(&mut self, record: &serde_json::Value) -> Vec<serde_json::Value> {
        let input = super::engine::Document::json(record);
        let mut masks = Vec::new();
        for (_, bundle) in self.bundles.iter_mut().filter(|(_, bundle)| bundle.masks) {
            match bundle.engine.value(record::MASK, &input) {
                Ok(Some(serde_json::Value::Array(list))) => masks.extend(list),
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => masks.push("/input".into()),
            }
        }
        masks
    }

    fn judge(&mut self, input: &Input) -> Decision {
        let Ok(decision_id) = uuid() else {
            return Decision {
                decision_id: String::new(),
                ..self.no("", "no random bytes for the decision's id")
            };
        };
        if let Some(reason) = veto::question(input) {
            return Decision { decision_id, error: None, ..self.no(VETO, &reason) };
        }
        match self.ask(input) {
            Err((policy, error)) => Decision { decision_id, ..self.no(&policy, &error) },
            Ok(said) => {
                let sum = verdict::sum(&said);
                Decision {
                    outcome: sum.outcome,
                    decision_id,
                    policy: sum.policy,
                    reason: sum.reason,
                    ttl_s: sum.ttl_s,
                    bundles: self.revisions(),
                    took_ns: 0,
                    error: None,
                }
            }
        }
    }

    /// A no because of this error.
    fn no(&self, policy: &str, error: &str) -> Decision {
        let shown = verdict::cut(&crate::base::escape(error.as_bytes()), 1000);
        Decision {
            outcome: Outcome::Deny,
            decision_id: String::new(),
            policy: policy.to_owned(),
            reason: shown.clone(),
            ttl_s: None,
            bundles: self.revisions(),
            took_ns: 0,
            error: Some(shown),
        }
    }

    fn ask(&mut self, input: &Input) -> Result<Vec<Said>, (String, String)> {
        let input = document::of(input);
        let mut said = Vec::new();
        for (level, _) in Level::ALL {
            let mut verdicts: Vec<Verdict> = Vec::new();
            let mut default = None;
            for (_, bundle) in self.bundles.iter_mut().filter(|(at, _)| *at == level) {
                default = stricter(default, bundle.silence());
                for place in 0..bundle.engine.policies().len() {
                    let id = bundle.engine.policies().get(place).map(|policy| policy.id.clone());
                    let id = id.unwrap_or_default();
                    let value = bundle.engine.verdict(place, &input);
                    let read = value.and_then(|value| verdict::read(&id, value));
                    verdicts.extend(read.map_err(|error| (id, format!("{}: {error}", bundle.name)))?);
                }
            }
            said.extend(verdict::level(level, verdicts, default));
        }
        Ok(said)
    }

    /// `NAME=REVISION` of each.
    fn revisions(&self) -> Vec<String> {
        self.bundles
            .iter()
            .map(|(_, bundle)| format!("{}={}", bundle.name, bundle.manifest.revision))
            .collect()
    }
}

fn stricter(one: Option<Outcome>, other: Option<Outcome>) -> Option<Outcome> {
    match (one, other) {
        (Some(Outcome::Deny), _) | (_, Some(Outcome::Deny)) => Some(Outcome::Deny),
        (one, other) => one.or(other),
    }
}

/// A random UUID (RFC 9562, version 4).
fn uuid() -> Result<String, crate::sys::Errno> {
    let number = u128::from_be_bytes(random_bytes::<16>()?);
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{number:032x}");
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    Ok(parts.map(|(from, to)| hex.get(from..to).unwrap_or_default()).join("-"))
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
