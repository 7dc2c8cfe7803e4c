//! `programs.transitions` in a plan: this program stands wherever the view would show one of them, and a table says for
//! which.
//!
//! The real program is nowhere in the view by the names that can be known: its own, every link to it, and every other
//! mount of a folder around it. What else the same content may be called, only `programs.allow` can forbid. Never takes
//! a program whose content the agent could change, or one that is not there to be covered.

use super::programs::find as find_program;
use super::rights::{Action, Actions};
use super::view::{Act, Rule, RuleObject, Step, View, ViewError, door_source};
use crate::base::{HostPath, InnerPath};
use crate::host::{Kind, Object, Tree};
use crate::profile::{FsEntry, Transition};
use crate::wire::transitions::{StandsFor, TABLE, to_bytes};
use std::rc::Rc;

/// A program that a stand-in covers.
#[derive(Debug, Clone)]
pub struct Covered {
    /// What the profile says of it.
    pub wish: Transition,
    /// The file, held open.
    pub object: Rc<Object>,
    /// Where the view would show it.
    pub at: Vec<InnerPath>,
}

impl Covered {
    /// Whether it is this very file.
    pub fn is(&self, object: &Object) -> bool {
        (self.object.dev, self.object.ino) == (object.dev, object.ino)
    }
}

/// Looks for the programs in a view that is otherwise finished. One that the view does not show is left out: nobody can
/// execute it.
/// # Errors
/// Each that cannot be covered.
pub(super) fn find(
    view: &mut View,
    wishes: &[Transition],
    bare: bool,
    tree: &dyn Tree,
) -> Result<Vec<Covered>, Vec<ViewError>> {
    let mut found: Vec<Covered> = Vec::new();
    let mut errors = Vec::new();
    for wish in wishes {
        match cover(view, wish, bare, tree) {
            Ok(Some(covered)) => match found.iter().find(|known| known.is(&covered.object)) {
                Some(known) => {
                    errors.push(refusal(wish, &format!("is the same file as {}", known.wish.path), None))
                }
                None => found.push(covered),
            },
            Ok(None) => view.left_out.push((wish.path.clone(), wish.asked.clone())),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn cover(view: &View, wish: &Transition, bare: bool, tree: &dyn Tree) -> Result<Option<Covered>, ViewError> {
    if bare {
        return Err(refusal(wish, "cannot be covered without namespaces", None));
    }
    let has_proc = view.steps.iter().any(|step| matches!(step.act, Act::Proc) && is(&step.at, "/proc"));
    if !has_proc {
        let hint = "{ path: /proc, access: proc }";
        return Err(refusal(wish, "needs procfs at /proc, by which its stand-in knows itself", Some(hint)));
    }
    if view.host_of(&wish.path).is_none() {
        return Ok(None);
    }
    let object = Rc::new(find_program(view, &wish.path, &wish.asked, tree)?);
    if object.kind != Kind::File || !object.executable {
        return Err(refusal(wish, "is no file that can be executed", None));
    }
    if view.asks.iter().any(|ask| ask.object.canonical.contains(&object.canonical)) {
        return Err(refusal(wish, "lies in a place that asks, where a yes would uncover it", None));
    }
    let mut at = Vec::new();
    for step in &view.steps {
        let Act::Bind { object: shown, .. } = &step.act else { continue };
        let tail = object.canonical.as_path().strip_prefix(shown.canonical.as_path()).ok();
        let place = tail.and_then(|tail| step.at.join(tail).ok());
        let seen = place.filter(|place| view.host_of(place).as_ref() == Some(&object.canonical));
        at.extend(seen.filter(|place| !at.contains(place)));
    }
    if at.iter().any(|place| place.as_path().to_str().is_none()) {
        return Err(refusal(wish, "has a name that is no UTF-8", None));
    }
    Ok(Some(Covered { wish: wish.clone(), object, at }).filter(|covered| !covered.at.is_empty()))
}

fn is(path: &InnerPath, text: &str) -> bool {
    path.as_path().as_os_str() == text
}

/// Puts the stand-ins there, and the table.
/// # Errors
/// Without a program of ours to show; when there is no room for the table.
pub(super) fn place(
    view: &mut View,
    covered: &[Covered],
    own: Option<&HostPath>,
    tree: &dyn Tree,
) -> Result<(), ViewError> {
    let Some(first) = covered.first() else { return Ok(()) };
    let own = own.ok_or_else(|| refusal(&first.wish, "has no stand-in: this program has no path", None))?;
    let own = tree.open(own, true);
    let own = own.map_err(|error| refusal(&first.wish, &format!("has no stand-in: {error}"), None))?;
    let own = Rc::new(own);
    let mut table = Vec::new();
    for program in covered {
        for at in &program.at {
            table.push(StandsFor { at: at.to_string(), program: program.wish.path.to_string() });
            let act = Act::StandIn { object: Rc::clone(&own) };
            view.steps.push(Step { at: at.clone(), act, asked: program.wish.asked.clone() });
        }
    }
    let actions = Actions::of(&[Action::Read, Action::Execute]);
    view.rules.push(Rule { on: RuleObject::Host(own), actions });
    let path = InnerPath::new(TABLE).map_err(|why| refusal(&first.wish, &why.to_string(), None))?;
    view.place(&FsEntry::file(path, to_bytes(&table), door_source()), &[], tree)
}

fn refusal(wish: &Transition, why: &str, hint: Option<&str>) -> ViewError {
    ViewError {
        path: wish.path.clone(),
        message: format!("the program {} of a transition {why}", wish.path),
        hint: hint.map(str::to_owned),
        asked: wish.asked.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Source;
    use crate::host::FakeTree;
    use crate::plan::entry_of_flag;
    use crate::plan::view::build;
    use crate::profile::{Access, Less};

    fn tree() -> FakeTree {
        FakeTree::new()
            .with("/usr/bin/tool", Kind::File)
            .with("/usr/bin/own", Kind::File)
            .with("/home/u/work/mine", Kind::File)
            .with_link("/usr/bin/link", "tool")
            .with_link("/bin", "usr/bin")
    }

    fn entry(path: &str, access: Access) -> FsEntry {
        entry_of_flag("--ro", InnerPath::new(path).unwrap(), access)
    }

    /// Where stand-ins are for a program of a view with these entries; or what is refused.
    fn stand_ins(entries: Vec<FsEntry>, program: &str) -> Result<Vec<String>, String> {
        let tree = tree();
        let mut view = build(&entries, true, &tree).unwrap();
        let path = InnerPath::new(program).unwrap();
        let less = Less { no_network: true, ..Less::default() };
        let wish = Transition { path, sha256: None, less, asked: Source::flag("x") };
        let first = |errors: Vec<ViewError>| errors[0].message.clone();
        let covered = find(&mut view, &[wish], false, &tree).map_err(first)?;
        place(&mut view, &covered, HostPath::new("/usr/bin/own").ok().as_ref(), &tree).unwrap();
        let steps = view.steps.iter().filter(|step| matches!(step.act, Act::StandIn { .. }));
        Ok(steps.map(|step| step.at.to_string()).collect())
    }

    fn system() -> Vec<FsEntry> {
        vec![entry("/proc", Access::Proc), entry("/usr", Access::Ro), entry("/bin", Access::Ro)]
    }

    #[test]
    fn a_program_is_covered_wherever_a_folder_around_it_is_shown() {
        for name in ["/usr/bin/tool", "/usr/bin/link", "/bin/tool"] {
            assert_eq!(stand_ins(system(), name), Ok(vec!["/usr/bin/tool".to_owned()]), "{name}");
        }
        let moved = FsEntry { source: HostPath::new("/usr/bin").ok(), ..entry("/tools", Access::Ro) };
        let entries = [system(), vec![moved]].concat();
        let both = ["/tools/tool", "/usr/bin/tool"].map(str::to_owned).to_vec();
        assert_eq!(stand_ins(entries, "/usr/bin/tool"), Ok(both));
    }

    #[test]
    fn a_program_that_is_not_shown_is_left_out() {
        let entries = [system(), vec![entry("/usr/bin/tool", Access::Mask)]].concat();
        assert_eq!(stand_ins(entries, "/usr/bin/link"), Ok(Vec::new()));
        assert_eq!(stand_ins(system(), "/opt/tool"), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_covered_is_refused() {
        let writable = [system(), vec![entry("/home/u/work", Access::Rw)]].concat();
        for (entries, program, why) in [
            (writable, "/home/u/work/mine", "its content can change"),
            (system(), "/usr/bin", "is no file"),
            (system(), "/usr/bin/absent", "open /usr/bin/absent"),
            (vec![entry("/usr", Access::Ro)], "/usr/bin/tool", "needs procfs"),
        ] {
            let refused = stand_ins(entries, program).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
