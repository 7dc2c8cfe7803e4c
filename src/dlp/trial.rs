//! Tries each rule on its own examples.

use super::engine::{Classifier, Engine, Options};
use super::rule::{Rule, Rules};
use crate::crypto::Secret;
use std::sync::Arc;

/// An example that a rule fails on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The rule.
    pub rule: Arc<str>,
    /// Its line.
    pub line: u32,
    /// The rule has to find something in it; otherwise it may find nothing.
    pub must_match: bool,
    /// The example.
    pub example: String,
}

impl Rules {
    /// Every example on which its rule fails, each rule alone.
    pub fn failures(&self, key: &Arc<Secret>, classifier: Classifier) -> Vec<Failed> {
        let failures = |rule: &Rule| {
            let alone = Self { rules: vec![rule.clone()] };
            let engine = Engine::new(alone, Options::new(key.clone(), classifier));
            let finds = |text: &String| !engine.scan(text.as_bytes()).is_empty();
            let failed = |must_match: bool, text: &String| Failed {
                rule: rule.id.clone(),
                line: rule.line,
                must_match,
                example: text.clone(),
            };
            let missed = rule.matching.iter().filter(|text| !finds(text)).map(|text| failed(true, text));
            let wrong = rule.clean.iter().filter(|text| finds(text)).map(|text| failed(false, text));
            missed.chain(wrong).collect::<Vec<_>>()
        };
        self.rules.iter().flat_map(failures).collect()
    }

    /// Rules without those of these names.
    pub fn without(mut self, names: &[Arc<str>]) -> Self {
        self.rules.retain(|rule| !names.contains(&rule.id));
        self
    }
}
