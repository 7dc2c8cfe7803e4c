//! Real programs under the guard do what they do without it.

use crate::harness::{Folder, guarded, has, native, shell};

fn alike(name: &str, program: &str, script: &str) {
    if !has(program) {
        return;
    }
    let free = Folder::new(&format!("{name}-free"));
    let held = Folder::new(name);
    let control = native(&free, shell(script));
    let ran = guarded(&held, &held.plan(&[".bashrc", ".vscode/settings.json"]), shell(script));
    assert!(!control.output.contains("Traceback"), "the control failed: {}", control.output);
    assert_eq!(control.output, ran.output);
    assert_eq!((control.code, ran.code, ran.denied.as_slice()), (0, 0, &[][..]));
}

#[test]
fn a_shell_and_its_tools_work() {
    alike(
        "shell",
        "sh",
        "umask; mkdir -p d/e; echo a > d/f; cat < d/f >> d/g; cp -a d h; mv h/f h/k; ln -s k h/l; rm h/g; \
           (umask 077; echo x > secret); mkfifo p; (echo through > p &) ; cat p; sort -o d/f d/f; sed -i s/a/b/ d/f; \
           find . -printf '%p %M %l\\n' | sort; cat d/f",
    );
}

#[test]
fn tar_works() {
    alike(
        "tar",
        "tar",
        "mkdir -p s/a/b; i=0; while [ $i -lt 50 ]; do echo $i > s/a/b/$i; i=$((i+1)); done; ln -s a s/l; \
           tar cf s.tar s; mkdir o; tar xf s.tar -C o; find o -printf '%p %M %s %l\\n' | sort",
    );
}

#[test]
fn python_works() {
    alike(
        "python",
        "python3",
        "PYTHONDONTWRITEBYTECODE=1 HOME=$PWD python3 -c '\nimport os,tempfile,threading\n\
          os.makedirs(\"a/b\")\nwith tempfile.TemporaryDirectory(dir=\".\") as t:\n  open(t+\"/x\",\"w\").write(\"1\")\n\
          def w(i):\n  for j in range(20): open(f\"a/b/{i}-{j}\",\"x\").close()\n\
          ts=[threading.Thread(target=w,args=(i,)) for i in range(8)]\n[t.start() for t in ts];[t.join() for t in ts]\n\
          print(len(os.listdir(\"a/b\")))\nos.rename(\"a/b/0-0\",\"z\");os.replace(\"z\",\"y\");print(sorted(os.listdir(\".\")))\n\
          f=os.open(\".\",os.O_TMPFILE|os.O_RDWR);os.write(f,b\"tmp\");os.link(f\"/proc/self/fd/{f}\",\"named\",src_dir_fd=f,follow_symlinks=True)\n\
          print(open(\"named\").read())'",
    );
}

#[test]
fn git_works_in_a_repository() {
    alike(
        "git",
        "git",
        "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; export GIT_AUTHOR_DATE='2020-01-01T00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00Z'; \
          git -c init.defaultBranch=main init -q r && cd r && git config user.email a@b && git config user.name n; \
          echo 1 > f; git add f; git commit -qm one; git branch x; echo 2 > f; git commit -qam two; git checkout -q x; \
          echo 3 > g; git add g; git commit -qm three; git rebase -q main; git log --format=%s; git worktree add -q ../w main; \
          git -C ../w status --short; git stash list; git gc -q; git fsck; git status --short",
    );
}

#[test]
fn standard_streams_are_opened_by_their_names() {
    alike(
        "streams",
        "tee",
        "echo one > /dev/stdout; echo two > /dev/fd/1; echo three > /proc/self/fd/1; echo four | tee /dev/stderr; \
           echo five > /dev/null; echo six | tee /dev/fd/3 3> f; cat f; (echo seven > /dev/fd/9); echo > /dev/tty; \
           echo 10 > /proc/self/oom_score_adj; printf name > /proc/self/comm; ls /proc/self/fd/9",
    );
}

#[test]
fn the_terminal_of_the_caller_is_its_own() {
    alike(
        "tty",
        "python3",
        "python3 -c '\nimport pty,os\nos.umask(0)\npty.spawn([\"sh\",\"-c\",\"exec 9<&0; echo to the terminal > /dev/tty; \
         exec 0</dev/null 1>file 2>&1; echo by name > /dev/tty; setsid -w sh -c \\\"echo none > /dev/tty\\\"; cat file > /dev/tty\"])' \
         </dev/null; ls",
    );
}
