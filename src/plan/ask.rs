//! Entries that ask: what may be granted there later, how, and what Landlock must know of it before.
//!
//! A ruleset is for good, so the rights of a later yes are in it from the start: on the object itself, which nothing
//! shows before. Never opens a place by itself: the ask mount does not, and the real thing is mounted by role `mounts`.

use super::place::{absent, not_found, refusal};
use super::rights::{self, Actions};
use super::view::{Act, BindFlags, Placed, Rule, RuleObject, View, ViewError};
use crate::base::{Action, InnerPath, Source};
use crate::host::{Kind, Object, Tree};
use crate::profile::{Access, AskWish, FsEntry};
use crate::wire::files::Serve;
use std::rc::Rc;

/// One entry of the ceiling: a place that asks.
#[derive(Debug, Clone)]
pub struct AskEntry {
    /// Its place in `Plan::asks`, by which every process calls it.
    pub number: u16,
    /// Where the agent sees it.
    pub inner: InnerPath,
    /// The object, held open since it was looked up.
    pub object: Rc<Object>,
    /// What may be granted.
    pub wish: AskWish,
    /// How role `files` serves it; `None`: the real thing is mounted.
    pub serve: Option<Serve>,
    /// Nothing below can be executed, whatever is granted.
    pub noexec: bool,
    /// It asks at its first touch. Otherwise it is masked, and only explicit requests can open it.
    pub mounted: bool,
    /// Who wrote it.
    pub asked: Source,
}

impl AskEntry {
    /// It is a folder, otherwise a file.
    pub fn is_folder(&self) -> bool {
        matches!(self.object.kind, Kind::Folder)
    }

    /// Landlock's rights on the object: the most that a yes can give.
    pub fn ceiling(&self) -> Actions {
        ceiling(&self.wish.actions)
    }

    /// Whether a grant of these actions is mounted read-only.
    pub fn read_only(actions: &[Action]) -> bool {
        !actions.iter().any(|action| CHANGES.contains(action))
    }
}

/// What changes a file or a folder.
const CHANGES: [Action; 4] = [Action::Append, Action::Overwrite, Action::Create, Action::Delete];

fn ceiling(actions: &[Action]) -> Actions {
    let of = |action: &Action| match action {
        Action::Read => Actions::of(&[rights::Action::Read, rights::Action::List]),
        Action::Append | Action::Overwrite => Actions::of(&[rights::Action::Write]),
        // A file that is made is opened for writing at once.
        Action::Create => Actions::of(&[rights::Action::Create, rights::Action::Write]),
        Action::Delete => Actions::of(&[rights::Action::Delete]),
        Action::Execute => Actions::of(&[rights::Action::Execute]),
        Action::Connect | Action::Use | Action::Upload => Actions::default(),
    };
    actions.iter().fold(Actions::default(), |all, action| all.with(of(action)))
}

/// A mount can be read-only or not, and noexec or not. Whatever is finer, counted or to be taken back from open files is
/// served call by call.
fn serve(wish: &AskWish, folder: bool) -> Option<Serve> {
    if let Some(rules) = &wish.redact {
        return Some(Serve::Redacted { rules: rules.clone() });
    }
    if !wish.programs.is_empty() {
        return Some(Serve::Programs { sha256: wish.programs.clone() });
    }
    let has = |action: &Action| wish.actions.contains(action);
    let all: &[Action] = if folder { &CHANGES } else { &[Action::Append, Action::Overwrite] };
    let (some, every) = (CHANGES.iter().any(has), all.iter().all(has));
    let plain = has(&Action::Read) && (!some || every) && wish.bytes.is_none() && !wish.revocable;
    (!plain).then_some(Serve::Checked {})
}

impl View {
    /// Places an entry that asks. What is in the way of another entry is left out when it is optional.
    pub(super) fn place_ask(
        &mut self,
        entry: &FsEntry,
        at: InnerPath,
        wish: &AskWish,
        all: &[FsEntry],
        tree: &dyn Tree,
    ) -> Result<(), ViewError> {
        let holds = |other: &FsEntry| other.path != entry.path && at.contains(&other.path);
        if entry.optional && all.iter().any(holds) {
            self.left_out.push((entry.path.clone(), entry.asked.clone()));
            return Ok(());
        }
        let host = entry.host_path().ok_or_else(|| refusal(entry, "has no host path".into(), None))?;
        let object = match tree.open(&host, true) {
            Ok(object) => Rc::new(object),
            Err(error) if entry.optional && absent(&error) => {
                self.left_out.push((entry.path.clone(), entry.asked.clone()));
                return Ok(());
            }
            Err(error) => return Err(not_found(entry, &host, &error)),
        };
        self.refuse_links_of_agents(entry, &host, &object, tree)?;
        let folder = fit(entry, wish, &object)?;
        self.refuse_what_is_below(entry, &at)?;
        self.refuse_movable(entry, &at)?;
        let number = u16::try_from(self.asks.len())
            .map_err(|_| refusal(entry, "there are 65,536 entries that ask already".into(), None))?;
        self.mount_point(entry, &at, folder, tree)?;
        let mounted = self.can_ask;
        let act = match (mounted, folder) {
            (true, folder) => Act::Ask { number, folder },
            (false, true) => Act::MaskFolder,
            (false, false) => Act::MaskFile,
        };
        if mounted {
            self.allow_later(&at, &object, wish);
        }
        let placed = if mounted { Placed::Asks } else { Placed::Closed("an entry that asks") };
        self.placed.insert(at.clone(), placed);
        self.push(entry, at.clone(), act);
        self.asks.push(AskEntry {
            number,
            inner: at,
            object,
            wish: wish.clone(),
            serve: serve(wish, folder),
            noexec: entry.noexec || !wish.actions.contains(&Action::Execute),
            mounted,
            asked: entry.asked.clone(),
        });
        Ok(())
    }

