//! The shape of a sandbox: a profile with the command line's flags laid over it. A flag is a wish of the owner.

use super::args::Shape;
use super::output::complain;
use crate::base::{HostPath, InnerPath, PathError, Source};
use crate::host::facts::{Facts, Version};
use crate::host::trial;
use crate::host::userns::probe_user_namespace;
use crate::plan::layers::Abilities;
use crate::plan::{self, PlanError, Wish, entry_of_flag};
use crate::profile::{self, Access, Context, Layer, Named, Profile, ProfileError};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Loads the profile and lays the flags over it. Every error is printed; the exit code is given.
pub(super) fn profile(shape: &Shape, context: &Context) -> Result<Profile, u8> {
    let mut profile = profile::load(&shape.profile, context).map_err(|errors| report(&errors))?;
    let mut errors = profile::unsupported(&profile);
    errors.extend(lay_over(&mut profile, shape, context));
    super::keep::protect_own_places(&mut profile, context);
    errors.extend(super::keep::refuse_own_places(&profile, context));
    if !errors.is_empty() {
        return Err(report(&errors));
    }
    say_what_is_wide(shape, context);
    Ok(profile)
}

/// Prints errors; the exit code of a launch that never began.
pub(super) fn report(errors: &[ProfileError]) -> u8 {
    for error in errors {
        complain(&format!("{}: {}", error.asked, error.message), error.hint.as_deref());
    }
    125
}

fn lay_over(profile: &mut Profile, shape: &Shape, context: &Context) -> Vec<ProfileError> {
    let mut errors = Vec::new();
    paths(profile, shape, context, &mut errors);
    environment(profile, shape, context, &mut errors);
    limits(profile, shape, &mut errors);
    if let Some(mode) = shape.net {
        profile.network.mode = mode.into();
        profile.network.asked = Source::flag("--net");
    }
    if shape.net.is_some() && profile.network.mode == profile::NetworkMode::Host {
        show_name_servers(profile);
    }
    if let Some(name) = &shape.hostname {
        match profile::host_name(name, &Source::flag("--hostname")) {
            Ok(name) => profile.hostname = name,
            Err(error) => errors.push(error),
        }
    }
    if let Some(value) = &shape.seccomp {
        profile.seccomp = Named { value: value.clone(), asked: Source::flag("--seccomp") };
    }
    for layer in &shape.allow_degraded {
        profile.degraded.push((*layer, Source::flag("--allow-degraded")));
    }
    for layer in &shape.require {
        profile.degraded.retain(|(known, _)| known != layer);
        profile.required.push(*layer);
    }
    take_away(profile, shape, context, &mut errors);
    errors
}

/// Flags that only narrow come last: nothing that another flag shows escapes them.
fn take_away(profile: &mut Profile, shape: &Shape, context: &Context, errors: &mut Vec<ProfileError>) {
    let mut places = |flag: &str, paths: &[PathBuf]| -> Vec<InnerPath> {
        let wrong = |why| errors.push(ProfileError::new(Source::flag(flag), why));
        let (right, mistakes): (Vec<_>, Vec<_>) =
            paths.iter().map(|path| inner(path, context)).partition(Result::is_ok);
        mistakes.into_iter().filter_map(Result::err).for_each(wrong);
        right.into_iter().flatten().collect()
    };
    let flags = &shape.less;
    let less = profile::Less {
        read_only: places("--read-only", &flags.read_only),
        hidden: places("--hide", &flags.hide),
        no_network: flags.no_network,
        no_requests: flags.no_requests,
        wall_time: None,
    };
    if !less.is_nothing() {
        profile::attenuate(profile, &less, &Source::flag("--hide, --read-only, --no-network, --no-requests"));
    }
}

