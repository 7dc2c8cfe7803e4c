//! Correlations over fields of made-up events.

use super::*;
use crate::detect::fields::Wanted;
use crate::profile::parse;

struct Rig {
    correlation: Correlation,
    wanted: Wanted,
}

impl Rig {
    fn of(text: &str) -> Self {
        let mut names = Names::default();
        let wish = Wish::read("x.yml", parse::parse("x.yml", text).unwrap(), &mut names).unwrap();
        let mut wanted = Wanted::default();
        wish.group_by.iter().chain(&wish.value).for_each(|id| wanted.add(&names, *id));
        Self { correlation: Correlation::new(wish), wanted }
    }

    fn take(&mut self, step: usize, second: u64, host: &str) -> Option<(u64, Vec<String>)> {
        let data = format!("{{\"host\":\"{host}\",\"reason\":\"{host}\"}}");
        let fields = Fields::of("network", "r", data.as_bytes(), &self.wanted).unwrap();
        let at = At { time: second * 1_000_000_000, run: 0, seq: second };
        self.correlation.take(step, &fields, at).map(|found| (found.first.seq, found.group))
    }
}

#[test]
fn so_many_events_of_a_group_within_the_time_are_found_once() {
    let mut rig = Rig::of(
        "{ type: event_count, rules: [a], group-by: [data.host], timespan: 10s, condition: { gte: 3 } }",
    );
    assert_eq!(rig.take(0, 1, "a"), None);
    assert_eq!(rig.take(0, 2, "b"), None);
    assert_eq!(rig.take(0, 9, "a"), None);
    assert_eq!(rig.take(0, 12, "a"), None, "the first is over");
    assert_eq!(rig.take(0, 13, "a"), Some((9, vec!["a".to_owned()])));
    assert_eq!(rig.take(0, 13, "a"), None, "each counts once");
}

#[test]
fn different_values_count_and_the_same_one_again_does_not() {
    let mut rig =
        Rig::of("{ type: value_count, rules: [a], timespan: 10s, condition: { gt: 2, field: data.host } }");
    for (second, host) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
        assert_eq!(rig.take(0, second, host), None);
    }
    assert_eq!(rig.take(0, 5, "c"), Some((2, vec![])), "a was last seen at 2");
}

#[test]
fn in_order_means_in_order_and_all_of_does_not() {
    let text = "{ type: temporal_ordered, rules: [a, b, c], timespan: 10s }";
    let mut rig = Rig::of(text);
    for (step, second) in [(1, 1), (0, 2), (2, 3), (1, 4)] {
        assert_eq!(rig.take(step, second, ""), None, "{step} at {second}");
    }
    assert_eq!(rig.take(2, 12, ""), Some((2, vec![])));
    let mut late = Rig::of(text);
    assert_eq!([late.take(0, 1, ""), late.take(1, 2, ""), late.take(2, 12, "")], [None, None, None]);
    let mut any = Rig::of("{ type: temporal, rules: [a, b], timespan: 10s }");
    assert_eq!(any.take(1, 1, ""), None);
    assert_eq!(any.take(0, 5, ""), Some((1, vec![])));
}

#[test]
fn a_flood_of_groups_keeps_little_and_hides_nothing() {
    let mut rig = Rig::of(
        "{ type: event_count, rules: [a], group-by: [data.host], timespan: 100d, condition: { gte: 1000 } }",
    );
    let mut found = 0;
    for number in 0..200_000u64 {
        found += u64::from(rig.take(0, number / 1000, &format!("host-{number}")).is_some());
    }
    assert!(rig.correlation.kept() <= MOST_KEPT + 1001, "{}", rig.correlation.kept());
    assert_eq!(
        found,
        (200_000 - MOST_GROUPS as u64) / 1000,
        "what has no group of its own is counted together"
    );
    assert_eq!(rig.correlation.kept, rig.correlation.kept() - rig.correlation.rest.size());
}

#[test]
fn groups_that_are_over_make_room() {
    let mut rig = Rig::of(
        "{ type: event_count, rules: [a], group-by: [data.host], timespan: 1s, condition: { gte: 2 } }",
    );
    for number in 0..MOST_GROUPS {
        assert_eq!(rig.take(0, 1, &format!("{number}")), None);
    }
    assert_eq!(rig.take(0, 100, "new"), None);
    assert_eq!(rig.take(0, 100, "new"), Some((100, vec!["new".to_owned()])));
    assert!(rig.correlation.groups.len() < 10);
}

#[test]
fn a_correlation_that_makes_no_sense_is_refused() {
    for text in [
        "{ type: value_sum, rules: [a], timespan: 1m, condition: { gte: 2 } }",
        "{ type: event_count, rules: [], timespan: 1m, condition: { gte: 2 } }",
        "{ type: event_count, rules: [a], timespan: soon, condition: { gte: 2 } }",
        "{ type: event_count, rules: [a], timespan: 1m }",
        "{ type: event_count, rules: [a], timespan: 1m, condition: { lt: 2 } }",
        "{ type: event_count, rules: [a], timespan: 1m, condition: { gte: 1001 } }",
        "{ type: event_count, rules: [a], timespan: 1m, condition: { gte: 0 } }",
        "{ type: event_count, rules: [a], timespan: 1m, condition: { gte: 2, field: data.host } }",
        "{ type: value_count, rules: [a], timespan: 1m, condition: { gte: 2 } }",
        "{ type: temporal, rules: [a], timespan: 1m, condition: { gte: 2 } }",
        "{ type: temporal, rules: [a], timespan: 1m, aliases: { x: { a: b } } }",
        "{ type: temporal, rules: [a], timespan: 1m, group-by: [data.nobody] }",
        "{ type: temporal, rules: [a], timespan: 1m, generate: 1 }",
    ] {
        let node = parse::parse("x.yml", text).unwrap();
        assert!(Wish::read("x.yml", node, &mut Names::default()).is_err(), "{text}");
    }
}
