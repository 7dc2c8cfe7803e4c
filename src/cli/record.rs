//! The record of one run: events made from a plan, and the log that must take them before anything runs.

use crate::audit::beside::PolicyLoaded;
use crate::audit::event::{
    Asked, Command, Degraded, EndReason, Enforced, Exit, FileFacts, KernelFacts, LaunchFailure, LayerState,
    Origin, ProfileFacts, ProtectedDenied, RunEnd, RunStart, Trace, text,
};
use crate::audit::log::pack;
use crate::audit::{self, AuditError, Coverage, DigestCache, Event, Log, SharedLog, digests_dir, runs_dir};
use crate::base::{BootInstant, HostPath, RunId, TraceId, TraceParent};
use crate::crypto::{Digest, sha256, sha256_file};
use crate::host::Object;
use crate::host::facts::{Facts, security_modules};
use crate::launch::{Outcome, StageFailure};
use crate::plan::layers::State;
use crate::plan::{Plan, Program};
use crate::profile::{AuditMode, Layer};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

/// Where a run that a person starts belongs: what `TRACEPARENT` says, or else a trace of its own. What is none is passed over,
/// as W3C trace context has it.
pub(super) fn own_trace() -> Result<Trace, AuditError> {
    let given = std::env::var("TRACEPARENT").ok();
    let parent = given.as_deref().map(str::parse::<TraceParent>).transpose().unwrap_or_else(|error| {
        tracing::info!("TRACEPARENT is passed over: {error}");
        None
    });
    match parent {
        Some(parent) => Ok(trace(parent.trace, Some(parent.span()), "environment")),
        None => Ok(trace(audit::new_trace_id()?, None, "random")),
    }
}

/// A run's place among traces.
pub(super) fn trace(id: TraceId, parent: Option<String>, from: &str) -> Trace {
    Trace { id: id.to_string(), parent, from: from.to_owned() }
}

/// The log of this run and what is counted for its end.
pub(super) struct Record {
    log: SharedLog,
    trace: Trace,
    since: BootInstant,
    denied: BTreeMap<(u16, u16), u64>,
}

/// Refused creating calls get an event each up to this many for one name and call; all are counted in the end record.
const DENIED_EVENTS: u64 = 3;

/// A log with a first segment of as many bytes is packed at its end.
const PACKED_FROM: u64 = 256 << 10;

impl Record {
    /// Opens the log.
    pub(super) fn create(run: RunId, trace: Trace) -> Result<Self, AuditError> {
        let log = SharedLog::new(Log::create(&runs_dir()?, run)?);
        Ok(Self { log, trace, since: BootInstant::now(), denied: BTreeMap::new() })
    }

    /// The log's own path; a file that exists and that no sandbox may see.
    pub(super) fn path(&self) -> Option<HostPath> {
        self.log.path()
    }

    /// A handle on the log for the Guardian.
    pub(super) fn log(&self) -> SharedLog {
        self.log.clone()
    }

    /// Writes the start of the run, and what was accepted as degraded; on disk when the profile wants it durable.
    pub(super) fn start(
        &mut self,
        plan: &Plan,
        facts: &Facts,
        filter: &Program,
        coverage: Coverage,
    ) -> Result<(), AuditError> {
        let (trace, coverage) = (Some(self.trace.clone()), Some(coverage));
        let start = RunStart { trace, coverage, ..start_event(plan, facts) };
        self.log.append(&Event::RunStart(Box::new(start)))?;
        for loaded in loaded(plan, filter) {
            self.log.append(&Event::PolicyLoaded(loaded))?;
        }
        for (layer, why, accepted_by) in degraded(plan) {
            self.log.append(&Event::Degraded(Degraded { layer, why, accepted_by }))?;
        }
        if plan.profile.audit == AuditMode::Durable { self.log.sync() } else { Ok(()) }
    }

    /// Writes that a filtered network has another way than the best.
    pub(super) fn way_out(&mut self, plan: &Plan, why: String, by: &str) -> Result<(), AuditError> {
        let layer = Layer::Egress.name().to_owned();
        self.log.append(&Event::Degraded(Degraded { layer, why, accepted_by: by.to_owned() }))?;
        if plan.profile.audit == AuditMode::Durable { self.log.sync() } else { Ok(()) }
    }

