//! Real programs go on as before at the level that observes most.

use crate::support::{for_each_user, has_program};
use crate::{has, run, seen};

#[test]
fn git_python_and_a_shell_work_and_are_observed() {
    if !has_program("git") || !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let script = "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git init -q --bare origin.repo && git clone -q origin.repo copy 2>/dev/null; \
             cd copy && git config user.email a@b.c && git config user.name n && echo text > file && git add file && \
             git commit -qm one && git push -q origin HEAD 2>/dev/null; git log --format=%s; cd ..; \
             python3 -c 'import json,os,sqlite3,subprocess,tempfile; json.dump({}, open(\"made.json\", \"w\")); \
             os.rename(\"made.json\", \"kept.json\"); print(open(\"kept.json\").read()); \
             print(subprocess.run([\"sh\", \"-c\", \"echo sub\"], capture_output=True, text=True).stdout.strip()); \
             db=sqlite3.connect(\"db\"); db.execute(\"create table t(a)\"); db.commit(); print(os.path.exists(\"db\")); \
             print(len(tempfile.TemporaryFile().read()))'";
        let out = run(&home, "all", script);
        assert_eq!(out.stdout(), "one\n{}\nsub\nTrue\n0\n", "{}", out.stderr());
        let seen = seen(&home);
        assert!(has(&seen, "create", "made.json") && has(&seen, "create", "kept.json"));
        assert!(has(&seen, "read", "kept.json") && has(&seen, "create", "copy/file"));
        assert!(seen.iter().any(|one| one.action == "execute" && one.path.ends_with("/git")));
        let by_python = seen.iter().find(|one| one.path == "made.json").unwrap();
        assert!(by_python.program.contains("python3"), "{}", by_python.data);
    });
}

#[test]
fn node_works_at_the_level_that_observes_most() {
    if !has_program("node") {
        return;
    }
    for_each_user(|home| {
        let script = "node -e 'const fs=require(\"fs\"); fs.writeFileSync(\"a.txt\",\"hi\"); fs.promises.readFile(\"a.txt\",\"utf8\").then(t => \
             { fs.unlinkSync(\"a.txt\"); console.log(t, require(\"child_process\").execSync(\"echo child\").toString().trim()); })'";
        assert_eq!(run(&home, "all", script).expect_code(0), "hi child\n");
        let seen = seen(&home);
        assert!(
            has(&seen, "create", "a.txt") && has(&seen, "read", "a.txt") && has(&seen, "delete", "a.txt")
        );
    });
}

#[test]
fn a_compiler_works_at_the_level_that_observes_most() {
    if !has_program("cc") {
        return;
    }
    for_each_user(|home| {
        home.write("work/a.c", "#include <stdio.h>\nint main(void) { puts(\"built\"); return 0; }\n");
        let out = run(&home, "all", "cc -pipe -o a a.c && ./a");
        assert_eq!(out.stdout(), "built\n", "{}", out.stderr());
        let seen = seen(&home);
        assert!(has(&seen, "read", "a.c") && has(&seen, "execute", "a"));
        assert!(seen.iter().any(|one| one.action == "read" && one.path.ends_with("stdio.h")));
    });
}