/// A profile without network writes an empty resolv.conf; with the host's network the host's own is meant.
fn show_name_servers(profile: &mut Profile) {
    let empty = |entry: &&mut profile::FsEntry| {
        entry.path.as_path() == Path::new("/etc/resolv.conf")
            && matches!(&entry.access, Access::File { content } if content.is_empty())
    };
    for entry in profile.filesystem.iter_mut().filter(empty) {
        entry.access = Access::Ro;
        entry.optional = true;
        entry.asked = Source::flag("--net");
    }
}

fn paths(profile: &mut Profile, shape: &Shape, context: &Context, errors: &mut Vec<ProfileError>) {
    let tmpfs = Access::Tmpfs { size_bytes: None, mode: None };
    let plain = [
        ("--ro", &shape.ro, Access::Ro),
        ("--rw", &shape.rw, Access::Rw),
        ("--mask", &shape.mask, Access::Mask),
        ("--tmpfs", &shape.tmpfs, tmpfs),
    ];
    for (flag, paths, access) in plain {
        for path in paths {
            match inner(path, context) {
                Ok(path) => replace(profile, entry_of_flag(flag, path, access.clone())),
                Err(why) => errors.push(ProfileError::new(Source::flag(flag), why)),
            }
        }
    }
    for (flag, pairs, access) in
        [("--ro-bind", &shape.ro_bind, Access::Ro), ("--bind", &shape.bind, Access::Rw)]
    {
        for pair in pairs.chunks_exact(2) {
            let [source, path] = pair else { continue };
            let both = inner(path, context).and_then(|path| Ok((path, host(source, context)?)));
            match both {
                Ok((path, source)) => {
                    let mut entry = entry_of_flag(flag, path, access.clone());
                    entry.source = Some(source);
                    replace(profile, entry);
                }
                Err(why) => errors.push(ProfileError::new(Source::flag(flag), why)),
            }
        }
    }
}

/// A flag says more than the profile about the same place; what is protected there stays protected. In a folder that a
/// flag makes writable, all is protected that the profile protects anywhere.
fn replace(profile: &mut Profile, mut entry: profile::FsEntry) {
    if let Some(known) = profile.filesystem.iter_mut().find(|known| known.path == entry.path) {
        entry.protect.clone_from(&known.protect);
    }
    if entry.access == Access::Rw && entry.protect.is_empty() {
        entry.protect = protected_anywhere(profile);
    }
    profile.filesystem.retain(|known| known.path != entry.path);
    profile.filesystem.push(entry);
}

/// Folders full of sockets: read-only mounts and Landlock leave connecting open.
const SOCKETS: &[&str] = &["/run", "/var/run", "/run/user", "/tmp/.X11-unix", "/run/dbus", "/var/run/dbus"];

/// A user's runtime folder, `/run/user/UID`: the session bus and what listens beside it.
fn is_runtime(path: &HostPath) -> bool {
    path.parent().is_some_and(|above| above.as_path() == Path::new("/run/user"))
}

/// What a flag opens is the owner's wish; that it is much is said.
fn say_what_is_wide(shape: &Shape, context: &Context) {
    let sources = shape.bind.chunks_exact(2).filter_map(|pair| pair.first());
    for path in shape.rw.iter().chain(sources) {
        let Ok(path) = host(path, context) else { continue };
        if let Some(why) = profile::unfit(path.as_path(), context) {
            complain(&format!("{path} is writable for the command, and {why}"), None);
        }
    }
    let shown = shape.ro.iter().chain(&shape.rw);
    let bound =
        shape.ro_bind.chunks_exact(2).chain(shape.bind.chunks_exact(2)).filter_map(|pair| pair.first());
    for path in shown.chain(bound).filter_map(|path| host(path, context).ok()) {
        if SOCKETS.iter().any(|folder| path.as_path() == Path::new(folder)) || is_runtime(&path) {
            let hint = "name the one file that is needed";
            complain(
                &format!("{path} has sockets of other programs, and the command can talk to them"),
                Some(hint),
            );
        }
    }
}

fn protected_anywhere(profile: &Profile) -> Vec<profile::Protect> {
    let mut all: Vec<profile::Protect> = Vec::new();
    for place in profile.filesystem.iter().flat_map(|entry| &entry.protect) {
        if !all.contains(place) {
            all.push(place.clone());
        }
    }
    all
}

