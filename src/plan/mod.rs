//! Plan: a profile and facts about the host become everything a launch will do, before it does anything.
//!
//! Never starts, mounts or writes. Host paths are looked up once, through [`crate::host::Tree`], and the objects are
//! kept open for the launch. What a person wrote wrongly is found here, all of it at once.
#![forbid(unsafe_code)]

pub mod ask;
#[cfg(test)]
mod ask_tests;
mod bare;
mod bpf;
pub mod command;
mod coverage;
mod dispatch;
pub mod egress;
pub mod environment;
mod filter;
mod filter_compiled;
mod filter_text;
mod hide;
pub mod layers;
pub mod outline;
#[cfg(test)]
mod outline_tests;
mod place;
pub mod programs;
pub mod protect;
mod reach;
pub mod rights;
pub mod transitions;
mod trap;
pub mod trust;
mod truststore;
pub mod view;
#[cfg(test)]
mod view_tests;

pub use bare::Bare;
pub use bpf::{CallData, Decision, MAX_INSTRUCTIONS, Program, decide};
pub use filter::{FilterError, compile, filter_program};
pub use filter_text::disassemble;
pub use reach::reach_filter;
pub use trap::{trap_filter, unserved};

use crate::base::{HostPath, InnerPath, Source};
use crate::host::Tree;
use crate::profile::{FsEntry, Layer, NetworkMode, Observe, Profile};
use command::{Command, CommandError};
use layers::{Abilities, LayerPlan, State};
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use view::{View, ViewError};

/// Why nothing of [`Wish::hidden`] is shown.
const WHY_HIDDEN: &str = "by which this user's runs are controlled";

/// What a launch is asked for beside the profile.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The command and its arguments.
    pub argv: Vec<OsString>,
    /// The environment outside.
    pub environment: Vec<(OsString, OsString)>,
    /// Working folder inside; `None`: where we are, else the home, else `/`.
    pub chdir: Option<InnerPath>,
    /// Where we are.
    pub here: InnerPath,
    /// The user's home.
    pub home: InnerPath,
    /// Canonical paths on the host that the view must not show.
    pub hidden: Vec<HostPath>,
    /// This program's file, to stand for programs that are started beside.
    pub own: Option<HostPath>,
}

