//! Placing one entry: what its path means on the host and in what is placed already, and the steps that come of it.
//!
//! Makes names only in what is ours; below a host folder everything must exist, and nothing is created there.

use super::protect::{Missing, Places};
use super::rights::Actions;
use super::view::{Act, BindFlags, Placed, Rule, RuleObject, Step, View, ViewError};
use crate::base::{HostPath, InnerPath};
use crate::host::{Kind, Object, Tree};
use crate::profile::{Access, FsEntry};
use std::path::{Path, PathBuf};
use std::rc::Rc;

impl View {
    /// Places one entry; `all` are the entries of the profile.
    pub(super) fn place(
        &mut self,
        entry: &FsEntry,
        all: &[FsEntry],
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        let at = self.settle(&entry.path);
        if at.parent().is_none() {
            let hint =
                "name what is needed, such as /usr and /etc; the shipped profiles show the system already";
            return Err(refusal(entry, "the whole root cannot be an entry".into(), Some(hint.into())));
        }
        if matches!(entry.access, Access::Ro | Access::File { .. } | Access::Symlink { .. })
            && self.is_shown_link(&at, tree)
        {
            self.left_out.push((entry.path.clone(), entry.asked.clone()));
            return Ok(());
        }
        match &entry.access {
            Access::Ro | Access::Rw | Access::Dev => self.place_host(entry, at, all, tree),
            Access::Mask => self.place_mask(entry, at, tree),
            Access::Tmpfs { size_bytes, mode } => {
                let mode = mode.unwrap_or(0o755);
                let act = Act::Tmpfs { size_bytes: *size_bytes, mode, noexec: entry.noexec };
                self.place_inner(entry, at, act, Placed::Ours, tree)
            }
            Access::Dir => self.place_inner(entry, at, Act::Folder, Placed::Ours, tree),
            Access::File { content } => {
                self.place_inner(entry, at, Act::Data(content.clone()), Placed::Closed("a file"), tree)
            }
            Access::Symlink { target } => {
                let leads_to = joined(&at, target);
                let act = Act::Symlink(target.clone());
                let placed = leads_to.map_or(Placed::Closed("a link"), Placed::Link);
                self.place_inner(entry, at, act, placed, tree)
            }
            Access::DevFs => {
                let shared = at.join("shm").map_err(|why| refusal(entry, why.to_string(), None))?;
                let actions = Actions::of_access(&Access::Tmpfs { size_bytes: None, mode: None }, true);
                self.rules.push(Rule { on: RuleObject::Inner(shared, true), actions });
                if matches!(self.nearest(&at), Some((_, Placed::Host(_)))) {
                    let cover = Act::Tmpfs { size_bytes: None, mode: 0o755, noexec: true };
                    self.place_inner(entry, at.clone(), cover, Placed::Ours, tree)?;
                }
                self.place_inner(entry, at, Act::Devices, Placed::Ours, tree)
            }
            Access::Proc => self.place_inner(entry, at, Act::Proc, Placed::Closed("procfs"), tree),
            Access::Ask(wish) => self.place_ask(entry, at, wish, all, tree),
            Access::Stage => {
                Err(refusal(entry, "this access is not in this build".into(), Some("use ro or rw".into())))
            }
        }
    }

    /// A link of a host folder that is shown read-only: it stands there as the host has it (`/etc/localtime` when the
    /// whole of /etc is shown), and nothing can be put on a link.
    fn is_shown_link(&self, at: &InnerPath, tree: &dyn Tree) -> bool {
        let Some((above, Placed::Host(host))) = self.nearest(at) else { return false };
        let tail = at.as_path().strip_prefix(above.as_path()).unwrap_or(Path::new(""));
        let read_only = !self.writable.iter().any(|writable| writable.contains(host));
        let link = host.join(tail).ok().and_then(|place| tree.open(&place, false).ok());
        read_only && above != *at && link.is_some_and(|link| link.kind == Kind::Symlink)
    }

