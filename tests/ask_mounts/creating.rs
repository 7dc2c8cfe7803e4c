//! Creating calls that lead into a place that asks: init answers them, and never waits itself.

use crate::fuse::Answer;
use crate::guardian::{DONE, Guarded};
use crate::{FULL, READ, wait_for, yes};
use aisandbox::launch::Outcome;
use std::path::Path;

/// The calls of `mkdir asked/new` and of `> asked/sub/new` come to init, which must not wait in them.
pub(crate) fn init_never_waits(folder: &Path) {
    let script = "mkdir asked/new & touch asked/sub/new & mkdir asked/sub/dir & sleep 0.1; : > pending
        mkdir other && echo made > other/file && mv other/file other/moved && cat other/moved
        (sleep 0.01 & exit 0); for n in $(seq 600); do z=$(grep -l '^State:.Z' /proc/[0-9]*/status); [ -z \"$z\" ] && break; sleep 0.1; done
        [ -z \"$z\" ] || echo $z; : > go; wait; ls asked asked/sub";
    let here = folder.to_path_buf();
    let (outcome, said) = Guarded::new(folder, FULL, script).run(move |touch, mounts| {
        wait_for(&here.join("go"));
        assert_eq!(mounts.attach(touch.entry, false), DONE);
        Answer::Retry
    });
    assert_eq!(outcome, Outcome::Exited(0));
    assert_eq!(said, "made\nasked:\nnew\nnote\nsub\n\nasked/sub:\ndeep\ndir\nnew\n");
}

pub(crate) fn a_creating_call_is_refused(folder: &Path) {
    let script =
        "{ mkdir asked/new; mkdir asked/sub/new; echo x > asked/made; cd asked; ln asked/note there; } 2>&1
        mkdir fine && echo fine";
    let (_, said) = Guarded::new(folder, FULL, script).run(|_, _| Answer::Deny);
    assert_eq!(said.matches("ermission denied").count() + said.matches("can't cd").count(), 5, "{said}");
    assert!(said.ends_with("fine\n"), "{said}");
}

pub(crate) fn a_file_is_refused_to_a_creating_open(folder: &Path) {
    let file = "filesystem: [{ path: $PWD/asked/note, access: ask, actions: [read, append, overwrite] }]\n";
    let script = "echo x >> asked/note || echo no; echo y > asked/made && cat asked/made; mv asked/made asked/note || echo busy";
    let (_, said) = Guarded::new(folder, file, script).run(|_, _| Answer::Deny);
    assert_eq!(said, "no\ny\nbusy\n");
}

/// The shell of a new run has cold folders: its first walk goes to a worker, which must not make a folder of the plan.
pub(crate) fn a_worker_loses_no_protection(folder: &Path) {
    let script = "mkdir asked/../cold/a/.git && mkdir cold/a/.git/hooks && echo OPEN
        mkdir .git && mkdir .git/hooks || echo kept; mv cold asked/../.git/hooks || echo kept";
    std::fs::create_dir_all(folder.join("cold/a")).unwrap();
    std::os::unix::fs::chown(folder.join("cold"), Some(nix::unistd::getuid().as_raw()), None).unwrap();
    let profile = format!("{READ}  - {{ path: $PWD, access: rw, protect: [git, cold/a/.git/hooks] }}\n");
    let profile = profile.replace("[{ path: $PWD/asked", "\n  - { path: $PWD/asked").replace("}]\n", "}\n");
    let (_, said) = Guarded::new(folder, &profile, script).run(yes);
    assert_eq!(said, "kept\nkept\n");
}
