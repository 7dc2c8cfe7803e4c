//! The launcher's own program and its end. Seen: CVE-2019-5736 (runc: /proc/self/exe of the runtime was opened from
//! inside and overwritten); sandboxes that outlive a killed launcher (the reason of bubblewrap's --die-with-parent).

use crate::attack::for_each_attacker;
use crate::support::pty::Terminal;
use crate::support::run::{PATIENCE, comes_true, processes_with};
use crate::support::{binary, for_each_user};
use std::time::Duration;

#[test]
fn the_program_of_the_launcher_cannot_be_reached_from_inside() {
    let script = "
for who in '1', 'self', str(os.getppid()):
    path = '/proc/%s/exe' % who
    print(who, attempt(lambda: os.readlink(path)))
    print(who, attempt(lambda: os.open(path, os.O_RDONLY)))
    print(who, attempt(lambda: os.open(path, os.O_WRONLY)))
print('name', os.readlink('/proc/self/exe'))
for folder in '/proc/1/root', '/proc/1/cwd', '/proc/1/map_files':
    print(folder, attempt(lambda: os.listdir(folder)))";
    for_each_attacker(|home| {
        let before = std::fs::read(binary()).unwrap();
        let inside = home.attack(&[], script).output().ran();
        assert_eq!(inside.matches("1 EACCES").count(), 6, "{inside}"); // twice: init is also the parent
        assert!(inside.contains("self ok\nself ok\n"), "{inside}"); // the control: one's own can be read
        assert!(inside.contains("name /usr/bin/python3"), "{inside}"); // and is not ours
        for folder in ["root", "cwd", "map_files"] {
            assert!(inside.contains(&format!("/proc/1/{folder} E")), "{inside}");
        }
        assert_eq!(std::fs::read(binary()).unwrap(), before);
    });
}

#[test]
fn a_launcher_killed_at_any_moment_leaves_no_process() {
    for_each_user(|home| {
        let mark = format!("9{:06}.{}", std::process::id() % 1_000_000, home.user.uid);
        let script = format!("exec sleep {mark}");
        for step in 0..40 {
            let started = home.sandboxed(&[], &script).start();
            std::thread::sleep(Duration::from_micros(500 * step));
            started.signal(libc::SIGKILL);
        }
        let control = home.sandboxed(&[], &script).start();
        assert!(comes_true(PATIENCE, || processes_with(&mark).len() >= 2));
        control.signal(libc::SIGKILL);
        assert!(comes_true(PATIENCE, || processes_with(&mark).is_empty()));
    });
}

#[test]
fn an_agent_that_stops_the_launcher_does_not_gain_time() {
    // On a terminal the launcher stops with the agent, as a shell's job does; a child of the agent goes on.
    let script = "
if os.fork() == 0:
    os.setsid()
    while True:
        put('alive', str(time.time()))
        time.sleep(0.05)
os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(900)";
    for_each_attacker(|home| {
        let alive = || std::fs::read_to_string(home.join("work/alive")).unwrap_or_default();
        let goes_on = || {
            let before = alive();
            std::thread::sleep(Duration::from_millis(400));
            before != alive()
        };
        let _terminal = Terminal::start(home.attack(&["--timeout", "4s"], script));
        assert!(comes_true(PATIENCE, goes_on)); // the control: it runs while the launcher is stopped
        assert!(comes_true(PATIENCE, || !goes_on()));
    });
}

#[test]
fn an_agent_that_floods_init_does_not_keep_the_launcher_from_ending() {
    let flood = "
def storm():
    while True:
        try: os.open('.envrc', os.O_CREAT | os.O_WRONLY)
        except OSError: pass
for _ in range(20):
    if os.fork() == 0: storm()
print('started', flush=True)
storm()";
    for_each_attacker(|home| {
        for number in [libc::SIGTERM, libc::SIGKILL] {
            let mut started = home.attack(&[], flood).start();
            assert_eq!(started.read_line(), "started");
            let told = || home.records().last().is_some_and(|record| record.contains(".envrc"));
            assert!(comes_true(PATIENCE, told), "it floods");
            let mine = started.pid();
            started.signal(number);
            let code = started.finish().code;
            assert!(code == 128 + number || code == -number, "{code}");
            let children = || std::fs::read_to_string(format!("/proc/{mine}/task/{mine}/children")).is_ok();
            assert!(comes_true(PATIENCE, || !children()));
        }
        assert!(!home.join("work/.envrc").exists());
        let record = home.records().join("");
        let lines = record.lines().filter(|line| line.contains(".envrc")).count();
        assert!((1..20).contains(&lines), "{lines} lines for one name: the agent can fill the disk");
    });
}