    fn place_host(
        &mut self,
        entry: &FsEntry,
        at: InnerPath,
        all: &[FsEntry],
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        let host = entry.host_path().ok_or_else(|| refusal(entry, "has no host path".into(), None))?;
        if entry.source.is_none() && self.place_link(entry, &at, &host, all, tree)? {
            return Ok(());
        }
        let object = match tree.open(&host, true) {
            Ok(object) => Rc::new(object),
            Err(error) if entry.optional && (absent(&error) || self.hides(&at, &error)) => {
                self.left_out.push((entry.path.clone(), entry.asked.clone()));
                return Ok(());
            }
            Err(error) => return Err(not_found(entry, &host, &error)),
        };
        let device = matches!(entry.access, Access::Dev);
        if device != matches!(object.kind, Kind::CharDevice | Kind::BlockDevice) && device {
            return Err(refusal(entry, format!("{host} is not a device"), Some("use ro or rw".into())));
        }
        if matches!(object.kind, Kind::Symlink) {
            return Err(refusal(entry, format!("{host} leads nowhere"), None));
        }
        self.refuse_links_of_agents(entry, &host, &object, tree)?;
        self.mount_point(entry, &at, matches!(object.kind, Kind::Folder), tree)?;
        let flags = BindFlags { read_only: matches!(entry.access, Access::Ro), noexec: entry.noexec, device };
        self.rules.push(Rule {
            on: RuleObject::Host(Rc::clone(&object)),
            actions: Actions::of_access(&entry.access, entry.noexec),
        });
        self.placed.insert(at.clone(), Placed::Host(object.canonical.clone()));
        self.push(entry, at.clone(), Act::Bind { object: Rc::clone(&object), flags });
        self.protect(entry, &at, &object, flags, tree)?;
        self.pin_ways(entry, &at, (&object, flags), (all, tree))
    }

    /// A link in a folder that an agent may write can be the agent's: its end is nothing that the owner named.
    pub(super) fn refuse_links_of_agents(
        &self,
        entry: &FsEntry,
        host: &HostPath,
        object: &Object,
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        let mut next = host.parent();
        while let Some(above) = next {
            if self.writable.contains(&above) {
                let folder = tree.open(&above, true).map_err(|error| not_found(entry, &above, &error))?;
                let tail = host.as_path().strip_prefix(above.as_path()).unwrap_or(Path::new(""));
                if folder.canonical.join(tail).as_ref() != Ok(&object.canonical) {
                    let hint = Some(format!("write the path it leads to: {}", object.canonical));
                    let message = format!("{host} is reached through a link in the writable folder {above}");
                    return Err(refusal(entry, message, hint));
                }
            }
            next = above.parent();
        }
        Ok(())
    }

    /// A link of the host whose end is in the view anyway stays a link (`/bin` → `usr/bin`): what programs compare
    /// and print then is what they print outside.
    fn place_link(
        &mut self,
        entry: &FsEntry,
        at: &InnerPath,
        host: &HostPath,
        all: &[FsEntry],
        tree: &dyn Tree,
    ) -> Result<bool, ViewError> {
        let Ok(link) = tree.open(host, false) else { return Ok(false) };
        if !matches!(link.kind, Kind::Symlink) {
            return Ok(false);
        }
        let Ok(end) = tree.open(host, true) else { return Ok(false) };
        let covered = all.iter().any(|other| {
            !std::ptr::eq(other, entry)
                && matches!(other.access, Access::Ro | Access::Rw)
                && other.source.is_none()
                && end.canonical.as_path().starts_with(other.path.as_path())
        });
        let (true, Ok(target)) = (covered, tree.read_link(host)) else { return Ok(false) };
        let Some(text) = target.to_str() else { return Ok(false) };
        let leads_to = joined(at, text).map_or(Placed::Closed("a link"), Placed::Link);
        self.place_inner(entry, at.clone(), Act::Symlink(text.to_owned()), leads_to, tree)?;
        Ok(true)
    }

