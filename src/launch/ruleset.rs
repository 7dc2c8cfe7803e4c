//! The Landlock ruleset, made before the clone. The only file that names the crate `landlock`.
//!
//! Turns actions into the rights this kernel has. Never puts anything in force: the child does, after the mounts.

use super::ready::{ReadyBare, ReadyRuleset};
use crate::plan::egress::{CONNECT_PORT, SOCKS_PORT};
use crate::plan::rights::{Action, Actions};
use crate::plan::view::{Rule, RuleObject};
use crate::plan::{Plan, layers::State};
use crate::profile::Layer;
use crate::sys::landlock::LOG_SAME_EXEC_OFF;
use crate::sys::seccomp::Instruction;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Makes the ruleset with every rule on host objects. `None` when Landlock is not there and the plan lets that go.
/// # Errors
/// What the kernel said; a ruleset that is not complete is never returned.
pub(super) fn make(plan: &Plan, kernel_abi: u32) -> Result<Option<ReadyRuleset>, RulesetError> {
    if !plan.has(Layer::LandlockFilesystem) {
        return Ok(None);
    }
    let abi = ABI::from(i32::try_from(kernel_abi).unwrap_or(0));
    let handled = AccessFs::from_all(abi);
    let mut ruleset = create(plan, abi, handled)?;
    let mut inner = Vec::new();
    for rule in &plan.view.rules {
        let rights = bits(rule.actions, abi) & handled;
        if rights.is_empty() {
            continue;
        }
        match &rule.on {
            RuleObject::Host(object) => {
                let Some(fd) = &object.fd else { continue };
                let rights = fitting(rights, matches!(object.kind, crate::host::Kind::Folder), abi);
                ruleset = ruleset.add_rule(PathBeneath::new(fd.as_fd(), rights))?;
            }
            RuleObject::Inner(path, folder) => {
                inner.push((path.to_cstring(), fitting(rights, *folder, abi).bits()))
            }
        }
    }
    let flags = if kernel_abi >= 7 { LOG_SAME_EXEC_OFF } else { 0 };
    let of_device = crate::plan::rights::Actions::of_access(&crate::profile::Access::Dev, true);
    let terminal = plan.bare.as_ref().map_or(0, |_| (bits(of_device, abi) & handled).bits());
    let made: Option<OwnedFd> = ruleset.into();
    Ok(made.map(|ruleset| ReadyRuleset { ruleset, inner, terminal, flags }))
}

/// What a run without namespaces has beside: the filter, and a ruleset that keeps signals among those it holds for.
/// # Errors
/// What the kernel said.
pub(super) fn make_bare(plan: &Plan, reach: Vec<Instruction>) -> Result<Option<ReadyBare>, RulesetError> {
    if plan.bare.is_none() {
        return Ok(None);
    }
    let seal = if plan.state(Layer::LandlockScopes) == State::Enforced {
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        ruleset.scope(Scope::Signal)?.create()?.into()
    } else {
        None
    };
    Ok(Some(ReadyBare { reach, seal, launcher: nix::unistd::getpid().as_raw() }))
}

/// What one of our own processes reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The descriptors it was given.
    Nothing,
    /// Local sockets by path or name; no file, no TCP.
    Sockets,
    /// The descriptors it was given, and TCP connections; no file.
    Connect,
    /// Every file for reading and execution, and TCP connections.
    ReadAndConnect,
}

/// A ruleset for one of our own processes. `None` on a kernel without Landlock.
/// # Errors
/// What the kernel said.
pub fn of_role(reach: Reach) -> Result<Option<OwnedFd>, RulesetError> {
    let Some((abi, handled, ruleset)) = begin_role()? else { return Ok(None) };
    let ports = abi >= ABI::V4 && !matches!(reach, Reach::ReadAndConnect | Reach::Connect);
    let ruleset = if ports { ruleset.handle_access(AccessNet::from_all(abi))? } else { ruleset };
    let scoped = abi >= ABI::V6;
    let alone = matches!(reach, Reach::Nothing | Reach::Connect);
    let scopes = if alone { Scope::from_all(abi) } else { Scope::Signal.into() };
    let ruleset = if scoped { ruleset.scope(scopes)? } else { ruleset };
    let mut created = ruleset.create()?;
    if reach == Reach::ReadAndConnect {
        let root = crate::sys::file::open(c"/", libc::O_PATH | libc::O_DIRECTORY);
        let null = crate::sys::file::open(c"/dev/null", libc::O_PATH);
        if let (Ok(root), Ok(null)) = (root, null) {
            created = created.add_rule(PathBeneath::new(root.as_fd(), AccessFs::from_read(abi)))?;
            created = created.add_rule(PathBeneath::new(null.as_fd(), handled & AccessFs::WriteFile))?;
        }
    }
    Ok(created.into())
}

