//! The view that flags and entries of a profile make, and the network, seen from inside.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use support::{Home, for_each_user, has_program};

/// A path of this test that is outside the home and in no shipped profile.
fn data(home: &Home) -> String {
    let folder = home.make_folder("data");
    home.write("data/file", "content\n");
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_path_shown_read_only_can_be_read_and_not_written() {
    for_each_user(|home| {
        let folder = data(&home);
        let script = format!(
            "cd {folder} && cat file && echo new > other; echo x >> file; rm file; mkdir d; cat file"
        );
        assert_eq!(home.exec(&[], &script).stdout(), ""); // without the flag it is not there
        let inside = home.exec(&["--ro", &folder], &script);
        assert_eq!(inside.expect_code(0), "content\ncontent\n");
        assert_eq!(home.listing().iter().filter(|path| path.starts_with(&folder)).count(), 2);
    });
}

#[test]
fn a_path_shown_read_and_write_is_the_hosts_own() {
    for_each_user(|home| {
        let folder = data(&home);
        home.exec(&["--rw", &folder], &format!("echo more >> {folder}/file; mkdir {folder}/made"))
            .expect_code(0);
        assert_eq!(std::fs::read_to_string(home.join("data/file")).unwrap(), "content\nmore\n");
        assert!(home.join("data/made").is_dir());
    });
}

#[test]
fn a_path_can_be_shown_at_another_place() {
    for_each_user(|home| {
        let folder = data(&home);
        let script = "cat /elsewhere/deep/file; echo x >> /elsewhere/deep/file";
        let read_only = home.exec(&["--ro-bind", &folder, "/elsewhere/deep"], script);
        assert_eq!((read_only.stdout(), read_only.code), ("content\n".into(), 2));
        home.exec(&["--bind", &folder, "/elsewhere/deep"], script).expect_code(0);
        assert_eq!(std::fs::read_to_string(home.join("data/file")).unwrap(), "content\nx\n");
        assert!(!std::path::Path::new("/elsewhere").exists());
    });
}

#[test]
fn a_masked_path_is_there_and_empty() {
    for_each_user(|home| {
        home.write("work/secret/key", "k");
        home.write("work/token", "t");
        let script = "ls secret; cat token; echo ran; echo x > token; touch secret/new";
        let flags = ["--mask", "secret", "--mask", "token"];
        let inside = home.exec(&flags, script);
        assert_eq!(inside.stdout(), "ran\n");
        assert_eq!(home.outside("cat secret/key token").expect_code(0), "kt"); // untouched
        assert_eq!(home.exec(&[], "cat secret/key token").expect_code(0), "kt");
    });
}

#[test]
fn a_tmpfs_hides_what_is_below_and_goes_with_the_run() {
    for_each_user(|home| {
        home.write("work/cache/old", "o");
        let inside = home.exec(&["--tmpfs", "cache"], "ls -A cache; echo new > cache/new; cat cache/new");
        assert_eq!(inside.expect_code(0), "new\n");
        assert_eq!(home.outside("ls cache").expect_code(0), "old\n");
    });
}

#[test]
fn every_kind_of_entry_does_what_its_word_says() {
    for_each_user(|home| {
        home.write("data/file", "host\n");
        home.write_program("tools/run", "#!/bin/sh\necho ran\n");
        let entries = [
            "{ path: ~/data, access: ro }",
            "{ path: /made/file, access: file, content: \"from the profile\\n\" }",
            "{ path: /made/link, access: symlink, target: file }",
            "{ path: /made/empty, access: dir }",
            "{ path: /made/mem, access: tmpfs, size: 64k }",
            "{ source: ~/data/file, path: /made/copy, access: ro }",
            "{ path: ~/absent, access: ro, optional: true }",
            "{ path: ~/tools, access: ro, noexec: true }",
            "{ path: /made/tools, source: ~/tools, access: ro }",
        ];
        let text = format!("version: 1\nextends: [cowork]\nfilesystem:\n  - {}\n", entries.join("\n  - "));
        let file = home.write("kinds.yaml", &text);
        let run = |script: &str| home.exec(&["--profile", file.to_str().unwrap()], script);
        assert_eq!(
            run("cat ~/data/file /made/file /made/link /made/copy").expect_code(0),
            "host\nfrom the profile\nfrom the profile\nhost\n"
        );
        assert_eq!(run("readlink /made/link; ls -A /made/empty; ls -d ~/absent").stdout(), "file\n");
        assert_eq!(
            run("touch /made/empty/x; echo x > /made/file; rm /made/link; touch /made/new; ls /made")
                .stdout()
                .trim()
                .replace('\n', " "),
            "copy empty file link mem tools"
        );
        assert_eq!(
            run("head -c 1000000 /dev/zero > /made/mem/big; stat -c %s /made/mem/big").stdout(),
            "65536\n"
        );
        assert_eq!(run("/made/tools/run").expect_code(0), "ran\n");
        assert_eq!(run("cat ~/tools/run > /dev/null && echo read; ~/tools/run").expect_code(126), "read\n");
    });
}

#[test]
fn a_kind_that_is_not_in_this_build_is_refused_at_start() {
    for_each_user(|home| {
        home.make_folder("data");
        let text = "version: 1\nextends: [cowork]\nfilesystem:\n  - { path: ~/data, access: stage }\n";
        let file = home.write("later.yaml", text);
        let output = home.exec(&["--profile", file.to_str().unwrap()], "echo ran");
        assert_eq!(output.expect_code(125), "");
        output.expect_said("later.yaml:4");
        output.expect_said("not in this build");
    });
}

#[test]
fn the_system_is_read_only_and_the_root_takes_no_new_names() {
    for_each_user(|home| {
        let script = "for at in / /usr /etc /bin /dev /opt; do mkdir $at/made && echo made in $at; done; \
                      echo x > /etc/passwd && echo written; echo ran";
        assert_eq!(home.exec(&[], script).expect_code(0), "ran\n");
    });
}

const CONNECT: &str = "import socket, sys\ns = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3)\n\
                       print(s.recv(9).decode())\n";

/// A server on the host's loopback that greets whoever connects, as long as the test runs.
fn greeter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            drop(connection.unwrap().write_all(b"from host"));
        }
    });
    port
}

