//! What policies say, and what several of them come to. Pure.
//!
//! Never lets a lower level widen: a level narrows what the levels above it left, and nothing else.

use crate::wire::policy::Outcome;
use serde::Deserialize;
use serde_json::Value;

/// The most bytes of a reason that are kept.
const REASON_BYTES: usize = 500;
/// The most verdicts one policy gives.
const MOST_VERDICTS: usize = 64;

/// Who wrote a bundle. The first is above the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The administrator of the machine.
    Administrator,
    /// The person.
    User,
    /// The profile of the run.
    Project,
}

impl Level {
    /// Every level with its word, from above.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Administrator, "administrator"), (Self::User, "user"), (Self::Project, "project")];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("", |(_, word)| word)
    }

    /// The level of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(level, _)| *level)
    }
}

/// One thing a policy says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    #[serde(default)]
    pub(super) policy: String,
    pub(super) reason: String,
    #[serde(default)]
    pub(super) ttl_s: Option<u64>,
}

/// What a level came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) level: Level,
    pub(super) verdict: Verdict,
    /// The shortest life that any verdict with its outcome asked for.
    pub(super) ttl_s: Option<u64>,
}

/// Reads what a verdict rule gave: a set of objects, or one object. What a policy calls itself does not count; its
/// package does.
/// # Errors
/// For anything else, undefined too.
pub(super) fn read(policy: &str, value: Option<Value>) -> Result<Vec<Verdict>, String> {
    let list = match value {
        None => return Err("its verdict is undefined; write `verdict contains …`".into()),
        Some(Value::Array(list)) if list.len() > MOST_VERDICTS => {
            return Err(format!("more than {MOST_VERDICTS} verdicts"));
        }
        Some(Value::Array(list)) => list,
        Some(object @ Value::Object(_)) => vec![object],
        Some(other) => {
            return Err(format!("its verdict is no set of objects: {}", cut(&other.to_string(), 80)));
        }
    };
    list.into_iter().map(|value| one(policy, value)).collect()
}

/// A century: beyond it, clocks and timers of the kernel begin to differ in what they take.
const LONGEST_S: u64 = 3_155_760_000;

fn one(policy: &str, value: Value) -> Result<Verdict, String> {
    if !value.is_object() {
        return Err(format!("a verdict is no object: {}", cut(&value.to_string(), 80)));
    }
    let mut verdict: Verdict =
        serde_json::from_value(value).map_err(|error| format!("a verdict of another shape: {error}"))?;
    if verdict.ttl_s.is_some_and(|seconds| !(1..=LONGEST_S).contains(&seconds)) {
        return Err("a verdict with a ttl_s of 0, or of more than a century".into());
    }
    verdict.policy = policy.to_owned();
    verdict.reason = cut(&verdict.reason, REASON_BYTES);
    Ok(verdict)
}

/// What the verdicts of one level come to: deny before allow before prompt, and the default when nobody speaks.
pub(super) fn level(level: Level, mut verdicts: Vec<Verdict>, default: Option<Outcome>) -> Option<Said> {
    let rank = |outcome: Outcome| match outcome {
        Outcome::Deny => 0,
        Outcome::Allow => 1,
        Outcome::Prompt => 2,
    };
    let key = |verdict: &Verdict| (rank(verdict.outcome), verdict.policy.clone(), verdict.reason.clone());
    verdicts.sort_by_key(key);
    let first = verdicts.first().map(|verdict| verdict.outcome);
    let alike = verdicts.iter().filter(|verdict| Some(verdict.outcome) == first);
    let ttl_s = alike.filter_map(|verdict| verdict.ttl_s).min();
    let silent = || {
        let outcome = default?;
        let reason = "no policy of the bundle speaks about this, and this is its default".to_owned();
        Some(Verdict { outcome, policy: String::new(), reason, ttl_s: None })
    };
    let verdict = verdicts.into_iter().next().or_else(silent)?;
    Some(Said { level, verdict, ttl_s })
}

/// What all levels come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) outcome: Outcome,
    pub(super) policy: String,
    pub(super) reason: String,
    pub(super) ttl_s: Option<u64>,
}

/// The strictest of the levels that speak. The reason tells when a lower one would have allowed more.
pub(super) fn sum(said: &[Said]) -> Sum {
    let strictest = said.iter().reduce(|held, next| if next.stricter_than(held) { next } else { held });
    let Some(strictest) = strictest else {
        let reason = "no policy speaks about this".to_owned();
        return Sum { outcome: Outcome::Prompt, policy: String::new(), reason, ttl_s: None };
    };
    let mut reason = strictest.verdict.reason.clone();
    for lower in said.iter().filter(|other| other.level > strictest.level && strictest.stricter_than(other)) {
        let word = lower.level.word();
        reason.push_str(&format!("; the {word} policy {} would widen this, and may not", lower.shown()));
    }
    let ttl_s = said.iter().filter_map(|said| said.ttl_s).min();
    let ttl_s = ttl_s.filter(|_| strictest.verdict.outcome != Outcome::Deny);
    Sum { outcome: strictest.verdict.outcome, policy: strictest.verdict.policy.clone(), reason, ttl_s }
}

