//! One bundle's rules, ready to be asked. The only file that names regorus.
//!
//! Never lets a rule run longer than [`TIME_LIMIT`], and never takes "no answer" for an answer: what is undefined comes
//! back as such, and a builtin that fails, or that is not there, is an error. There is no clock and no network here.

use crate::base::thread_time;
use regorus::unstable::{Expr, Rule, RuleHead};
use regorus::utils::limits::ExecutionTimerConfig;
use serde_json::Value;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// The longest that one rule may take.
pub const TIME_LIMIT: Duration = Duration::from_millis(50);
/// How often a rule is asked that had less than half of its time to work.
const MOST_TRIES: usize = 20;
/// How many steps the interpreter makes between two looks at the clock.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(64).unwrap();
/// The package of a policy is one below this.
const POLICIES: [&str; 2] = ["aisandbox", "policies"];
/// The rule of a policy that is asked.
const VERDICT: &str = "verdict";

/// A value that rules read, such as the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document(regorus::Value);

impl Document {
    /// Text.
    pub(super) fn text(text: &str) -> Self {
        Self(regorus::Value::from(text))
    }

    /// A whole number.
    pub(super) fn number(number: u64) -> Self {
        Self(regorus::Value::from(number))
    }

    /// True or false.
    pub(super) fn truth(truth: bool) -> Self {
        Self(regorus::Value::from(truth))
    }

    /// What is inside, or null.
    pub(super) fn option(value: Option<Self>) -> Self {
        value.unwrap_or(Self(regorus::Value::Null))
    }

    /// A list.
    pub(super) fn list(values: impl Iterator<Item = Self>) -> Self {
        Self(regorus::Value::from(values.map(|value| value.0).collect::<Vec<regorus::Value>>()))
    }

    /// An object.
    pub(super) fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (regorus::Value::from(name), value.0));
        Self(regorus::Value::from(fields.collect::<std::collections::BTreeMap<_, _>>()))
    }

    /// Any JSON.
    pub(super) fn json(value: &Value) -> Self {
        Self(regorus::Value::from(value.clone()))
    }
}

/// Rules and data that were read and put together.
#[derive(Clone)]
pub(super) struct Engine {
    inner: regorus::Engine,
    /// As it was before it was asked anything: one that broke off in the middle of a rule is not asked again.
    fresh: regorus::Engine,
    policies: Vec<Policy>,
}

/// One policy of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// Its name: the last part of its package.
    pub(super) id: String,
    rule: String,
}

/// A rule whose name begins with `test_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestRule {
    /// Its file.
    pub(super) file: String,
    /// `data.….test_…`.
    pub(super) rule: String,
}

impl Engine {
    /// Reads the modules, each a path and a text.
    /// # Errors
    /// The interpreter's words, with file and line.
    pub(super) fn build(modules: &[(String, String)], data: &Value) -> Result<Self, String> {
        let mut inner = regorus::Engine::new();
        inner.set_strict_builtin_errors(true);
        inner.set_execution_timer_config(ExecutionTimerConfig {
            limit: TIME_LIMIT,
            check_interval: CHECK_INTERVAL,
        });
        for (path, text) in modules {
            inner.add_policy(path.clone(), text.clone()).map_err(|error| words(&error))?;
        }
        inner.add_data(regorus::Value::from(data.clone())).map_err(|error| words(&error))?;
        let mut engine = Self { fresh: inner.clone(), inner, policies: Vec::new() };
        engine.policies = engine.find_policies()?;
        engine.prepare()?;
        engine.fresh = engine.inner.clone();
        Ok(engine)
    }

    /// The policies, sorted by name.
    pub(super) fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Every package with the file it stands in, as its parts.
    /// # Errors
    /// As [`Engine::build`].
    pub(super) fn packages(&self) -> Result<Vec<(String, Vec<String>)>, String> {
        let packages = self.inner.get_policy_package_components().map_err(|error| words(&error))?;
        Ok(packages.into_iter().map(|package| (package.source_file, package.components)).collect())
    }

    /// The value of a policy's verdict; `None`: undefined.
    /// # Errors
    /// A builtin that failed or is not there, the time limit, or a conflict between rules.
    pub(super) fn verdict(&mut self, policy: usize, input: &Document) -> Result<Option<Value>, String> {
        let rule = self.policies.get(policy).map(|policy| policy.rule.clone());
        let rule = rule.ok_or_else(|| "no such policy".to_owned())?;
        self.value_of(&rule, input)
    }