#[test]
fn a_server_of_the_host_is_reached_only_with_the_hosts_network() {
    if !has_program("python3") {
        return;
    }
    let port = greeter();
    for_each_user(|home| {
        home.write("work/connect.py", CONNECT);
        let script = format!("python3 connect.py {port}");
        assert_eq!(home.outside(&script).expect_code(0), "from host\n");
        for mode in ["none", "loopback"] {
            let refused = home.exec(&["--net", mode], &format!("{script} || echo refused"));
            assert_eq!(refused.expect_code(0), "refused\n", "{mode}");
        }
        assert_eq!(home.exec(&["--net", "host"], &script).expect_code(0), "from host\n");
    });
}

const SERVE: &str = "import socket, threading\ns = socket.create_server(('127.0.0.1', 0))\n\
                     t = threading.Thread(target=lambda: s.accept()[0].sendall(b'inside'))\nt.start()\n\
                     c = socket.create_connection(s.getsockname(), 60)\nprint(c.recv(9).decode())\nt.join()\n";

#[test]
fn a_server_inside_is_reached_from_inside_where_there_is_a_loopback() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        home.write("work/serve.py", SERVE);
        for (flags, works) in [(&[][..], true), (&["--net", "loopback"], true), (&["--net", "none"], false)] {
            let most = if works { 100 } else { 5 };
            let output = home.exec(flags, &format!("timeout -s KILL {most} python3 serve.py"));
            assert_eq!(output.code == 0, works, "{flags:?}: {output:?}");
            assert_eq!(output.stdout(), if works { "inside\n" } else { "" });
        }
    });
}

#[test]
fn a_server_inside_is_not_reached_from_the_host() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let serve = "import socket, sys\ns = socket.create_server(('127.0.0.1', 0))\n\
                     print(s.getsockname()[1], flush=True)\nsys.stdin.read()\n";
        home.write("work/serve.py", serve);
        let attempt = |flags: &[&str]| {
            let mut run = home.sandboxed(flags, "exec python3 serve.py");
            run.command.stdin(std::process::Stdio::piped());
            let mut run = run.start();
            let port: u16 = run.read_line().trim().parse().unwrap();
            let reached = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            run.finish().expect_code(0);
            reached
        };
        assert!(!attempt(&["--net", "loopback"]));
        assert!(attempt(&["--net", "host"])); // the control
    });
}

#[test]
fn an_abstract_socket_of_the_host_is_out_of_reach() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    if !has_program("python3") {
        return;
    }
    let name = format!("aisandbox-test-{}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(|peer| drop(peer.unwrap().read(&mut [0; 1]))));
    for_each_user(|home| {
        let script = format!(
            "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"\\0{name}\"); print(\"reached\")' || echo refused"
        );
        assert_eq!(home.outside(&script).expect_code(0), "reached\n");
        for mode in ["none", "loopback", "host"] {
            assert_eq!(home.exec(&["--net", mode], &script).expect_code(0), "refused\n", "{mode}");
        }
    });
}
