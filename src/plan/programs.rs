//! `programs:` in a plan: which files can be executed, and what must be checked before anything runs.
//!
//! Landlock's right to execute leaves every place and comes back on the allowed files alone, by inode. What can be written
//! can neither be executed nor mapped for execution. Never believes a name: a program is the object behind it.

use super::command::Command;
use super::rights::{Action, Actions};
use super::transitions::Covered;
use super::view::{Act, BindFlags, Rule, RuleObject, Step, View, ViewError};
use crate::base::{HostPath, InnerPath, Source};
use crate::host::{Kind, Object, Tree};
use crate::profile::{Programs, Unknown};
use std::rc::Rc;

/// Loaders of programs, which the kernel executes for every program that is linked at run time.
const LOADERS: [&str; 6] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib64/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];
/// This program, where a sandbox that can ask shows it.
const OWN: &str = "/run/aisandbox/aisandbox";

/// A program whose content is known.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// Its path inside.
    pub path: InnerPath,
    /// The file, held open.
    pub object: Rc<Object>,
    /// Lower-case hex of its SHA-256.
    pub sha256: String,
    /// Who wrote that.
    pub asked: Source,
}

/// A program that somebody is asked about before anything runs.
#[derive(Debug, Clone)]
pub struct Questioned {
    /// Its path inside.
    pub path: InnerPath,
    /// The file, held open.
    pub object: Rc<Object>,
    /// The profile names it, or names none.
    pub named: bool,
    /// Who wrote that it is asked about.
    pub asked: Source,
}

/// What must be found out before anything runs.
#[derive(Debug, Default)]
pub struct Checks {
    /// Programs of a known content.
    pub pinned: Vec<Pinned>,
    /// Programs that are asked about.
    pub questioned: Vec<Questioned>,
}

/// Puts the wishes into the view.
/// # Errors
/// Every program that cannot be allowed or denied; a command that is not allowed.
pub(super) fn restrict(
    view: &mut View,
    programs: &Programs,
    (command, transitions): (&Command, &[Covered]),
    bare: bool,
    tree: &dyn Tree,
) -> Result<Checks, Vec<ViewError>> {
    let mut errors = Vec::new();
    for (path, asked) in &programs.deny {
        if let Err(error) = deny(view, path, asked, bare, tree) {
            errors.push(error);
        }
    }
    let mut checks = Checks { pinned: transitions.iter().filter_map(pin).collect(), questioned: Vec::new() };
    // What a stand-in covers is executed in another sandbox, whose launcher asks about it.
    let beside = |object: &Object| transitions.iter().any(|covered| covered.is(object));
    let command_file = command.host.as_ref().filter(|object| !beside(object));
    let reputation = programs.reputation.as_ref().map(|reputation| &reputation.asked);
    let Some(allow) = &programs.allow else {
        let command = reputation.zip(command_file).map(|(asked, object)| Questioned {
            path: command.program.clone(),
            object: Rc::clone(object),
            named: true,
            asked: asked.clone(),
        });
        checks.questioned.extend(command);
        return if errors.is_empty() { Ok(checks) } else { Err(errors) };
    };
    take_execute_away(view);
    let mut allowed: Vec<Rc<Object>> = Vec::new();
    let mut elsewhere: Vec<Rc<Object>> = Vec::new();
    for rule in allow {
        match find(view, &rule.path, &rule.asked, tree) {
            Ok(object) if rule.sha256.is_some() && object.kind != Kind::File => {
                errors.push(refusal(&rule.path, &rule.asked, "is no file, so it has no digest"));
            }
            Ok(object) if object.kind != Kind::File && reputation.is_some() => {
                let why = "is no file, and `programs.reputation` knows contents; list its files";
                errors.push(refusal(&rule.path, &rule.asked, why));
            }
            Ok(object) if beside(&object) => elsewhere.push(Rc::new(object)),
            Ok(object) => {
                let object = Rc::new(object);
                let question = reputation.filter(|_| rule.sha256.is_none()).map(|_| Questioned {
                    path: rule.path.clone(),
                    object: Rc::clone(&object),
                    named: true,
                    asked: rule.asked.clone(),
                });
                checks.questioned.extend(question);
                let pin = rule.sha256.clone().map(|sha256| Pinned {
                    path: rule.path.clone(),
                    object: Rc::clone(&object),
                    sha256,
                    asked: rule.asked.clone(),
                });
                checks.pinned.extend(pin);
                allowed.push(object);
            }
            Err(error) => errors.push(error),
        }
    }
    for covered in transitions {
        if !is_among(&covered.object, &elsewhere) && !is_among(&covered.object, &allowed) {
            let wish = &covered.wish;
            errors.push(refusal(&wish.path, &wish.asked, "is a transition, and not among `programs.allow`"));
        }
    }
    let loaders = LOADERS.iter().chain([&OWN]).filter_map(|path| InnerPath::new(path).ok());
    let built_in = Source::built_in("loaders of programs");
    allowed.extend(loaders.filter_map(|path| find(view, &path, &built_in, tree).ok()).map(Rc::new));
    if let Some(object) = command_file.filter(|object| !is_among(object, &allowed)) {
        let asked = allow.first().map_or(built_in, |rule| rule.asked.clone());
        if programs.unknown == Unknown::Deny {
            errors.push(refusal(&command.program, &asked, "is not among `programs.allow`"));
        } else {
            allowed.push(Rc::clone(object));
        }
        if programs.unknown == Unknown::Ask || reputation.is_some() {
            let (path, object) = (command.program.clone(), Rc::clone(object));
            checks.questioned.push(Questioned { path, object, named: false, asked });
        }
    }
    let right = Actions::of(&[Action::Read, Action::Execute]);
    view.rules
        .extend(allowed.into_iter().map(|object| Rule { on: RuleObject::Host(object), actions: right }));
    if errors.is_empty() { Ok(checks) } else { Err(errors) }
}

