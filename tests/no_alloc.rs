//! Between clone and exec nothing is allocated or freed: an allocator that ends such a process at once is in force while
//! real sandboxes start. Init may allocate once it is init, that is once it carries its name.
//!
//! Without the test harness, which has threads: every case runs in a process of its own with one thread.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

#[path = "support/library.rs"]
mod library;

use aisandbox::base::HostPath;
use aisandbox::host::facts::Facts;
use aisandbox::host::mounts;
use aisandbox::launch::prepare::{Inputs, prepare};
use aisandbox::launch::{Outcome, start};
use aisandbox::plan::layers::Abilities;
use aisandbox::plan::{Plan, reach_filter};
use aisandbox::profile::Arch;
use aisandbox::sys::process::{self, Ended};
use std::alloc::{GlobalAlloc, Layout, System};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

/// The only process that may allocate; 0 while the trap is not armed.
static LAUNCHER: AtomicI32 = AtomicI32::new(0);
/// How a process that must not allocate ends. A signal would not do: pid 1 ignores what it sends itself.
const CAUGHT: i32 = 99;

struct Trap;

// SAFETY: every call is passed on to the system's allocator unchanged, or ends the process.
unsafe impl GlobalAlloc for Trap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(b"no_alloc: the child allocated\n");
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        check(b"no_alloc: the child freed\n");
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static TRAP: Trap = Trap;

fn check(words: &[u8]) {
    let launcher = LAUNCHER.load(Ordering::Relaxed);
    // SAFETY: takes nothing.
    if launcher == 0 || launcher == unsafe { libc::getpid() } || is_init() {
        return;
    }
    // SAFETY: pointer and length of one slice.
    unsafe { libc::write(2, words.as_ptr().cast(), words.len()) };
    process::exit_now(CAUGHT);
}

fn is_init() -> bool {
    let mut name = [0u8; 16];
    // SAFETY: the option writes at most 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.starts_with(b"aisandbox-init\0")
}

fn arm() {
    // SAFETY: takes nothing.
    let me = unsafe { libc::getpid() };
    assert!(me > 2, "inside, init is 1 and the agent 2: the launcher must have another number");
    LAUNCHER.store(me, Ordering::Relaxed);
}

fn main() {
    the_trap_catches_a_child_that_allocates();
    the_trap_catches_a_child_that_frees();
    println!("the trap catches: ok");
    for uid in users() {
        for (name, case) in cases() {
            let ended = in_child(|| {
                become_user(uid);
                case(&Folder::new(&format!("{uid}-{}", name.replace(' ', "-"))));
            });
            assert_eq!(ended, Ended::Exited(0), "as uid {uid}: {name}");
            println!("as uid {uid}: {name}: ok");
        }
    }
}

/// The control: the trap works, and only where it is armed.
fn the_trap_catches_a_child_that_allocates() {
    let allocate = || drop(std::hint::black_box(vec![1u8; 10]));
    assert_eq!(in_child(allocate), Ended::Exited(0));
    let armed = in_child(|| {
        arm();
        allocate(); // the launcher itself may
        assert_eq!(in_child(allocate), Ended::Exited(CAUGHT));
        assert_eq!(in_child(|| ()), Ended::Exited(0));
    });
    assert_eq!(armed, Ended::Exited(0));
}

fn the_trap_catches_a_child_that_frees() {
    let armed = in_child(|| {
        let held = std::hint::black_box(vec![1u8; 10]);
        arm();
        assert_eq!(in_child(move || drop(held)), Ended::Exited(CAUGHT));
    });
    assert_eq!(armed, Ended::Exited(0));
}

type Case = fn(&Folder);

fn cases() -> Vec<(&'static str, Case)> {
    vec![
        ("everything on", |folder| {
            runs_to_its_end(folder, ALL);
        }),
        ("classic mounts", |folder| {
            runs_to_its_end(folder, How { mount_api: false, ..ALL });
        }),
        ("a terminal", |folder| {
            runs_to_its_end(folder, How { terminal: true, ..ALL });
        }),
        ("a filtered network", |folder| {
            runs_to_its_end(folder, How { way: Some("auto"), ..ALL });
        }),
        ("a filtered network without nftables", |folder| {
            runs_to_its_end(folder, How { way: Some("anyip"), ..ALL });
        }),
        ("a filtered network with a proxy alone", |folder| {
            runs_to_its_end(folder, How { way: Some("proxy"), ..ALL });
        }),
        ("no namespaces", |folder| {
            runs_to_its_end(folder, How { namespaces: false, ..ALL });
        }),
        ("no namespaces and a terminal", |folder| {
            runs_to_its_end(folder, How { namespaces: false, terminal: true, ..ALL });
        }),
        ("a stage that fails", |folder| {
            let lost = folder.0.join("lost");
            std::fs::write(&lost, "#!/no/such/interpreter\n").unwrap();
            make_executable(&lost);
            let outcome = launched(folder, &["./lost"], ALL);
            assert_eq!(outcome.code(), 127, "{outcome:?}");
        }),
        ("a script without an interpreter line", |folder| {
            let script = folder.0.join("script");
            std::fs::write(&script, "exit 6\n").unwrap();
            make_executable(&script);
            assert_eq!(launched(folder, &["./script"], ALL), Outcome::Exited(6));
        }),
    ]
}

