//! The filesystem view: entries of a profile become steps in an order that can be carried out blindly.
//!
//! Looks at host paths through [`Tree`], each once, and keeps the descriptor. Changes nothing. What cannot work
//! is found here, before anything is started, and all of it at once.

use super::ask::AskEntry;
use super::protect::Missing;
use super::rights::{Action, Actions};
use crate::base::{HostPath, InnerPath, Source};
use crate::host::{Object, Tree};
use crate::profile::{Access, FsEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One step of building the view, with the wish behind it.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where, as the agent will see it. Its parents exist when the step's turn comes.
    pub at: InnerPath,
    /// What is done there.
    pub act: Act,
    /// Who asked.
    pub asked: Source,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Makes an empty folder in what is ours.
    Folder,
    /// Makes an empty file in what is ours, to mount on.
    EmptyFile,
    /// Mounts a host object.
    Bind {
        /// The object, held open since it was looked up.
        object: Rc<Object>,
        /// How it is mounted.
        flags: BindFlags,
    },
    /// Mounts this program in place of one that is started beside, with less.
    StandIn {
        /// This program's file, held open.
        object: Rc<Object>,
    },
    /// Mounts an empty filesystem in memory.
    Tmpfs {
        /// The most it holds; half of memory when not said.
        size_bytes: Option<u64>,
        /// Permission bits of its root.
        mode: u32,
        /// Nothing in it can be executed.
        noexec: bool,
    },
    /// Mounts a read-only file with these bytes.
    Data(Vec<u8>),
    /// Makes a symlink.
    Symlink(String),
    /// Covers a folder with an empty one.
    MaskFolder,
    /// Covers a file with an empty one.
    MaskFile,
    /// Mounts what asks at its first touch.
    Ask {
        /// Which entry of `View::asks`.
        number: u16,
        /// It is a folder, otherwise a file.
        folder: bool,
    },
    /// A minimal /dev.
    Devices,
    /// procfs of the new pid namespace.
    Proc,
}

/// How a host object is mounted. nosuid always; nodev except for `dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindFlags {
    /// Not writable.
    pub read_only: bool,
    /// Not executable.
    pub noexec: bool,
    /// A device node that works.
    pub device: bool,
}

/// A rule for Landlock.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it is about.
    pub on: RuleObject,
    /// What is allowed there and below.
    pub actions: Actions,
}

/// What a rule is about: a host object held open, or a place that exists only inside.
#[derive(Debug, Clone)]
pub enum RuleObject {
    /// Known before the clone.
    Host(Rc<Object>),
    /// Opened in the child once the view is built. The flag says that it is a folder.
    Inner(InnerPath, bool),
}

/// Why an entry cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewError {
    /// The path as written.
    pub path: InnerPath,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Who asked.
    pub asked: Source,
}

/// The finished view.
#[derive(Debug, Default)]
pub struct View {
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What Landlock allows.
    pub rules: Vec<Rule>,
    /// Protected names that do not exist yet.
    pub missing: Vec<Missing>,
    /// Optional entries that were left out, for `explain`.
    pub left_out: Vec<(InnerPath, Source)>,
    /// Entries that ask, by number.
    pub asks: Vec<AskEntry>,
    /// Entries that ask can do so here; otherwise they are masked.
    pub(super) can_ask: bool,
    pub(super) placed: BTreeMap<InnerPath, Placed>,
    pub(super) writable: BTreeSet<HostPath>,
}

/// What stands at a place, for what is placed below it.
#[derive(Debug, Clone)]
pub(super) enum Placed {
    /// In memory and empty at first: names can be made there.
    Ours,
    /// A folder or file of the host, seen from here on.
    Host(HostPath),
    /// A link; the path it stands for.
    Link(InnerPath),
    /// Nothing until a person says yes.
    Asks,
    /// Nothing can be placed below.
    Closed(&'static str),
}

/// Who shows the agent its doors to the Guardian. No profile and no flag can say this.
pub fn door_source() -> Source {
    Source::built_in("the way to the Guardian")
}

/// Orders and checks the entries. `can_ask`: entries that ask get their mounts.
/// # Errors
/// Every entry that cannot work, with the reason.
pub fn build(entries: &[FsEntry], can_ask: bool, tree: &dyn Tree) -> Result<View, Vec<ViewError>> {
    let mut view = View { can_ask, ..View::default() };
    view.placed.insert(root(), Placed::Ours);
    let listing = Actions::of(&[Action::List]);
    view.rules.push(Rule { on: RuleObject::Inner(root(), true), actions: listing });
    let writable = entries.iter().filter(|entry| entry.access == Access::Rw);
    view.writable = writable.filter_map(FsEntry::host_path).collect();
    let mut ordered: Vec<&FsEntry> = entries.iter().collect();
    ordered.sort_by(|a, b| a.path.cmp(&b.path));
    let mut errors = Vec::new();
    for entry in &ordered {
        if let Err(error) = view.place(entry, entries, tree) {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(view) } else { Err(errors) }
}

fn root() -> InnerPath {
    InnerPath::new("/").unwrap_or_else(|_| unreachable!("`/` is an absolute path"))
}

impl View {
    /// The host path behind an inner path, if a host folder is what shows there.
    pub fn host_of(&self, path: &InnerPath) -> Option<HostPath> {
        let path = self.settle(path);
        let (at, placed) = self.nearest(&path)?;
        let Placed::Host(host) = placed else { return None };
        host.join(path.as_path().strip_prefix(at.as_path()).ok()?).ok()
    }

    /// Whether anything could be found at this path: it is inside an entry, or leads to one.
    pub fn shows(&self, path: &InnerPath) -> bool {
        let path = self.settle(path);
        match self.nearest(&path) {
            Some((at, Placed::Ours)) => at == path || self.leads_somewhere(&path),
            Some((_, Placed::Closed(_))) => false,
            Some(_) => true,
            None => false,
        }
    }

    /// Whether a `file` entry stands exactly there.
    pub fn shows_data(&self, path: &InnerPath) -> bool {
        let path = self.settle(path);
        self.steps.iter().any(|step| step.at == path && matches!(step.act, Act::Data(_)))
    }

    fn leads_somewhere(&self, path: &InnerPath) -> bool {
        self.placed.keys().any(|placed| path.contains(placed))
            || self.steps.iter().any(|step| path.contains(&step.at))
    }

    /// Where a path ends up when the links of the view are followed.
    pub(super) fn settle(&self, path: &InnerPath) -> InnerPath {
        let mut path = path.clone();
        for _ in 0..40 {
            let Some((at, Placed::Link(target))) = self.nearest(&path) else { break };
            let Ok(tail) = path.as_path().strip_prefix(at.as_path()) else { break };
            if tail.as_os_str().is_empty() {
                break;
            }
            let Ok(next) = target.join(tail) else { break };
            path = next;
        }
        path
    }

    pub(super) fn nearest(&self, path: &InnerPath) -> Option<(InnerPath, &Placed)> {
        let mut at = path.as_path();
        loop {
            if let Some((known, placed)) = self.placed.get_key_value(at.as_os_str()) {
                return Some((known.clone(), placed));
            }
            at = at.parent()?;
        }
    }
}
