//! Place: a folder of this run with the program, a home, a working folder and profiles; and who measures.
//!
//! Gone when the run ends. The working folder looks like a small git repository.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Who measures when root runs this.
const ORDINARY: u32 = 4711;

/// Profiles of this bench, by name.
const PROFILES: [(&str, &str); 7] = [
    // What bubblewrap does too: the roles of a filtered network have a price of their own.
    ("loopback", "version: 1\nextends: [cowork]\nnetwork: { mode: loopback }\n"),
    ("buffered", "version: 1\nextends: [cowork]\nnetwork: { mode: loopback }\naudit: { mode: buffered }\n"),
    (
        "unguarded",
        "version: 1\nextends: [base]\nfilesystem:\n  - { path: $HOME, access: tmpfs }\n  - { path: $PWD, access: rw }\n",
    ),
    ("guarded", "version: 1\nextends: [cowork]\nnetwork: { mode: loopback }\n"),
    ("deny", "version: 1\nextends: [cowork]\nnetwork: { mode: loopback }\naudit: { observe: deny }\n"),
    ("writes", "version: 1\nextends: [cowork]\nnetwork: { mode: loopback }\naudit: { observe: writes }\n"),
    ("all", "version: 1\nextends: [cowork]\nnetwork: { mode: loopback }\naudit: { observe: all }\n"),
];

/// The folder of this run.
pub(crate) struct Place {
    root: PathBuf,
    mine: bool,
}

impl Place {
    /// Makes it.
    pub(crate) fn make() -> Self {
        let root = std::env::temp_dir().join(format!("aisandbox-bench-{}", std::process::id()));
        std::fs::create_dir(&root).expect("a folder of this run");
        let place = Self { root: root.canonicalize().unwrap(), mine: true };
        for folder in ["bin", "home", "work/.git/hooks", "work/src", "profiles", "entries"] {
            std::fs::create_dir_all(place.path(folder)).unwrap();
        }
        for (name, text) in PROFILES {
            std::fs::write(place.profile(name), text).unwrap();
        }
        std::fs::write(place.path("work/.git/config"), "[core]\n").unwrap();
        std::fs::write(place.path("work/.git/HEAD"), "ref: refs/heads/main\n").unwrap();
        std::fs::write(place.path("work/README"), vec![b'x'; 8192]).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_aisandbox"), place.path("bin/aisandbox")).unwrap();
        std::fs::copy(std::env::current_exe().unwrap(), place.bench()).unwrap();
        if let Some(other) = std::env::var_os("AISANDBOX_BENCH_OTHER") {
            std::fs::copy(other, place.other()).expect("AISANDBOX_BENCH_OTHER");
        }
        std::fs::set_permissions(&place.root, PermissionsExt::from_mode(0o755)).unwrap();
        place.give_away();
        place
    }

    /// One that another process made.
    pub(crate) fn at(root: &str) -> Self {
        Self { root: PathBuf::from(root), mine: false }
    }

    /// A path in it.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// A profile of this bench.
    pub(crate) fn profile(&self, name: &str) -> PathBuf {
        self.path(&format!("profiles/{name}.yaml"))
    }

    /// This very program.
    pub(crate) fn bench(&self) -> PathBuf {
        self.path("bin/bench")
    }

    /// Another build of the program, to compare with; often there is none.
    pub(crate) fn other(&self) -> PathBuf {
        self.path("bin/other")
    }

    /// The folder the agent works in.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    fn give_away(&self) {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        for below in [
            "home",
            "work",
            "work/.git",
            "work/.git/hooks",
            "work/.git/config",
            "work/.git/HEAD",
            "work/README",
            "work/src",
            "entries",
            "profiles",
        ] {
            chown(self.path(below), Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
    }

    /// A program, started by the one who measures, silent, in the working folder, with a home of its own.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8");
        command.env("USER", "bench");
        command.current_dir(self.work()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if nix::unistd::geteuid().is_root() {
            command.uid(ORDINARY).gid(ORDINARY);
        }
        command
    }

    /// `aisandbox exec -q --profile PROFILE -- COMMAND`.
    pub(crate) fn sandbox(&self, profile: impl AsRef<Path>, argv: &[&str]) -> Command {
        let mut command = self.command(self.path("bin/aisandbox"));
        command.args(["exec", "-q", "--profile"]).arg(profile.as_ref()).arg("--").args(argv);
        command
    }

    /// What `aisandbox explain --json` says of a profile.
    pub(crate) fn explained(&self, profile: impl AsRef<Path>) -> serde_json::Value {
        let mut command = self.command(self.path("bin/aisandbox"));
        command.args(["explain", "--json", "--profile"]).arg(profile.as_ref()).args(["--", "/bin/true"]);
        let output = command.stdout(Stdio::piped()).output().expect("aisandbox explain");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Every profile does run a command here: otherwise the times below would be those of a refusal.
    pub(crate) fn check(&self) {
        let own = PROFILES.map(|(name, _)| self.profile(name));
        for profile in ["cowork", "offline"].map(PathBuf::from).iter().chain(&own) {
            let mut command = self.sandbox(profile, &["/bin/sh", "-c", "echo ran"]);
            let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("aisandbox");
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(out == "ran\n", "{profile:?} does not run: {err}");
        }
    }

    /// One part of the bench, as the one who measures.
    pub(crate) fn run_part(&self, name: &str) {
        let mut command = self.command(self.bench());
        for variable in ["AISANDBOX_BENCH_QUICK", "AISANDBOX_MUST_RUN"] {
            command.envs(std::env::var_os(variable).map(|value| (variable, value)));
        }
        command.args(["--part", name]).arg(&self.root).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let status = command.status().expect("this bench again");
        assert!(status.success(), "part {name}: {status}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.mine
            && let Err(error) = std::fs::remove_dir_all(&self.root)
        {
            println!("{} stays: {error}", self.root.display());
        }
    }
}

/// Runs it to its end; the end must be a good one.
pub(crate) fn finish(command: &mut Command) {
    let status = command.status().expect("start a program");
    assert!(status.success(), "{command:?}: {status}");
}
