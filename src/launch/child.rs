//! The child between clone and exec: stages in order, on memory laid out before.
//!
//! Never allocates, locks, formats, logs or reads the environment, and never returns: it becomes init, the agent, or
//! ends by `_exit` after eight bytes about the failure. `tests/no_alloc.rs` proves the first, the types the last.

use super::brood::Brood;
use super::egress::Rung;
use super::ready::{Maps, Ready, ReadyBare, ReadyTerminal};
use super::stage::{Stage, StageFailure};
use super::{build, init, probe};
use crate::launch::message::{LENGTH, Message, NAMESPACES};
use crate::sys::process::{self, Pid, Side};
use crate::sys::{
    Errno, Sys, caps, fd, file, landlock, limits, mount, net, seccomp, signal, socket, terminal,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the child is told by the one that fails.
pub(super) type Staged<T> = Result<T, StageFailure>;

/// Names the stage of an errno.
pub(super) trait At<T> {
    /// Names the stage.
    fn at(self, stage: Stage) -> Staged<T>;
}

impl<T> At<T> for Sys<T> {
    fn at(self, stage: Stage) -> Staged<T> {
        self.map_err(|errno| StageFailure { stage, entry: 0, errno })
    }
}

/// Evidence that ids are mapped: the host's /proc/self and /proc are still at hand.
struct Mapped {
    own: OwnedFd,
}

/// Evidence that the old root is gone.
struct Rooted {
    mapped: Mapped,
    way_out: Option<Rung>,
    terminal: Option<OwnedFd>,
}

/// Evidence that no capability is left.
struct Unprivileged {
    way_out: Option<Rung>,
    terminal: Option<OwnedFd>,
    brood: Option<Brood>,
}

/// Evidence that Landlock and the filter are in force. Only [`confine`] makes one, and [`start`] wants one.
struct Confined {
    way_out: Option<Rung>,
    terminal: Option<OwnedFd>,
    brood: Option<Brood>,
    /// Between the agent's process and init, until exec. Made before the filter, which may refuse sockets.
    pair: (OwnedFd, OwnedFd),
}

/// Runs the child's side; never returns.
pub(super) fn run(ready: &Ready) -> ! {
    process::set_umask(0);
    match stages(ready) {
        Ok(end) => process::exit_now(end),
        Err(failure) => fail(ready, failure),
    }
}

/// Tells the launcher which stage failed, and ends.
pub(super) fn fail(ready: &Ready, failure: StageFailure) -> ! {
    // A pipe without a reader means that the launcher is gone; there is nobody left to tell.
    let told = fd::write_all(ready.failure.as_fd(), &failure.to_bytes());
    process::exit_now(if told.is_ok() { 125 } else { 1 })
}

fn stages(ready: &Ready) -> Staged<i32> {
    let unprivileged = match &ready.bare {
        None => {
            let mapped = map_ids(&ready.maps)?;
            if ready.tell_namespaces {
                tell_namespaces(&mapped, ready).at(Stage::Release)?;
            }
            if ready.hand_over_namespaces {
                hand_over_namespaces(&mapped, ready).at(Stage::Release)?;
            }
            let rooted = enter_root(mapped, ready)?;
            drop_privileges(rooted, ready)?
        }
        Some(_) => stay_on_host(ready)?,
    };
    let confined = confine(unprivileged, ready)?;
    probe::run(ready)?;
    release(ready).at(Stage::Release)?;
    start(confined, ready)
}

fn map_ids(maps: &Maps) -> Staged<Mapped> {
    // The launcher is undumpable, and so are we: our /proc files would be root's, and the maps could not be written.
    process::set_dumpable(true).at(Stage::MapIds)?;
    let own = file::open(c"/proc/self", libc::O_RDONLY | libc::O_DIRECTORY).at(Stage::MapIds)?;
    write_file(&own, c"setgroups", b"deny").at(Stage::MapIds)?;
    write_file(&own, c"uid_map", &maps.outer_uid).at(Stage::MapIds)?;
    write_file(&own, c"gid_map", &maps.outer_gid).at(Stage::MapIds)?;
    Ok(Mapped { own })
}

/// While our /proc is still at hand and ours.
fn tell_namespaces(mapped: &Mapped, ready: &Ready) -> Sys<()> {
    for (which, link) in (0..).zip(NAMESPACES) {
        let namespace = file::openat(mapped.own.as_fd(), link, libc::O_RDONLY, 0)?;
        let inode = file::kind_and_identity(namespace.as_fd())?.ino;
        let inode = u32::try_from(inode).map_err(|_| Errno::EOVERFLOW)?;
        socket::send(ready.control.as_fd(), &Message::Namespace(which, inode).to_bytes(), None, true)?;
    }
    Ok(())
}

/// What role `mounts` enters later. Of the two user namespaces this is the outer one: the inner is not made yet.
fn hand_over_namespaces(mapped: &Mapped, ready: &Ready) -> Sys<()> {
    for (message, link) in [(Message::UserNamespace, c"ns/user"), (Message::MountNamespace, c"ns/mnt")] {
        let namespace = file::openat(mapped.own.as_fd(), link, libc::O_RDONLY, 0)?;
        socket::send(ready.control.as_fd(), &message.to_bytes(), Some(namespace.as_fd()), true)?;
    }
    Ok(())
}

fn write_file(dir: &OwnedFd, name: &std::ffi::CStr, bytes: &[u8]) -> Sys<()> {
    let file = file::openat(dir.as_fd(), name, libc::O_WRONLY, 0)?;
    fd::write_all(file.as_fd(), bytes)
}

fn enter_root(mapped: Mapped, ready: &Ready) -> Staged<Rooted> {
    process::die_with_parent(libc::SIGKILL).at(Stage::TieToParent)?;
    // Proc's sysctl of the outer namespace: one more user namespace below it, which is the inner one.
    let limit =
        file::open(c"/proc/sys/user/max_user_namespaces", libc::O_WRONLY).at(Stage::ForbidNamespaces)?;
    fd::write_all(limit.as_fd(), b"1").at(Stage::ForbidNamespaces)?;
    build::new_root(ready)?;
    if ready.loopback {
        net::loopback_up().at(Stage::Loopback)?;
    }
    let way_out = ready.egress.as_ref().map(|egress| egress.lay(ready.control.as_fd())).transpose()?;
    process::set_host_name(&ready.host_name).at(Stage::HostName)?;
    keyring().at(Stage::Keyring)?;
    let terminal = open_terminal(ready).at(Stage::Terminal)?;
    Ok(Rooted { mapped, way_out, terminal })
}

/// Where user namespaces are refused: what needs none of them. Init is no pid 1 here, so it adopts orphans and will
/// end all its descendants itself.
fn stay_on_host(ready: &Ready) -> Staged<Unprivileged> {
    process::die_with_parent(libc::SIGKILL).at(Stage::TieToParent)?;
    let brood = Brood::adopt().at(Stage::TieToParent)?;
    keyring().at(Stage::Keyring)?;
    let terminal = open_terminal(ready).at(Stage::Terminal)?;
    caps::drop_held().at(Stage::DropCaps)?;
    process::enter_no_new_privs().at(Stage::NoNewPrivs)?;
    process::die_with_parent(libc::SIGKILL).at(Stage::TieToParent)?;
    Ok(Unprivileged { way_out: None, terminal, brood: Some(brood) })
}

fn keyring() -> Sys<()> {
    match process::new_session_keyring() {
        // No keyrings in this kernel, or a filter above us hides them: then there is none to inherit either.
        Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        other => other,
    }
}

/// Opens the pair inside, so that `tty` names a file that exists there, and hands the master to the launcher.
fn open_terminal(ready: &Ready) -> Sys<Option<OwnedFd>> {
    process::new_session()?;
    let Some(wish) = &ready.terminal else { return Ok(None) };
    let (master, slave) = terminal::open_pair(&wish.multiplexer)?;
    terminal::set_window_size(slave.as_fd(), &wish.size)?;
    terminal::take_controlling(slave.as_fd())?;
    socket::send(ready.control.as_fd(), &Message::Terminal.to_bytes(), Some(master.as_fd()), true)?;
    Ok(Some(slave))
}

fn drop_privileges(rooted: Rooted, ready: &Ready) -> Staged<Unprivileged> {
    process::unshare(libc::CLONE_NEWUSER).at(Stage::InnerUser)?;
    write_file(&rooted.mapped.own, c"uid_map", &ready.maps.inner_uid).at(Stage::InnerUser)?;
    write_file(&rooted.mapped.own, c"gid_map", &ready.maps.inner_gid).at(Stage::InnerUser)?;
    drop(rooted.mapped);
    process::set_dumpable(false).at(Stage::InnerUser)?;
    match process::unshare(libc::CLONE_NEWUSER) {
        Err(Errno::ENOSPC) => {}
        Err(errno) => return Err(errno).at(Stage::ForbidNamespaces),
        Ok(()) => return Err(Errno::EISCONN).at(Stage::ForbidNamespaces), // it worked: that must not be
    }
    caps::drop_all().at(Stage::DropCaps)?;
    process::enter_no_new_privs().at(Stage::NoNewPrivs)?;
    // Credentials changed on the way, which clears the signal of parent death (prctl(2)).
    process::die_with_parent(libc::SIGKILL).at(Stage::TieToParent)?;
    Ok(Unprivileged { way_out: rooted.way_out, terminal: rooted.terminal, brood: None })
}

fn confine(unprivileged: Unprivileged, ready: &Ready) -> Staged<Confined> {
    let Unprivileged { way_out, terminal, brood } = unprivileged;
    let pair = socket::message_pair().at(Stage::Agent)?;
    if let Some(landlock) = &ready.ruleset {
        let root = file::open(c"/", libc::O_PATH | libc::O_DIRECTORY).at(Stage::Rules)?;
        for (path, rights) in &landlock.inner {
            // No link is followed: a folder of the host on the way may be anybody's.
            let object = file::open_beneath(root.as_fd(), path).at(Stage::Rules)?;
            landlock::add_rule(landlock.ruleset.as_fd(), object.as_fd(), *rights).at(Stage::Rules)?;
        }
        if let Some(slave) = terminal.as_ref().filter(|_| landlock.terminal != 0) {
            landlock::add_rule(landlock.ruleset.as_fd(), slave.as_fd(), landlock.terminal)
                .at(Stage::Rules)?;
        }
        landlock::restrict_self(landlock.ruleset.as_fd(), landlock.flags).at(Stage::Landlock)?;
    }
    if let Some(bare) = &ready.bare {
        seccomp::install(&bare.reach).at(Stage::Filter)?;
    }
    seccomp::install(&ready.filter).at(Stage::Filter)?;
    Ok(Confined { way_out, terminal, brood, pair })
}

/// Says that everything holds, and waits for the launcher's word that the record is durable.
fn release(ready: &Ready) -> Sys<()> {
    socket::send(ready.control.as_fd(), &Message::Confined.to_bytes(), None, true)?;
    let mut bytes = [0; LENGTH];
    let (length, _) = socket::receive(ready.control.as_fd(), &mut bytes, true)?;
    match Message::from_bytes(bytes.get(..length).unwrap_or_default()) {
        Some(Message::Go) => Ok(()),
        _ => Err(Errno::ECANCELED), // the launcher ended instead
    }
}

fn start(confined: Confined, ready: &Ready) -> Staged<i32> {
    let Confined { way_out, terminal, brood, pair: (to_init, to_agent) } = confined;
    match process::fork_bare().at(Stage::Agent)? {
        Side::Child => {
            drop(to_agent);
            let failure = match become_agent(terminal.as_ref(), way_out, ready, to_init.as_fd()) {
                Ok(never) => match never {},
                Err(failure) => failure,
            };
            fail(ready, failure)
        }
        Side::Parent(agent) => {
            drop(to_init);
            let at_once = ready.terminal.as_ref().is_some_and(|wish| wish.keys_at_once);
            init::run(ready, agent, to_agent, terminal.filter(|_| !at_once), brood)
        }
    }
}

/// What a function that only returns on failure gives otherwise.
enum Never {}

fn become_agent(
    terminal: Option<&OwnedFd>,
    way_out: Option<Rung>,
    ready: &Ready,
    to_init: BorrowedFd<'_>,
) -> Staged<Never> {
    process::new_process_group().at(Stage::Agent)?;
    take_terminal(terminal, ready).at(Stage::Agent)?;
    if let Some(bare) = &ready.bare {
        stand_below_init(bare).at(Stage::Agent)?;
    }
    guard(ready, to_init).at(Stage::Guard)?;
    // Only here: init must be able to open what the guard needs, whatever the agent's limit is.
    for (resource, most) in &ready.limits {
        limits::lower(*resource, *most).at(Stage::Limits)?;
    }
    file::enter_folder_named(&ready.command.chdir).at(Stage::Chdir)?;
    process::set_umask(ready.umask);
    hand_over_descriptors(ready).at(Stage::Agent)?;
    signal::reset_dispositions();
    signal::restore(&ready.signals).at(Stage::Agent)?;
    let command = &ready.command;
    let told = ready.egress.as_ref().filter(|_| way_out == Some(Rung::Proxy));
    let envp = told.map_or(&command.envp, |egress| &egress.proxied);
    let mut errno = process::execute(&command.program, &command.argv, envp);
    if errno == Errno::ENOEXEC {
        errno = process::execute(c"/bin/sh", &command.shell_argv, envp);
    }
    Err(StageFailure { stage: Stage::Exec, entry: 0, errno })
}

/// Ends with init, and cannot signal it: init must live to end what the agent leaves behind.
fn stand_below_init(bare: &ReadyBare) -> Sys<()> {
    process::die_with_parent(libc::SIGKILL)?;
    bare.seal.as_ref().map_or(Ok(()), |seal| landlock::restrict_self(seal.as_fd(), 0))
}

/// Puts our own terminal, or nothing, where a person's terminal was.
fn take_terminal(slave: Option<&OwnedFd>, ready: &Ready) -> Sys<()> {
    if let (Some(slave), Some(ReadyTerminal { keys_at_once: true, .. })) = (slave, &ready.terminal) {
        let me: Pid = nix::unistd::getpid().as_raw();
        terminal::set_foreground(slave.as_fd(), me)?; // SIGTTOU is blocked here, with all others
    }
    let instead = slave.unwrap_or(&ready.null);
    for (number, _) in (0..).zip(ready.terminals).filter(|(_, is_terminal)| *is_terminal) {
        fd::duplicate_onto(instead.as_fd(), number)?;
    }
    Ok(())
}

/// Installs the second filter; its listener goes to init, which alone answers.
fn guard(ready: &Ready, to_init: BorrowedFd<'_>) -> Sys<()> {
    let Some((filter, _)) = &ready.guard else { return Ok(()) };
    let listener = seccomp::install_with_listener(filter)?;
    socket::send(to_init, &[1], Some(listener.as_fd()), true)?;
    drop(listener);
    match socket::receive(to_init, &mut [0; 1], true)? {
        (1, None) => Ok(()),
        _ => Err(Errno::ECANCELED), // init failed, and has told the launcher why
    }
}

fn hand_over_descriptors(ready: &Ready) -> Sys<()> {
    match fd::close_on_exec_from(3) {
        Ok(()) => {}
        // Before Linux 5.11: ours are close-on-exec from birth, and the launcher marked what it inherited.
        Err(Errno::ENOSYS | Errno::EINVAL) => {}
        Err(errno) => return Err(errno),
    }
    for number in &ready.pass {
        fd::mark_close_on_exec(*number, false)?;
    }
    Ok(())
}

/// mount's own way to say that a step of the view failed.
pub(super) fn entry_failure(stage: Stage, entry: u16) -> impl Fn(Errno) -> StageFailure {
    move |errno| StageFailure { stage, entry, errno }
}

/// Leaves the old root: the new root must be the working folder.
pub(super) fn pivot() -> Sys<()> {
    mount::pivot_to_working_folder()?;
    mount::detach_working_folder()
}
