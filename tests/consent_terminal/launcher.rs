//! The launcher of these tests: a sandbox of the library whose questions come through an inherited socket.

use aisandbox::host::facts::Facts;
use aisandbox::host::{HostTree, mounts};
use aisandbox::launch::prepare::{Inputs, close_inherited, prepare};
use aisandbox::launch::start;
use aisandbox::plan::layers::Abilities;
use aisandbox::plan::{Wish, build, filter_program, trap_filter};
use aisandbox::profile::{Arch, Context, find_filter, load_str};
use aisandbox::sys::{fd, process};
use std::path::{Path, PathBuf};

/// Runs a shell script as the agent; gives the exit code.
pub(crate) fn run(socket: i32, script: &str) -> u8 {
    close_inherited(&[socket]).unwrap();
    fd::mark_close_on_exec(socket, true).unwrap();
    let socket = fd::adopt(socket).unwrap();
    let facts = Facts::for_launch();
    let here = std::env::current_dir().unwrap();
    let context = Context {
        home: PathBuf::from("/home/nobody-here"),
        pwd: here.clone(),
        user: "tester".into(),
        uid: facts.ids.uid,
        env: Default::default(),
        search: Vec::new(),
    };
    let profile = load_str("test", "version: 1\nextends: [cowork]\n", &context).unwrap();
    let inner = |path: &Path| aisandbox::base::InnerPath::new(path).unwrap();
    let wish = Wish {
        argv: ["sh", "-c", script].map(Into::into).to_vec(),
        environment: std::env::vars_os().collect(),
        chdir: None,
        here: inner(&here),
        home: inner(&context.home),
        hidden: Vec::new(),
    };
    let abilities = Abilities {
        landlock_abi: facts.landlock.abi,
        seccomp: true,
        listener: facts.seccomp.user_notif,
        cgroup: false,
        ask_mounts: false,
        namespaces: true,
    };
    let plan = build(profile, &wish, abilities, &HostTree).unwrap();
    let filter = find_filter(&plan.profile.seccomp).unwrap();
    let inputs = Inputs {
        landlock_abi: facts.landlock.abi,
        mount_api: true,
        mounts: mounts::table().unwrap(),
        filter: filter_program(&filter, Arch::host()).unwrap().instructions.to_vec(),
        trap: trap_filter(Arch::host()).instructions.to_vec(),
        reach: Vec::new(),
        planted: None,
        foreign_abi: false,
        cgroup: false,
        pass: Vec::new(),
        pseudo_terminal: true,
        tell_namespaces: false,
    };
    process::set_dumpable(false).unwrap();
    let (ready, ends) = prepare(&plan, inputs).unwrap();
    let mut running = start(ready, ends, None).unwrap();
    running.confined().unwrap();
    running.asks_through(socket);
    running.go(plan.profile.terminal, None).unwrap();
    running.wait(&mut |_, _, _| ()).code()
}