/// Relative paths of the command line are meant from here; `~/` is for shells that do not replace it.
fn absolute<T>(
    path: &Path,
    context: &Context,
    make: fn(PathBuf) -> Result<T, PathError>,
) -> Result<T, String> {
    let full = match path.strip_prefix("~") {
        Ok(tail) => context.home.join(tail),
        Err(_) => from_here(&context.pwd, path),
    };
    let shown = crate::base::escape(full.as_os_str().as_encoded_bytes());
    make(full).map_err(|why| format!("{shown} {why}"))
}

/// `..` in front climbs from the working folder by its real name, on which no link lies (getcwd(2)). Behind a name it
/// stays, and is refused: what it leads to depends on links.
fn from_here(pwd: &Path, path: &Path) -> PathBuf {
    let mut at = pwd.to_path_buf();
    let mut left = path.components();
    while let Some(part @ (Component::ParentDir | Component::CurDir)) = left.clone().next() {
        if part == Component::ParentDir {
            at.pop();
        }
        left.next();
    }
    at.join(left.as_path())
}

/// An inner path of the command line.
pub(super) fn inner(path: &Path, context: &Context) -> Result<InnerPath, String> {
    absolute(path, context, InnerPath::new)
}

/// A host path of the command line.
fn host(path: &Path, context: &Context) -> Result<HostPath, String> {
    absolute(path, context, HostPath::new)
}

fn environment(profile: &mut Profile, shape: &Shape, context: &Context, errors: &mut Vec<ProfileError>) {
    let environment = &mut profile.environment;
    if shape.clear_env {
        environment.keep.clear();
        environment.set = vec![("HOME".into(), context.home.to_string_lossy().into_owned())];
    }
    for name in &shape.unset_env {
        environment.keep.retain(|known| known != name);
        environment.set.retain(|(known, _)| known != name);
    }
    for pair in shape.setenv.chunks_exact(2) {
        let [name, value] = pair else { continue };
        assign(environment, name, value);
    }
    for text in &shape.env {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text.as_str(), None),
        };
        if name.is_empty() || name.contains('*') {
            let message = format!("`{}` is no name of a variable", crate::base::escape(name.as_bytes()));
            errors.push(ProfileError::new(Source::flag("--env"), message).hint("--env NAME=VALUE"));
            continue;
        }
        match value {
            Some(value) => assign(environment, name, value),
            None => {
                environment.set.retain(|(known, _)| known != name);
                environment.keep.push(name.to_owned());
            }
        }
    }
}

/// The value of a variable, in place of an earlier one.
fn assign(environment: &mut profile::Environment, name: &str, value: &str) {
    environment.set.retain(|(known, _)| known != name);
    environment.set.push((name.to_owned(), value.to_owned()));
}

fn limits(profile: &mut Profile, shape: &Shape, errors: &mut Vec<ProfileError>) {
    let size = |flag: &str, text: &Option<String>, errors: &mut Vec<ProfileError>| {
        let text = text.as_ref()?;
        let value = profile::parse_size(text).filter(|value| *value > 0);
        if value.is_none() {
            let message = format!("`{}` is no size", crate::base::escape(text.as_bytes()));
            errors.push(ProfileError::new(Source::flag(flag), message).hint("write 512M or 4G"));
        }
        value
    };
    let limits = &mut profile.limits;
    limits.memory_bytes = size("--memory", &shape.memory, errors).or(limits.memory_bytes);
    limits.file_size_bytes = size("--file-size", &shape.file_size, errors).or(limits.file_size_bytes);
    limits.processes = shape.pids.or(limits.processes);
    limits.open_files = shape.open_files.or(limits.open_files);
    if let Some(cores) = shape.cpu {
        if cores.is_finite() && (0.01..=4096.0).contains(&cores) {
            limits.cpu_millis = Some((cores * 1000.0) as u64);
        } else {
            errors.push(ProfileError::new(Source::flag("--cpu"), "not between 0.01 and 4096 cores"));
        }
    }
    if let Some(text) = &shape.timeout {
        limits.wall_time = profile::parse_duration(text);
        if limits.wall_time.is_none() {
            let message = format!("`{}` is no duration", crate::base::escape(text.as_bytes()));
            errors.push(ProfileError::new(Source::flag("--timeout"), message).hint("write 90s, 30m or 8h"));
        }
    }
}

