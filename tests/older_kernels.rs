//! Older kernels and filters above us, imitated: what still works is held to the same list, what cannot be enforced is
//! refused, or reported where the owner lets it go.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod inject;
mod support;

use aisandbox::sys::notify;
use inject::{Asked, Rule};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use support::run::{Output, Run, comes_true, processes_with};
use support::{Home, for_each_user, skip};

/// What holds in every sandbox, and what each line says when it does.
const CHECKS: &str = r#"
echo ran
echo x > made && echo 'the work can be changed'
(echo x > /usr/made) 2>/dev/null || echo 'the system cannot'
cat "$HOME/secret" 2>/dev/null || echo 'the home is hidden'
(echo x > .git/config) 2>/dev/null || echo 'what is protected cannot be changed'
unshare -U true 2>/dev/null || echo 'no namespace can be made'
mount -t tmpfs none /tmp 2>/dev/null || echo 'nothing can be mounted'
grep -v nosuid /proc/self/mountinfo || echo 'no set-user-ID bit counts'
grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | grep -qv 0000000000000000 || echo 'no capability is left'
test "$(ls /proc/self/fd | wc -l)" -le 4 && echo 'no descriptor is left over'
"#;
const ALL_HOLD: &str = "ran
the work can be changed
the system cannot
the home is hidden
what is protected cannot be changed
no namespace can be made
nothing can be mounted
no set-user-ID bit counts
no capability is left
no descriptor is left over
";

/// A home with a secret in it and a repository to work in.
fn furnish(home: &Home) {
    home.write("secret", "secret\n");
    home.write("work/.git/config", "[core]\n");
}

/// Without a filtered network, whose run has a door and roles: they have tests of their own.
fn checked(home: &Home, flags: &[&str]) -> Run {
    let flags: Vec<&str> = ["--net", "loopback"].iter().chain(flags).copied().collect();
    home.sandboxed(&flags, CHECKS)
}

#[track_caller]
fn all_hold(home: &Home, ran: &Output) {
    assert_eq!(ran.expect_code(0), ALL_HOLD, "{}", ran.stderr());
    assert_eq!(std::fs::read_to_string(home.join("work/.git/config")).unwrap(), "[core]\n");
}

/// Nothing ran, and the message and its hint have these words.
#[track_caller]
fn refused(ran: &Output, words: &[&str]) {
    assert_eq!(ran.expect_code(125), "");
    words.iter().for_each(|word| ran.expect_said(word));
}

fn missing(calls: &[i64]) -> Vec<Rule> {
    calls.iter().map(|call| Rule::on(*call).fails(libc::ENOSYS)).collect()
}

const MOUNT_API: [i64; 6] = [
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
];
const LANDLOCK: [i64; 3] =
    [libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self];

/// The control: what the list calls impossible is possible without a sandbox. The mount is made in a namespace of its
/// own, and nothing outside the home is touched.
const WITHOUT: &str = r#"
cat "$HOME/secret"
(echo x > .git/config) && echo changed
unshare -U --map-root-user --mount sh -c 'mount -t tmpfs none /tmp && echo mounted'
"#;

#[test]
fn on_this_kernel_the_whole_list_holds_and_outside_it_does_not() {
    for_each_user(|home| {
        furnish(&home);
        assert_eq!(home.outside(WITHOUT).expect_code(0), "secret\nchanged\nmounted\n");
        furnish(&home);
        all_hold(&home, &checked(&home, &[]).output());
    });
}

#[test]
fn calls_that_can_be_replaced_are_missed_by_nobody() {
    let tables: [&[i64]; 4] = [
        &MOUNT_API,                                                    // before Linux 5.12
        &[libc::SYS_mount_setattr],                                    // Linux 5.2 to 5.11
        &[libc::SYS_close_range],                                      // before Linux 5.9
        &[libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key], // no keyrings
    ];
    for_each_user(|home| {
        furnish(&home);
        for calls in tables {
            eprintln!("  without {calls:?}");
            all_hold(&home, &inject::under(checked(&home, &[]), &missing(calls)).output());
        }
    });
}

#[test]
fn descriptors_that_can_neither_be_marked_nor_listed_start_nothing() {
    for_each_user(|home| {
        furnish(&home);
        let mut rules = missing(&[libc::SYS_close_range]);
        rules.push(Rule::on(libc::SYS_getdents64).fails(libc::EIO));
        refused(&inject::under(checked(&home, &[]), &rules).output(), &["close-on-exec", "EIO"]);
    });
}

