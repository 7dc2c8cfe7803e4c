//! Real programs at work in `cowork`: what a developer's agent starts all day must behave as outside.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use std::time::Duration;
use support::{Home, for_each_user, has_program, skip};

/// Who commits, for git.
const WHO: &str = "[user]\n\tname = Tester\n\temail = tester@example.org\n[init]\n\tdefaultBranch = main\n\
                   [commit]\n\tgpgsign = false\n";

/// A home with a git repository in its working folder, made outside.
fn with_repository(home: Home) -> Home {
    let home = home.with(".gitconfig", WHO).with("work/a", "one\n");
    home.outside("git init -q && git add a && git commit -qm first").expect_code(0);
    home
}

#[test]
fn git_makes_a_repository_in_a_subfolder() {
    if !has_program("git") {
        return;
    }
    for_each_user(|home| {
        let home = home.with(".gitconfig", WHO);
        let script = "git init -q sub && cd sub && echo x > f && git add f && git commit -qm one && git log --format=%s%an";
        assert_eq!(home.exec(&[], script).expect_code(0), "oneTester\n");
        assert_eq!(home.outside("cd sub && git fsck && git status --short").expect_code(0), "");
    });
}

#[test]
fn git_works_in_the_repository_of_the_working_folder() {
    if !has_program("git") {
        return;
    }
    for_each_user(|home| {
        let home = with_repository(home);
        let script = "set -e; exec 2>&1; echo two >> a; git commit -qam second; git branch side; \
                      echo three >> a; git commit -qam third; git checkout -q side; echo b > b; git add b; \
                      git commit -qm other; git rebase -q main; git log --format=%s; git stash list; \
                      git tag v1; git mv b c; git commit -qm moved; git reset -q --hard HEAD~1; git gc -q; git status --short";
        assert_eq!(home.exec(&[], script).expect_code(0), "other\nthird\nsecond\nfirst\n");
        assert_eq!(home.outside("git fsck --strict 2>&1; git log --format=%s -1").expect_code(0), "other\n");
    });
}

#[test]
fn git_worktrees_stashes_and_merges_work() {
    if !has_program("git") {
        return;
    }
    for_each_user(|home| {
        let home = with_repository(home);
        let script = "set -e; git worktree add -q tree -b feature; (cd tree; echo f > f; git add f; git commit -qm feature); \
                      git merge -q --no-edit feature; git worktree remove tree; echo dirty >> a; git stash -q; git stash pop -q; \
                      git diff --stat | tail -1; git log --format=%s";
        assert_eq!(
            home.exec(&[], script).expect_code(0),
            " 1 file changed, 1 insertion(+)\nfeature\nfirst\n"
        );
        assert_eq!(home.outside("git fsck > fsck 2>&1 && git worktree list | wc -l").expect_code(0), "1\n");
    });
}

#[test]
fn git_cannot_be_made_to_run_something_outside() {
    if !has_program("git") {
        return;
    }
    for_each_user(|home| {
        let home = with_repository(home);
        let attempts = "git config core.fsmonitor 'touch ~/evil'; git config alias.st '!touch ~/evil'; \
                        printf '#!/bin/sh\\ntouch ~/evil\\n' > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout; echo ran";
        assert_eq!(home.exec(&[], attempts).expect_code(0), "ran\n");
        home.outside("git status; git st; git checkout -q -b next").expect_code(0);
        assert!(!home.join("evil").exists());
        home.outside(attempts).expect_code(0); // the control: outside it is possible
        home.outside("git status; git checkout -q -b another").expect_code(0);
        assert!(home.join("evil").exists());
    });
}

#[test]
fn python_makes_a_venv_and_runs_from_it() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let script = "set -e; /usr/bin/python3 -m venv --without-pip env; . env/bin/activate; \
                      python -c 'import sys; print(sys.prefix != sys.base_prefix)'; \
                      python -c 'import multiprocessing as m; print(sum(m.Pool(3).map(abs, range(-9, 0))))'; \
                      python -c 'import tempfile, subprocess; print(subprocess.check_output([\"echo\", \"x\"]).decode().strip(), \
                      len(tempfile.mkdtemp()) > 3)'";
        assert_eq!(home.exec(&[], script).expect_code(0), "True\n45\nx True\n");
    });
}

#[test]
fn sqlite_keeps_its_locks_and_its_journal() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let text = "import sqlite3, threading\n\
                    for mode in ('delete', 'wal'):\n    \
                    db = sqlite3.connect(f'{mode}.db')\n    print(db.execute(f'pragma journal_mode={mode}').fetchone()[0])\n    \
                    db.execute('create table t(n)'); db.commit()\n    \
                    def add(mode=mode):\n        \
                    c = sqlite3.connect(f'{mode}.db', timeout=30)\n        \
                    for n in range(20):\n            c.execute('insert into t values (?)', (n,)); c.commit()\n    \
                    ts = [threading.Thread(target=add) for _ in range(4)]\n    \
                    [t.start() for t in ts]; [t.join() for t in ts]\n    \
                    print(db.execute('select count(*), sum(n) from t').fetchone(), db.execute('pragma integrity_check').fetchone()[0])\n";
        home.write("work/db.py", text);
        let expected = "delete\n(80, 760) ok\nwal\n(80, 760) ok\n";
        assert_eq!(home.exec(&[], "/usr/bin/python3 db.py").expect_code(0), expected);
    });
}

