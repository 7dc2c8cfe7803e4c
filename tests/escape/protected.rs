//! Protected names. Seen: CVE-2025-53773 and CVE-2025-54135 (agents that wrote editor and MCP settings), git hooks written
//! from containers, and guards that were passed by another spelling, by a rename, or by a second look at a path.

use crate::attack::{for_each_attacker, lines};
use crate::support::Home;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Every way to make a name; `name` is what to make, `made` asks whether it is there.
const WAYS: &str = "
def spellings(name):
    here = os.getcwd()
    folder = os.open('.', os.O_RDONLY)
    os.path.lexists('self') or os.symlink('.', 'self')
    yield from (name, './' + name, './/' + name, here + '/' + name, here + '//.//' + name, 'self/' + name)
    yield from ('/proc/self/cwd/' + name, '/proc/self/fd/%d/%s' % (folder, name), '/dev/fd/%d/%s' % (folder, name))
    yield from ('../' + os.path.basename(here) + '/' + name, 'sub/../' + name, 'self/self/sub/../' + name)
def ways(path, back):
    c = path.encode()
    yield 'open', lambda: os.open(path, os.O_CREAT | os.O_WRONLY)
    yield 'new', lambda: os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY)
    yield 'creat', lambda: libc.creat(c, 0o644)
    yield 'openat2', lambda: call('openat2', -100, c, (ctypes.c_uint64 * 3)(0o101, 0o644, 0), 24)
    yield 'mkdir', lambda: os.mkdir(path)
    yield 'slash', lambda: os.mkdir(path + '/')
    yield 'symlink', lambda: os.symlink('free', path)
    yield 'link', lambda: os.link('free', path)
    yield 'rename', lambda: os.rename('moving', path)
    yield 'folder', lambda: os.rename('full', path)
    yield 'exchange', lambda: call('renameat2', -100, b'free', -100, c, 2)
    yield 'noreplace', lambda: call('renameat2', -100, b'moving', -100, c, 1)
    yield 'fifo', lambda: os.mkfifo(path)
    yield 'node', lambda: os.mknod(path, 0o100644)
    yield 'tmpfile', lambda: call('linkat', -100, b'/proc/self/fd/%d' % os.open('.', os.O_TMPFILE | os.O_RDWR, 0o644), -100, c, 0x400)
    yield 'dangling', lambda: os.open('to-' + back, os.O_CREAT | os.O_WRONLY)
def prepare(name):
    os.makedirs('sub', exist_ok=True); os.makedirs('full', exist_ok=True)
    for file in 'free', 'moving', 'full/settings.json': put(file, 'x')
    os.path.lexists('to-' + name) or os.symlink(name, 'to-' + name)
def remove(name):
    try: os.rmdir(name) if os.path.isdir(name) and not os.path.islink(name) else os.unlink(name)
    except OSError: subprocess.run(['rm', '-rf', name])
made = set()
for name in NAMES:
    for spelling in spellings(name):
        prepare(name)
        for way, act in ways(spelling, name):
            prepare(name)
            attempt(act)
            if os.path.lexists(name):
                made.add(way)
                remove(name)
print(*sorted(made))
";

fn made(home: &Home, inside: bool, names: &str) -> String {
    let script = format!("NAMES = {names}\n{WAYS}");
    let run = if inside { home.attack(&[], &script) } else { home.attack_outside(&script) };
    run.output().ran()
}

#[test]
fn no_call_in_no_spelling_makes_a_protected_name() {
    for_each_attacker(|home| {
        assert_eq!(made(&home, true, "['.envrc', '.vscode', '.mcp.json', '.bashrc', '.git']"), "\n");
        assert_eq!(made(&home, true, "['.Envrc', '.VSCODE', '.Mcp.Json']"), "\n"); // some filesystems fold case
        let all = "creat dangling exchange fifo folder link mkdir new node noreplace open openat2 rename slash symlink tmpfile";
        let free = made(&home, true, "['.free']");
        assert_eq!(free.trim(), all.replace(" exchange", "").replace(" openat2", ""), "a free name"); // the control
        let outside = made(&home, false, "['.envrc']");
        assert_eq!(outside.trim(), all.replace(" exchange", ""), "outside");
    });
}

