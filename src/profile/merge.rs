//! How the files of a profile become one, parents first:
//!
//! - a single value: the child's wins; mappings merge key by key;
//! - `filesystem`: lists append, and an entry for a path that is there takes its place. A `rw` or `stage` entry in
//!   the place of another keeps what was protected; a `mask` is never replaced by anything else;
//! - `environment.keep`, `network.deny`, `landlock.require`, `allow_degraded`, `programs.allow`, `programs.deny`,
//!   `policy.bundles`, `policy.keys`, `network.publish`, `dlp.rules`, `detection.rules`: lists add up;
//! - `consent.templates`, `credentials`: lists add up, and one of a name that is there takes its place;
//! - `network.allow`: lists add up, and what is said of a host and port takes the place of what was said before; a mode
//!   other than `filtered` forgets it;
//! - `programs.transitions`: lists add up, and what two entries of one path take away is all taken away;
//! - `environment.set`: the child's value of a name wins;
//! - `network.tcp.connect`, `network.tcp.bind`, `consent.channels`: the child's list wins whole.
//!
//! Never loosens what a parent protected, masked or denied.

use super::Context;
use super::decode::At;
use super::detection::{self, Detection};
use super::entry::{expand, grow};
use super::network::Network;
use super::network_read;
use super::policies::{self, Policies};
use super::programs::{self, Programs};
use super::rates;
use super::template;
use super::values::variable_name;
use super::written::{
    ChannelWord, ConsentKeys, DesktopKeys, EnvironmentKeys, LandlockWord, LimitKeys, ProfileFile, Say,
};
use crate::base::{InnerPath, Source};
use crate::profile::{
    Access, Agents, AuditMode, Consent, Environment, FsEntry, LandlockWish, Limits, Named, Observe, Profile,
    ProfileError, Terminal,
};
use std::collections::HashMap;

/// A profile that asks for nothing: no file, no network, no environment.
pub(super) fn nothing(name: &str) -> Profile {
    let asked = || Source::built_in("what a profile means that does not say otherwise");
    Profile {
        name: name.to_owned(),
        description: String::new(),
        origins: Vec::new(),
        filesystem: Vec::new(),
        network: Network::nothing(asked()),
        environment: Environment::default(),
        limits: Limits { core_size_bytes: Some(0), ..Limits::default() },
        seccomp: Named { value: "agent".into(), asked: asked() },
        landlock: LandlockWish { filesystem: true, network: false, scopes: false },
        degraded: Vec::new(),
        required: Vec::new(),
        time_namespace: false,
        terminal: Terminal { clipboard: false, title: false },
        audit: AuditMode::Durable,
        observe: Observe::Deny,
        hostname: "aisandbox".into(),
        consent: Consent::default(),
        guardian: false,
        agents: None,
        programs: Programs::default(),
        policies: Policies::default(),
        detection: Detection::default(),
        later: Vec::new(),
    }
}

/// The entries so far, found by path: a profile may have thousands.
#[derive(Debug, Default)]
pub(super) struct View {
    entries: Vec<FsEntry>,
    index: HashMap<InnerPath, usize>,
}

impl View {
    /// Puts an entry where one of its path is, or at the end.
    pub(super) fn place(&mut self, mut entry: FsEntry) -> Result<(), ProfileError> {
        let at = self.index.get(&entry.path).copied();
        let Some(before) = at.and_then(|at| self.entries.get_mut(at)) else {
            self.index.insert(entry.path.clone(), self.entries.len());
            self.entries.push(entry);
            return Ok(());
        };
        let writable = |access: &Access| matches!(access, Access::Rw | Access::Stage);
        if before.access == Access::Mask && entry.access != Access::Mask {
            let message =
                format!("{} is masked by {}, and a mask does not go away", entry.path, before.asked);
            return Err(ProfileError::new(entry.asked, message).hint("extend a profile without that mask"));
        }
        if writable(&before.access) && writable(&entry.access) {
            grow(&mut entry.protect, std::mem::take(&mut before.protect));
        }
        *before = entry;
        Ok(())
    }

    /// The finished list.
    pub(super) fn into_entries(self) -> Vec<FsEntry> {
        self.entries
    }
}