#[test]
fn node_runs_a_script_with_files_workers_and_a_server_of_its_own() {
    if !has_program("node") {
        return;
    }
    for_each_user(|home| {
        let text = "const fs = require('fs'), http = require('http'), { execFileSync } = require('child_process');\n\
                    fs.mkdirSync('out/deep', { recursive: true }); fs.writeFileSync('out/deep/f', 'text');\n\
                    fs.renameSync('out/deep/f', 'out/g'); console.log(fs.readFileSync('out/g', 'utf8'));\n\
                    console.log(execFileSync('echo', ['child']).toString().trim());\n\
                    const s = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1', () =>\n  \
                    http.get({ port: s.address().port, host: '127.0.0.1' }, r => { r.on('data', d => console.log(String(d)));\n    \
                    r.on('end', () => { s.close(); s.closeAllConnections(); }); }));\n";
        home.write("work/app.js", text);
        assert_eq!(home.exec(&[], "node app.js").expect_code(0), "text\nchild\nserved\n");
    });
}

#[test]
fn tar_keeps_modes_links_and_times() {
    if !has_program("tar") {
        return;
    }
    for_each_user(|home| {
        let script = "set -e; mkdir -p in/d; echo a > in/d/a; chmod 640 in/d/a; ln -s a in/d/s; ln in/d/a in/d/h; \
                      touch -d '2020-01-02 03:04:05 UTC' in/d/a; tar czf all.tgz in; mkdir out; tar xzf all.tgz -C out; \
                      stat -c '%a %Y %h' out/in/d/a; readlink out/in/d/s";
        assert_eq!(home.exec(&[], script).expect_code(0), "640 1577934245 2\na\n");
    });
}

#[test]
fn make_and_gcc_build_a_program_in_parallel() {
    if !has_program("make") || !has_program("gcc") {
        return;
    }
    for_each_user(|home| {
        home.write("work/Makefile", "prog: a.o b.o\n\tgcc -o $@ $^\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\n");
        home.write(
            "work/a.c",
            "#include <stdio.h>\nint b(void);\nint main(void) { printf(\"%d\\n\", b()); }\n",
        );
        home.write("work/b.c", "int b(void) { return 42; }\n");
        assert_eq!(home.exec(&[], "make -s -j4 && ./prog").expect_code(0), "42\n");
    });
}

#[test]
fn cargo_builds_a_crate_with_the_toolchain_of_the_home() {
    let cargo_home = std::env::var_os("HOME").map(std::path::PathBuf::from).unwrap_or_default();
    if !cargo_home.join(".cargo/bin/cargo").exists() || !cargo_home.join(".rustup").exists() {
        skip("no toolchain in ~/.cargo and ~/.rustup");
        return;
    }
    for_each_user(|home| {
        if home.user.become_it {
            return; // the toolchain lies in the home of the one who runs the tests, where others may not look
        }
        home.write(
            "work/Cargo.toml",
            "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        );
        home.write("work/build.rs", "fn main() { println!(\"cargo:rustc-env=FROM_BUILD=7\"); }\n");
        home.write(
            "work/src/main.rs",
            "fn main() { println!(\"built {}\", env!(\"FROM_BUILD\")); }\n#[test] fn t() {}\n",
        );
        let path = format!("{}/.cargo/bin:{}", cargo_home.display(), support::PATH);
        let script = "cargo run -q --offline && cargo test -q --offline 2>&1 | grep -c '1 passed'; touch ~/.cargo/bin/evil";
        let run = home.sandboxed(&[], script).env("HOME", &cargo_home).env("PATH", path);
        let output =
            run.env("XDG_STATE_HOME", home.join("state")).patience(Duration::from_secs(120)).output();
        assert_eq!(output.expect_code(1), "built 7\n1\n");
        output.expect_said("Read-only");
        assert!(!cargo_home.join(".cargo/bin/evil").exists());
    });
}

#[test]
fn common_tools_agree_with_themselves_outside() {
    for_each_user(|home| {
        let home = home.with("work/text", "b\na\nc\n");
        let script = "sort text | tr '\\n' ' '; grep -c . text; sed -i s/a/A/ text; awk '{ print NR $0 }' text; \
                      find . -name text -exec wc -l {} +; xargs -n1 echo < text; cp -a text copy; cmp text copy; \
                      date -u -d @0 +%F; expr 6 \\* 7; nproc > n; test -s n; df . > d; mktemp > m; test -s m; \
                      echo $((1 << 10)) | gzip | gzip -d; diff text copy; env printf '%s\\n' x; whoami > w; id > i; ls -l / > l";
        let outside = home.outside(script).expect_code(0);
        home.outside("printf 'b\\na\\nc\\n' > text; rm -f copy n d m w i l").expect_code(0);
        assert_eq!(home.exec(&[], script).expect_code(0), outside);
    });
}