impl Said {
    fn stricter_than(&self, other: &Self) -> bool {
        let strength = |said: &Self| match said.verdict.outcome {
            Outcome::Allow => 0,
            Outcome::Prompt => 1,
            Outcome::Deny => 2,
        };
        strength(self) > strength(other)
    }

    fn shown(&self) -> &str {
        if self.verdict.policy.is_empty() { "default" } else { &self.verdict.policy }
    }
}

/// At most so many bytes, cut between letters.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(outcome: Outcome, ttl_s: Option<u64>) -> Verdict {
        Verdict { outcome, policy: format!("{outcome:?}"), reason: "r".into(), ttl_s }
    }

    fn said(at: Level, outcome: Outcome) -> Said {
        level(at, vec![verdict(outcome, None)], None).unwrap()
    }

    #[test]
    fn deny_comes_before_allow_and_allow_before_prompt() {
        let all = [Outcome::Prompt, Outcome::Allow, Outcome::Deny];
        for (count, wanted) in [(3, Outcome::Deny), (2, Outcome::Allow), (1, Outcome::Prompt)] {
            let verdicts = all.iter().take(count).map(|outcome| verdict(*outcome, None)).collect();
            assert_eq!(level(Level::User, verdicts, None).unwrap().verdict.outcome, wanted);
        }
    }

    #[test]
    fn whoever_speaks_a_lower_level_only_tightens() {
        let outcomes = [Outcome::Allow, Outcome::Prompt, Outcome::Deny];
        for (high, above) in outcomes.into_iter().enumerate() {
            for (low, below) in outcomes.into_iter().enumerate() {
                let levels = [said(Level::Administrator, above), said(Level::Project, below)];
                let sum = sum(&levels);
                assert_eq!(sum.outcome, outcomes[high.max(low)], "{above:?} {below:?}");
                assert_eq!(sum.reason.contains("would widen"), low < high, "{above:?} {below:?}");
            }
        }
    }

    #[test]
    fn silence_is_the_default_and_without_one_a_question() {
        assert_eq!(level(Level::User, Vec::new(), None), None);
        assert_eq!(sum(&[]).outcome, Outcome::Prompt);
        let default = level(Level::User, Vec::new(), Some(Outcome::Deny)).unwrap();
        assert_eq!(sum(&[default]).outcome, Outcome::Deny);
        let spoken = level(Level::User, vec![verdict(Outcome::Allow, None)], Some(Outcome::Deny)).unwrap();
        assert_eq!(sum(&[spoken]).outcome, Outcome::Allow);
    }

    #[test]
    fn the_shortest_life_counts() {
        let both = vec![verdict(Outcome::Allow, Some(600)), verdict(Outcome::Prompt, Some(60))];
        let upper = level(Level::User, both, None).unwrap();
        let lower = level(Level::Project, vec![verdict(Outcome::Allow, Some(30))], None).unwrap();
        assert_eq!(upper.ttl_s, Some(600), "what was overruled does not count");
        assert_eq!(sum(&[upper, lower]).ttl_s, Some(30));
    }

    #[test]
    fn a_verdict_of_another_shape_is_an_error() {
        let wrong = [
            json!(true),
            json!("allow"),
            json!([["allow", "x"]]),
            json!([{ "outcome": "allow" }]),
            json!([1]),
            json!([{ "outcome": "yes", "reason": "r" }]),
            json!({ "outcome": "allow", "reason": "r", "x": 1 }),
            json!([{ "outcome": "allow", "reason": "r", "ttl_s": 0 }]),
            json!([{ "outcome": "allow", "reason": "r", "ttl_s": u64::MAX }]),
            json!({ "outcome": null, "reason": "r" }),
            json!([{ "outcome": "allow", "reason": "r", "ttl_s": -1 }]),
            json!({ "outcome": { "allow": 1 }, "reason": "" }),
        ];
        for value in wrong {
            assert!(read("p", Some(value.clone())).is_err(), "{value}");
        }
        assert!(read("p", None).unwrap_err().contains("undefined"));
        let right = json!([{ "outcome": "allow", "policy": "another", "reason": "r", "ttl_s": 5 }]);
        assert_eq!(read("p", Some(right)).unwrap()[0].policy, "p");
        assert_eq!(read("p", Some(json!([]))), Ok(Vec::new()));
    }
}
