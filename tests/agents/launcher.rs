//! The launcher of a started agent, told by a test what a Guardian would tell it.

use crate::support::run::Output;
use crate::{folder, text};
use aisandbox::base::{InnerPath, Source};
use aisandbox::host::{HostTree, facts::Facts};
use aisandbox::plan::layers::Abilities;
use aisandbox::plan::outline::outline;
use aisandbox::plan::{Wish, build};
use aisandbox::profile::{Context, Less, Profile, attenuate, descend, load_str, to_text};
use aisandbox::sys::{fd, sealed, socket};
use aisandbox::wire::agents::{Beside, Handed, Outline, ToLauncher, Under};
use aisandbox::wire::words;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A run above: a home with a working folder and a profile that lets it start agents.
struct Above {
    home: PathBuf,
    profile: Profile,
}

impl Above {
    fn new(name: &str) -> Self {
        let home = folder(name);
        std::fs::create_dir_all(home.join("work/src")).unwrap();
        std::fs::create_dir_all(home.join("docs")).unwrap();
        std::fs::write(home.join("docs/note"), "note\n").unwrap();
        let text = "version: 1\nextends: [base]\nagents: { most: 2, depth: 2 }\nfilesystem:\n\
                    - { path: ~/work, access: rw }\n- { path: ~/docs, access: ro }\n";
        let profile = load_str("above.yaml", text, &context(&home)).unwrap();
        Self { home, profile }
    }

    fn outline(&self) -> Outline {
        let inner = |path: &Path| InnerPath::new(path).unwrap();
        let wish = Wish {
            argv: vec!["/bin/sh".into()],
            environment: [("HOME", self.home.to_str().unwrap()), ("PATH", crate::support::PATH)]
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec(),
            chdir: None,
            here: inner(&self.home.join("work")),
            home: inner(&self.home),
            hidden: Vec::new(),
            own: None,
        };
        let abilities = Abilities {
            landlock_abi: Facts::for_launch().landlock.abi,
            seccomp: true,
            listener: true,
            cgroup: false,
            ask_mounts: true,
            namespaces: true,
        };
        outline(&build(self.profile.clone(), &wish, abilities, &HostTree).unwrap())
    }

    fn hand_down(&self, less: &Less, script: &str) -> Handed {
        let mut profile = self.profile.clone();
        descend(&mut profile);
        attenuate(&mut profile, less, &Source::built_in("a test"));
        Handed {
            placeholders: Vec::new(),
            run: aisandbox::audit::new_run_id().unwrap().to_string(),
            chain: vec!["01KB0000000000000000000000".into()],
            name: "above".into(),
            profile: to_text(&profile),
            require: Vec::new(),
            argv: words::to_text(["/bin/sh", "-c", script]).unwrap(),
            chdir: words::to_text([self.home.join("work")]),
            transition: None,
            parent: self.outline(),
            trace: "7a".repeat(16),
            under: Under { root: "07".repeat(16), depth: 0 },
        }
    }

    /// Starts the launcher; gives it with our end of its socket and the streams.
    fn start(&self, handed: &Handed) -> (Child, OwnedFd, [OwnedFd; 3]) {
        let (ours, theirs) = socket::message_pair().unwrap();
        let ((its_input, input), (output, its_output), (error, its_error)) =
            (fd::pipe().unwrap(), fd::pipe().unwrap(), fd::pipe().unwrap());
        let stream = serde_json::to_vec(&ToLauncher::Stream {}).unwrap();
        for end in [its_input, its_output, its_error] {
            socket::send(ours.as_fd(), &stream, Some(end.as_fd()), true).unwrap();
        }
        let file = sealed::make(c"test", &serde_json::to_vec(handed).unwrap()).unwrap();
        let start = serde_json::to_vec(&ToLauncher::Start {}).unwrap();
        socket::send(ours.as_fd(), &start, Some(file.as_fd()), true).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_aisandbox"));
        command.arg("__agent").env_clear().env("HOME", &self.home).env("PATH", crate::support::PATH);
        command.env("XDG_STATE_HOME", self.home.join("state")).current_dir(self.home.join("work"));
        let raw = theirs.as_raw_fd();
        // SAFETY: the closure makes one system call and touches no memory.
        unsafe { command.pre_exec(move || onto_three(raw)) };
        (command.spawn().unwrap(), ours, [input, output, error])
    }

    fn run(&self, handed: &Handed) -> (Output, bool) {
        let (mut child, ours, [input, output, error]) = self.start(handed);
        drop(input);
        let all = |stream: OwnedFd| {
            let mut bytes = Vec::new();
            std::fs::File::from(stream).read_to_end(&mut bytes).unwrap();
            bytes
        };
        let (stdout, stderr) = (all(output), all(error));
        let status = child.wait().unwrap();
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap());
        let mut buffer = [0; 256];
        let told = socket::receive(ours.as_fd(), &mut buffer, false).is_ok_and(|(length, _)| length > 0);
        (Output { stdout, stderr, code }, told)
    }
}