#[test]
fn two_hundred_attackers_at_once_make_nothing() {
    let script = "
os.makedirs('.claude', exist_ok=True)
def attack(number):
    os.chdir(os.getcwd())
    mine = 'mine%d' % number
    for _ in range(15):
        os.makedirs(mine, exist_ok=True)
        attempt(lambda: put(mine + '/settings.json', 'x'))
        attempt(lambda: os.rename(mine, '.claude'))
        attempt(lambda: os.rename('.claude', mine + 'moved'))
        attempt(lambda: os.mkdir('.claude'))
        attempt(lambda: os.rename(mine + '/settings.json', '.claude/settings.json'))
        attempt(lambda: os.symlink(mine, '.vscode'))
        attempt(lambda: os.open('.envrc', os.O_CREAT | os.O_WRONLY))
        attempt(lambda: os.open(mine + '/' + str(number), os.O_CREAT | os.O_WRONLY))
for number in range(200):
    if os.fork() == 0:
        try: attack(number)
        finally: os._exit(0)
try:
    while True: os.wait()
except ChildProcessError: pass
print('made', len([1 for number in range(200) if os.path.exists('mine%d/%d' % (number, number))]) > 0)";
    for_each_attacker(|home| {
        assert_eq!(home.attack(&[], script).output().ran(), "made True\n"); // the control: other names were made
        for name in [".envrc", ".vscode", ".claude/settings.json"] {
            assert!(
                !home.join("work").join(name).exists() && !home.join("work").join(name).is_symlink(),
                "{name}"
            );
        }
    });
}

#[test]
fn a_path_that_another_thread_changes_in_memory_makes_no_protected_name() {
    // Another process on the same page, which is what a thread is here without Python's lock.
    let script = "
import mmap
page = mmap.mmap(-1, 4096)
page[0:10] = b'free-name\\0'
path = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(page)))
child = os.fork()
if child == 0:
    while True:
        page[0:10] = b'.envrc\\0\\0\\0\\0'
        page[0:10] = b'free-name\\0'
end = time.monotonic() + 6
made = 0
while time.monotonic() < end and made < 5000 or made == 0:
    fd = libc.open(path, 0o101, 0o644)
    if fd >= 0: os.close(fd); made += 1
    if os.path.exists('.envrc'): break
os.kill(child, signal.SIGKILL)
print('made', made > 0, os.path.exists('.envrc'))";
    for_each_attacker(|home| {
        assert_eq!(home.attack(&[], script).output().ran(), "made True False\n");
        assert_eq!(home.attack_outside(script).output().ran(), "made True True\n");
    });
}

#[test]
fn attackers_killed_in_the_middle_of_a_call_leave_the_guard_at_work() {
    let script = "
for round in range(60):
    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            while True:
                attempt(lambda: os.open('.envrc', os.O_CREAT | os.O_WRONLY))
                attempt(lambda: os.close(os.open('free', os.O_CREAT | os.O_WRONLY)))
        children.append(pid)
    time.sleep(0.002)
    for pid in children: os.kill(pid, signal.SIGKILL)
    for pid in children: os.waitpid(pid, 0)
os.closerange(3, 1000)
print('after', attempt(lambda: os.open('new', os.O_CREAT | os.O_WRONLY)), attempt(lambda: os.open('.envrc', os.O_CREAT)))";
    for_each_attacker(|home| {
        assert_eq!(home.attack(&[], script).output().ran(), "after ok EACCES\n");
    });
}

#[test]
fn a_second_listener_cannot_be_put_before_the_guard() {
    // The newest filter wins a tie: with a listener of its own, an agent could let the kernel go on.
    let script = "
code = (ctypes.c_uint64 * 1)(0x7fff0000 << 32 | 0x06)
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
program = Program(1, ctypes.addressof(code))
pointer = ctypes.c_void_p(ctypes.addressof(program))
call('prctl', 38, 1, 0, 0, 0)
print('plain', call('seccomp', 1, 0, pointer))
print('listener', call('seccomp', 1, 8, pointer))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert_eq!(inside, "plain ok\nlistener EBUSY\n");
        if outside != "plain ok\nlistener ok\n" {
            crate::support::skip(&format!("these tests run below a listener themselves: {outside}"));
        }
    });
}