/// A transition with a digest is checked before the run, and again whenever it is started.
fn pin(covered: &Covered) -> Option<Pinned> {
    let Covered { wish, object, .. } = covered;
    let sha256 = wish.sha256.clone()?;
    Some(Pinned { path: wish.path.clone(), object: Rc::clone(object), sha256, asked: wish.asked.clone() })
}

/// What asks keeps its ceiling: a yes to execution there is a person's.
fn take_execute_away(view: &mut View) {
    let asks: Vec<(u64, u64)> = view.asks.iter().map(|ask| (ask.object.dev, ask.object.ino)).collect();
    let asking: Vec<InnerPath> = view.asks.iter().map(|ask| ask.inner.clone()).collect();
    for rule in &mut view.rules {
        let keeps = match &rule.on {
            RuleObject::Host(object) => asks.contains(&(object.dev, object.ino)),
            RuleObject::Inner(at, _) => asking.contains(at),
        };
        if !keeps {
            rule.actions = rule.actions.without(Action::Execute);
        }
    }
    for step in &mut view.steps {
        match &mut step.act {
            Act::Bind { flags, .. } if !flags.read_only => flags.noexec = true,
            Act::Tmpfs { noexec, .. } => *noexec = true,
            _ => {}
        }
    }
}

fn is_among(object: &Object, allowed: &[Rc<Object>]) -> bool {
    allowed.iter().any(|known| match known.kind {
        Kind::Folder => known.canonical.contains(&object.canonical),
        _ => (known.dev, known.ino) == (object.dev, object.ino),
    })
}

/// The object behind a path of the view. One that the agent could change is no program to allow.
pub(super) fn find(
    view: &View,
    path: &InnerPath,
    asked: &Source,
    tree: &dyn Tree,
) -> Result<Object, ViewError> {
    let hidden = || refusal(path, asked, "is not in the view");
    let host = view.host_of(path).ok_or_else(hidden)?;
    let object =
        tree.open(&host, true).map_err(|error| refusal(path, asked, &format!("open {host}: {error}")))?;
    if view.writable.iter().any(|place| place.contains(&object.canonical)) {
        return Err(refusal(path, asked, "lies in a writable place, where its content can change"));
    }
    Ok(object)
}

/// A mount of the file on itself that nothing can be executed from. It stands on the file, not on a link to it.
fn deny(
    view: &mut View,
    path: &InnerPath,
    asked: &Source,
    bare: bool,
    tree: &dyn Tree,
) -> Result<(), ViewError> {
    if bare {
        return Err(refusal(
            path,
            asked,
            "cannot be denied without namespaces; `programs.allow` can be enforced",
        ));
    }
    let Some(host) = view.host_of(path) else { return Ok(()) }; // not shown: nobody can execute it
    let object = match tree.open(&host, true) {
        Ok(object) => object,
        Err(error) if super::place::absent(&error) => return Ok(()),
        Err(error) => return Err(refusal(path, asked, &format!("open {host}: {error}"))),
    };
    let at = shown_at(view, &object.canonical)
        .ok_or_else(|| refusal(path, asked, "leads to a file that the view shows elsewhere; deny that"))?;
    if object.kind != Kind::File {
        return Err(refusal(path, asked, "is no file"));
    }
    let flags = BindFlags { read_only: true, noexec: true, device: false };
    view.steps.push(Step { at, act: Act::Bind { object: Rc::new(object), flags }, asked: asked.clone() });
    Ok(())
}

fn shown_at(view: &View, canonical: &HostPath) -> Option<InnerPath> {
    let at = InnerPath::new(canonical.as_path()).ok()?;
    (view.host_of(&at).as_ref() == Some(canonical)).then_some(at)
}

fn refusal(path: &InnerPath, asked: &Source, why: &str) -> ViewError {
    ViewError {
        path: path.clone(),
        message: format!("the program {path} {why}"),
        hint: None,
        asked: asked.clone(),
    }
}