/// What a case has.
#[derive(Clone, Copy)]
struct How {
    mount_api: bool,
    terminal: bool,
    namespaces: bool,
    /// The network is filtered, by this way.
    way: Option<&'static str>,
}

const ALL: How = How { mount_api: true, terminal: false, namespaces: true, way: None };

fn runs_to_its_end(folder: &Folder, how: How) {
    let script = if how.terminal { "test -t 0 && exit 7" } else { "exit 7" };
    assert_eq!(launched(folder, &["sh", "-c", script], how), Outcome::Exited(7));
}

/// A view with one of everything, so that each act of the child is done.
const PROFILE: &str = "version: 1
extends: [cowork]
allow_degraded: [namespaces, ask-mounts]
filesystem:
  - { path: /data, access: file, content: some }
  - { path: $PWD/secret, access: mask }
  - { path: $PWD/secrets, access: mask }
  - { path: $PWD/asked, access: ask, actions: [read] }
  - { path: $PWD/asked.txt, access: ask, actions: [append] }
  - { path: /link, access: symlink, target: /data }
  - { path: /made, access: dir }
";

fn launched(folder: &Folder, argv: &[&str], how: How) -> Outcome {
    let facts = Facts::for_launch();
    let plan = plan(folder, argv, &facts, how);
    assert_eq!(plan.view.asks.len(), 2);
    assert!(!plan.view.missing.is_empty(), "the guard has something to guard");
    let planted = folder.0.parent().unwrap().join(format!("planted-{}", std::process::id()));
    std::fs::write(&planted, "").unwrap();
    let master = how.terminal.then(a_terminal_as_stdin);
    let inputs = Inputs {
        mount_api: how.mount_api,
        mounts: mounts::table().unwrap(),
        reach: reach_filter(Arch::host(), false, facts.landlock.abi).instructions.to_vec(),
        planted: Some(HostPath::new(&planted).unwrap()),
        foreign_abi: true,
        pass: vec![2],
        pseudo_terminal: how.terminal,
        tell_namespaces: true,
        ..library::inputs(&plan, &facts)
    };
    let (ready, ends) = prepare(&plan, inputs).unwrap();
    arm();
    let mut running = start(ready, ends, None).unwrap();
    let confined = running.confined();
    assert_eq!(running.take_egress().is_some(), how.way.is_some());
    std::fs::remove_file(planted).unwrap();
    if let Err(outcome) = confined {
        return outcome;
    }
    running.go(plan.profile.terminal, None).unwrap();
    let outcome = running.wait(&mut |_, _, _| ());
    drop(master);
    outcome
}

fn plan(folder: &Folder, argv: &[&str], facts: &Facts, how: How) -> Plan {
    std::fs::write(folder.0.join("secret"), "").unwrap();
    std::fs::create_dir(folder.0.join("secrets")).unwrap();
    std::fs::create_dir(folder.0.join("asked")).unwrap();
    std::fs::write(folder.0.join("asked.txt"), "").unwrap();
    let abilities = Abilities { namespaces: how.namespaces, ..library::abilities(facts, how.mount_api) };
    let network = how.way.map(|way| {
        format!(
            "network: {{ mode: filtered, way: {way}, allow: [{{ host: a.example }}], publish: [{{ inside: 3000 }}] }}\n"
        )
    });
    let loopback = || "network: { mode: loopback }\n".to_owned();
    let profile = format!("{PROFILE}{}", network.unwrap_or_else(loopback));
    library::plan(&folder.0, &profile, argv, facts, abilities)
}

/// A pseudo-terminal as stdin; its master must be kept open.
fn a_terminal_as_stdin() -> nix::pty::PtyMaster {
    let master = nix::pty::posix_openpt(nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    nix::pty::grantpt(&master).unwrap();
    nix::pty::unlockpt(&master).unwrap();
    let name = nix::pty::ptsname_r(&master).unwrap();
    let slave = std::fs::File::options().read(true).write(true).open(name).unwrap();
    // SAFETY: two integers; nothing of this process owns number 0 but the standard library's stdin, which stays valid.
    assert_eq!(unsafe { libc::dup2(slave.as_raw_fd(), 0) }, 0);
    master
}

fn make_executable(path: &Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
}

/// An empty folder of one case.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let base = std::env::temp_dir().canonicalize().unwrap();
        let path = base.join(format!("aisandbox-no-alloc-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::env::set_current_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Root and an ordinary user, or whoever runs this.
fn users() -> Vec<u32> {
    let me = nix::unistd::geteuid().as_raw();
    if me == 0 { vec![0, 65534] } else { vec![me] }
}

fn become_user(uid: u32) {
    if uid != nix::unistd::geteuid().as_raw() {
        process::drop_groups().unwrap();
        nix::unistd::setgid(uid.into()).unwrap();
        nix::unistd::setuid(uid.into()).unwrap();
        process::set_dumpable(true).unwrap();
    }
}

/// Runs a body in a process of its own. A panic is exit code 101.
fn in_child(body: impl FnOnce()) -> Ended {
    process::assert_single_threaded().unwrap();
    // SAFETY: one thread, as checked; the child ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        process::exit_now(if done.is_ok() { 0 } else { 101 });
    }
    process::wait_for(pid).unwrap()
}
