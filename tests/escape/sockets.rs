//! Sockets of the host. Seen: CVE-2020-15257 (containerd's abstract socket was reachable from containers in the host's
//! network), agents that reach Docker or a session bus through a socket in a folder they were shown.

use crate::attack::for_each_attacker;
use crate::support::Home;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};

fn listen(path: &std::path::Path) -> UnixListener {
    let listener = UnixListener::bind(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    listener
}

fn connect(address: &str) -> String {
    format!("print(attempt(lambda: socket.socket(socket.AF_UNIX).connect({address})))")
}

#[test]
fn an_abstract_socket_of_the_host_cannot_be_reached_in_the_hosts_network() {
    for_each_attacker(|home| {
        let name = format!("aisandbox-escape-{}-{}", std::process::id(), home.user.uid);
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        let script = connect(&format!("'\\0{name}'"));
        assert_eq!(home.attack_outside(&script).output().ran(), "ok\n");
        assert_eq!(home.attack(&[], &script).output().ran(), "ECONNREFUSED\n"); // another network
        let shared = home.attack(&["--net", "host"], &script).output();
        assert_eq!(shared.ran(), "EPERM\n", "{}", shared.stderr()); // Landlock's scope
        let own = format!(
            "
server = socket.socket(socket.AF_UNIX); server.bind('\\0{name}-own'); server.listen()
{}",
            connect(&format!("'\\0{name}-own'"))
        );
        assert_eq!(home.attack(&["--net", "host"], &own).output().ran(), "ok\n"); // the control: its own are free
    });
}

#[test]
fn a_socket_outside_the_view_cannot_be_reached_and_one_in_it_can() {
    for_each_attacker(|home| {
        let elsewhere = home.join("bus");
        let _hidden = listen(&elsewhere);
        let script = connect(&format!("'{}'", elsewhere.display()));
        assert_eq!(home.attack_outside(&script).output().ran(), "ok\n");
        assert_eq!(home.attack(&[], &script).output().ran(), "ENOENT\n");
        // What is shown can be connected to, read-only too: the kernel has no lock for it, so do not show such folders.
        home.make_folder("shown");
        let _shown = listen(&home.join("shown/bus"));
        let path = home.join("shown");
        let script = connect(&format!("'{}/bus'", path.display()));
        assert_eq!(home.attack(&["--ro", path.to_str().unwrap()], &script).output().ran(), "ok\n");
    });
}

#[test]
fn nothing_of_the_session_is_there() {
    let names =
        ["DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "WAYLAND_DISPLAY", "DISPLAY", "XDG_RUNTIME_DIR"];
    let script = format!(
        "print([name for name in {names:?} if name in os.environ])
print(attempt(lambda: os.listdir('/run/user')), attempt(lambda: os.stat('/run/dbus')), os.listdir('/run'))"
    );
    let with_names = |home: &Home, inside: bool| {
        let run =
            if inside { home.attack(&["--net", "loopback"], &script) } else { home.attack_outside(&script) };
        names.iter().fold(run, |run, name| run.env(name, "/run/user/1/x")).output().ran()
    };
    for_each_attacker(|home| {
        assert!(names.iter().all(|name| with_names(&home, false).contains(name)));
        assert_eq!(with_names(&home, true), "[]\nENOENT ENOENT []\n");
    });
}
