//! Layers: what the profile asks of each, what this machine can do, and whether the launch may go on.

use crate::profile::{Layer, NetworkMode, Observe, Profile};
use serde::Serialize;

/// How much of a layer this machine can put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All that was asked.
    Enforced,
    /// Less than asked; `detail` says what is lost.
    Degraded,
    /// Nothing.
    Missing,
    /// Not asked for.
    Off,
}

/// One layer of one launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerPlan {
    /// Which.
    pub layer: Layer,
    /// A lack of it stops the launch.
    pub required: bool,
    /// What the kernel can do for it.
    pub state: State,
    /// Why, and what is lost.
    pub detail: String,
}

/// What the machine can do, as `host` found it; only what decides here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Landlock's ABI; 0 when the kernel has none.
    pub landlock_abi: u32,
    /// Seccomp filters can be installed.
    pub seccomp: bool,
    /// A filter can have a listener here: none above us has one (Linux 5.0).
    pub listener: bool,
    /// A cgroup v2 leaf can be made.
    pub cgroup: bool,
    /// Entries that ask can do so at their first touch. Only tried where the profile has some; true otherwise.
    pub ask_mounts: bool,
    /// This user may make user namespaces. Only tried where the profile accepts their lack; true otherwise.
    pub namespaces: bool,
}

/// What the view needs of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// A protected name does not exist yet.
    pub guard: bool,
    /// An entry asks.
    pub asks: bool,
    /// The network is filtered.
    pub egress: bool,
}

/// Judges every layer.
pub fn judge(profile: &Profile, abilities: Abilities, needs: Needs) -> Vec<LayerPlan> {
    let abi = abilities.landlock_abi;
    let wish = profile.landlock;
    let ports = profile.network.connect_tcp.is_some()
        || profile.network.bind_tcp.is_some()
        || profile.network.mode == NetworkMode::None
        || (!abilities.namespaces && profile.network.mode != NetworkMode::Host);
    let limits = profile.limits;
    let whole = limits.memory_bytes.is_some() || limits.processes.is_some() || limits.cpu_millis.is_some();
    let mut layers = vec![
        plan(Layer::Namespaces, true, yes(abilities.namespaces), "user mount pid net ipc uts cgroup".into()),
        plan(Layer::LandlockFilesystem, wish.filesystem, files(abi), files_detail(abi)),
        network(wish.network, ports, abi),
        plan(Layer::LandlockScopes, wish.scopes, since(abi, 6), abi_text(abi, 6)),
        plan(Layer::Seccomp, true, yes(abilities.seccomp), profile.seccomp.value.clone()),
        guard(needs.guard, abilities.listener),
        cgroup(whole, abilities.cgroup),
        asks(needs.asks, abilities.ask_mounts && abilities.namespaces),
        egress(needs.egress, abilities.namespaces),
        observe(profile.observe, abilities.listener),
    ];
    for plan in &mut layers {
        plan.required |= profile.required.contains(&plan.layer);
    }
    layers
}

/// The required layers that cannot be had and that the profile does not let go.
pub fn refused(layers: &[LayerPlan], profile: &Profile) -> Vec<LayerPlan> {
    let accepted = |layer: Layer| profile.accepted(layer).is_some();
    let lacking = |plan: &&LayerPlan| plan.required && lacks(plan, profile) && !accepted(plan.layer);
    layers.iter().filter(lacking).cloned().collect()
}

/// Asked for by name, less than whole is a lack; otherwise only nothing at all is.
fn lacks(plan: &LayerPlan, profile: &Profile) -> bool {
    let named = profile.required.contains(&plan.layer);
    plan.state == State::Missing || (named && matches!(plan.state, State::Degraded | State::Off))
}

fn plan(layer: Layer, required: bool, state: State, detail: String) -> LayerPlan {
    LayerPlan { layer, required, state, detail }
}

fn yes(there: bool) -> State {
    if there { State::Enforced } else { State::Missing }
}

fn since(abi: u32, needed: u32) -> State {
    yes(abi >= needed)
}

fn abi_text(abi: u32, needed: u32) -> String {
    format!("Landlock ABI {abi} here, {needed} needed")
}

fn files(abi: u32) -> State {
    match abi {
        0 => State::Missing,
        1 | 2 => State::Degraded,
        _ => State::Enforced,
    }
}

fn files_detail(abi: u32) -> String {
    match abi {
        0 => "this kernel has no Landlock, or it is off at boot (lsm=landlock)".into(),
        1 => "ABI 1: truncate(2) is not covered, and no file can move between folders".into(),
        2 => "ABI 2: truncate(2) is not covered".into(),
        abi => format!("ABI {abi}"),
    }
}

fn network(required: bool, ports: bool, abi: u32) -> LayerPlan {
    if ports {
        return plan(Layer::LandlockNetwork, required, since(abi, 4), abi_text(abi, 4));
    }
    plan(Layer::LandlockNetwork, required, State::Off, "the profile restricts no TCP port by number".into())
}

fn guard(needed: bool, listener: bool) -> LayerPlan {
    let state = if needed { yes(listener) } else { State::Off };
    let detail = match state {
        State::Off => "nothing to guard",
        State::Missing => {
            "init cannot answer creating calls: it needs Linux 5.14, openat2, and no seccomp listener above us"
        }
        _ => "creating calls are answered by init (seccomp listener)",
    };
    plan(Layer::ProtectNew, needed, state, detail.into())
}

fn observe(level: Observe, listener: bool) -> LayerPlan {
    let state = if level.calls() { yes(listener) } else { State::Off };
    let detail = match (state, level) {
        (State::Off, _) => "no call is observed",
        (State::Missing, _) => {
            "nobody can observe calls: this needs Linux 5.14, openat2, and no seccomp listener above us"
        }
        (_, Observe::Deny | Observe::Writes) => {
            "opens that may write, changed names and programs (seccomp listener)"
        }
        (_, Observe::All | Observe::Strict) => "every open, changed names and programs (seccomp listener)",
    };
    plan(Layer::Observe, level.calls(), state, detail.into())
}

fn asks(needed: bool, there: bool) -> LayerPlan {
    let (state, detail) = match (needed, there) {
        (false, _) => (State::Off, "no entry asks"),
        (true, true) => (State::Enforced, "entries that ask do so at their first touch (FUSE)"),
        (true, false) => (
            State::Missing,
            "entries that ask are masked, and opened by explicit requests alone: this needs user namespaces, /dev/fuse that this user may open, and Linux 6.5",
        ),
    };
    plan(Layer::AskMounts, needed, state, detail.into())
}

fn egress(needed: bool, there: bool) -> LayerPlan {
    let (state, detail) = match (needed, there) {
        (false, _) => (State::Off, "the network is not filtered"),
        (true, true) => (State::Enforced, "connections are brought to our proxy"),
        (true, false) => (State::Missing, "without namespaces nothing is connected to our proxy"),
    };
    plan(Layer::Egress, needed, state, detail.into())
}

fn cgroup(wanted: bool, there: bool) -> LayerPlan {
    match (wanted, there) {
        (false, _) => {
            plan(Layer::Cgroup, false, State::Off, "no limit of the whole sandbox is asked for".into())
        }
        (true, true) => plan(Layer::Cgroup, false, State::Enforced, "cgroup v2".into()),
        (true, false) => {
            let detail = "no cgroup v2 is delegated: limits hold for each process (rlimits), CPU has none, root's processes are not counted";
            plan(Layer::Cgroup, false, State::Degraded, detail.into())
        }
    }
}
