//! The outline of a plan, and whether another plan stays within it: an agent that is started never gets more than the one
//! that starts it.
//!
//! Never trusts that a profile was narrowed rightly: two finished plans are compared, object by object. What cannot be
//! compared counts as more.

use super::Plan;
use super::egress::LOOKUPS;
use super::layers::State;
use super::rights::{Action, Actions};
use super::view::{Act, RuleObject, door_source};
use crate::host::Object;
use crate::profile::{Limits, NetworkMode, Transition};
use crate::wire::agents::{OWN_PLACES, Outline, Place, Right, Shows};
use std::ffi::OsStr;
use std::path::Path;

/// Variables that each run has anew.
const OWN_VARIABLES: &str = "AISANDBOX_";

/// A filtered network, among the numbers of an outline.
const FILTERED: u8 = 2;

/// Rights that a file which is read alone has.
const READS: [&str; 3] = ["read", "list", "execute"];

/// What a plan gives.
pub fn outline(plan: &Plan) -> Outline {
    let places: Vec<Place> = plan
        .view
        .steps
        .iter()
        .filter(|step| !OWN_PLACES.contains(&step.at.to_string().as_str()))
        // A name that is made in what is ours covers nothing: it is a part of what stands there.
        // A stand-in gives nothing of its own; what it stands for is what the run above can have started.
        .filter(|step| !matches!(step.act, Act::Folder | Act::EmptyFile | Act::StandIn { .. }))
        // Each run has its own authority and its own decoys: what is below them counts.
        .filter(|step| !(matches!(step.act, Act::Data(_)) && step.asked == door_source()))
        .map(|step| Place { at: step.at.to_string(), shows: shows(plan, &step.act) })
        .collect();
    let network = &plan.profile.network;
    Outline {
        rights: rights(plan, &places),
        places,
        protected: plan
            .view
            .missing
            .iter()
            .map(|name| (name.folder.to_string(), name.rest.clone()))
            .collect(),
        network: match network.mode {
            NetworkMode::None => 0,
            NetworkMode::Loopback => 1,
            NetworkMode::Filtered => FILTERED,
            NetworkMode::Host => 3,
        },
        connect: network.connect_tcp.clone(),
        bind: network.bind_tcp.clone(),
        limits: limits(&plan.profile.limits),
        filter: plan.profile.seccomp.value.clone(),
        layers: plan
            .layers
            .iter()
            .filter(|layer| matches!(layer.state, State::Enforced | State::Degraded))
            .map(|layer| layer.layer.name().to_owned())
            .collect(),
        variables: plan.environment.keys().map(|name| name_of(name)).collect(),
        depth: plan.profile.agents.map_or(0, |agents| agents.depth),
        transitions: plan.profile.programs.transitions.iter().map(Transition::text).collect(),
    }
}

fn name_of(name: &OsStr) -> String {
    crate::base::escape(name.as_encoded_bytes())
}

fn limits(limits: &Limits) -> Vec<Option<u64>> {
    vec![
        limits.memory_bytes,
        limits.processes,
        limits.cpu_millis,
        limits.open_files,
        limits.file_size_bytes,
        limits.core_size_bytes,
        limits.wall_time.map(|time| time.as_secs()),
    ]
}

fn shows(plan: &Plan, act: &Act) -> Shows {
    match act {
        Act::Folder | Act::EmptyFile | Act::MaskFolder | Act::MaskFile | Act::StandIn { .. } => {
            Shows::Nothing {}
        }
        Act::Bind { object, flags } => Shows::Host {
            path: object.canonical.to_string(),
            dev: object.dev,
            ino: object.ino,
            writable: !flags.read_only,
            executable: !flags.noexec,
            device: flags.device,
        },
        Act::Tmpfs { noexec, .. } => Shows::Memory { executable: !noexec },
        Act::Data(bytes) => Shows::Text { sha256: crate::crypto::sha256(bytes).to_string() },
        Act::Symlink(target) => Shows::Link { target: target.clone() },
        Act::Ask { number, .. } => {
            plan.view.asks.get(usize::from(*number)).map_or(Shows::Nothing {}, |ask| Shows::Asks {
                path: ask.object.canonical.to_string(),
                dev: ask.object.dev,
                ino: ask.object.ino,
                actions: ask.wish.actions.clone(),
            })
        }
        Act::Devices => Shows::Devices {},
        Act::Proc => Shows::Processes {},
    }
}

