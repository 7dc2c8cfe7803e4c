//! Decisions of whole sets, and the places where Rego could say yes by accident.

use super::*;
use crate::policy::archive::Member;
use crate::policy::bundle::Trust;
use crate::policy::sample::{connect, read};
use crate::wire::subject::Resource;
use std::time::Duration;

fn bundle(name: &str, body: &str) -> Bundle {
    let text = format!("package aisandbox.policies[\"{name}\"]\n{body}\n");
    let member = Member { name: format!("{name}.rego"), bytes: text.into_bytes() };
    Bundle::read(name, &[member], &Trust::default(), false).unwrap()
}

fn set(bundles: &[(Level, &str, &str)]) -> PolicySet {
    let mut set = PolicySet::default();
    bundles.iter().for_each(|(level, name, body)| set.put(*level, bundle(name, body)));
    set
}

fn decide(body: &str, input: &Input) -> Decision {
    set(&[(Level::User, "p", body)]).decide(input)
}

const ALLOW: &str =
    "verdict contains {\"outcome\": \"allow\", \"reason\": \"fine\", \"ttl_s\": 60} if input.version == 1";

#[test]
fn a_policy_decides_with_its_name_its_reason_and_its_bundle() {
    let decision = decide(ALLOW, &read("/home/u/a"));
    assert_eq!((decision.outcome, decision.policy.as_str(), decision.ttl_s), (Outcome::Allow, "p", Some(60)));
    assert_eq!(
        (decision.reason.as_str(), decision.bundles, decision.error),
        ("fine", vec!["p=".to_owned()], None)
    );
    let id = decision.decision_id;
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
    assert_ne!(id, decide(ALLOW, &read("/home/u/a")).decision_id);
}

#[test]
fn without_any_policy_a_person_is_asked() {
    let decision = PolicySet::default().decide(&read("/a"));
    assert_eq!((decision.outcome, decision.error), (Outcome::Prompt, None));
}

#[test]
fn an_undefined_verdict_is_a_no_and_an_empty_one_says_nothing() {
    let decision =
        decide("verdict := {\"outcome\": \"allow\", \"reason\": \"r\"} if input.uid == 0", &read("/a"));
    assert_eq!(decision.outcome, Outcome::Deny);
    assert!(decision.error.unwrap().contains("undefined"));
    let silent =
        decide("verdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if input.uid == 0", &read("/a"));
    assert_eq!((silent.outcome, silent.error), (Outcome::Prompt, None));
}

#[test]
fn a_rule_that_runs_away_is_stopped_and_is_a_no() {
    let body = "verdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if {\n\
                count([1 | some x in numbers.range(1, 3000); some y in numbers.range(1, 3000); x * y == -1]) == 0\n}";
    let begun = Instant::now();
    let decision = decide(body, &read("/a"));
    assert_eq!(decision.outcome, Outcome::Deny);
    assert!(decision.error.unwrap().contains("time limit"));
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    // The control: a short one of the same kind is not stopped.
    assert_eq!(decide(&body.replace("3000", "3"), &read("/a")).outcome, Outcome::Allow);
}

#[test]
fn a_rule_that_was_stopped_leaves_nothing_behind() {
    let body = "slow(n) := count([1 | some x in numbers.range(1, n); some y in numbers.range(1, n); x * y == -1])\n\
                inner if slow(input.now) == 0\nouter if inner\n\
                verdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if {\n\
                some x in input.actions\nevery y in input.actions { y == x; outer }\n}";
    let mut set = set(&[(Level::User, "p", body)]);
    let at = |now| Input { now, ..read("/a") };
    for _ in 0..3 {
        assert_eq!(set.decide(&at(3)).outcome, Outcome::Allow);
        assert!(set.decide(&at(3000)).error.unwrap().contains("time limit"));
    }
    assert_eq!(set.decide(&at(3)).outcome, Outcome::Allow);
}