fn onto_three(raw: i32) -> std::io::Result<()> {
    // SAFETY: two integers; descriptor 3 of the new process is nobody's yet.
    if unsafe { libc::dup2(raw, 3) } == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

type Change = fn(&mut Handed);

impl Drop for Above {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.home).unwrap();
    }
}

fn context(home: &Path) -> Context {
    Context {
        home: home.to_owned(),
        pwd: home.join("work"),
        user: "tester".into(),
        uid: nix::unistd::getuid().as_raw(),
        env: std::collections::BTreeMap::new(),
        search: Vec::new(),
    }
}

fn inner(path: &Path) -> InnerPath {
    InnerPath::new(path).unwrap()
}

#[test]
fn a_started_agent_has_what_is_left_and_its_chain_is_recorded() {
    let above = Above::new("launcher-less");
    let less = Less {
        read_only: vec![inner(&above.home.join("work/src"))],
        hidden: vec![inner(&above.home.join("docs"))],
        ..Less::default()
    };
    let script = "echo ran; touch new && echo wrote; touch src/new; cat ../docs/note; exit 7";
    let whole = above.hand_down(&Less::default(), script);
    let (control, told) = above.run(&whole);
    assert_eq!(
        (control.stdout().as_str(), control.code, told),
        ("ran\nwrote\nnote\n", 7, true),
        "{control:?}"
    );
    let handed = above.hand_down(&less, script);
    let (output, _) = above.run(&handed);
    assert_eq!((output.stdout().as_str(), output.code), ("ran\nwrote\n", 7), "{output:?}");
    let log = above.home.join("state/aisandbox/runs");
    let record = crate::support::log_text(&log.join(&handed.run));
    assert!(record.contains("\"chain\":[\"01KB0000000000000000000000\"]"), "{record}");
}

#[test]
fn a_plan_that_is_more_than_the_one_above_starts_nothing() {
    let above = Above::new("launcher-more");
    let handed = above.hand_down(&Less::default(), "echo ran");
    let ways: [(&str, Change); 4] = [
        ("the place", |handed| {
            handed.profile = handed.profile.replace("docs, access: ro", "docs, access: rw")
        }),
        ("the network", |handed| handed.profile = handed.profile.replace("mode: none", "mode: host")),
        ("the limits", |handed| handed.parent.limits[6] = Some(60)),
        ("the levels", |handed| handed.parent.depth = 0),
    ];
    for (what, change) in ways {
        let mut more = handed.clone();
        change(&mut more);
        assert_ne!(more, handed, "{what}");
        let (output, told) = above.run(&more);
        assert_eq!((output.stdout().as_str(), output.code, told), ("", 125, false), "{what}: {output:?}");
        output.expect_said("more than the one that starts it");
    }
}

#[test]
fn a_place_that_was_replaced_since_starts_nothing() {
    let above = Above::new("launcher-replaced");
    let handed = above.hand_down(&Less::default(), "echo ran");
    std::fs::rename(above.home.join("docs"), above.home.join("old")).unwrap();
    std::fs::create_dir(above.home.join("docs")).unwrap();
    let (output, told) = above.run(&handed);
    assert_eq!((output.stdout().as_str(), output.code, told), ("", 125, false), "{output:?}");
}

#[test]
fn the_launcher_takes_no_job_from_a_person() {
    let alone = Command::new(env!("CARGO_BIN_EXE_aisandbox")).arg("__agent").output().unwrap();
    assert_eq!(alone.status.code(), Some(125));
    assert!(text(&alone.stderr).contains("Guardian's own"), "{alone:?}");
}

#[test]
fn a_program_that_is_another_file_than_the_one_above_found_starts_nothing() {
    let above = Above::new("launcher-beside");
    let mut handed = above.hand_down(&Less::default(), "echo $0 $WORD");
    let shell = std::fs::metadata("/bin/sh").unwrap();
    let beside = Beside {
        program: "/bin/sh".into(),
        dev: shell.dev(),
        ino: shell.ino(),
        sha256: None,
        wish: String::new(),
        environment: words::to_text(["WORD=here"]).unwrap().into(),
    };
    handed.argv = words::to_text(["other", "-c", "echo $0 $WORD"]).unwrap();
    handed.transition = Some(beside.clone());
    let (output, told) = above.run(&handed);
    assert_eq!((output.expect_code(0).as_str(), told), ("other here\n", true)); // the control
    handed.run = aisandbox::audit::new_run_id().unwrap().to_string();
    handed.transition = Some(Beside { ino: shell.ino() + 1, ..beside });
    let (output, told) = above.run(&handed);
    assert_eq!((output.expect_code(125).as_str(), told), ("", false));
    output.expect_said("it is another file");
}