    /// The object gets its ceiling. The ask mount's own root gets that too, and what lets an open reach role `files`,
    /// which decides: Landlock is asked before the filesystem.
    fn allow_later(&mut self, at: &InnerPath, object: &Rc<Object>, wish: &AskWish) {
        let most = ceiling(&wish.actions);
        let folder = matches!(object.kind, Kind::Folder);
        self.rules.push(Rule { on: RuleObject::Host(Rc::clone(object)), actions: most });
        let touch = Actions::of(&[rights::Action::Read, rights::Action::List]);
        self.rules.push(Rule { on: RuleObject::Inner(at.clone(), folder), actions: most.with(touch) });
    }

    /// What is protected below would not be, once the real thing stands there.
    fn refuse_what_is_below(&self, entry: &FsEntry, at: &InnerPath) -> Result<(), ViewError> {
        let steps = self.steps.iter().map(|step| &step.at).find(|place| at.contains(place));
        let missing = self.missing.iter().map(|missing| &missing.folder).find(|place| at.contains(place));
        let Some(place) =
            steps.or(missing).filter(|_| matches!(self.nearest(at), Some((_, Placed::Host(_)))))
        else {
            return Ok(());
        };
        let hint = "leave the protected place out of it, or put the entry beside";
        Err(refusal(entry, format!("{place} is protected, and a yes would uncover it"), Some(hint.into())))
    }

    /// A folder on the way that the agent could move would take the mount along, out of our sight.
    fn refuse_movable(&self, entry: &FsEntry, at: &InnerPath) -> Result<(), ViewError> {
        let in_memory = |place: &InnerPath| {
            let last = self.steps.iter().rev().find(|step| step.at.contains(place));
            last.filter(|step| {
                matches!(step.act, Act::Tmpfs { .. }) && Some(&step.at) != at.parent().as_ref()
            })
        };
        let Some(step) = at.parent().and_then(|above| in_memory(&above)) else { return Ok(()) };
        let message = format!("it lies deep in {}, where the command can move the folders above it", step.at);
        Err(refusal(entry, message, Some(format!("place it in {} itself, or outside", step.at))))
    }

    /// In a writable folder, every folder on the way to an entry that asks is mounted on itself: rename(2) of a mount
    /// point fails (EBUSY). Before anything is placed below, which such a mount would cover.
    pub(super) fn pin_ways(
        &mut self,
        entry: &FsEntry,
        at: &InnerPath,
        (object, flags): (&Rc<Object>, BindFlags),
        (all, tree): (&[FsEntry], &dyn Tree),
    ) -> Result<(), ViewError> {
        if flags.read_only {
            return Ok(());
        }
        let asking = all.iter().filter(|other| matches!(other.access, Access::Ask(_)));
        let mut ways: Vec<InnerPath> = Vec::new();
        for other in asking.map(|other| self.settle(&other.path)).filter(|other| at.contains(other)) {
            let above = std::iter::successors(other.parent(), InnerPath::parent);
            ways.extend(above.take_while(|way| way != at && at.contains(way)));
        }
        ways.sort();
        ways.dedup();
        ways.retain(|way| !self.steps.iter().any(|step| step.at == *way));
        for way in ways {
            let tail = way.as_path().strip_prefix(at.as_path()).unwrap_or(way.as_path());
            let Ok(host) = object.canonical.join(tail) else { continue };
            match tree.open(&host, false) {
                Ok(folder) if matches!(folder.kind, Kind::Folder) => {
                    self.push(entry, way, Act::Bind { object: Rc::new(folder), flags });
                }
                Ok(_) => {}
                Err(error) if absent(&error) => {} // the entry itself says so
                Err(error) => return Err(not_found(entry, &host, &error)),
            }
        }
        Ok(())
    }
}

/// Whether it is a folder, if it can be asked for at all.
fn fit(entry: &FsEntry, wish: &AskWish, object: &Object) -> Result<bool, ViewError> {
    let beyond = [Action::Create, Action::Delete].into_iter().find(|action| wish.actions.contains(action));
    match (object.kind, beyond) {
        (Kind::Folder, _) if wish.programs.is_empty() || wish.actions.contains(&Action::Read) => Ok(true),
        (Kind::Folder, _) => {
            let message = "a folder of programs cannot be listed without the action read".to_owned();
            Err(refusal(entry, message, Some("actions: [read, execute]".into())))
        }
        (Kind::File, None) => Ok(false),
        (Kind::File, Some(action)) => {
            let message =
                format!("{} is a file: the action {} is one of folders", object.canonical, action.word());
            Err(refusal(entry, message, Some("leave it out".into())))
        }
        (kind, _) => {
            let message = format!("{} is no file and no folder, but {kind:?}", object.canonical);
            Err(refusal(entry, message, None))
        }
    }
}