    /// The value of a rule by its path, with a free input; `None`: undefined.
    /// # Errors
    /// As [`Engine::verdict`], and when there is no such rule.
    pub(super) fn value(&mut self, rule: &str, input: &Document) -> Result<Option<Value>, String> {
        self.value_of(rule, input)
    }

    /// The interpreter's limit counts the time of the wall. On a busy machine a short rule can reach it while it waits for
    /// a processor; then it is asked again.
    fn value_of(&mut self, rule: &str, input: &Document) -> Result<Option<Value>, String> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (begun, worked) = (Instant::now(), thread_time());
            self.inner.set_input(input.0.clone());
            let made = self.inner.eval_rule(rule.to_owned());
            if made.is_err() {
                self.inner = self.fresh.clone();
            }
            let busy = thread_time().saturating_sub(worked) < TIME_LIMIT / 2;
            if made.is_ok() || begun.elapsed() < TIME_LIMIT || !busy || tries >= MOST_TRIES {
                return answer(made);
            }
        }
    }

    /// The `test_` rules of all modules, from the text of the rules and not from their values: one that is undefined
    /// is there too.
    /// # Errors
    /// As [`Engine::build`].
    pub(super) fn tests(&mut self) -> Result<Vec<TestRule>, String> {
        let packages = self.packages()?;
        let mut found = Vec::new();
        for (module, (file, package)) in self.inner.get_modules().iter().zip(&packages) {
            for rule in &module.policy {
                let name = head(rule).map(name_of).unwrap_or_default();
                if name.starts_with("test_") {
                    found.push(TestRule { file: file.clone(), rule: path(package, &name) });
                }
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn find_policies(&mut self) -> Result<Vec<Policy>, String> {
        let packages = self.packages()?;
        let mut policies: Vec<Policy> = Vec::new();
        let mut asked: Vec<String> = Vec::new();
        for (module, (file, package)) in self.inner.get_modules().iter().zip(&packages) {
            let [first, second, id] = package.as_slice() else { continue };
            if [first.as_str(), second.as_str()] != POLICIES || file.ends_with("_test.rego") {
                continue;
            }
            policies.push(Policy { id: id.clone(), rule: path(package, VERDICT) });
            if module.policy.iter().filter_map(|rule| head(rule)).any(|expr| name_of(expr) == VERDICT) {
                asked.push(id.clone());
            }
        }
        if let Some(policy) = policies.iter().find(|policy| !asked.contains(&policy.id)) {
            return Err(format!("the policy {} has no rule `verdict`", policy.id));
        }
        policies.sort_by(|one, other| one.id.cmp(&other.id));
        policies.dedup();
        Ok(policies)
    }

    /// Analyses the modules now, so that what is wrong in them is wrong when they are loaded.
    fn prepare(&mut self) -> Result<(), String> {
        self.inner.eval_query("true".into(), false).map(drop).map_err(|error| words(&error))
    }
}

/// What a rule defines; `None` for a default and for a function.
fn head(rule: &Rule) -> Option<&Expr> {
    match rule {
        Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, .. } => Some(refr),
        Rule::Spec { .. } | Rule::Default { .. } => None,
    }
}

/// The first name of what a rule defines: `verdict` of `verdict`, `verdict[x]` and `verdict.a`.
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Var { span, .. } => span.text().to_owned(),
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => name_of(refr),
        _ => String::new(),
    }
}

/// `data.a["b-c"].rule`.
fn path(package: &[String], rule: &str) -> String {
    let mut path = "data".to_owned();
    for part in package.iter().map(String::as_str).chain([rule]) {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if part.bytes().all(letter) && !part.starts_with(|first: char| first.is_ascii_digit()) {
            path.push('.');
            path.push_str(part);
        } else {
            path.push_str(&format!("[{}]", Value::from(part)));
        }
    }
    path
}

fn answer(made: Result<regorus::Value, impl std::fmt::Display>) -> Result<Option<Value>, String> {
    match made.map_err(|error| words(&error))? {
        regorus::Value::Undefined => Ok(None),
        value => serde_json::to_value(&value).map(Some).map_err(|error| error.to_string()),
    }
}

/// One line, `FILE:LINE:COLUMN: WHAT`; the interpreter draws the place over several.
fn words(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let place = lines().find_map(|line| line.strip_prefix("--> "));
    let what = lines().find_map(|line| line.strip_prefix("error: "));
    match (place, what) {
        (Some(place), Some(what)) => format!("{place}: {what}"),
        _ => lines().collect::<Vec<_>>().join(" "),
    }
}
