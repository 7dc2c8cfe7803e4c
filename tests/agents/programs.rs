//! `programs:`: which files can be executed, measured on the kernel that runs this.

use crate::support::{Home, for_each_user, has_program, run::Output};

/// Runs a script under a profile with this `programs:`.
fn run(home: &Home, programs: &str, script: &str) -> Output {
    let text = format!("version: 1\nextends: [cowork]\nprograms: {programs}\n");
    home.write("own.yaml", &text);
    home.exec(&["--profile", home.join("own.yaml").to_str().unwrap()], script)
}

const SOME: &str =
    "{ allow: [{ path: /bin/sh }, { path: /usr/bin/cat }, { path: /usr/bin/cp }, { path: /usr/bin/env }] }";

#[test]
fn only_listed_programs_can_be_executed() {
    for_each_user(|home| {
        let script =
            "cat /dev/null && echo cat; ls / >/dev/null && echo ls; /usr/bin/env cat /dev/null && echo env";
        assert_eq!(run(&home, SOME, script).expect_code(0), "cat\nenv\n");
        assert_eq!(home.exec(&[], script).expect_code(0), "cat\nls\nenv\n"); // the control
    });
}

#[test]
fn a_copy_of_a_listed_program_is_none_and_cannot_be_loaded_by_the_loader() {
    for_each_user(|home| {
        let script = "cp /usr/bin/cat ./mine; ./mine /dev/null && echo executed; \
                      for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do \
                      [ -e $l ] && $l ./mine /dev/null && echo loaded; done; echo ran";
        assert_eq!(run(&home, SOME, script).expect_code(0), "ran\n");
        assert_eq!(home.exec(&[], script).expect_code(0), "executed\nloaded\nran\n"); // the control
    });
}

#[test]
fn the_loader_runs_any_program_that_can_be_read() {
    // What the kernel cannot enforce: the loader is a listed program, and reading is not executing.
    for_each_user(|home| {
        let script = "for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do \
                      [ -e $l ] && $l /usr/bin/ls / >/dev/null && echo loaded; done";
        assert_eq!(run(&home, SOME, script).stdout(), "loaded\n");
    });
}

#[test]
fn no_program_comes_from_memory() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let text = "import os, sys\n\
                    def attempt(flags):\n    \
                    try: f = os.memfd_create('x', flags)\n    \
                    except OSError as e: return 'no file: %d' % e.errno\n    \
                    os.write(f, open('/usr/bin/true', 'rb').read())\n    \
                    if os.fork() == 0:\n        \
                    try: os.execve(f, ['x'], {})\n        \
                    except OSError as e: os._exit(e.errno)\n    \
                    return 'exec: %d' % os.waitstatus_to_exitcode(os.wait()[1])\n\
                    print(attempt(0), attempt(8))\n";
        home.write("work/memory.py", text);
        let python = "/usr/bin/python3 memory.py";
        let listed = "{ allow: [{ path: /bin/sh }, { path: /usr/bin/python3 }] }";
        assert_eq!(run(&home, listed, python).expect_code(0), "no file: 13 exec: 13\n");
        // The control, which shows what Landlock alone leaves open.
        assert_eq!(home.exec(&[], python).expect_code(0), "exec: 0 exec: 13\n");
    });
}

#[test]
fn a_program_with_another_content_stops_the_launch() {
    for_each_user(|home| {
        let shell = std::fs::canonicalize("/bin/sh").unwrap();
        let digest = aisandbox::crypto::sha256(&std::fs::read(shell).unwrap()).to_string();
        let with = |digest: &str| format!("{{ allow: [{{ path: /bin/sh, sha256: {digest} }}] }}");
        assert_eq!(run(&home, &with(&digest), "echo ran").expect_code(0), "ran\n");
        let other = run(&home, &with(&"0".repeat(64)), "echo ran");
        assert_eq!(other.expect_code(125), "");
        other.expect_said(&digest);
    });
}

#[test]
fn a_command_that_is_not_listed_does_not_start() {
    for_each_user(|home| {
        let cat = "allow: [{ path: /usr/bin/cat }]";
        let refused = run(&home, &format!("{{ {cat} }}"), "echo ran");
        assert_eq!(refused.expect_code(125), "");
        refused.expect_said("is not among `programs.allow`");
        assert_eq!(run(&home, &format!("{{ {cat}, unknown: allow }}"), "echo ran").expect_code(0), "ran\n");
    });
}

#[test]
fn a_program_in_a_writable_place_is_none_to_list() {
    for_each_user(|home| {
        home.write("work/tool", "#!/bin/sh\n");
        let path = home.join("work/tool");
        let refused = run(
            &home,
            &format!("{{ allow: [{{ path: /bin/sh }}, {{ path: {} }}] }}", path.display()),
            "echo ran",
        );
        assert_eq!(refused.expect_code(125), "");
        refused.expect_said("its content can change");
    });
}

#[test]
fn a_denied_program_is_not_executed_by_its_path_nor_by_the_loader() {
    for_each_user(|home| {
        let script = "cat /dev/null && echo cat; env true && echo env; \
                      for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do \
                      [ -e $l ] && $l /usr/bin/cat /dev/null && echo loaded; done; echo ran";
        assert_eq!(run(&home, "{ deny: [/usr/bin/cat] }", script).expect_code(0), "env\nran\n");
        assert_eq!(home.exec(&[], script).expect_code(0), "cat\nenv\nloaded\nran\n"); // the control
    });
}
