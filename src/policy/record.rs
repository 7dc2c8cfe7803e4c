//! A decision as a record in the shape of OPA's decision logs, and what is masked in it. Pure.
//!
//! Never drops a record: a bundle can say what a record does not tell, not that there is none.

use crate::base::WallTime;
use crate::wire::policy::{Decision, Input};
use serde_json::{Map, Value, json};

/// The rule that says what is masked.
pub(super) const MASK: &str = "data.system.log.mask";

/// Where a decision was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Names this process or machine; the run's id when nothing else does.
    pub id: String,
    /// The version of this program.
    pub version: String,
}

/// The record of a decision.
pub fn record(labels: &Labels, input: &Input, decision: &Decision) -> Value {
    let bundles = decision.bundles.iter().filter_map(|text| text.rsplit_once('='));
    let bundles: Map<String, Value> =
        bundles.map(|(name, revision)| (name.to_owned(), json!({ "revision": revision }))).collect();
    let mut record = json!({
        "labels": {
            "id": labels.id, "version": labels.version, "app": "aisandbox", "profile": input.profile,
        },
        "decision_id": decision.decision_id,
        "bundles": bundles,
        "path": "aisandbox/decision",
        "input": input,
        "result": {
            "outcome": decision.outcome, "policy": decision.policy, "reason": decision.reason, "ttl_s": decision.ttl_s,
        },
        "requested_by": format!("uid {} pid {}", input.uid, input.asker.process.pid),
        "timestamp": WallTime(i128::from(input.now) * 1_000_000_000).to_string(),
        "metrics": { "timer_rego_query_eval_ns": decision.took_ns },
    });
    if let (Some(error), Some(record)) = (&decision.error, record.as_object_mut()) {
        record.insert("error".into(), json!({ "code": "policy_error", "message": error }));
    }
    record
}

/// Takes out what the masks name: `"/input/asker"` and `{"op": "remove", "path": …}` erase, `{"op": "upsert", "path": …,
/// "value": …}` puts something else there. Only what lies in input and result can be masked; the outcome cannot.
pub fn apply_masks(record: &mut Value, masks: &[Value]) {
    let (mut erased, mut masked) = (Vec::new(), Vec::new());
    for mask in masks {
        let path = mask.as_str().or_else(|| mask.get("path").and_then(Value::as_str)).unwrap_or_default();
        let allowed = ["/input/", "/result/"].iter().any(|root| path.starts_with(root)) || path == "/input";
        if !allowed || path == "/result/outcome" {
            continue;
        }
        match (mask.get("op").and_then(Value::as_str), mask.get("value")) {
            (Some("upsert"), Some(value)) => {
                if let Some(place) = record.pointer_mut(path) {
                    *place = value.clone();
                    masked.push(Value::from(path));
                }
            }
            (None | Some("remove"), _) if erase(record, path) => erased.push(Value::from(path)),
            _ => {}
        }
    }
    let Some(record) = record.as_object_mut() else { return };
    for (name, paths) in [("erased", erased), ("masked", masked)] {
        if !paths.is_empty() {
            record.insert(name.into(), paths.into());
        }
    }
}

fn erase(record: &mut Value, path: &str) -> bool {
    let Some((above, name)) = path.rsplit_once('/') else { return false };
    let name = name.replace("~1", "/").replace("~0", "~");
    match record.pointer_mut(above) {
        Some(Value::Object(keys)) => keys.shift_remove(&name).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::archive::Member;
    use crate::policy::{Bundle, Level, PolicySet, Trust, sample};

    const POLICY: &str = "package aisandbox.policies.p\nverdict contains {\"outcome\": \"deny\", \"reason\": \"secret plans\"} if input.version == 1\n";
    const MASKS: &str = "package system.log\nmask contains \"/input/resource/file/path\" if input.input.version == 1\n\
        mask contains {\"op\": \"upsert\", \"path\": \"/result/reason\", \"value\": \"hidden\"}\n\
        mask contains \"/result/outcome\"\nmask contains \"/decision_id\"\nmask contains \"/input/none\"\n";

    fn decided() -> (PolicySet, Value) {
        let member = |name: &str, text: &str| Member { name: name.into(), bytes: text.into() };
        let members = [member("m.rego", MASKS), member("p.rego", POLICY)];
        let mut set = PolicySet::default();
        set.put(Level::User, Bundle::read("b", &members, &Trust::default(), false).unwrap());
        let input = sample::read("/home/u/secret");
        let decision = set.decide(&input);
        let labels = Labels { id: "host".into(), version: "1".into() };
        (set, record(&labels, &input, &decision))
    }

    #[test]
    fn a_record_has_the_shape_of_opas() {
        let (_, record) = decided();
        assert_eq!(record["labels"]["app"], "aisandbox");
        assert_eq!(record["bundles"], json!({ "b": { "revision": "" } }));
        assert_eq!(record["timestamp"], "2023-11-14T22:13:20.000000Z");
        assert_eq!(
            (&record["result"]["outcome"], &record["requested_by"]),
            (&json!("deny"), &json!("uid 1000 pid 0"))
        );
        assert!(record["metrics"]["timer_rego_query_eval_ns"].as_u64().unwrap() > 0);
        assert!(record.get("error").is_none());
    }

    #[test]
    fn what_is_masked_is_gone_and_said_and_the_outcome_stays() {
        let (mut set, mut record) = decided();
        let masks = set.masks(&record);
        apply_masks(&mut record, &masks);
        assert!(!record.to_string().contains("/home/u/secret\"}}") && !record.to_string().contains("plans"));
        assert_eq!(record["erased"], json!(["/input/resource/file/path"]));
        assert_eq!(
            (&record["masked"], &record["result"]["reason"]),
            (&json!(["/result/reason"]), &json!("hidden"))
        );
        assert_eq!(record["result"]["outcome"], "deny");
        assert!(record["decision_id"].as_str().unwrap().len() == 36);
    }
}