/// The ruleset of a role that asks one endpoint: files for reading, nothing to execute, TCP connections to its port and to
/// name servers. `None` on a kernel without Landlock.
/// # Errors
/// What the kernel said.
pub fn of_endpoint(port: u16) -> Result<Option<OwnedFd>, RulesetError> {
    let Some((abi, _, ruleset)) = begin_role()? else { return Ok(None) };
    let ports = abi >= ABI::V4;
    let ruleset = if ports { ruleset.handle_access(AccessNet::from_all(abi))? } else { ruleset };
    let ruleset = if abi >= ABI::V6 { ruleset.scope(Scope::from_all(abi))? } else { ruleset };
    let mut created = ruleset.create()?;
    if let Ok(root) = crate::sys::file::open(c"/", libc::O_PATH | libc::O_DIRECTORY) {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        created = created.add_rule(PathBeneath::new(root.as_fd(), read))?;
    }
    for port in [port, 53].into_iter().filter(|_| ports) {
        created = created.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(created.into())
}

/// The ruleset of a process that serves records: these folders and all below for reading, that one for its own files; no TCP
/// but what it was given, and nothing to execute. `None` on a kernel without Landlock.
/// # Errors
/// What the kernel said.
pub fn of_server(read: &[BorrowedFd<'_>], own: BorrowedFd<'_>) -> Result<Option<OwnedFd>, RulesetError> {
    let Some((abi, handled, ruleset)) = begin_role()? else { return Ok(None) };
    let ruleset = if abi >= ABI::V4 { ruleset.handle_access(AccessNet::from_all(abi))? } else { ruleset };
    let ruleset = if abi >= ABI::V6 { ruleset.scope(Scope::from_all(abi))? } else { ruleset };
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let keeping = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let mut created = ruleset.create()?;
    for folder in read {
        created = created.add_rule(PathBeneath::new(folder, reading))?;
    }
    Ok(created.add_rule(PathBeneath::new(own, (reading | keeping) & handled))?.into())
}

/// The ruleset of a process that reads these places and what a resolver needs, writes below another, and connects to these
/// ports and to name servers. What is not there is left out. `None` on a kernel without Landlock.
/// # Errors
/// What the kernel said.
pub fn of_places(read: &[PathBuf], write: &Path, ports: &[u16]) -> Result<Option<OwnedFd>, RulesetError> {
    const RESOLVER: [&str; 6] = ["/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/var/run/nscd"];
    let Some((abi, handled, ruleset)) = begin_role()? else { return Ok(None) };
    let has_ports = abi >= ABI::V4;
    let ruleset = if has_ports { ruleset.handle_access(AccessNet::from_all(abi))? } else { ruleset };
    let ruleset = if abi >= ABI::V6 { ruleset.scope(Scope::from_all(abi))? } else { ruleset };
    let mut created = ruleset.create()?;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing = handled
        & (reading | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile);
    let read =
        read.iter().map(PathBuf::as_path).chain(RESOLVER.iter().map(Path::new)).map(|path| (path, reading));
    for (path, rights) in read.chain([(write, writing)]) {
        let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default();
        if let Ok(folder) = crate::sys::file::open(&name, libc::O_PATH | libc::O_DIRECTORY) {
            created = created.add_rule(PathBeneath::new(folder.as_fd(), rights))?;
        }
    }
    for port in ports.iter().copied().chain([53]).filter(|_| has_ports) {
        created = created.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(created.into())
}

/// The ruleset of role `files`: the objects of the ceiling, each with what it may allow, and nothing else.
/// # Errors
/// What the kernel said.
pub fn of_asks(plan: &Plan) -> Result<Option<OwnedFd>, RulesetError> {
    let Some((abi, handled, ruleset)) = begin_role()? else { return Ok(None) };
    let ruleset = if abi >= ABI::V4 { ruleset.handle_access(AccessNet::from_all(abi))? } else { ruleset };
    let ruleset = if abi >= ABI::V6 { ruleset.scope(Scope::from_all(abi))? } else { ruleset };
    let mut created = ruleset.create()?;
    for ask in &plan.view.asks {
        let Some(fd) = &ask.object.fd else { continue };
        let folder = matches!(ask.object.kind, crate::host::Kind::Folder);
        let rights = fitting(bits(ask.ceiling(), abi) & handled, folder, abi);
        if !rights.is_empty() {
            created = created.add_rule(PathBeneath::new(fd.as_fd(), rights))?;
        }
    }
    Ok(created.into())
}

fn begin_role() -> Result<Option<(ABI, BitFlags<AccessFs>, Ruleset)>, RulesetError> {
    let abi = crate::sys::landlock::abi().unwrap_or(0);
    if abi == 0 {
        return Ok(None);
    }
    let abi = ABI::from(i32::try_from(abi).unwrap_or(0));
    let handled = AccessFs::from_all(abi);
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    Ok(Some((abi, handled, ruleset.handle_access(handled)?)))
}

fn create(plan: &Plan, abi: ABI, handled: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(handled)?;
    let network = &plan.profile.network;
    let ports = plan.state(Layer::LandlockNetwork) == State::Enforced;
    let host = network.mode == crate::profile::NetworkMode::Host;
    let closed = network.mode == crate::profile::NetworkMode::None || (plan.bare.is_some() && !host);
    if ports && (closed || network.connect_tcp.is_some()) {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    if ports && (closed || network.bind_tcp.is_some()) {
        ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    }
    if plan.state(Layer::LandlockScopes) == State::Enforced {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    let mut created = ruleset.create()?;
    if ports {
        // The port that a program names is what is judged: for a proxy, the proxy's own.
        let endpoints = plan.egress.as_ref().map(|_| [CONNECT_PORT, SOCKS_PORT]);
        let endpoints = endpoints.filter(|_| network.connect_tcp.is_some());
        for port in network.connect_tcp.iter().flatten().chain(endpoints.iter().flatten()) {
            created = created.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        for port in network.bind_tcp.iter().flatten() {
            created = created.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
        }
    }
    Ok(created)
}

/// The bits of an action in one ABI.
fn bits(actions: Actions, abi: ABI) -> BitFlags<AccessFs> {
    let table: [(Action, BitFlags<AccessFs>); 7] = [
        (Action::Read, AccessFs::ReadFile.into()),
        (Action::List, AccessFs::ReadDir.into()),
        (Action::Write, AccessFs::WriteFile | AccessFs::Truncate),
        (Action::Create, creating()),
        (Action::Delete, AccessFs::RemoveFile | AccessFs::RemoveDir),
        (Action::Execute, AccessFs::Execute.into()),
        (Action::Device, AccessFs::IoctlDev.into()),
    ];
    let mine = table.iter().filter(|(action, _)| actions.has(*action));
    mine.fold(BitFlags::empty(), |all, (_, bits)| all | *bits) & AccessFs::from_all(abi)
}

fn creating() -> BitFlags<AccessFs> {
    AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::MakeSock
        | AccessFs::MakeFifo
        | AccessFs::Refer
}

/// Rights about folders mean nothing on a file, and the kernel refuses them there (EINVAL).
fn fitting(rights: BitFlags<AccessFs>, folder: bool, abi: ABI) -> BitFlags<AccessFs> {
    if folder { rights } else { rights & AccessFs::from_file(abi) }
}

/// The rules as `explain` shows them: place, and names of actions.
pub fn describe(rule: &Rule) -> (String, Vec<&'static str>) {
    let place = match &rule.on {
        RuleObject::Host(object) => object.canonical.to_string(),
        RuleObject::Inner(path, _) => path.to_string(),
    };
    (place, rule.actions.names())
}