#[test]
fn a_builtin_that_is_not_there_is_an_error_and_no_answer() {
    for call in
        ["http.send({})", "time.now_ns() > 0", "opa.runtime()", "no.such(1)", "crypto.sha256(\"\") != \"\""]
    {
        let body = format!("verdict contains {{\"outcome\": \"allow\", \"reason\": \"r\"}} if not {call}");
        let read_bundle = std::panic::catch_unwind(|| decide(&body, &read("/a")));
        let decision = read_bundle.unwrap();
        assert_eq!(decision.outcome, Outcome::Deny, "{call}");
        assert!(decision.error.is_some(), "{call}");
    }
}

#[test]
fn a_builtin_that_fails_is_an_error_and_not_false() {
    let body = "private if net.cidr_contains(\"10.0.0.0/8\", input.resource.host.host)\n\
                verdict contains {\"outcome\": \"allow\", \"reason\": \"public\"} if not private";
    assert_eq!(decide(body, &connect("1.2.3.4", 443)).outcome, Outcome::Allow);
    let named = decide(body, &connect("example.org", 443));
    assert_eq!(named.outcome, Outcome::Deny);
    assert!(named.error.is_some());
}

/// With a free input this rule would say yes: what is not there is not private. Here the host is always there.
#[test]
fn not_private_with_a_missing_address_is_refused_before_rules() {
    let body = "private if net.cidr_contains(\"10.0.0.0/8\", input.resource.host.host)\n\
                verdict contains {\"outcome\": \"allow\", \"reason\": \"public\"} if not private";
    let missing = crate::policy::engine::Document::json(&serde_json::json!({ "resource": {} }));
    let mut bundle = bundle("p", body);
    let said = bundle.engine.verdict(0, &missing).unwrap().unwrap();
    assert_eq!(said[0]["outcome"], "allow", "the hole that the typed input closes");
    let mut input = connect("", 443);
    assert_eq!(decide(body, &input).outcome, Outcome::Deny);
    input.resource = Resource::Host { host: "10.0.0.1".into(), port: 443 };
    assert_eq!(decide(body, &input).policy, VETO);
}

#[test]
fn a_path_that_begins_right_and_leads_elsewhere_is_refused() {
    let body = "verdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if \
                startswith(input.resource.file.path, \"/home/u/Documents/\")";
    assert_eq!(decide(body, &read("/home/u/Documents/a")).outcome, Outcome::Allow);
    let decision = decide(body, &read("/home/u/Documents/../../etc/passwd"));
    assert_eq!((decision.outcome, decision.policy.as_str()), (Outcome::Deny, VETO));
}

/// regorus does not look inside a mapped address; OPA does. The veto does not ask it.
#[test]
fn a_mapped_metadata_address_is_refused_whatever_rego_says() {
    let body = "verdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if \
                not net.cidr_contains(\"169.254.0.0/16\", input.resource.host.host)";
    let decision = decide(body, &connect("::ffff:169.254.169.254", 80));
    assert_eq!((decision.outcome, decision.policy.as_str()), (Outcome::Deny, VETO));
    assert_eq!(decide(body, &connect("::ffff:1.1.1.1", 80)).outcome, Outcome::Allow);
}

#[test]
fn a_lower_level_cannot_define_what_a_higher_one_reads() {
    let careful = "verdict contains {\"outcome\": \"deny\", \"reason\": \"no\"} if not data.trusted.yes";
    let mut set = set(&[(Level::Administrator, "p", careful)]);
    let text = "package trusted\nyes := true\n";
    let policy = format!("package aisandbox.policies.p\n{ALLOW}\n");
    let members = [("t.rego", text), ("p.rego", policy.as_str())]
        .map(|(name, text)| Member { name: name.into(), bytes: text.into() });
    set.put(Level::Project, Bundle::read("project", &members, &Trust::default(), false).unwrap());
    let decision = set.decide(&read("/a"));
    assert_eq!(decision.outcome, Outcome::Deny);
    assert!(decision.reason.contains("project policy p would widen"), "{}", decision.reason);
}

#[test]
fn a_bundle_of_the_same_name_takes_the_place_of_the_earlier() {
    let mut set = set(&[(Level::User, "p", ALLOW)]);
    set.put(Level::User, bundle("p", &ALLOW.replace("allow", "deny")));
    assert_eq!(set.bundles().count(), 1);
    assert_eq!(set.decide(&read("/a")).outcome, Outcome::Deny);
}
