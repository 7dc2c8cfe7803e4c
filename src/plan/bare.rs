//! Without namespaces: the view becomes Landlock rules on the host's own files, and what cannot be kept is named.
//!
//! Landlock only adds: a rule on a folder holds for all below it, and nothing below can be taken out again. So this
//! never tries to hide; it finds what stays open and says so. Makes nothing and moves nothing.

use super::Plan;
use super::protect::Missing;
use super::rights::{Action, Actions};
use super::view::{Placed, Rule, RuleObject, View, ViewError};
use crate::base::{HostPath, InnerPath};
use crate::host::{Kind, Object, Tree};
use crate::profile::{Access, FsEntry, NetworkMode, Profile, Protect};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::rc::Rc;

/// What a run without namespaces lacks.
#[derive(Debug)]
pub struct Bare {
    /// Each loss in words.
    pub lost: Vec<String>,
}

impl Bare {
    /// All losses in one line, for the record.
    pub fn detail(&self) -> String {
        format!("user namespaces are refused here; lost: {}", self.lost.join("; "))
    }
}

/// The device nodes of a minimal /dev.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Turns a view into one of rules alone.
/// # Errors
/// Entries that would show a host path somewhere else.
pub(super) fn strip(
    view: &mut View,
    profile: &Profile,
    landlock_abi: u32,
    tree: &dyn Tree,
) -> Result<Bare, Vec<ViewError>> {
    let moved: Vec<ViewError> = profile.filesystem.iter().filter_map(|entry| moved(entry, view)).collect();
    if !moved.is_empty() {
        return Err(moved);
    }
    view.steps.clear();
    view.rules.retain(|rule| matches!(rule.on, RuleObject::Host(_)));
    view.placed.retain(|_, placed| matches!(placed, Placed::Host(_) | Placed::Link(_)));
    for entry in &profile.filesystem {
        kernel_files(entry, view, tree);
    }
    let mut lost = always_lost(profile, landlock_abi);
    let open: Vec<String> = profile.filesystem.iter().filter_map(|entry| open(entry, view, tree)).collect();
    if !open.is_empty() {
        lost.push(format!("these places are more open than the profile says: {}", open.join(", ")));
    }
    let exposed = protect(view, profile, tree);
    if !exposed.is_empty() {
        lost.push(format!("these protected places exist and can be changed: {}", exposed.join(", ")));
    }
    Ok(Bare { lost })
}

fn moved(entry: &FsEntry, view: &View) -> Option<ViewError> {
    if matches!(entry.access, Access::Ask(_)) {
        return None; // it appears nowhere: it is opened by explicit requests alone
    }
    let source = entry.source.as_ref().filter(|source| source.as_path() != entry.path.as_path())?;
    let left_out = view.left_out.iter().any(|(path, _)| *path == entry.path);
    (!left_out).then(|| ViewError {
        path: entry.path.clone(),
        message: format!("without namespaces {source} cannot appear at another path"),
        hint: Some(format!("show it where it is: --ro {source}")),
        asked: entry.asked.clone(),
    })
}

/// The host's /proc and device nodes instead of our own.
fn kernel_files(entry: &FsEntry, view: &mut View, tree: &dyn Tree) {
    let mut allow = |path: &str, actions: Actions| {
        let Some(object) = HostPath::new(path).ok().and_then(|path| tree.open(&path, true).ok()) else {
            return;
        };
        if matches!(object.kind, Kind::Folder | Kind::CharDevice) {
            view.rules.push(Rule { on: RuleObject::Host(Rc::new(object)), actions });
        }
    };
    match (&entry.access, entry.path.as_path().to_str()) {
        (Access::Proc, Some("/proc")) => allow("/proc", Actions::of(&[Action::Read, Action::List])),
        (Access::DevFs, Some("/dev")) => {
            for node in NODES {
                allow(&format!("/dev/{node}"), Actions::of_access(&Access::Dev, true));
            }
        }
        _ => {}
    }
}

fn always_lost(profile: &Profile, landlock_abi: u32) -> Vec<String> {
    let mut lost = vec![
        "every file of this machine can be seen by name, though not read".to_owned(),
        "modes, owners, times and attributes of this user's own files can be changed anywhere".to_owned(),
        "the profile's own /tmp, empty folders, files and links: HOME and TMPDIR are one private folder"
            .to_owned(),
        "the processes of this machine are listed in /proc, and this user's can be slowed (priority)"
            .to_owned(),
        "processes the command leaves behind survive if aisandbox-init is killed from outside".to_owned(),
        "without a cgroup, the limit of processes counts every process of this user".to_owned(),
        "local sockets and System V objects, which would be the host's own, are refused".to_owned(),
    ];
    if landlock_abi < 6 {
        lost.push("signals reach every process of this user (Landlock before ABI 6)".to_owned());
    }
    if profile.network.mode == NetworkMode::Filtered {
        lost.push("the filtered network: there is no network at all".to_owned());
    }
    if profile.network.mode == NetworkMode::Loopback {
        lost.push("the private loopback: there is no network at all".to_owned());
    }
    lost
}

