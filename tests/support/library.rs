//! A plan made by the library itself, for tests that launch without the program.
//!
//! Never tests anything. The person is nobody the machine knows, so that no profile of a real one is found.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

use aisandbox::base::InnerPath;
use aisandbox::host::HostTree;
use aisandbox::host::facts::Facts;
use aisandbox::launch::prepare::Inputs;
use aisandbox::plan::layers::Abilities;
use aisandbox::plan::{Plan, Wish, build, filter_program, trap_filter};
use aisandbox::profile::{Arch, Context, find_filter, load_str};
use std::path::{Path, PathBuf};

/// What this machine can do, where namespaces are to be had; `ask_mounts` as the test wants it.
pub(crate) fn abilities(facts: &Facts, ask_mounts: bool) -> Abilities {
    Abilities {
        landlock_abi: facts.landlock.abi,
        seccomp: true,
        listener: facts.seccomp.user_notif,
        cgroup: false,
        ask_mounts,
        namespaces: true,
    }
}

/// The plan of this command in this folder under the profile of this text.
pub(crate) fn plan(folder: &Path, profile: &str, argv: &[&str], facts: &Facts, abilities: Abilities) -> Plan {
    let context = Context {
        home: PathBuf::from("/home/nobody-here"),
        pwd: folder.to_path_buf(),
        user: "tester".into(),
        uid: facts.ids.uid,
        env: Default::default(),
        search: Vec::new(),
    };
    let profile = load_str("test", profile, &context).unwrap();
    let inner = |path: &Path| InnerPath::new(path).unwrap();
    let wish = Wish {
        argv: argv.iter().map(Into::into).collect(),
        environment: std::env::vars_os().collect(),
        chdir: None,
        here: inner(folder),
        home: inner(&context.home),
        hidden: Vec::new(),
        own: None,
    };
    build(profile, &wish, abilities, &HostTree).unwrap()
}

/// What a launch of this plan is prepared with: its filter, no terminal, nothing passed on, mounts by the new calls.
pub(crate) fn inputs(plan: &Plan, facts: &Facts) -> Inputs {
    let filter = find_filter(&plan.profile.seccomp).unwrap();
    Inputs {
        landlock_abi: facts.landlock.abi,
        mount_api: true,
        mounts: Vec::new(),
        filter: filter_program(&filter, Arch::host()).unwrap().instructions.to_vec(),
        trap: trap_filter(Arch::host(), plan.observed()).instructions.to_vec(),
        reach: Vec::new(),
        planted: None,
        foreign_abi: false,
        cgroup: false,
        pass: Vec::new(),
        pseudo_terminal: false,
        tell_namespaces: false,
    }
}