/// A rule on an object holds wherever that object stands.
fn rights(plan: &Plan, places: &[Place]) -> Vec<Right> {
    let mut rights = Vec::new();
    let words =
        |actions: Actions| -> Vec<String> { actions.names().into_iter().map(str::to_owned).collect() };
    for rule in &plan.view.rules {
        match &rule.on {
            RuleObject::Inner(at, _) => {
                rights.push(Right { at: at.to_string(), actions: words(rule.actions) })
            }
            RuleObject::Host(object) => rights.extend(where_it_is(places, object, &words(rule.actions))),
        }
    }
    // What can be started beside can be read and executed there.
    let started = words(Actions::of(&[Action::Read, Action::Execute]));
    let beside = plan.transitions.iter().map(|covered| where_it_is(places, &covered.object, &started));
    rights.extend(beside.flatten());
    rights
}

fn where_it_is(places: &[Place], object: &Object, actions: &[String]) -> Vec<Right> {
    let here = |shows: &Shows| {
        matches!(shows, Shows::Host { dev, ino, .. } | Shows::Asks { dev, ino, .. }
            if (*dev, *ino) == (object.dev, object.ino))
    };
    let at = places.iter().filter(|place| here(&place.shows)).map(|place| place.at.clone());
    at.map(|at| Right { at, actions: actions.to_vec() }).collect()
}

/// In what `child` is more than `parent`, in words; empty when it stays within.
pub fn exceeds(parent: &Outline, child: &Outline) -> Vec<String> {
    let mut more = Vec::new();
    let mut check = |within: bool, what: &dyn Fn() -> String| {
        if !within {
            more.push(what());
        }
    };
    for at in parent.places.iter().chain(&child.places).map(|place| place.at.as_str()) {
        check(place_within(parent, child, at), &|| format!("the place {at}"));
    }
    for at in child.rights.iter().map(|right| right.at.as_str()) {
        let (had, has) = (actions_at(parent, at), actions_at(child, at));
        let lost = parent.network == FILTERED && child.network < FILTERED;
        let looks = |action: &str| lost && LOOKUPS.contains(&at) && READS.contains(&action);
        let within = has.iter().all(|action| had.contains(action) || looks(action));
        check(within, &|| format!("the rights at {at}"));
    }
    for name in &parent.protected {
        let kept = child.protected.contains(name) || !is_writable(child, &name.0);
        check(kept, &|| format!("the protected name {}/{}", name.0, name.1));
    }
    check(child.network <= parent.network, &|| "the network".into());
    for (name, had, has) in
        [("connect", &parent.connect, &child.connect), ("bind", &parent.bind, &child.bind)]
    {
        let within = child.network == 0 || ports_within(had.as_deref(), has.as_deref());
        check(within, &|| format!("the ports of {name}"));
    }
    let pairs = parent.limits.iter().zip(&child.limits);
    let limited =
        pairs.filter(|(had, _)| had.is_some()).all(|(had, has)| has.is_some_and(|has| Some(has) <= *had));
    check(limited && parent.limits.len() == child.limits.len(), &|| "the limits".into());
    check(parent.filter == child.filter, &|| "the filter of system calls".into());
    for layer in &parent.layers {
        let needless = layer.starts_with("landlock-network") && child.network == 0
            || layer == "protect-new"
            || layer == "ask-mounts"
            || layer == "egress" && child.network == 0;
        check(needless || child.layers.contains(layer), &|| format!("the layer {layer} is missing"));
    }
    for name in child.variables.iter().filter(|name| !name.starts_with(OWN_VARIABLES)) {
        check(parent.variables.contains(name), &|| format!("the variable {name}"));
    }
    // None left is none more, even where there was none before: so it is with a program that is started beside.
    check(child.depth == 0 || child.depth < parent.depth, &|| "the levels of agents".into());
    let kept = parent.transitions.iter().all(|wish| child.transitions.contains(wish));
    check(kept, &|| "a program that gets less".into());
    more
}

