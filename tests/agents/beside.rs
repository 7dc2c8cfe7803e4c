//! Programs of transitions while they run: what is passed on between a stand-in and the program beside it, and their ends.

use crate::support::{Home, for_each_user, has_program};
use crate::transitions::{profile, tool, with_tool};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

#[test]
fn words_streams_variables_folder_and_exit_code_are_passed_on() {
    for_each_user(|home| {
        let tool = tool(
            &home,
            "printf '%s|' \"$@\"; echo \"$#\"; echo \"$WORD|$AISANDBOX_X|\"; pwd; cat; echo wrong >&2; exit 7",
        );
        let profile = with_tool(&home, "{ no_network: true }", "");
        home.make_folder("work/deep");
        let script = format!(
            "cd deep; printf 'in\\377\\n' | WORD=here AISANDBOX_X=forged {tool} '' 'a b' \"$(printf '\\377\\033[2J')\" '*' '\n'; echo $?"
        );
        let output = home.exec(&["--profile", &profile], &script);
        let deep = home.join("work/deep");
        let wanted =
            [b"|a b|\xff\x1b[2J|*|\n|5\nhere||\n".as_slice(), deep.as_os_str().as_bytes(), b"\nin\xff\n7\n"]
                .concat();
        assert_eq!(output.stdout, wanted, "{output:?}");
        output.expect_said("wrong");
    });
}

#[test]
fn a_link_by_another_name_is_called_by_that_name() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let transitions = "[{ path: /bin/sh, less: { no_network: true } }]";
        let text = "import subprocess; subprocess.run(['other', '-c', 'echo $0 $AISANDBOX_RUN'], executable='/bin/sh', env={})";
        home.write("work/call.py", text);
        let own = profile(&home, transitions, "");
        let output = home.aisandbox(&["exec", "--profile", &own, "--", "python3", "call.py"]).output();
        let said = output.expect_code(0);
        let (name, run) = said.trim().split_once(' ').unwrap();
        assert_eq!(name, "other");
        let started = format!("\"run\":\"{run}\"");
        // By a cleared environment too, and under the name of the sandbox that it is in.
        assert!(
            home.records().iter().any(|text| text.contains("agent_start") && text.contains(&started)),
            "{run}"
        );
    });
}

#[test]
fn a_program_that_was_changed_since_is_not_started() {
    for_each_user(|home| {
        let path = tool(&home, "echo first");
        let digest = aisandbox::crypto::sha256(&std::fs::read(&path).unwrap()).to_string();
        let shown = format!("filesystem: [{{ path: {}, access: ro }}]\n", home.join("tools").display());
        let transitions = format!("[{{ path: {path}, sha256: {digest}, less: {{ no_network: true }} }}]");
        let profile = profile(&home, &transitions, &shown);
        let mut child = start(&home, &profile, &format!("{path}; echo next; read line; {path}; echo $?"));
        let mut said = BufReader::new(child.stdout.take().unwrap());
        assert_eq!(line(&mut said) + &line(&mut said), "first\nnext\n");
        std::fs::write(&path, "#!/bin/sh\necho second\n").unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        assert_eq!(all(&mut said), "126\n");
        assert!(all(&mut child.stderr.take().unwrap()).contains("its SHA-256 is"));
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_file_that_takes_the_programs_place_from_outside_gets_no_less() {
    // What the kernel cannot hold: it takes a mount away when somebody outside replaces the file below it.
    for_each_user(|home| {
        let path = tool(&home, "echo first");
        let profile = with_tool(&home, "{ no_network: true }", "network: { mode: host }\n");
        let mut child = start(
            &home,
            &profile,
            &format!("{path}; echo next; read line; {path}; readlink /proc/self/ns/net"),
        );
        let mut said = BufReader::new(child.stdout.take().unwrap());
        assert_eq!(line(&mut said) + &line(&mut said), "first\nnext\n");
        let other = home.write_program("tools/other", "#!/bin/sh\nreadlink /proc/self/ns/net\n");
        std::fs::rename(other, &path).unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let rest = all(&mut said);
        let (program, caller) = rest.trim().split_once('\n').unwrap();
        assert_eq!(program, caller);
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn signals_reach_the_program_and_its_end_comes_back() {
    for_each_user(|home| {
        let path = tool(
            &home,
            "trap 'echo int' INT; trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.05; done",
        );
        let profile = with_tool(&home, "{ no_network: true }", "");
        let script = format!(
            "mkfifo said; {path} > said & {{ read up; kill -USR2 $! ; cat; }} < said; wait $!; echo $?"
        );
        let killed = home.exec(&["--profile", &profile], &script);
        assert_eq!(killed.expect_code(0), format!("{}\n", 128 + libc::SIGUSR2), "{killed:?}");
        let script = format!(
            "mkfifo said; {path} > said & {{ read up; kill -TERM $! ; cat; }} < said; wait $!; echo $?"
        );
        let ended = home.exec(&["--profile", &profile], &script);
        assert_eq!(ended.expect_code(0), "term\n3\n", "{ended:?}");
    });
}

#[test]
fn a_program_ends_with_its_stand_in() {
    for_each_user(|home| {
        let path = tool(&home, "echo up; while :; do date +%N > beat; sleep 0.05; done");
        let profile = with_tool(&home, "{ no_network: true }", "");
        let script = format!(
            "{path} > said & while ! [ -s said ]; do sleep 0.05; done; kill -9 $!; sleep 3; \
             a=$(cat beat); sleep 0.5; b=$(cat beat); [ \"$a\" = \"$b\" ] && echo ended"
        );
        let output = home.exec(&["--profile", &profile], &script);
        assert_eq!(output.expect_code(0), "ended\n", "{output:?}");
    });
}

#[test]
fn a_hundred_in_a_row_leave_nothing_behind() {
    for_each_user(|home| {
        let path = tool(&home, "echo $1");
        let profile = with_tool(&home, "{ no_network: true }", "network: { mode: loopback }\n");
        let script = format!(
            "i=0; while [ $i -lt 100 ]; do {path} $i || exit 1; i=$((i+1)); done; \
             echo go; read line"
        );
        let mut child = start(&home, &profile, &script);
        let pid = child.id();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let begun = Instant::now();
        for number in 0..100 {
            assert_eq!(line(&mut said), format!("{number}\n"));
            assert!(begun.elapsed() < Duration::from_secs(300));
        }
        assert_eq!(line(&mut said), "go\n");
        // Ends are heard of before the next one is started, but for the last: wait for it.
        let children = || {
            let all = std::fs::read_dir("/proc").unwrap().flatten();
            let status = all.filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok());
            status.filter(|text| text.contains(&format!("PPid:\t{pid}\n"))).count()
        };
        let since = Instant::now();
        while children() > 1 && since.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(children(), 1, "init alone");
        // It cannot be looked at by its own user. One that each start leaves would be a hundred.
        if nix::unistd::getuid().is_root() {
            let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
            assert!(descriptors < 96, "{descriptors} descriptors of the launcher");
        }
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(child.wait().unwrap().success());
    });
}

fn start(home: &Home, profile: &str, script: &str) -> Child {
    let mut command = home.sandboxed(&["--profile", profile], script).command;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

fn all(from: &mut impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}