    fn place_inner(
        &mut self,
        entry: &FsEntry,
        at: InnerPath,
        act: Act,
        placed: Placed,
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        let rights = Actions::of_access(&entry.access, entry.noexec);
        match &act {
            Act::Symlink(_) | Act::Folder if self.parents(entry, &at, tree)? => {}
            Act::Symlink(_) | Act::Folder => {
                let message = format!("{at} lies in a folder of the host, where nothing is made");
                return Err(refusal(entry, message, Some("use ro, rw or tmpfs on what exists there".into())));
            }
            Act::Data(_) => self.mount_point(entry, &at, false, tree)?,
            _ => self.mount_point(entry, &at, true, tree)?,
        }
        if !matches!(act, Act::Symlink(_)) {
            let folder = !matches!(act, Act::Data(_));
            self.rules.push(Rule { on: RuleObject::Inner(at.clone(), folder), actions: rights });
        }
        self.placed.insert(at.clone(), placed);
        self.push(entry, at, act);
        Ok(())
    }

    /// Whether leaving out what this user may not look up shows nothing instead: the home of another account, not a
    /// read-only place in a writable tree.
    fn hides(&self, at: &InnerPath, error: &std::io::Error) -> bool {
        let from_host = matches!(self.nearest(at), Some((_, Placed::Host(_) | Placed::Link(_))));
        error.kind() == std::io::ErrorKind::PermissionDenied && !from_host
    }

    pub(super) fn place_mask(
        &mut self,
        entry: &FsEntry,
        at: InnerPath,
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        let (above, host) = match self.nearest(&at) {
            Some((above, Placed::Host(host))) => (above, host),
            Some((above, Placed::Asks)) => return Err(below_ask(entry, &above)),
            _ => return Ok(()), // nothing shows there: it is masked already
        };
        let Ok(tail) = at.as_path().strip_prefix(above.as_path()) else { return Ok(()) };
        let Ok(host) = host.join(tail) else { return Ok(()) };
        let object = match tree.open(&host, false) {
            Ok(object) => object,
            Err(error) if absent(&error) && entry.optional => {
                self.left_out.push((entry.path.clone(), entry.asked.clone()));
                return Ok(());
            }
            Err(error) => return Err(not_found(entry, &host, &error)),
        };
        let act = match object.kind {
            Kind::Folder => Act::MaskFolder,
            Kind::Symlink => {
                let hint = Some("mask the path it leads to".into());
                return Err(refusal(entry, format!("{host} is a link, which cannot be covered"), hint));
            }
            _ => Act::MaskFile,
        };
        self.placed.insert(at.clone(), Placed::Closed("masked"));
        self.push(entry, at, act);
        Ok(())
    }

    /// Makes sure that something to mount on is at `at`: made where it is ours, required where it is the host's.
    pub(super) fn mount_point(
        &mut self,
        entry: &FsEntry,
        at: &InnerPath,
        folder: bool,
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        if self.placed.contains_key(at) {
            return Ok(()); // the same place again: the later mount covers the earlier one
        }
        if self.parents(entry, at, tree)? {
            let act = if folder { Act::Folder } else { Act::EmptyFile };
            self.push(entry, at.clone(), act);
        }
        Ok(())
    }

    /// Makes the folders above `at`. `true`: `at` itself lies in what is ours and can be made.
    fn parents(&mut self, entry: &FsEntry, at: &InnerPath, tree: &dyn Tree) -> Result<bool, ViewError> {
        let Some((above, placed)) = self.nearest(at) else { return Ok(true) };
        match placed.clone() {
            Placed::Ours => {
                self.folders_between(entry, &above, at);
                Ok(true)
            }
            Placed::Host(host) => {
                self.must_exist(entry, at, &above, &host, tree)?;
                Ok(false)
            }
            Placed::Link(_) => Ok(false),
            Placed::Closed(what) => {
                Err(refusal(entry, format!("{above} is {what}: nothing fits below it"), None))
            }
            Placed::Asks => Err(below_ask(entry, &above)),
        }
    }