#[test]
fn without_openat2_names_that_do_not_exist_cannot_be_guarded_and_that_is_said() {
    let refusing = |errno| vec![Rule::on(libc::SYS_openat2).fails(errno)];
    for_each_user(|home| {
        furnish(&home);
        for rules in [refusing(libc::ENOSYS), refusing(libc::EPERM)] {
            let ran = inject::under(checked(&home, &[]), &rules).output();
            refused(&ran, &["layer protect-new is required", "openat2", "--allow-degraded protect-new"]);
            let ran = inject::under(checked(&home, &UNGUARDED), &rules).output();
            all_hold(&home, &ran);
            ran.expect_said("layer protect-new is degraded");
            assert_eq!(degraded(&home), ["protect-new"]);
        }
    });
}

#[test]
fn below_another_listener_the_guard_is_refused_before_the_start() {
    for_each_user(|home| {
        furnish(&home);
        let rules = [Rule::on(libc::SYS_mincore).asks()];
        let ran = inject::answered(checked(&home, &[]), &rules, |_| None).output();
        refused(&ran, &["layer protect-new is required", "listener", "--allow-degraded protect-new"]);
        let ran = inject::answered(checked(&home, &UNGUARDED), &rules, |_| None).output();
        all_hold(&home, &ran);
        assert_eq!(degraded(&home), ["protect-new"]);
    });
}

#[test]
fn without_clone3_nothing_starts_and_the_hint_says_why() {
    for_each_user(|home| {
        furnish(&home);
        let ran = inject::under(checked(&home, &[]), &missing(&[libc::SYS_clone3])).output();
        refused(&ran, &["make namespaces: ENOSYS", "hint: clone3 is hidden by a filter above us"]);
    });
}

#[test]
fn without_landlock_nothing_starts_unless_that_is_let_go() {
    for_each_user(|home| {
        furnish(&home);
        for errno in [libc::ENOSYS, libc::EOPNOTSUPP] {
            let rules = LANDLOCK.map(|call| Rule::on(call).fails(errno));
            let ran = inject::under(checked(&home, &[]), &rules).output();
            refused(&ran, &["layer landlock-filesystem is required", "--allow-degraded landlock-filesystem"]);
            let flags = ["--allow-degraded", "landlock-filesystem"];
            let ran = inject::under(checked(&home, &flags), &rules).output();
            all_hold(&home, &ran);
            ran.expect_said("layer landlock-filesystem is degraded");
            assert_eq!(degraded(&home), ["landlock-filesystem", "landlock-scopes"]);
        }
    });
}

#[test]
fn every_landlock_abi_is_used_as_far_as_it_goes() {
    for_each_user(|home| {
        furnish(&home);
        for abi in 1..=6 {
            eprintln!("  ABI {abi}");
            let run = |flags: &[&str]| with_abi(checked(&home, flags), abi).output();
            all_hold(&home, &run(&UNGUARDED));
            assert_eq!(lacks(&home, abi), lacking(abi));
            let strict = [&UNGUARDED[..], &["--require", "landlock-scopes"]].concat();
            match abi {
                6 => all_hold(&home, &run(&strict)),
                _ => refused(&run(&strict), &["layer landlock-scopes is required", "needed"]),
            }
        }
    });
}

#[test]
fn linux_5_4_with_all_of_its_lacks_let_go_still_holds_the_list() {
    let calls = [&MOUNT_API[..], &LANDLOCK, &[libc::SYS_openat2, libc::SYS_close_range]].concat();
    for_each_user(|home| {
        furnish(&home);
        let flags = [&UNGUARDED[..], &["--allow-degraded", "landlock-filesystem"]].concat();
        let ran = inject::under(checked(&home, &flags), &missing(&calls)).output();
        all_hold(&home, &ran);
    });
}

#[test]
fn a_mount_below_a_read_only_folder_is_read_only_and_keeps_its_own_restrictions() {
    if !nix::unistd::geteuid().is_root() {
        return skip("making mounts for this needs root");
    }
    for_each_user(|home| {
        home.make_folder("data/below/deep");
        let data = home.join("data");
        // A thread of its own: the mounts are in its namespace, and what it starts inherits that.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                make_mounts(&home);
                let outside = home.outside("echo x > ../data/below/file && cat ../data/below/file");
                assert_eq!(outside.expect_code(0), "x\n", "the control");
                for rules in [vec![], missing(&MOUNT_API)] {
                    let data = data.to_str().unwrap();
                    let script = "cd $0; for place in . below below/deep; do (echo x > $place/new) 2>/dev/null \
                        && echo wrote $place; done; cat below/file; grep -c \" $0\" /proc/self/mountinfo; \
                        grep \" $0\" /proc/self/mountinfo | grep -v nosuid";
                    let run = home.aisandbox(&["exec", "--ro", data, "--", "sh", "-c", script, data]);
                    let ran = inject::under(run, &rules).output();
                    assert_eq!(ran.stdout(), "x\n3\n", "{}", ran.stderr());
                    for place in ["", "below/deep", "below/deep/inner"] {
                        let script = "cp /bin/true $0/below/deep/inner/true 2>/dev/null \
                            || cp /bin/true $0/inner/true 2>/dev/null || cp /bin/true $0/true; \
                            for file in $(find $0 -name true); do $file || echo not executed; done";
                        let place = home.join("data").join(place);
                        let place = place.to_str().unwrap();
                        let run = home.aisandbox(&["exec", "--rw", place, "--", "sh", "-c", script, place]);
                        let ran = inject::under(run, &rules).output();
                        assert_eq!(ran.stdout(), "not executed\n", "{place}: {}", ran.stderr());
                    }
                }
            });
        });
    });
}