/// Puts a file on top of what came before it; its entries go to the [`View`].
pub(super) fn add(
    profile: &mut Profile,
    file: ProfileFile,
    context: &Context,
    errors: &mut Vec<ProfileError>,
) {
    set(&mut profile.description, file.description);
    if let Some(name) = file.hostname {
        match host_name(&name.value, &name.asked) {
            Ok(name) => profile.hostname = name,
            Err(error) => errors.push(error),
        }
    }
    if let Some(At { value, asked }) = file.seccomp {
        let value = keep(context_path(value, &asked, context), errors);
        profile.seccomp = Named { value: value.unwrap_or_default(), asked };
    }
    let mut reader = network_read::Reader { context, errors };
    reader.network(&mut profile.network, file.network.unwrap_or_default());
    reader.credentials(&mut profile.network, file.credentials.unwrap_or_default());
    reader.dlp(&mut profile.network.dlp, file.dlp.unwrap_or_default());
    environment(&mut profile.environment, file.environment.unwrap_or_default(), context, errors);
    limits(&mut profile.limits, file.limits.unwrap_or_default());
    for part in file.landlock.and_then(|landlock| landlock.require).unwrap_or_default() {
        match part {
            LandlockWord::Filesystem => profile.landlock.filesystem = true,
            LandlockWord::Network => profile.landlock.network = true,
            LandlockWord::Scopes => profile.landlock.scopes = true,
        }
    }
    for At { value, asked } in file.allow_degraded.unwrap_or_default() {
        if !profile.degraded.iter().any(|(layer, _)| *layer == value) {
            profile.degraded.push((value, asked));
        }
    }
    set(&mut profile.time_namespace, file.namespaces.and_then(|namespaces| namespaces.time));
    let terminal = file.terminal.unwrap_or_default();
    set(&mut profile.terminal.clipboard, terminal.clipboard.map(|say| say == Say::Allow));
    set(&mut profile.terminal.title, terminal.title.map(|say| say == Say::Allow));
    desktop(&mut profile.later, file.desktop.unwrap_or_default());
    consent(&mut profile.consent, file.consent.unwrap_or_default(), context, errors);
    set(&mut profile.guardian, file.guardian);
    let audit = file.audit.unwrap_or_default();
    set(&mut profile.audit, audit.mode);
    set(&mut profile.observe, audit.observe);
    let agents = file.agents.and_then(|keys| Some((keys.value.most?.0, keys.value.depth?.0)));
    profile.agents = agents.map(|(most, depth)| Agents { most, depth }).or(profile.agents);
    programs::add(&mut profile.programs, file.programs.unwrap_or_default(), context, errors);
    policies::add(&mut profile.policies, file.policy.unwrap_or_default(), context, errors);
    detection::add(&mut profile.detection, file.detection.unwrap_or_default(), context, errors);
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn keep<T>(made: Result<T, Vec<ProfileError>>, errors: &mut Vec<ProfileError>) -> Option<T> {
    made.map_err(|wrong| errors.extend(wrong)).ok()
}

/// A filter's name stays a name; a path has its variables replaced.
fn context_path(text: String, asked: &Source, context: &Context) -> Result<String, Vec<ProfileError>> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(vec![ProfileError::new(asked.clone(), "not the name or path of a filter")]);
    }
    expand(&At { value: text, asked: asked.clone() }, context)
}

/// A host name as sethostname(2) and programs take it: at most 64 bytes of letters, digits, `-` and `.`.
/// # Errors
/// What is wrong with it.
pub fn host_name(name: &str, asked: &Source) -> Result<String, ProfileError> {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if (1..=64).contains(&name.len()) && name.bytes().all(fit) {
        return Ok(name.to_owned());
    }
    let message = format!("not a host name: `{name}`");
    Err(ProfileError::new(asked.clone(), message).hint("at most 64 letters, digits, `-` and `.`"))
}

fn environment(
    environment: &mut Environment,
    keys: EnvironmentKeys,
    context: &Context,
    errors: &mut Vec<ProfileError>,
) {
    for At { value, asked } in keys.keep.unwrap_or_default() {
        let name = value.strip_suffix('*').unwrap_or(&value);
        if name.is_empty() || !variable_name(name) {
            let message = format!("not a variable's name: `{value}`");
            let hint = "a name such as LANG, or its beginning with `*` at the end: LC_*";
            errors.push(ProfileError::new(asked, message).hint(hint));
        } else if !environment.keep.contains(&value) {
            environment.keep.push(value);
        }
    }
    for (name, text) in keys.set.map(|settings| settings.0).unwrap_or_default() {
        let Some(value) = keep(expand(&text, context), errors) else { continue };
        if value.contains('\0') {
            errors.push(ProfileError::new(text.asked, format!("the value of `{name}` has a NUL byte")));
            continue;
        }
        match environment.set.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => environment.set.push((name, value)),
        }
    }
}

fn limits(limits: &mut Limits, keys: LimitKeys) {
    let LimitKeys { memory, processes, cpu, open_files, file_size, core_size, wall_time } = keys;
    limits.memory_bytes = memory.map(|bytes| bytes.0).or(limits.memory_bytes);
    limits.processes = processes.map(|count| count.0).or(limits.processes);
    limits.cpu_millis = cpu.map(|cores| cores.0).or(limits.cpu_millis);
    limits.open_files = open_files.map(|count| count.0).or(limits.open_files);
    limits.file_size_bytes = file_size.map(|bytes| bytes.0).or(limits.file_size_bytes);
    limits.core_size_bytes = core_size.map(|bytes| bytes.0).or(limits.core_size_bytes);
    limits.wall_time = wall_time.map(|time| time.0).or(limits.wall_time);
}

fn desktop(later: &mut Vec<Named>, keys: DesktopKeys) {
    let DesktopKeys { dbus, wayland, x11, audio, camera, gpu } = keys;
    let rows = [
        ("dbus", dbus),
        ("wayland", wayland),
        ("x11", x11),
        ("audio", audio),
        ("camera", camera),
        ("gpu", gpu),
    ];
    for (device, say) in rows {
        let Some(At { value, asked }) = say else { continue };
        let what = format!("desktop.{device}: allow");
        later.retain(|wish| wish.value != what);
        if value == Say::Allow {
            later.push(Named { value: what, asked });
        }
    }
}

fn consent(consent: &mut Consent, keys: ConsentKeys, context: &Context, errors: &mut Vec<ProfileError>) {
    template::add(&mut consent.templates, keys.templates.unwrap_or_default(), context, errors);
    let word = |channel: ChannelWord| {
        ChannelWord::WORDS.iter().find(|(_, other)| *other == channel).map(|(word, _)| *word)
    };
    if let Some(channels) = keys.channels {
        consent.channels = channels.into_iter().filter_map(word).collect();
    }
    rates::add(&mut consent.rates, keys.rates.unwrap_or_default(), errors);
    consent.timeout = keys.timeout.map(|timeout| timeout.0).or(consent.timeout);
}