    fn folders_between(&mut self, entry: &FsEntry, above: &InnerPath, at: &InnerPath) {
        let mut missing = Vec::new();
        let mut next = at.parent();
        while let Some(folder) = next.filter(|folder| folder != above && !self.placed.contains_key(folder)) {
            next = folder.parent();
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            self.placed.insert(folder.clone(), Placed::Ours);
            self.push(entry, folder, Act::Folder);
        }
    }

    fn must_exist(
        &self,
        entry: &FsEntry,
        at: &InnerPath,
        above: &InnerPath,
        host: &HostPath,
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        let tail = at.as_path().strip_prefix(above.as_path()).unwrap_or(Path::new(""));
        let inside = host.join(tail).map_err(|why| refusal(entry, format!("{at} {why}"), None))?;
        match tree.open(&inside, true) {
            Ok(object) if object.canonical == inside => Ok(()),
            Ok(object) => {
                let hint = Some(format!("write the path it leads to: {}", object.canonical));
                Err(refusal(entry, format!("{at} is reached through a link of the host folder {host}"), hint))
            }
            Err(_) => {
                let hint = Some(format!("create {inside} first, or place it outside {above}"));
                let message = format!(
                    "nothing to mount on: {inside} does not exist, and nothing is created on the host"
                );
                Err(refusal(entry, message, hint))
            }
        }
    }

    fn protect(
        &mut self,
        entry: &FsEntry,
        at: &InnerPath,
        object: &Rc<Object>,
        flags: BindFlags,
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        if entry.protect.is_empty() || flags.read_only || !matches!(object.kind, Kind::Folder) {
            return Ok(());
        }
        let places = Places::find(&entry.protect, &object.canonical, tree)
            .map_err(|(host, error)| refusal(entry, format!("protect {host}: {}", words(&error)), None))?;
        for (tail, object, read_only) in places.mounts {
            let Ok(at) = at.join(&tail) else { continue };
            let flags = BindFlags { read_only, ..flags };
            self.push(entry, at, Act::Bind { object: Rc::new(object), flags });
        }
        for (tail, rest, pattern) in places.missing {
            let Ok(folder) = at.join(&tail) else { continue };
            self.missing.push(Missing { folder, rest, pattern, asked: entry.asked.clone() });
        }
        Ok(())
    }

    pub(super) fn push(&mut self, entry: &FsEntry, at: InnerPath, act: Act) {
        self.steps.push(Step { at, act, asked: entry.asked.clone() });
    }
}

/// The path that a link at `at` with this text leads to, by text alone; `None` when it climbs above the root.
fn joined(at: &InnerPath, target: &str) -> Option<InnerPath> {
    let mut path: PathBuf = at.as_path().parent()?.to_path_buf();
    for part in Path::new(target).components() {
        match part {
            std::path::Component::ParentDir => {
                path.pop();
            }
            std::path::Component::CurDir => {}
            other => path.push(other),
        }
    }
    InnerPath::new(path).ok()
}

/// Nothing is there; every other error leaves that open.
pub(super) fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// A yes puts the real thing there, and nothing of it can be covered or replaced then.
fn below_ask(entry: &FsEntry, above: &InnerPath) -> ViewError {
    let hint = "ask for the folders beside it one by one instead";
    refusal(entry, format!("{above} is an entry that asks: nothing can be placed in it"), Some(hint.into()))
}

pub(super) fn refusal(entry: &FsEntry, message: String, hint: Option<String>) -> ViewError {
    ViewError { path: entry.path.clone(), message, hint, asked: entry.asked.clone() }
}

pub(super) fn not_found(entry: &FsEntry, host: &HostPath, error: &std::io::Error) -> ViewError {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound if entry.asked.is_line() => {
            Some("create it, or mark this entry `optional: true`".into())
        }
        std::io::ErrorKind::NotFound => Some("create it, or leave the flag out".into()),
        std::io::ErrorKind::PermissionDenied => Some("this user may not even look it up".into()),
        _ => None,
    };
    refusal(entry, format!("open {host}: {}", words(error)), hint)
}

fn words(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(raw) => {
            let errno = crate::sys::Errno::from_raw(raw);
            format!("{errno:?}: {}", errno.desc())
        }
        None => error.to_string(),
    }
}
