//! Egress: what the way to the proxy adds to a start, from the clone to the sandbox that is confined.
//!
//! By the library, in this process: the program's own start, its record and the command are the same with and without.

use crate::library;
use crate::place::Place;
use crate::table::{Rival, median_of, print_times, take_turns};
use aisandbox::host::facts::Facts;
use aisandbox::host::mounts;
use aisandbox::launch::prepare::{Inputs, prepare};
use aisandbox::launch::start;
use aisandbox::plan::Plan;

/// Names of what is measured, and the keys of `network:`.
const NETWORKS: [(&str, &str); 4] = [
    ("loopback", "mode: loopback"),
    ("filtered by redirect", "mode: filtered, way: redirect"),
    ("filtered by anyip", "mode: filtered, way: anyip"),
    ("filtered by proxy", "mode: filtered, way: proxy"),
];

pub(crate) fn run(place: &Place) {
    let rounds = crate::turns(200, 3);
    println!("\n== way to the proxy, {rounds} turns each: clone to confined, and its end");
    let facts = Facts::for_launch();
    let plans = NETWORKS.map(|(name, network)| (name, plan(place, network, &facts)));
    let facts = &facts;
    let mut rivals: Vec<Rival<'_>> =
        plans.iter().map(|(name, plan)| Rival::new(name, move || confine(plan, facts))).collect();
    take_turns(&mut rivals, rounds);
    print_times(&rivals, &["loopback"]);
    for (name, _) in NETWORKS.iter().skip(1) {
        let more = median_of(&rivals, name) - median_of(&rivals, "loopback");
        println!("{name}: {more:.0} µs more than loopback (at most 5,000, aim 1,000)");
    }
}

fn plan(place: &Place, network: &str, facts: &Facts) -> Plan {
    let profile = format!(
        "version: 1\nextends: [cowork]\nnetwork: {{ {network}, allow: [{{ host: a.example, ports: [22, 443] }}] }}\n"
    );
    let abilities = library::abilities(facts, false);
    library::plan(&place.path("work"), &profile, &["/bin/true"], facts, abilities)
}

fn confine(plan: &Plan, facts: &Facts) {
    let inputs = Inputs {
        mount_api: facts.calls.mount_api,
        mounts: mounts::table().unwrap(),
        ..library::inputs(plan, facts)
    };
    let (ready, ends) = prepare(plan, inputs).unwrap();
    let mut running = start(ready, ends, None).expect("a sandbox");
    running.confined().expect("every stage");
    assert_eq!(running.take_egress().is_some(), plan.egress.is_some());
    running.abandon();
}