/// What the command line adds to a plan.
pub(super) fn wish(shape: &Shape, argv: &[OsString], context: &Context) -> Result<Wish, u8> {
    let path = |path: &Path| {
        inner(path, context).map_err(|why| {
            complain(&why, None);
            125u8
        })
    };
    Ok(Wish {
        argv: argv.to_vec(),
        environment: std::env::vars_os().collect(),
        chdir: shape.chdir.as_deref().map(path).transpose()?,
        here: path(&context.pwd)?,
        home: path(&context.home)?,
        hidden: super::session::hidden(),
        own: super::session::own(),
    })
}

/// What this machine can do, for a plan. `cgroup` says that a leaf could be made. Where namespaces are required the
/// launch itself finds out about them; only where their lack is accepted a child tries first.
pub(super) fn abilities(profile: &Profile, facts: &Facts, cgroup: bool) -> Abilities {
    let may_lack = profile.degraded.iter().any(|(layer, _)| *layer == Layer::Namespaces);
    Abilities {
        landlock_abi: facts.landlock.abi,
        seccomp: true,
        listener: can_guard(facts),
        cgroup,
        ask_mounts: !profile.asks() || (facts.calls.mount_api && facts.calls.openat2 && trial::can_ask()),
        namespaces: !may_lack || probe_user_namespace().is_ok(),
    }
}

/// The guard answers with a descriptor in one step (SECCOMP_ADDFD_FLAG_SEND, Linux 5.14), walks by openat2, and reads
/// paths from the memory of its descendants.
fn can_guard(facts: &Facts) -> bool {
    let reads_memory = facts.ptrace_scope.is_none_or(|scope| scope < 2);
    let answers = facts.seccomp.user_notif
        && !facts.seccomp.listener_taken
        && facts.kernel.version >= Version(5, 14, 0);
    answers && reads_memory && facts.calls.openat2
}

/// Prints why there is no plan; the exit code.
pub(super) fn explain_refusal(error: &PlanError) -> u8 {
    match error {
        PlanError::View(errors) => {
            for error in errors {
                complain(
                    &format!("{}: {} ({})", error.path, error.message, error.asked),
                    error.hint.as_deref(),
                );
            }
            125
        }
        PlanError::Command(error) => {
            complain(&error.message, error.hint.as_deref());
            error.code
        }
        PlanError::Chdir(path) => {
            complain(
                &format!("enter {path}: the view does not show it"),
                Some("--ro PATH or --rw PATH shows it"),
            );
            125
        }
        PlanError::NothingLeft => {
            complain(
                "neither user namespaces nor Landlock can be had here: nothing would confine the command",
                Some("`aisandbox doctor` says how to allow one of them"),
            );
            125
        }
        PlanError::Layers(layers) => {
            for plan in layers {
                let name = plan.layer.name();
                let hint = format!(
                    "`--allow-degraded {name}` goes without; `aisandbox doctor` says what is missing"
                );
                complain(
                    &format!("layer {name} is required and cannot be enforced: {}", plan.detail),
                    Some(&hint),
                );
            }
            125
        }
    }
}

/// Builds the plan on the real host, printing what refuses it.
pub(super) fn plan(profile: Profile, wish: &Wish, facts: &Facts, cgroup: bool) -> Result<plan::Plan, u8> {
    let abilities = abilities(&profile, facts, cgroup);
    plan::build(profile, wish, abilities, &crate::host::HostTree).map_err(|error| explain_refusal(&error))
}
