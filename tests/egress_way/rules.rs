//! The packet filter's rules inside: what they are, who can change them, and that safety does not rest on them.

use crate::{expect, plain, support};
use aisandbox::launch::egress::Rung;
use aisandbox::sys::process;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;

pub(crate) fn the_agent_can_change_nothing(folder: &Path) {
    let script = "
import fcntl
def link_down():
    with socket.socket() as made:
        fcntl.ioctl(made, 0x8914, struct.pack('16sH22x', b'lo', 0))
def request(kind, flags, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as made:
        made.send(struct.pack('IHHII', 16 + len(body), kind, 1 | 4 | flags, 1, 0) + body)
        code = struct.unpack('i', made.recv(100)[16:20])[0]
        return errno.errorcode.get(-code, code)
def address(kind): return request(kind, 0x400, struct.pack('BBBBI', 2, 32, 0, 0, 1) + struct.pack('HH4B', 8, 2, 198, 18, 0, 1))
def route(kind): return request(kind, 0, struct.pack('BBBBBBBBI', 2, 0, 0, 0, 255, 3, 254, 2, 0) + struct.pack('HHI', 8, 4, 1))
attempt('down', link_down)
attempt('RTM_DELADDR', lambda: address(21))
attempt('RTM_DELROUTE', lambda: route(25))
attempt('RTM_NEWROUTE', lambda: route(24))
attempt('netfilter', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12).close())
attempt('sock_diag', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).close())
attempt('port 443', lambda: socket.create_server(('', 443)).close())
attempt('port 53', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(('', 53)))
attempt('our port', lambda: socket.create_server(('127.0.0.1', 61443)).close())
attempt('descriptors', lambda: sorted(map(int, os.listdir('/proc/self/fd')))[:-1])";
    let mut sandbox = plain(folder, script);
    let _handed = sandbox.take(Rung::Redirect);
    let wanted = [
        "down EPERM",
        "RTM_DELADDR EPERM",
        "RTM_DELROUTE EPERM",
        "RTM_NEWROUTE EPERM",
        "netfilter EAFNOSUPPORT",
        "sock_diag EAFNOSUPPORT",
        "port 443 EACCES",
        "port 53 EACCES",
        "our port EADDRINUSE",
        "descriptors [0, 1, 2]",
    ];
    assert_eq!(sandbox.finish(), wanted);
}

pub(crate) fn the_rules_are_as_documented(folder: &Path) {
    if !support::has_program("nft") {
        return;
    }
    // The agent waits for the end of its listener.
    let script = "
made = socket.create_connection(('198.18.5.5', 443), 20)
attempt('end', lambda: made.recv(1))";
    let mut sandbox = plain(folder, script);
    let handed = sandbox.take(Rung::Redirect);
    let init = sandbox.running.pid();
    let looking = std::thread::spawn(move || {
        crate::wait(handed.tcp[0].1.as_fd());
        let listed = in_network_of(agent_of(init), &["list", "ruleset"]);
        drop(handed);
        listed
    });
    assert_eq!(sandbox.finish(), ["end ECONNRESET"]);
    let module =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/egress/table.rs")).unwrap();
    let documented = module.split("```").nth(1).unwrap().replace("//!", "").replace("text", "");
    assert_eq!(words(&looking.join().unwrap()), words(&documented));
}

/// Without what a listing adds or says otherwise.
fn words(text: &str) -> String {
    let text = text.replace("priority filter", "priority 0").replace("priority dstnat", "priority -100");
    let text = text.replace("inet reject", "reject").replace("reject with icmpx port-unreachable", "reject");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn without_the_rules(folder: &Path) {
    if !support::has_program("nft") {
        return;
    }
    let script = "
import time
made = socket.create_connection(('198.18.5.5', 443), 20)
for turn in range(400):
    try: socket.create_connection(('1.2.3.4', 80), 20).close()
    except ConnectionRefusedError: break
    time.sleep(.05)
print('flushed', turn < 399)
attempt(1, lambda: ask('198.18.5.5', 443))
attempt(2, lambda: ask('1.2.3.4', 80))
attempt(6, lambda: ask('2001:db8::1', 443, socket.AF_INET6))";
    let mut sandbox = plain(folder, script);
    let handed = sandbox.take(Rung::Redirect);
    let init = sandbox.running.pid();
    let flushing = std::thread::spawn(move || {
        crate::wait(handed.tcp[0].1.as_fd());
        in_network_of(agent_of(init), &["flush", "ruleset"]);
        assert_eq!(in_network_of(agent_of(init), &["list", "ruleset"]), "");
        handed // the proxy lives on
    });
    let said = sandbox.finish();
    drop(flushing.join().unwrap());
    expect(&said, &["flushed True", "1 ECONNREFUSED", "2 ECONNREFUSED", "6 ECONNREFUSED"]);
}

/// The agent: the only child of init.
fn agent_of(init: i32) -> i32 {
    let children = format!("/proc/{init}/task/{init}/children");
    let mut found = 0;
    let told = || {
        let text = std::fs::read_to_string(&children).unwrap();
        text.split_whitespace().next().is_some_and(|pid| !pid.is_empty())
    };
    assert!(support::run::comes_true(std::time::Duration::from_secs(20), told));
    if let Ok(text) = std::fs::read_to_string(&children) {
        found = text.split_whitespace().next().unwrap().parse().unwrap();
    }
    found
}

/// Runs nft in the network namespace of a process, by way of the user namespace that owns it: the parent of the
/// process's own.
fn in_network_of(pid: i32, args: &[&str]) -> String {
    let open = |name: &str| File::open(format!("/proc/{pid}/ns/{name}")).unwrap();
    let (user, network) = (open("user"), open("net"));
    let owner = owner_of(&network);
    assert_ne!(inode(&owner), inode(&user), "the agent's own user namespace owns nothing");
    let enter = move || {
        for namespace in [owner.as_fd(), network.as_fd()] {
            nix::sched::setns(namespace, nix::sched::CloneFlags::empty())?;
        }
        Ok(())
    };
    let mut nft = Command::new("nft");
    nft.args(args).env("PATH", support::PATH);
    // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
    unsafe { std::os::unix::process::CommandExt::pre_exec(&mut nft, enter) };
    process::set_dumpable(true).unwrap();
    let output = nft.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// NS_GET_USERNS of ioctl_ns(2).
fn owner_of(network: &File) -> OwnedFd {
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: the request takes no argument and gives a new descriptor.
    let raw = unsafe { libc::ioctl(network.as_raw_fd(), NS_GET_USERNS as _) };
    assert!(raw >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel just made it for us.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

fn inode(fd: &impl AsFd) -> u64 {
    aisandbox::sys::file::kind_and_identity(fd.as_fd()).unwrap().ino
}