/// A place at which the rules allow more than its entry says.
fn open(entry: &FsEntry, view: &View, tree: &dyn Tree) -> Option<String> {
    let wanted = match &entry.access {
        Access::Symlink { .. } | Access::Proc | Access::DevFs => return None,
        Access::Tmpfs { .. } | Access::Dir | Access::File { .. } => Actions::default(),
        access => Actions::of_access(access, entry.noexec),
    };
    let at = HostPath::new(entry.path.as_path()).ok().and_then(|path| tree.open(&path, true).ok())?;
    let covering = view.rules.iter().filter(|rule| match &rule.on {
        RuleObject::Host(object) => object.canonical.contains(&at.canonical),
        RuleObject::Inner(..) => false,
    });
    let extra: Vec<&str> = covering.flat_map(|rule| rule.actions.names()).collect();
    let wanted = wanted.names();
    let more = extra.iter().any(|name| !wanted.contains(name));
    more.then(|| entry.path.to_string())
}

/// Leaves to the guard every protected name that does not exist, from the outermost writable folder on: a folder on
/// the way can be renamed here, and the guard knows the one made in its place. Gives what exists, in words.
fn protect(view: &mut View, profile: &Profile, tree: &dyn Tree) -> Vec<String> {
    view.missing.clear();
    let writable: Vec<HostPath> = profile
        .filesystem
        .iter()
        .filter(|entry| matches!(entry.access, Access::Rw))
        .filter_map(|entry| Some(tree.open(&entry.host_path()?, true).ok()?.canonical))
        .collect();
    let mut exposed = Vec::new();
    for entry in profile.filesystem.iter().filter(|entry| matches!(entry.access, Access::Rw)) {
        let Some(base) = entry.host_path().and_then(|path| tree.open(&path, true).ok()) else { continue };
        let base = base.canonical;
        let outer = writable.iter().filter(|other| other.contains(&base));
        let Some(outer) = outer.min_by_key(|other| other.as_path().components().count()) else { continue };
        for pattern in &entry.protect {
            match look(pattern, &base, tree) {
                Seen::Absent => view.missing.extend(absent(outer, &base, pattern, entry)),
                Seen::Exposed => exposed.push(format!("{base}/{}", pattern.path)),
                Seen::Way => {}
            }
        }
    }
    exposed.sort();
    exposed.dedup();
    exposed
}

enum Seen {
    /// The guard keeps it so.
    Absent,
    /// Nothing keeps it from being changed.
    Exposed,
    /// A folder that stays writable by its nature; what is protected in it has patterns of its own.
    Way,
}

fn look(pattern: &Protect, base: &HostPath, tree: &dyn Tree) -> Seen {
    let mut at = base.clone();
    let mut parts = Path::new(&pattern.path).components().peekable();
    while let Some(part) = parts.next() {
        let Ok(next) = at.join(part) else { return Seen::Absent };
        match tree.open(&next, false).map(|object| object.kind) {
            Err(_) => return Seen::Absent,
            Ok(Kind::Folder) if parts.peek().is_none() && pattern.name_only => return Seen::Way,
            Ok(Kind::Folder) if parts.peek().is_some() => at = next,
            Ok(Kind::Symlink) => return Seen::Exposed, // what it leads to can be replaced
            Ok(_) if parts.peek().is_some() => return Seen::Absent,
            Ok(_) => return Seen::Exposed,
        }
    }
    Seen::Exposed
}

fn absent(outer: &HostPath, base: &HostPath, pattern: &Protect, entry: &FsEntry) -> Option<Missing> {
    let way = base.as_path().strip_prefix(outer.as_path()).ok()?.join(&pattern.path);
    Some(Missing {
        folder: InnerPath::new(outer.as_path()).ok()?,
        rest: way.to_str()?.to_owned(),
        pattern: pattern.path.clone(),
        asked: entry.asked.clone(),
    })
}

impl Plan {
    /// Gives a run without namespaces its one private folder: HOME and TMPDIR, unless the view shows those.
    pub fn live_in(&mut self, folder: Object) {
        let path = folder.canonical.clone();
        let actions = Actions::of_access(&Access::Rw, false);
        self.view.rules.push(Rule { on: RuleObject::Host(Rc::new(folder)), actions });
        for name in ["HOME", "TMPDIR"] {
            let value = self.environment.get(OsStr::new(name));
            let shown = value
                .and_then(|value| InnerPath::new(Path::new(value)).ok())
                .is_some_and(|inner| self.view.host_of(&inner).is_some());
            if !shown {
                self.environment.insert(name.into(), OsString::from(path.as_path()));
            }
        }
        self.search_shown_folders();
    }

    /// Without a view, a program in a folder of PATH that is not shown is found, and then may not be executed.
    fn search_shown_folders(&mut self) {
        let Some(path) = self.environment.get(OsStr::new("PATH")) else { return };
        let shown = |folder: &&[u8]| match InnerPath::new(Path::new(OsStr::from_bytes(folder))) {
            Ok(inner) => self.view.host_of(&inner).is_some(),
            Err(_) => true, // relative: it depends on where the command stands
        };
        let kept: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b':').filter(shown).collect();
        let kept = OsString::from_vec(kept.join(&b":"[..]));
        self.environment.insert("PATH".into(), kept);
    }
}