#[test]
fn without_pidfd_send_signal_an_agent_that_will_not_end_is_still_ended() {
    let Some(user) = support::users().pop() else { return };
    let home = Home::of(user);
    let script = format!("trap '' TERM; echo ran; while :; do sleep 1; done; : {}", home.work().display());
    let run = home.sandboxed(&["--timeout", "3s"], &script);
    let ran = inject::under(run, &missing(&[libc::SYS_pidfd_send_signal])).output();
    assert_eq!(ran.expect_code(124), "ran\n");
    let word = home.work().display().to_string();
    assert!(comes_true(support::run::PATIENCE, || processes_with(&word).is_empty()));
}

const UNGUARDED: [&str; 2] = ["--allow-degraded", "protect-new"];

/// Layers the record of the last run calls less than whole; whether a cgroup is delegated is the machine's matter.
fn degraded(home: &Home) -> Vec<String> {
    let record = home.records().pop().unwrap();
    let events = record.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let layers = events.filter(|event| event["event"] == "degraded");
    let name = |event: serde_json::Value| event["data"]["layer"].as_str().unwrap().to_owned();
    layers.map(name).filter(|layer| layer != "cgroup").collect()
}

fn lacks(home: &Home, abi: u32) -> Vec<String> {
    let record = home.records().pop().unwrap();
    assert!(record.contains(&format!("\"landlock_abi\":{abi},")), "{record}");
    degraded(home)
}

/// What the record must say of each ABI under `cowork`, with the guard let go.
fn lacking(abi: u32) -> Vec<&'static str> {
    match abi {
        1 | 2 => vec!["landlock-filesystem", "landlock-scopes", "protect-new"],
        3..=5 => vec!["landlock-scopes", "protect-new"],
        _ => vec!["protect-new"],
    }
}

/// The kernel says this ABI, and refuses what that ABI did not know, as kernels of its time did.
fn with_abi(run: Run, abi: u32) -> Run {
    const VERSION: i64 = 1;
    const ERRATA: i64 = 2;
    let mut rules = vec![
        Rule::on(libc::SYS_landlock_create_ruleset).with(2, ERRATA).fails(libc::EINVAL),
        Rule::on(libc::SYS_landlock_create_ruleset).asks(),
    ];
    if abi < 7 {
        rules.push(Rule::on(libc::SYS_landlock_restrict_self).having(1, -1).fails(libc::EINVAL));
    }
    let reads = nix::unistd::geteuid().is_root(); // the launcher is undumpable: only root may look at its memory
    inject::answered(run, &rules, move |asked| match asked.args[2] as i64 {
        VERSION => Some(Ok(abi.into())),
        _ if reads => knows(abi, asked).err().map(Err),
        _ => None,
    })
}

/// Judges struct landlock_ruleset_attr as a kernel of this ABI does (linux/landlock.h).
fn knows(abi: u32, asked: Asked) -> Result<(), Errno> {
    let mut bytes = [0u8; 24];
    let size = usize::try_from(asked.args[1]).unwrap().min(bytes.len());
    notify::read_memory(asked.tid, asked.args[0], &mut bytes[..size]).unwrap();
    let words = bytes.as_chunks::<8>().0;
    let [files, ports, scopes] = [0, 1, 2].map(|place| u64::from_ne_bytes(words[place]));
    let known_files: u64 = match abi {
        1 => (1 << 13) - 1,
        2 => (1 << 14) - 1,
        3 | 4 => (1 << 15) - 1,
        _ => (1 << 16) - 1,
    };
    let unknown_fields = (abi < 4 && ports != 0) || (abi < 6 && scopes != 0);
    match (files & !known_files, unknown_fields) {
        (0, false) => Ok(()),
        (0, true) => Err(Errno::E2BIG),
        _ => Err(Errno::EINVAL),
    }
}

/// In a mount namespace of this thread: two filesystems below the data, the deeper one noexec, both writable by all.
fn make_mounts(home: &Home) {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    let memory = |place: &str, flags| {
        let place = home.join(place);
        std::fs::create_dir_all(&place).unwrap();
        mount(Some("none"), &place, Some("tmpfs"), flags, Some("mode=1777")).unwrap();
    };
    memory("data/below", MsFlags::empty());
    memory("data/below/deep", MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME);
    home.make_folder("data/below/deep/inner");
}