    /// Writes that nothing ran.
    pub(super) fn failed(&mut self, failure: Option<StageFailure>, message: &str) -> Result<(), AuditError> {
        let stage = failure.map_or("prepare", |failure| failure.stage.text()).to_owned();
        let errno = failure.map(|failure| failure.errno as i32);
        self.log.append(&Event::LaunchFailure(LaunchFailure {
            stage,
            message: message.to_owned(),
            errno,
        }))?;
        self.log.seal()
    }

    /// A creating call on a protected name was refused.
    pub(super) fn denied(&mut self, plan: &Plan, pattern: u16, call: u16, times: u32) {
        let seen = self.denied.entry((pattern, call)).or_default();
        *seen += u64::from(times);
        if *seen > DENIED_EVENTS {
            return;
        }
        let count = *seen;
        let event = ProtectedDenied { path: pattern_name(plan, pattern), call: call_name(call), count };
        if let Err(error) = self.log.append(&Event::ProtectedDenied(event)) {
            tracing::warn!("a refusal could not be recorded: {error}");
        }
    }

    /// Writes the end.
    pub(super) fn end(&mut self, plan: &Plan, outcome: Outcome) -> Result<(), AuditError> {
        let (exit, reason) = match outcome {
            Outcome::Exited(code) => (Exit::Code(code), EndReason::Exited),
            Outcome::Signaled(signal) => (Exit::Signal(signal), EndReason::Signaled),
            Outcome::OutOfTime => (Exit::Code(i32::from(outcome.code())), EndReason::WallTime),
            Outcome::Failed(_) | Outcome::Lost(_) => {
                (Exit::Code(i32::from(outcome.code())), EndReason::Killed)
            }
        };
        let duration_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut denied = BTreeMap::new();
        for ((pattern, _), times) in &self.denied {
            *denied.entry(pattern_name(plan, *pattern)).or_default() += times;
        }
        self.log.append(&Event::RunEnd(RunEnd { exit, reason, duration_ms, denied }))?;
        self.log.seal()?;
        self.pack_if_large();
        Ok(())
    }

    /// A large log is packed by the run that wrote it; a small one takes no room, and nobody is to wait for it.
    fn pack_if_large(&self) {
        let Some(first) = self.log.path().map(|path| path.as_path().to_owned()) else { return };
        let large = std::fs::metadata(&first).is_ok_and(|facts| facts.len() >= PACKED_FROM);
        let Some(folder) = first.parent().filter(|_| large) else { return };
        match pack(folder) {
            Ok(packed) => tracing::debug!("the log of this run: {packed:?}"),
            Err(error) => tracing::warn!("the log of this run stays as large as it is: {error}"),
        }
    }
}

/// The protected path that was asked for, as the agent sees it.
pub(super) fn pattern_name(plan: &Plan, pattern: u16) -> String {
    plan.view.missing.get(usize::from(pattern)).map_or_else(String::new, |missing| {
        missing.folder.join(&missing.rest).map_or_else(|_| missing.rest.clone(), |path| path.to_string())
    })
}

fn call_name(number: u16) -> String {
    let known = crate::profile::call_name(u32::from(number), crate::profile::Arch::host());
    known.map_or_else(|| number.to_string(), str::to_owned)
}

