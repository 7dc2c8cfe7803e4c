//! The way out of a filtered network, from the agent's connect(2) to the proxy's sockets: on each rung, and without it.
//!
//! Without the test harness, which has threads: every case runs in a process of its own with one thread, as each user.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

#[path = "../support/forked.rs"]
mod forked;
#[path = "../inject/mod.rs"]
mod inject;
#[path = "../support/library.rs"]
mod library;
mod lower;
mod rules;
mod sandbox;
#[path = "../support/mod.rs"]
mod support;

use aisandbox::launch::egress::Rung;
use aisandbox::sys::process::{self, Ended};
use aisandbox::sys::{diag, net};
use nix::errno::Errno;
use sandbox::{Sandbox, answer_connections, answer_names, wait};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

type Case = (&'static str, fn(&Path));

/// Cases by their sentence.
const CASES: &[Case] = &[
    ("a connection arrives with where it wanted to go", a_connection_arrives),
    ("the agent's own servers on loopback work", own_servers_work),
    ("datagrams and raw sockets are refused at once", datagrams_are_refused),
    ("a lookup at any server is answered from its address", a_lookup_is_answered),
    ("a socket leads to the process that holds it", a_socket_leads_to_its_process),
    ("the proxy can connect to a server inside", the_proxy_can_connect_inside),
    ("sockets that nobody took leave everything refused", sockets_that_nobody_took),
    ("the agent can change neither address nor route nor rules", rules::the_agent_can_change_nothing),
    ("the rules are those of the documentation", rules::the_rules_are_as_documented),
    ("without the rules everything is refused", rules::without_the_rules),
    ("without nftables the ports of the policy have listeners", lower::without_nftables),
    ("without netlink programs are told of a proxy", lower::without_netlink),
    ("a way that is named is the only one that is tried", lower::a_named_way_is_the_only_one),
    ("names are looked up as our files say", names_are_looked_up_as_our_files_say),
    ("ports of Landlock leave the endpoints open", ports_of_landlock),
];

fn main() {
    support::binary();
    if !support::has_program("python3") {
        return;
    }
    let mut failed = 0;
    for user in support::users() {
        for (sentence, case) in CASES {
            let folder = Folder::new(user.uid);
            let ended = forked::in_child(120, || {
                support::run::become_user(user).unwrap();
                process::set_dumpable(true).unwrap();
                case(&folder.0);
            });
            let held = ended == Ended::Exited(0);
            failed += i32::from(!held);
            println!("as uid {}: {sentence}: {}", user.uid, if held { "ok" } else { "FAILED" });
        }
    }
    assert_eq!(failed, 0, "cases failed");
}

fn plain(folder: &Path, script: &str) -> Sandbox {
    Sandbox::new(folder, "", script)
}

/// The lines, in order; those about IPv6 only where this machine has it.
fn expect(said: &[String], wanted: &[&str]) {
    let ipv6 = std::path::Path::new("/proc/net/if_inet6").exists();
    let six = |line: &&str| line.starts_with('6');
    if !ipv6 {
        support::skip("this machine has no IPv6");
    }
    let said: Vec<&str> = said.iter().map(String::as_str).filter(|line| ipv6 || !six(line)).collect();
    let wanted: Vec<&str> = wanted.iter().copied().filter(|line| ipv6 || !six(line)).collect();
    assert_eq!(said, wanted);
}

fn a_connection_arrives(folder: &Path) {
    let script = "
attempt(1, lambda: ask('198.18.5.5', 443))
attempt(2, lambda: ask('1.2.3.4', 80))
attempt(3, lambda: ask('198.18.0.1', 3000))
attempt(4, lambda: ask('198.18.0.1', 3128))
attempt(5, lambda: ask('198.18.0.1', 1080))
attempt(6, lambda: ask('2001:db8::1', 443, socket.AF_INET6))
attempt(66, lambda: ask('::ffff:1.2.3.4', 443, socket.AF_INET6))
attempt(7, lambda: os.environ.get('HTTP_PROXY', os.environ.get('ALL_PROXY')))";
    let mut sandbox = plain(folder, script);
    let mut handed = sandbox.take(Rung::Redirect);
    answer_connections(&mut handed);
    expect(
        &sandbox.finish(),
        &[
            "1 hello, wanted 198.18.5.5:443, redirected",
            "2 hello, wanted 1.2.3.4:80, redirected",
            "3 hello, wanted 198.18.0.1:3000, redirected",
            "4 hello, wanted 198.18.0.1:3128, listener 3128",
            "5 hello, wanted 198.18.0.1:1080, listener 1080",
            "6 hello, wanted [2001:db8::1]:443, redirected",
            "66 hello, wanted 1.2.3.4:443, redirected",
            "7 None",
        ],
    );
}

fn own_servers_work(folder: &Path) {
    let script = "
import threading
def serve(host, family, kind=socket.SOCK_STREAM):
    made = socket.socket(family, kind)
    made.bind((host, 0))
    def work():
        if kind == socket.SOCK_DGRAM:
            made.sendto(b'mine', made.recvfrom(100)[1])
            return
        came = made.accept()[0]
        came.makefile().read()
        came.sendall(b'mine')
        came.close()
    if kind == socket.SOCK_STREAM: made.listen(1)
    threading.Thread(target=work, daemon=True).start()
    return made.getsockname()[1]
attempt(1, lambda: ask('127.0.0.1', serve('127.0.0.1', socket.AF_INET)))
attempt(2, lambda: ask('localhost', serve('0.0.0.0', socket.AF_INET)))
attempt(3, lambda: ask(socket.gethostname(), serve('127.0.0.1', socket.AF_INET)))
attempt(4, lambda: send('127.0.0.1', serve('127.0.0.1', socket.AF_INET, socket.SOCK_DGRAM)))
attempt(6, lambda: ask('::1', serve('::1', socket.AF_INET6), socket.AF_INET6))";
    let mut sandbox = plain(folder, script);
    let mut handed = sandbox.take(Rung::Redirect);
    answer_connections(&mut handed);
    expect(&sandbox.finish(), &["1 mine", "2 mine", "3 mine", "4 mine from 127.0.0.1", "6 mine"]);
}

fn datagrams_are_refused(folder: &Path) {
    let script = "
def raw(family, kind, number): socket.socket(family, kind, number).close()
attempt(1, lambda: send('198.18.5.5', 443))
attempt(2, lambda: send('8.8.8.8', 123))
attempt(3, lambda: raw(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt(4, lambda: raw(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP))
attempt(5, lambda: raw(socket.AF_PACKET, socket.SOCK_RAW, 0))
attempt(6, lambda: send('2001:db8::1', 443, socket.AF_INET6))";
    let mut sandbox = plain(folder, script);
    let _handed = sandbox.take(Rung::Redirect);
    let said = sandbox.finish();
    expect(&said, &["1 EPERM", "2 EPERM", "3 EPERM", "4 EACCES", "5 EAFNOSUPPORT", "6 EPERM"]);
}

const LOOKUPS: &str = "
attempt(1, lambda: send('198.18.0.1', 53))
attempt(2, lambda: send('8.8.8.8', 53))
attempt(3, lambda: send('127.0.0.1', 53))
attempt(6, lambda: send('2001:4860:4860::8888', 53, socket.AF_INET6))
attempt(4, lambda: ask('9.9.9.9', 53))";

fn a_lookup_is_answered(folder: &Path) {
    let mut sandbox = plain(folder, LOOKUPS);
    let mut handed = sandbox.take(Rung::Redirect);
    answer_names(&mut handed);
    answer_connections(&mut handed);
    expect(
        &sandbox.finish(),
        &[
            "1 198.18.0.1 from 198.18.0.1",
            "2 8.8.8.8 from 8.8.8.8",
            "3 127.0.0.1 from 127.0.0.1",
            "6 2001:4860:4860::8888 from 2001:4860:4860::8888",
            "4 hello, wanted 9.9.9.9:53, redirected",
        ],
    );
}

fn a_socket_leads_to_its_process(folder: &Path) {
    let script = "
made = socket.create_connection(('198.18.7.7', 443), 20)
print(os.fstat(made.fileno()).st_ino, flush=True)
made.recv(1)";
    let mut sandbox = plain(folder, script);
    let mut handed = sandbox.take(Rung::Redirect);
    let (diag, (_, listener)) = (handed.diag.take().unwrap(), handed.tcp.remove(0));
    let serving = std::thread::spawn(move || {
        wait(listener.as_fd());
        let (came, _) = TcpListener::from(listener).accept().unwrap();
        let peer = net::peer_address(came.as_fd()).unwrap();
        assert_eq!(peer.ip().to_string(), "198.18.0.1");
        let wanted = net::original_destination(came.as_fd()).unwrap();
        let found = diag::lookup(diag.as_fd(), peer, wanted).unwrap().unwrap();
        let other = "198.18.7.8:443".parse().unwrap();
        assert_eq!(
            diag::lookup(diag.as_fd(), peer, other),
            Ok(None),
            "another destination is another socket"
        );
        found.inode
    });
    let said = sandbox.finish();
    assert_eq!(said, [serving.join().unwrap().to_string()]);
}

fn the_proxy_can_connect_inside(folder: &Path) {
    let script = "
server = socket.create_server(('127.0.0.1', 3000))
print('listens', flush=True)
server.settimeout(20)
server.accept()[0].sendall(b'from inside')";
    let mut sandbox = Sandbox::new(folder, "publish: [{ inside: 3000 }]", script);
    let mut handed = sandbox.take(Rung::Redirect);
    assert_eq!(handed.inward.len(), 64);
    let inward = handed.inward.pop().unwrap();
    let connecting = std::thread::spawn(move || {
        let to = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 3000u16.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
            sin_zero: [0; 8],
        };
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        let connect = || {
            // SAFETY: pointer and length of one address that outlives the call.
            let rc = unsafe { libc::connect(inward.as_raw_fd(), (&raw const to).cast(), length) };
            rc == 0 || Errno::last() == Errno::EISCONN
        };
        assert!(support::run::comes_true(std::time::Duration::from_secs(20), connect));
        let mut stream = TcpStream::from(inward);
        stream.set_nonblocking(false).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    });
    assert_eq!(sandbox.finish(), ["listens"]);
    assert_eq!(connecting.join().unwrap(), "from inside");
}

const EVERYTHING: &str = "
attempt(1, lambda: ask('198.18.5.5', 443))
attempt(2, lambda: ask('1.2.3.4', 80))
attempt(3, lambda: ask('198.18.0.1', 3128))
attempt(4, lambda: send('8.8.8.8', 53))
attempt(6, lambda: ask('2001:db8::1', 443, socket.AF_INET6))";

fn sockets_that_nobody_took(folder: &Path) {
    let sandbox = plain(folder, EVERYTHING);
    let said = sandbox.finish();
    expect(
        &said,
        &["1 ECONNREFUSED", "2 ECONNREFUSED", "3 ECONNREFUSED", "4 ECONNREFUSED", "6 ECONNREFUSED"],
    );
}

fn names_are_looked_up_as_our_files_say(folder: &Path) {
    let script = "
for path in '/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf':
    text = open(path).read()
    print(path, [line for line in text.splitlines() if line.startswith(('nameserver', '127', 'hosts', 'passwd'))])
    attempt(path, lambda: open(path, 'a').close())
for path in '/run/nscd', '/run/systemd/resolve', '/run/dbus', '/run/avahi-daemon', '/var/run/nscd':
    attempt(path, lambda: os.listdir(path))";
    let said = plain(folder, script).finish();
    let said: Vec<String> = said.iter().map(|line| line.replace("EROFS", "EACCES")).collect();
    assert_eq!(
        said[..6],
        [
            "/etc/resolv.conf ['nameserver 198.18.0.1']",
            "/etc/resolv.conf EACCES",
            "/etc/hosts ['127.0.0.1 localhost aisandbox']",
            "/etc/hosts EACCES",
            "/etc/nsswitch.conf ['passwd: files', 'hosts: files dns']",
            "/etc/nsswitch.conf EACCES",
        ]
    );
    assert!(said[6..].iter().all(|line| line.ends_with(" ENOENT") || line.ends_with(" EACCES")), "{said:?}");
    assert_eq!(said.len(), 11);
}

fn ports_of_landlock(folder: &Path) {
    if aisandbox::sys::landlock::abi().unwrap_or(0) < 4 {
        return support::skip("Landlock knows no ports before ABI 4");
    }
    let script = "
attempt(1, lambda: ask('1.2.3.4', 443))
attempt(2, lambda: ask('198.18.0.1', 3128))
attempt(3, lambda: ask('1.2.3.4', 80))";
    let mut sandbox = Sandbox::new(folder, "tcp: { connect: [443] }", script);
    let mut handed = sandbox.take(Rung::Redirect);
    answer_connections(&mut handed);
    expect(
        &sandbox.finish(),
        &[
            "1 hello, wanted 1.2.3.4:443, redirected",
            "2 hello, wanted 198.18.0.1:3128, listener 3128",
            "3 EACCES",
        ],
    );
}

/// An empty folder of one case.
struct Folder(PathBuf);

impl Folder {
    fn new(uid: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::temp_dir().canonicalize().unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("aisandbox-egress-way-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(uid), None).unwrap();
        std::env::set_current_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
