//! Whatever is taken from a profile, the plan that comes of it stays within the plan of the whole profile.

use super::layers::Abilities;
use super::outline::{exceeds, outline};
use super::{Plan, Wish, build};
use crate::base::{InnerPath, Source};
use crate::host::{FakeTree, Kind};
use crate::profile::{Access, Context, Less, Profile, attenuate, descend, load_str};
use proptest::prelude::*;
use std::time::Duration;

const PARENT: &str = "version: 1\n\
    agents: { most: 3, depth: 2 }\n\
    filesystem:\n\
    - { path: /usr, access: ro }\n\
    - { path: /opt, access: ro }\n\
    - { path: /bin, access: ro }\n\
    - { path: /dev, access: devfs }\n\
    - { path: /proc, access: proc }\n\
    - { path: /tmp, access: tmpfs }\n\
    - { path: /etc/resolv.conf, access: file, content: x }\n\
    - { path: ~/work, access: rw, protect: [git] }\n\
    - { path: ~/work/src/gen, access: ro }\n\
    - { path: ~/docs, access: ask, actions: [read, append, overwrite, create, delete] }\n\
    - { path: ~/work/secret, access: mask }\n\
    - { path: /data, access: rw, source: /srv/data }\n\
    environment: { keep: [LANG] }\n\
    network: { mode: host, tcp: { connect: [443, 80], bind: [] } }\n\
    limits: { memory: 1G, processes: 64, wall_time: 1h }\n\
    programs: { transitions: [{ path: /opt/tool, less: { no_network: true, hidden: [/data] } }] }\n";

/// Places to take: entries, parts of them, and what is not there.
const PLACES: [&str; 16] = [
    "/",
    "/usr",
    "/usr/share",
    "/bin",
    "/tmp",
    "/tmp/x",
    "/home/u",
    "/home/u/work",
    "/home/u/work/src",
    "/home/u/work/src/gen",
    "/home/u/work/.git",
    "/home/u/docs",
    "/home/u/docs/deep",
    "/data",
    "/data/in",
    "/dev",
];

fn tree() -> FakeTree {
    FakeTree::new()
        .with("/usr/bin/true", Kind::File)
        .with("/opt/tool", Kind::File)
        .with("/usr/bin/own", Kind::File)
        .with("/usr/share/x", Kind::File)
        .with_link("/bin", "usr/bin")
        .with("/home/u/work/src/gen/x", Kind::File)
        .with("/home/u/work/secret/x", Kind::File)
        .with("/home/u/work/.git/hooks/pre-commit", Kind::File)
        .with("/home/u/docs/deep/x", Kind::File)
        .with("/srv/data/in/x", Kind::File)
}

fn profile() -> Profile {
    let person = Context {
        home: "/home/u".into(),
        pwd: "/home/u/work".into(),
        user: "u".into(),
        uid: 1000,
        env: std::collections::BTreeMap::new(),
        search: Vec::new(),
    };
    load_str("parent.yaml", PARENT, &person).unwrap()
}

fn plan(profile: Profile) -> Option<Plan> {
    let wish = Wish {
        argv: vec!["/usr/bin/true".into()],
        environment: vec![("LANG".into(), "C".into()), ("SECRET".into(), "x".into())],
        chdir: None,
        hidden: Vec::new(),
        own: crate::base::HostPath::new("/usr/bin/own").ok(),
        here: InnerPath::new("/home/u/work").unwrap(),
        home: InnerPath::new("/home/u").unwrap(),
    };
    let abilities = Abilities {
        landlock_abi: 6,
        seccomp: true,
        listener: true,
        cgroup: true,
        ask_mounts: true,
        namespaces: true,
    };
    build(profile, &wish, abilities, &tree()).ok()
}

fn narrowed(less: &Less) -> Profile {
    let mut profile = profile();
    attenuate(&mut profile, less, &Source::flag("--hide"));
    descend(&mut profile);
    profile
}

fn more_than_the_parent(child: Profile) -> Vec<String> {
    exceeds(&outline(&plan(profile()).unwrap()), &outline(&plan(child).unwrap()))
}