fn ports_within(had: Option<&[u16]>, has: Option<&[u16]>) -> bool {
    match (had, has) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(had), Some(has)) => has.iter().all(|port| had.contains(port)),
    }
}

/// The path below `above`, when it is there or below.
fn below<'a>(above: &str, at: &'a str) -> Option<&'a str> {
    let tail = at.strip_prefix(above.trim_end_matches('/'))?;
    (tail.is_empty() || tail.starts_with('/')).then(|| tail.trim_start_matches('/'))
}

/// What stands at a path in the end, and the path's tail below it.
fn nearest<'a>(outline: &'a Outline, at: &'a str) -> Option<(&'a Place, &'a str)> {
    let holding = outline.places.iter().filter_map(|place| Some((place, below(&place.at, at)?)));
    // Of those at one place the last covers the others.
    holding.max_by_key(|(place, _)| place.at.len())
}

fn place_within(parent: &Outline, child: &Outline, at: &str) -> bool {
    let Some((has, has_tail)) = nearest(child, at) else { return true };
    // With a filtered network these are of that run, without one as the profile says; either is read alone.
    let lost = parent.network == FILTERED && child.network < FILTERED;
    if lost && LOOKUPS.contains(&at) && !matches!(has.shows, Shows::Host { writable: true, .. }) {
        return true;
    }
    if matches!(has.shows, Shows::Nothing {})
        || matches!(has.shows, Shows::Link { .. }) && !has_tail.is_empty()
    {
        return true;
    }
    // What went shows the memory around it, which the parent has there too: its own, and empty.
    if matches!(has.shows, Shows::Memory { .. }) && parent.places.contains(has) {
        return true;
    }
    let Some((had, had_tail)) = nearest(parent, at) else { return false };
    match (&had.shows, &has.shows) {
        (
            Shows::Host { path: from, dev, ino, writable, executable, device },
            Shows::Host {
                path: to,
                dev: its_dev,
                ino: its_ino,
                writable: writes,
                executable: executes,
                device: works,
            },
        ) => {
            let same = Path::new(from).join(had_tail) == Path::new(to).join(has_tail);
            let one = had_tail.is_empty() && has_tail.is_empty();
            let same = same && (!one || (dev, ino) == (its_dev, its_ino));
            same && writes <= writable && executes <= executable && works <= device
        }
        (
            Shows::Asks { path, dev, ino, actions },
            Shows::Asks { path: its_path, dev: its_dev, ino: its_ino, actions: its_actions },
        ) => {
            let same = (path, dev, ino) == (its_path, its_dev, its_ino) && had_tail == has_tail;
            same && its_actions.iter().all(|action| actions.contains(action))
        }
        (Shows::Memory { executable }, Shows::Memory { executable: executes }) => executes <= executable,
        (had, has) => had == has && had_tail == has_tail,
    }
}

fn actions_at<'a>(outline: &'a Outline, at: &str) -> Vec<&'a str> {
    let above = outline.rights.iter().filter(|right| below(&right.at, at).is_some());
    above.flat_map(|right| right.actions.iter().map(String::as_str)).collect()
}

fn is_writable(outline: &Outline, at: &str) -> bool {
    nearest(outline, at).is_some_and(|(place, _)| {
        matches!(place.shows, Shows::Host { writable: true, .. } | Shows::Memory { .. })
    })
}
