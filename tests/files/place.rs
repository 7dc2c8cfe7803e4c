//! A place that asks: the real role on a real FUSE mount, with the test as its Guardian, in namespaces of the test's own.
//!
//! A test runs twice in this program: outside, where it starts itself anew in a user and a mount namespace for each user,
//! and inside, where its body runs. Never mounts anything outside.

use crate::support::{self, Home, binary, for_each_user, run::Run};
use aisandbox::sys::process::ExecStrings;
use aisandbox::sys::{file, mount, socket, spawn};
use aisandbox::wire::codec;
use aisandbox::wire::files::{FromFiles, Serve, ToFiles, Verdict};
use aisandbox::wire::subject::Action;
use landlock::{ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long the role may take for anything.
const PATIENCE: Duration = Duration::from_secs(180);
/// Tells the second start of a test from the first, and where its home is.
const INSIDE: &str = "AISANDBOX_TEST_INSIDE";

/// Runs a body in namespaces of its own, once for each user. `name` is the name of the test that calls.
pub(crate) fn inside(name: &str, body: fn(&Path)) {
    if let Some(home) = std::env::var_os(INSIDE) {
        return body(Path::new(&home));
    }
    if fs::metadata("/dev/fuse").is_err() {
        return support::skip("there is no /dev/fuse here");
    }
    for_each_user(|home| {
        let output = again(name, &home).output();
        eprintln!("{}{}", output.stdout(), output.stderr());
        assert_eq!(output.code, 0, "as uid {}", home.user.uid);
        assert!(output.stdout().contains("1 passed"), "no test is named {name}");
    });
}

fn again(name: &str, home: &Home) -> Run {
    let copy = home.beside("tests");
    support::run::while_nobody_forks(|| fs::copy(std::env::current_exe().unwrap(), &copy)).unwrap();
    let uid = home.user.uid;
    let mut run = Run::new(&copy, home).args(&[name, "--exact", "--nocapture"]).env(INSIDE, home.path());
    run = run.env("AISANDBOX_BINARY", binary());
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {uid} 1")),
    ];
    let enter = move || {
        // After the change of user /proc/self belongs to root.
        aisandbox::sys::process::set_dumpable(true)?;
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER | nix::sched::CloneFlags::CLONE_NEWNS)?;
        for (file, text) in &maps {
            fs::write(format!("/proc/self/{file}"), text)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec of a test; it allocates, which glibc allows after a fork.
    unsafe { run.command.pre_exec(enter) };
    run
}

/// An entry that asks, and the Guardian's end of the role that serves it.
pub(crate) struct Place {
    /// Where the agent finds it.
    pub(crate) at: PathBuf,
    /// The real thing.
    pub(crate) real: PathBuf,
    pub(crate) pid: i32,
    socket: Option<OwnedFd>,
    heard: Receiver<FromFiles>,
}

impl Place {
    /// A folder `real` in the home behind the place `ask`; or files of these names.
    pub(crate) fn new(home: &Path, folder: bool, serve: Option<Serve>) -> Self {
        let (real, at) = (home.join("real"), home.join("ask"));
        for path in [&real, &at] {
            if folder { fs::create_dir(path).unwrap() } else { fs::write(path, "").unwrap() }
        }
        make_mounts_private();
        let device = mount::open_fuse_device().unwrap();
        let made = mount::new_fuse(device.as_fd(), folder, 2 | 4).unwrap();
        mount::attach(made.as_fd(), path_fd(&at).as_fd()).unwrap();
        let (pid, socket) = start_role(&real);
        let heard = listen(&socket);
        let place = Self { at, real, pid, socket: Some(socket), heard };
        place.say(&ToFiles::Entry { entry: 7, folder, uid: 0, gid: 0, serve }, Some(device));
        place
    }

    /// The same, granted from the start.
    pub(crate) fn granted(home: &Path, serve: Serve, actions: &[Action], files: &[(&str, &str)]) -> Self {
        let place = Self::new(home, true, Some(serve));
        for (name, content) in files {
            let path = place.real.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        place.grant(actions, None);
        place
    }

    pub(crate) fn say(&self, message: &ToFiles, descriptor: Option<OwnedFd>) {
        let bytes = codec::encode(message).unwrap();
        let socket = self.socket.as_ref().unwrap().as_fd();
        socket::send(socket, &bytes, descriptor.as_ref().map(AsFd::as_fd), true).unwrap();
    }

    /// Grants these actions on the real thing, and waits until the role knows.
    pub(crate) fn grant(&self, actions: &[Action], bytes: Option<u64>) {
        self.send_grant(actions, bytes);
        let end = Instant::now() + PATIENCE;
        while fs::metadata(&self.at).unwrap().modified().unwrap() == std::time::UNIX_EPOCH {
            assert!(Instant::now() < end, "it is not granted");
        }
    }

    pub(crate) fn send_grant(&self, actions: &[Action], bytes: Option<u64>) {
        let message = ToFiles::Grant { entry: 7, actions: actions.to_vec(), bytes };
        self.say(&message, Some(path_fd(&self.real)));
    }

    pub(crate) fn withdraw(&self) {
        self.say(&ToFiles::Withdraw { entry: 7 }, None);
        let end = Instant::now() + PATIENCE;
        while fs::metadata(&self.at).unwrap().modified().unwrap() != std::time::UNIX_EPOCH {
            assert!(Instant::now() < end, "it is not withdrawn");
        }
    }

    pub(crate) fn decide(&self, touch: u64, verdict: Verdict) {
        self.say(&ToFiles::Decided { touch, verdict }, None);
    }

    /// The next message of the role.
    #[track_caller]
    pub(crate) fn hear(&self) -> FromFiles {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }

    /// Nothing is said for a while.
    #[track_caller]
    pub(crate) fn hears_nothing(&self) {
        let heard = self.heard.recv_timeout(Duration::from_millis(300));
        assert!(heard.is_err(), "{heard:?}");
    }

    /// The next touch: its number, action and name.
    #[track_caller]
    pub(crate) fn touched(&self) -> (u64, Action, String) {
        match self.hear() {
            FromFiles::Touched { entry: 7, touch, action, name, .. } => (touch, action, name),
            other => panic!("{other:?}"),
        }
    }

    /// A touch that comes before an agent has ended.
    pub(crate) fn try_touched<T>(&self, run: &Receiver<T>) -> Result<u64, ()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Ok(FromFiles::Touched { touch, .. }) = self.heard.recv_timeout(Duration::from_millis(10)) {
                return Ok(touch);
            }
            if run.try_recv().is_ok() {
                return Err(());
            }
        }
        panic!("it neither touches nor ends");
    }

    /// The next refusal; what was moved before it is passed over.
    #[track_caller]
    pub(crate) fn refused(&self) -> (Action, String, bool) {
        loop {
            match self.hear() {
                FromFiles::Refused { entry: 7, action, name, spent, .. } => return (action, name, spent),
                FromFiles::Moved { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Puts the real thing beneath, and takes the ask mount off, as role `mounts` does.
    pub(crate) fn attach_real(&self) {
        let real = CString::new(self.real.as_os_str().as_bytes()).unwrap();
        let tree = mount::clone_tree(file::working_folder(), &real, true).unwrap();
        mount::attach_beneath(tree.as_fd(), path_fd(&self.at).as_fd()).unwrap();
        mount::detach(&CString::new(self.at.as_os_str().as_bytes()).unwrap()).unwrap();
    }

    /// The Guardian goes.
    pub(crate) fn leave(&mut self) {
        if let Some(socket) = self.socket.take() {
            nix::sys::socket::shutdown(
                std::os::fd::AsRawFd::as_raw_fd(&socket),
                nix::sys::socket::Shutdown::Both,
            )
            .unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
        let ended = aisandbox::sys::process::wait_for(self.pid);
        if !thread::panicking() {
            assert!(ended.is_ok(), "{ended:?}");
        }
    }
}

fn make_mounts_private() {
    let flags = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
}

/// An O_PATH descriptor of what is there now.
pub(crate) fn path_fd(path: &Path) -> OwnedFd {
    file::open(&CString::new(path.as_os_str().as_bytes()).unwrap(), libc::O_PATH).unwrap()
}

/// The role as the launcher starts it: confined to the real thing.
fn start_role(real: &Path) -> (i32, OwnedFd) {
    let (ours, theirs) = socket::message_pair().unwrap();
    let rights = AccessFs::from_all(ABI::V5);
    let here = if real.is_dir() { rights } else { rights & AccessFs::from_file(ABI::V5) };
    let ruleset = Ruleset::default().handle_access(rights).unwrap().create().unwrap();
    let ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(real).unwrap(), here)).unwrap();
    let ruleset: Option<OwnedFd> = ruleset.into();
    let program = File::open(std::env::var_os("AISANDBOX_BINARY").unwrap()).unwrap();
    let argv = [c"aisandbox-files", c"__role", c"files"].map(|text| text.to_owned());
    let (argv, envp) = (ExecStrings::new(argv.to_vec()), ExecStrings::new(Vec::new()));
    let beside = ruleset.as_ref().map(AsFd::as_fd);
    let (pid, _) = spawn::start(program.as_fd(), &argv, &envp, theirs.as_fd(), beside).unwrap();
    (pid, ours)
}

fn listen(socket: &OwnedFd) -> Receiver<FromFiles> {
    let (socket, (sender, receiver)) = (socket.try_clone().unwrap(), channel());
    thread::spawn(move || {
        let mut buffer = vec![0; codec::MOST_BYTES];
        while let Ok((length @ 1.., None)) = socket::receive(socket.as_fd(), &mut buffer, true) {
            if sender.send(codec::decode(&buffer[..length]).unwrap()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Does something on a thread, as an agent that may have to wait.
pub(crate) fn agent<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = channel();
    thread::spawn(move || drop(sender.send(act())));
    receiver
}

/// What the agent got, in time.
#[track_caller]
pub(crate) fn got<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(PATIENCE).expect("it still waits")
}

/// The errno of what failed.
#[track_caller]
pub(crate) fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}
