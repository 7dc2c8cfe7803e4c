//! Runs the tests of a bundle: every rule whose name begins with `test_`.
//!
//! Never passes a test that has no value: the rules are listed from the text, so one that is undefined has failed.

use super::bundle::Bundle;
use super::engine::Document;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// The file it stands in.
    pub file: String,
    /// `data.….test_…`.
    pub rule: String,
    /// Why it failed; `None`: it passed.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Runs all of them. The bundle was read with its tests.
/// # Errors
/// When the rules cannot be listed.
pub fn run_tests(bundle: &mut Bundle) -> Result<Vec<TestResult>, String> {
    let nothing = Document::json(&Value::Null);
    let mut results = Vec::new();
    for test in bundle.engine.tests()? {
        let begun = Instant::now();
        let failure = match bundle.engine.value(&test.rule, &nothing) {
            Ok(Some(Value::Bool(true))) => None,
            Ok(Some(other)) => Some(format!("its value is {other}")),
            Ok(None) => Some("undefined".into()),
            Err(error) => Some(error),
        };
        results.push(TestResult { file: test.file, rule: test.rule, failure, took: begun.elapsed() });
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::archive::Member;
    use crate::policy::{Trust, shipped, shipped_names};

    #[test]
    fn a_test_without_a_value_has_failed() {
        let text = "package a_test\ntest_right if 1 == 1\ntest_undefined if 1 == 2\ntest_false := false\n\
                    test_error if no.such(1)\nnot_a_test if 1 == 2\n";
        let member = Member { name: "a_test.rego".into(), bytes: text.into() };
        let mut bundle = Bundle::read("b", &[member], &Trust::default(), true).unwrap();
        let results = run_tests(&mut bundle).unwrap();
        let failed: Vec<&str> =
            results.iter().filter(|result| result.failure.is_some()).map(|result| &*result.rule).collect();
        assert_eq!(results.len(), 4);
        assert_eq!(
            failed,
            ["data.a_test.test_error", "data.a_test.test_false", "data.a_test.test_undefined"]
        );
    }

    #[test]
    fn every_test_of_the_shipped_policies_passes() {
        for name in shipped_names() {
            let members = shipped(name).unwrap();
            let mut bundle = Bundle::read(name, &members, &Trust::default(), true).unwrap();
            let results = run_tests(&mut bundle).unwrap();
            assert!(results.len() > 6, "{name}");
            let failed: Vec<&TestResult> = results.iter().filter(|result| result.failure.is_some()).collect();
            assert!(failed.is_empty(), "{failed:#?}");
        }
    }
}