fn places() -> impl Strategy<Value = Vec<InnerPath>> {
    let place = prop::sample::select(PLACES.to_vec()).prop_map(|place| InnerPath::new(place).unwrap());
    prop::collection::vec(place, 0..4)
}

proptest! {
    #[test]
    fn a_narrowed_plan_is_never_more_than_the_whole_one(
        read_only in places(), hidden in places(), no_network: bool, no_requests: bool, time in prop::option::of(1u64..9000),
    ) {
        let less = Less { read_only, hidden, no_network, no_requests, wall_time: time.map(Duration::from_secs) };
        let parent = outline(&plan(profile()).unwrap());
        // One that cannot be planned (nothing left to execute) starts nothing, which is less.
        if let Some(child) = plan(narrowed(&less)) {
            prop_assert_eq!(exceeds(&parent, &outline(&child)), Vec::<String>::new());
        }
    }
}

#[test]
fn plans_with_less_do_get_made() {
    let less = Less {
        read_only: vec![InnerPath::new("/home/u/work/src").unwrap()],
        hidden: vec![InnerPath::new("/data").unwrap(), InnerPath::new("/home/u/docs").unwrap()],
        no_network: true,
        ..Less::default()
    };
    assert_eq!(more_than_the_parent(narrowed(&less)), Vec::<String>::new());
}

type Change = fn(&mut Profile);

fn entry(profile: &mut Profile, path: &str, change: fn(&mut crate::profile::FsEntry)) {
    let path = InnerPath::new(path).unwrap();
    change(profile.filesystem.iter_mut().find(|entry| entry.path == path).unwrap());
}

#[test]
fn every_way_to_be_more_is_found() {
    let ways: [(&str, Change); 16] = [
        ("a place", |profile| entry(profile, "/usr", |entry| entry.access = Access::Rw)),
        ("a place", |profile| profile.filesystem.retain(|entry| entry.access != Access::Mask)),
        ("a place", |profile| {
            profile.filesystem.retain(|entry| entry.path.as_path() != "/home/u/work/src/gen")
        }),
        ("a place", |profile| entry(profile, "/home/u/docs", |entry| entry.access = Access::Ro)),
        ("a place", |profile| {
            entry(profile, "/data", |entry| entry.source = crate::base::HostPath::new("/srv").ok())
        }),
        ("a name", |profile| entry(profile, "/home/u/work", |entry| entry.protect.clear())),
        ("ports", |profile| profile.network.connect_tcp = Some(vec![22])),
        ("ports", |profile| profile.network.bind_tcp = None),
        ("limits", |profile| profile.limits.memory_bytes = None),
        ("limits", |profile| profile.limits.wall_time = Some(Duration::from_secs(9999))),
        ("filter", |profile| profile.seccomp.value = "strict".into()),
        ("variables", |profile| profile.environment.keep.push("SECRET".into())),
        ("agents", |profile| profile.agents = self::profile().agents),
        ("programs", |profile| profile.programs.transitions.clear()),
        ("programs", |profile| profile.programs.transitions[0].less.hidden.clear()),
        ("a file", |profile| {
            entry(profile, "/etc/resolv.conf", |entry| {
                entry.access = Access::File { content: b"y".to_vec() }
            });
        }),
    ];
    for (number, (what, change)) in ways.iter().enumerate() {
        let mut child = narrowed(&Less::default());
        assert_eq!(more_than_the_parent(child.clone()), Vec::<String>::new(), "the control");
        change(&mut child);
        assert!(!more_than_the_parent(child).is_empty(), "{number}: {what}");
    }
}

#[test]
fn the_network_of_a_child_is_never_wider() {
    let mut parent = profile();
    attenuate(&mut parent, &Less { no_network: true, ..Less::default() }, &Source::flag("--no-network"));
    let child = narrowed(&Less::default());
    let more = exceeds(&outline(&plan(parent).unwrap()), &outline(&plan(child).unwrap()));
    assert!(more.contains(&"the network".to_owned()), "{more:?}");
}