/// Everything a launch will do.
#[derive(Debug)]
pub struct Plan {
    /// The profile it was made from.
    pub profile: Profile,
    /// The filesystem view.
    pub view: View,
    /// The program and its arguments.
    pub command: Command,
    /// The way to the proxy, when the network is filtered.
    pub egress: Option<egress::Way>,
    /// Variables inside.
    pub environment: BTreeMap<OsString, OsString>,
    /// Working folder inside.
    pub chdir: InnerPath,
    /// Each layer: asked for, and what this machine can do.
    pub layers: Vec<LayerPlan>,
    /// What is lost, when namespaces are missing and that is accepted.
    pub bare: Option<Bare>,
    /// Programs whose content must be checked before anything runs.
    pub pinned: Vec<programs::Pinned>,
    /// Programs that somebody is asked about before anything runs.
    pub questioned: Vec<programs::Questioned>,
    /// Programs that are started beside, with less, in place of which a stand-in is shown.
    pub transitions: Vec<transitions::Covered>,
    /// Runs above, nearest first, when an agent started this one.
    pub chain: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum PlanError {
    /// Entries that cannot work.
    View(Vec<ViewError>),
    /// There is nothing to execute.
    Command(CommandError),
    /// The working folder is not in the view.
    Chdir(InnerPath),
    /// Required layers this machine cannot put in force.
    Layers(Vec<LayerPlan>),
    /// Neither namespaces nor Landlock: nothing would confine the agent, whatever is accepted.
    NothingLeft,
}

/// Makes the plan.
/// # Errors
/// [`PlanError`], with every error of its kind.
pub fn build(
    mut profile: Profile,
    wish: &Wish,
    abilities: Abilities,
    tree: &dyn Tree,
) -> Result<Plan, PlanError> {
    if !abilities.namespaces && (abilities.landlock_abi == 0 || !abilities.seccomp) {
        return Err(PlanError::NothingLeft);
    }
    if !abilities.namespaces {
        // The doors of a Guardian stand at places of their own; without a view the inherited one serves.
        profile.filesystem.retain(|entry| entry.asked != view::door_source());
    }
    let egress = egress::way(&profile.network).filter(|_| abilities.namespaces);
    let lookups = egress.as_ref().map(|_| egress::prepare_view(&mut profile, tree)).unwrap_or_default();
    let can_ask = abilities.ask_mounts && abilities.namespaces;
    let mut view = view::build(&profile.filesystem, can_ask, tree).map_err(PlanError::View)?;
    view.hide((&wish.hidden, WHY_HIDDEN), &profile.filesystem, tree).map_err(PlanError::View)?;
    view.hide((&lookups, egress::WHY_HIDDEN), &profile.filesystem, tree).map_err(PlanError::View)?;
    let bare = (!abilities.namespaces)
        .then(|| bare::strip(&mut view, &profile, abilities.landlock_abi, tree))
        .transpose()
        .map_err(PlanError::View)?;
    let environment = environment::choose(&profile.environment, &wish.environment);
    let chdir = working_folder(wish, &view)?;
    let path = environment.get(std::ffi::OsStr::new("PATH")).map(OsString::as_os_str);
    let command = command::find(&wish.argv, path, &chdir, &view, tree).map_err(PlanError::Command)?;
    let transitions = transitions::find(&mut view, &profile.programs.transitions, bare.is_some(), tree)
        .map_err(PlanError::View)?;
    let programs::Checks { pinned, questioned } =
        programs::restrict(&mut view, &profile.programs, (&command, &transitions), bare.is_some(), tree)
            .map_err(PlanError::View)?;
    transitions::place(&mut view, &transitions, wish.own.as_ref(), tree)
        .map_err(|error| PlanError::View(vec![error]))?;
    let needs = layers::Needs {
        guard: !view.missing.is_empty(),
        asks: !view.asks.is_empty(),
        egress: profile.network.mode == NetworkMode::Filtered,
    };
    let mut layers = layers::judge(&profile, abilities, needs);
    if let Some(way) = &egress {
        layers
            .iter_mut()
            .filter(|plan| plan.layer == Layer::Egress)
            .for_each(|plan| plan.detail = way.text());
    }
    if let Some(bare) = &bare {
        layers
            .iter_mut()
            .filter(|plan| plan.layer == Layer::Namespaces)
            .for_each(|plan| plan.detail = bare.detail());
    }
    let refused = layers::refused(&layers, &profile);
    if !refused.is_empty() {
        return Err(PlanError::Layers(refused));
    }
    Ok(Plan {
        profile,
        view,
        command,
        egress,
        environment,
        chdir,
        layers,
        bare,
        pinned,
        questioned,
        transitions,
        chain: Vec::new(),
    })
}

impl Plan {
    /// The state a layer will have.
    pub fn state(&self, layer: Layer) -> State {
        self.layers.iter().find(|plan| plan.layer == layer).map_or(State::Off, |plan| plan.state)
    }

    /// Whether a layer will be put in force, wholly or in part.
    pub fn has(&self, layer: Layer) -> bool {
        matches!(self.state(layer), State::Enforced | State::Degraded)
    }

    /// How much of the calls is observed, as far as this machine can.
    pub fn observed(&self) -> Observe {
        if self.has(Layer::Observe) { self.profile.observe } else { Observe::Deny }
    }

    /// Whether calls wait for init: because names are protected, or because calls are observed.
    pub fn traps(&self) -> bool {
        self.has(Layer::ProtectNew) || self.observed().calls()
    }

    /// Whether the sandbox has a network namespace of its own.
    pub fn own_network(&self) -> bool {
        self.profile.network.mode != NetworkMode::Host && self.bare.is_none()
    }

    /// The environment as execve(2) wants it.
    pub fn environment_strings(&self) -> Vec<CString> {
        environment::strings(&self.environment)
    }
}

/// An entry that a command-line flag such as `--ro PATH` adds.
pub fn entry_of_flag(flag: &str, path: InnerPath, access: crate::profile::Access) -> FsEntry {
    FsEntry::plain(path, access, Source::flag(flag))
}

fn working_folder(wish: &Wish, view: &View) -> Result<InnerPath, PlanError> {
    if let Some(asked) = &wish.chdir {
        return if view.shows(asked) { Ok(asked.clone()) } else { Err(PlanError::Chdir(asked.clone())) };
    }
    let fallback = InnerPath::new("/").map_err(|_| PlanError::Chdir(wish.here.clone()))?;
    let shown = [&wish.here, &wish.home].into_iter().find(|path| view.shows(path));
    Ok(shown.cloned().unwrap_or(fallback))
}