fn start_event(plan: &Plan, facts: &Facts) -> RunStart {
    let cache = digests_dir().and_then(|dir| DigestCache::open(&dir)).ok();
    let own = std::env::current_exe().ok().and_then(|path| HostPath::new(path).ok());
    let program = plan.command.host.as_deref();
    let program_path =
        program.map_or_else(|| plan.command.program.to_string(), |object| object.canonical.to_string());
    RunStart {
        aisandbox_version: env!("CARGO_PKG_VERSION").to_owned(),
        binary: FileFacts {
            path: own.as_ref().map(HostPath::to_string).unwrap_or_default(),
            sha256: File::open("/proc/self/exe").ok().and_then(|file| digest(&file, cache.as_ref())),
        },
        program: FileFacts {
            path: program_path,
            sha256: program.and_then(reopened).and_then(|file| digest(&file, cache.as_ref())),
        },
        command: command(plan),
        profile: profile_facts(plan),
        kernel: KernelFacts {
            release: facts.kernel.release.clone(),
            machine: facts.kernel.machine.clone(),
            landlock_abi: facts.landlock.abi,
            lsms: security_modules(),
        },
        uid: facts.ids.uid,
        gid: facts.ids.gid,
        cwd: text(plan.chdir.as_path().as_os_str().as_bytes()),
        layers: plan.layers.iter().map(layer_state).collect(),
        chain: plan.chain.clone(),
        trace: None,
        coverage: None,
    }
}

/// What decides from the start: each file of the profile, and the filter.
fn loaded(plan: &Plan, filter: &Program) -> Vec<PolicyLoaded> {
    let files = plan.profile.origins.iter();
    let files = files.map(|origin| of_bytes("profile", &origin.name, origin.text.as_bytes()));
    files.chain([of_bytes("filter", &plan.profile.seccomp.value, &filter.bytes())]).collect()
}

/// Something that decides, by its bytes.
pub(super) fn of_bytes(kind: &str, name: &str, bytes: &[u8]) -> PolicyLoaded {
    let (kind, name, sha256) = (kind.to_owned(), name.to_owned(), sha256(bytes).to_string());
    PolicyLoaded { kind, name, sha256, level: None, revision: None }
}

/// The command with what looks like a secret left out.
pub(super) fn command(plan: &Plan) -> Command {
    Command::of(&argv(plan))
}

fn argv(plan: &Plan) -> Vec<&std::ffi::OsStr> {
    plan.command.argv.iter().map(|text| std::ffi::OsStr::from_bytes(text.to_bytes())).collect()
}

/// The very object the plan found, opened for reading; by its name it could be another one by now.
pub(super) fn reopened(object: &Object) -> Option<File> {
    File::open(format!("/proc/self/fd/{}", object.fd.as_ref()?.as_raw_fd())).ok()
}

fn digest(file: &File, cache: Option<&DigestCache>) -> Option<Digest> {
    match cache {
        Some(cache) => cache.digest_of(file.as_fd()),
        None => sha256_file(file.as_fd()),
    }
    .ok()
}

fn profile_facts(plan: &Plan) -> ProfileFacts {
    let origin = |origin: &crate::profile::Origin| Origin {
        name: origin.name.clone(),
        sha256: sha256(origin.text.as_bytes()).to_string(),
        embedded: origin.embedded,
    };
    ProfileFacts {
        name: plan.profile.name.clone(),
        origins: plan.profile.origins.iter().map(origin).collect(),
    }
}

fn layer_state(plan: &crate::plan::layers::LayerPlan) -> LayerState {
    let asked = match (plan.required, plan.state) {
        (_, State::Off) => Asked::Off,
        (true, _) => Asked::Required,
        (false, _) => Asked::Wanted,
    };
    let state = match plan.state {
        State::Enforced => Enforced::Enforced,
        State::Degraded => Enforced::Degraded,
        State::Missing | State::Off => Enforced::Missing,
    };
    LayerState { layer: plan.layer.name().to_owned(), asked, state, detail: plan.detail.clone() }
}

/// Who accepted the lack of a layer that nobody required.
pub(super) const NOT_REQUIRED: &str = "nobody required it";

/// Layers that are less than whole although they were asked for: name, why, who accepted it.
pub(super) fn degraded(plan: &Plan) -> Vec<(String, String, String)> {
    let lacking = plan.layers.iter().filter(|layer| matches!(layer.state, State::Degraded | State::Missing));
    let accepted = |layer: Layer| {
        plan.profile.accepted(layer).map_or_else(|| NOT_REQUIRED.to_owned(), ToString::to_string)
    };
    lacking
        .map(|layer| (layer.layer.name().to_owned(), layer.detail.clone(), accepted(layer.layer)))
        .collect()
}