#[test]
fn a_folder_closed_in_one_run_is_no_way_in_the_next() {
    for_each_attacker(|home| {
        home.write("work/.claude/settings.json", "good");
        home.write("work/.git/info/attributes", "good");
        home.write("work/.git/other", "good");
        let close = "for folder in '.claude', '.git/info': os.chmod(folder, 0)";
        let write = "
for folder in '.claude', '.git/info': print(folder, attempt(lambda: os.chmod(folder, 0o755)))
for file in '.claude/settings.json', '.git/info/attributes', '.git/other':
    print(file, attempt(lambda: os.open(file, os.O_WRONLY | os.O_TRUNC)))";
        let both = format!("{close}\n{write}");
        for (script, expected) in [(close, 0), (write, 1)] {
            let said = home.attack(&[], script).output().ran();
            let files: Vec<_> = lines(&said).into_iter().filter(|line| line.0.contains('/')).collect();
            assert!(
                files.iter().all(|line| line.0 == ".git/other" || line.0 == ".git/info" || line.1 != "ok"),
                "{said}"
            );
            assert_eq!(said.matches(".git/other ok").count(), expected, "{said}"); // the control
        }
        for file in ["work/.claude", "work/.git/info"] {
            std::fs::set_permissions(home.join(file), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        for file in ["work/.claude/settings.json", "work/.git/info/attributes"] {
            assert_eq!(std::fs::read_to_string(home.join(file)).unwrap(), "good", "{file}");
        }
        assert!(home.attack_outside(&both).output().ran().contains("settings.json ok"));
    });
}

#[test]
fn what_a_protected_link_leads_to_is_neither_changed_nor_replaced_nor_made() {
    let script = "
print('write', attempt(lambda: put('.vscode/tasks.json', 'evil')), attempt(lambda: put('a/b/cfg/tasks.json', 'evil')))
for folder in 'a', 'a/b', 'a/b/cfg': print('move', attempt(lambda: os.rename(folder, folder + 'x')))
for name in 'later', '.envrc': print('make', attempt(lambda: put(name, 'evil')))
print('unlink', attempt(lambda: os.unlink('.vscode')), attempt(lambda: os.symlink('evil', '.vscode')))
print('free', attempt(lambda: put('a/b/free', 'x')))";
    for_each_attacker(|home| {
        let plant = || {
            home.write("work/a/b/cfg/tasks.json", "good");
            for (target, name) in [("a/b/cfg", ".vscode"), ("later", ".envrc")] {
                drop(std::fs::remove_file(home.join("work").join(name)));
                symlink(target, home.join("work").join(name)).unwrap();
            }
        };
        plant();
        let inside = home.attack(&[], script).output().ran();
        let expected = "write EROFS EROFS\nmove EBUSY\nmove EBUSY\nmove EBUSY\nmake EACCES\nmake EACCES\n";
        assert_eq!(inside, format!("{expected}unlink ok EACCES\nfree ok\n"));
        plant();
        let outside = home.attack_outside(script).output().ran();
        assert!(outside.starts_with("write ok ok\nmove ok\n"), "{outside}");
    });
}

#[test]
fn a_socket_is_bound_at_no_protected_name() {
    let script = "
print(attempt(lambda: socket.socket(socket.AF_UNIX).bind('.envrc')))
print(attempt(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(os.getcwd() + '/./.envrc')))
print(attempt(lambda: open('.envrc')), attempt(lambda: os.rename('free', '.envrc')), attempt(lambda: os.link('free', '.envrc')))
print(attempt(lambda: socket.socket(socket.AF_UNIX).bind('own')), attempt(lambda: os.unlink('own')))";
    for_each_attacker(|home| {
        home.write("work/free", "");
        let inside = home.attack(&[], script).output().ran();
        assert_eq!(inside, "EACCES\nEACCES\nENOENT EACCES EACCES\nok ok\n");
        let outside = home.attack_outside(script).output().ran();
        assert!(outside.starts_with("ok\n"), "{outside}");
    });
}

#[test]
fn a_name_that_somebody_else_makes_during_the_run_can_be_written_from_then_on() {
    // A documented limit: the owner's own act; from the next run on the file is read-only.
    let script = "
print('in', flush=True)
while not os.path.exists('.envrc'): time.sleep(0.01)
print(attempt(lambda: os.open('.envrc', os.O_WRONLY)), attempt(lambda: os.rename('free', '.envrc')))";
    for_each_attacker(|home| {
        home.write("work/free", "");
        let mut started = home.attack(&[], script).start();
        assert_eq!(started.read_line(), "in");
        home.write("work/.envrc", "mine");
        assert_eq!(started.finish().ran(), "ok EACCES\n");
        let next = "print(attempt(lambda: os.open('.envrc', os.O_WRONLY)))";
        assert_eq!(home.attack(&[], next).output().ran(), "EROFS\n");
    });
}

#[test]
fn a_program_that_was_just_written_can_be_run() {
    // Not an attack: a guard that still holds the file it made for a caller makes execve say ETXTBSY.
    let script = "for j in 1 2 3 4; do (i=0; while [ $i -lt 60 ]; do
cp /usr/bin/true x$j.$i && ./x$j.$i || echo failed; i=$((i+1)); done) & done; wait; ls | wc -l";
    for_each_attacker(|home| {
        let (outside, inside) = home.run_both("cowork", &format!("{script}; rm -f x*"));
        assert_eq!(outside.expect_code(0), "240\n");
        assert_eq!(inside.expect_code(0), "240\n");
    });
}
