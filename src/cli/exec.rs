//! `exec`: from the command line to the exit code. The order is the promise: plan, prepare, clone, record, go, wait.

use super::agent::Job;
use super::args::Exec;
use super::filter::compiled;
use super::output::complain;
use super::private::PrivateFolder;
use super::record::{self, Record};
use super::status::Status;
use super::{explain, guarded, observe, programs, session, shape, trace, way_out};
use crate::audit;
use crate::host::Tree;
use crate::host::cgroup::{self, Cgroup};
use crate::host::facts::Facts;
use crate::launch::prepare::{self, Inputs, PrepareError};
use crate::launch::{self, Outcome, Running, hint};
use crate::plan::{Plan, Program, reach_filter, trap_filter, unserved};
use crate::profile::{Arch, Context, Layer, NetworkMode, Profile};
use crate::sys::{Errno, process, signal};
use std::os::fd::RawFd;

/// Runs the command; gives the exit code.
pub(super) fn run(exec: &Exec) -> u8 {
    trace::begin(exec.verbose, exec.quiet);
    match launch(exec, None) {
        Ok(code) | Err(code) => code,
    }
}

/// The same for an agent that an agent started; gives the exit code.
pub(super) fn run_job(exec: &Exec, job: &Job) -> u8 {
    match launch(exec, Some(job)) {
        Ok(code) | Err(code) => code,
    }
}

fn launch(exec: &Exec, job: Option<&Job>) -> Result<u8, u8> {
    let mut status = take_descriptors(exec)?;
    if exec.explain {
        return explain::print_plan(&exec.shape, &exec.command);
    }
    // A record that cannot grow (ulimit -f) must be an error that is told, not our end. The agent gets the default.
    signal::ignore(libc::SIGXFSZ).map_err(|errno| refuse(&format!("ignore SIGXFSZ: {errno}")))?;
    let run =
        job.map_or_else(audit::new_run_id, |job| Ok(job.run)).map_err(|error| refuse(&error.to_string()))?;
    let context = Context::of_process().map_err(|error| shape::report(&[error]))?;
    audit::make_folders().map_err(|error| refuse(&error.to_string()))?;
    let session = session::make(run)?;
    let mut profile = match job {
        Some(job) => job.profile(&context)?,
        None => shape::profile(&exec.shape, &context)?,
    };
    let trace = match job {
        Some(job) => job.trace()?,
        None => record::own_trace().map_err(|error| refuse(&error.to_string()))?,
    };
    let above = job.map(Job::placeholders).unwrap_or_default();
    let mut doors = guarded::doors(&mut profile, &session, &context, (run, &trace.id), above)?;
    if let (Some(job), Some(doors)) = (job, &mut doors) {
        doors.go_back_to(job.under()?, job.overseer()?);
    }
    let facts = Facts::for_launch();
    let cgroup = make_cgroup(run, &profile);
    let wish = shape::wish(&exec.shape, &exec.command, &context)?;
    let mut plan = shape::plan(profile, &wish, &facts, cgroup.is_some())?;
    plan.environment.insert("AISANDBOX_RUN".into(), run.to_string().into());
    job.map_or(Ok(()), |job| job.hold_to(&mut plan))?;
    doors.iter().for_each(|doors| doors.name(&mut plan));
    if let Some(why) = observe::shown_from_the_start(&plan) {
        complain(&why, Some("have them asked for (access: ask), or observe: all"));
        return Err(125);
    }
    announce(exec, &plan);
    let _private = make_private(run, &mut plan)?;
    tell_plan(&plan, run);
    enter_secrecy()?;
    let mut record =
        Record::create(run, trace).map_err(|error| refuse(&format!("no record, no run: {error}")))?;
    if let Err(message) = programs::check(&plan).and_then(|()| programs::question(&plan, &record.log())) {
        note(record.failed(None, &message));
        return Err(refuse(&message));
    }
    let filter = filter(&plan)?;
    let proved = proved();
    let fact = filter.bytes();
    let try_foreign = !proved.as_ref().is_some_and(|proved| proved.has(&fact));
    let begun = begin(
        exec,
        &plan,
        &facts,
        &record,
        cgroup.as_ref(),
        (&filter, try_foreign, doors.as_ref().map(guarded::Doors::number)),
    );
    let mut running = match begun {
        Ok(running) => running,
        Err((failure, message, tip)) => {
            complain(&message, tip);
            note(record.failed(failure, &message));
            return Err(125);
        }
    };
    if let Err(error) = record.start(&plan, &facts, &filter, plan.coverage(&filter, exec.pass_fd.len())) {
        running.abandon();
        return Err(refuse(&format!("no record, no run: {error}")));
    }
    if let Err(outcome) = running.confined() {
        return Err(never_ran(&plan, &mut record, outcome));
    }
    if let Err(error) = way_out::tell(&running, &plan, &mut record) {
        running.abandon();
        return Err(refuse(&format!("no record, no run: {error}")));
    }
    if let Some(proved) = proved.filter(|_| try_foreign) {
        proved.add(&fact);
    }
    tracing::debug!("every stage is done and every probe held: init is process {}", running.pid());
    status.started(running.pid(), &run.to_string(), running.namespaces());
    running.can_freeze(cgroup.as_ref().and_then(|cgroup| cgroup.freezer().ok()));
    let begin =
        |doors: guarded::Doors| doors.start(&mut running, &plan, run, &session, &context, record.log());
    let serving = match doors.map(begin) {
        Some(Err(why)) => {
            running.abandon();
            note(record.failed(None, &why));
            return Err(refuse(&why));
        }
        other => other.and_then(Result::ok),
    };
    let observer = match observe::begin(&mut running, &plan, &record, serving.is_some()) {
        Ok(observer) => observer,
        Err(why) => {
            running.abandon();
            note(record.failed(None, &why));
            return Err(refuse(&why));
        }
    };
    if let Err(errno) = running.go(plan.profile.terminal, plan.profile.limits.wall_time) {
        note(record.failed(None, &format!("let the agent go: {errno}")));
        return Err(refuse(&format!("let the agent go: {errno}")));
    }
    job.map_or(Ok(()), |job| job.started(serving.is_some()))?;
    if serving.is_none() {
        session::show(&session, &plan, run, running.pid());
    }
    let outcome = running.wait(&mut |pattern, call, times| record.denied(&plan, pattern, call, times));
    let observed = observer.map_or(Ok(()), observe::Observer::end);
    serving.into_iter().for_each(guarded::Serving::end);
    if let Err(why) = observed {
        complain(&format!("the record is not complete: {why}"), None);
    }
    if let Outcome::Failed(_) = outcome {
        return Err(never_ran(&plan, &mut record, outcome));
    }
    finish(exec, &plan, record, outcome, cgroup);
    status.ended(outcome.code());
    Ok(outcome.code())
}

fn refuse(message: &str) -> u8 {
    complain(message, None);
    125
}

fn note(written: Result<(), audit::AuditError>) {
    if let Err(error) = written {
        complain(&format!("the record is not complete: {error}"), None);
    }
}

/// Before anything of ours is opened: what was inherited is named or closed.
fn take_descriptors(exec: &Exec) -> Result<Status, u8> {
    let ours = exec.json_status_fd.iter().chain(exec.info_fd.iter());
    let kept: Vec<RawFd> = exec.pass_fd.iter().chain(ours).copied().collect();
    prepare::close_inherited(&kept).map_err(|(number, errno)| match (number, errno) {
        (Some(number), Errno::EISDIR) => refuse(&format!(
            "descriptor {number}: a folder, which leads to all around it; --ro or --rw shows one"
        )),
        (Some(number), _) => refuse(&format!("descriptor {number}: not open, so it cannot be passed")),
        (None, _) => {
            refuse(&format!("mark inherited descriptors close-on-exec: {errno:?}: {}", errno.desc()))
        }
    })?;
    Status::open(exec.json_status_fd, exec.info_fd)
}

/// From here on nobody of this uid can trace us or read our memory; as root, we have no groups either.
fn enter_secrecy() -> Result<(), u8> {
    process::set_dumpable(false).map_err(|errno| refuse(&format!("become undumpable: {errno}")))?;
    if nix::unistd::geteuid().is_root()
        && let Err(errno) = process::drop_groups()
    {
        tracing::debug!("supplementary groups stay: {errno}");
    }
    Ok(())
}

fn make_cgroup(run: crate::base::RunId, profile: &Profile) -> Option<Cgroup> {
    let limits = profile.limits;
    let wanted = cgroup::Limits {
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        cpu_millis: limits.cpu_millis,
    };
    if wanted == cgroup::Limits::default() {
        return None;
    }
    Cgroup::create(run, &wanted).inspect_err(|error| tracing::info!("{error}")).ok()
}

/// Without namespaces the command lives in a folder of its run; it goes when this is dropped.
fn make_private(run: crate::base::RunId, plan: &mut Plan) -> Result<Option<PrivateFolder>, u8> {
    if plan.bare.is_none() {
        return Ok(None);
    }
    let folder = PrivateFolder::make(run).map_err(|why| refuse(&why))?;
    let object = crate::host::HostTree
        .open(folder.path(), false)
        .map_err(|error| refuse(&format!("open the private folder {}: {error}", folder.path())))?;
    plan.live_in(object);
    Ok(Some(folder))
}

/// What is less than the profile asks for. That there are no namespaces is said even to who wants no words.
fn announce(exec: &Exec, plan: &Plan) {
    if let Some(bare) = &plan.bare {
        complain("no namespaces here: the command runs under Landlock, seccomp and hygiene alone", None);
        for lost in bare.lost.iter().filter(|_| !exec.quiet) {
            complain(&format!("lost: {lost}"), None);
        }
    }
    if exec.quiet {
        return;
    }
    for (layer, why, by) in record::degraded(plan) {
        let said = [Layer::Namespaces, Layer::Egress].map(Layer::name);
        if plan.bare.is_some() && said.contains(&layer.as_str()) {
            continue;
        }
        if by != record::NOT_REQUIRED || exec.verbose > 0 {
            complain(&format!("layer {layer} is degraded: {why} (accepted: {by})"), None);
        }
    }
}

fn filter(plan: &Plan) -> Result<Program, u8> {
    let (found, mut filter) = compiled(&plan.profile.seccomp).map_err(|message| refuse(&message))?;
    if plan.profile.programs.allow.is_some() {
        filter = super::filter::narrowed(&found).map_err(|message| refuse(&message))?;
    }
    let lacking = if plan.traps() { unserved(&filter, plan.observed()) } else { Vec::new() };
    if lacking.is_empty() {
        return Ok(filter);
    }
    let hint = "allow them, or protect no name that does not exist, and have no calls observed; `--allow-degraded` is not enough here";
    let message = format!(
        "seccomp {}: refuses {}, which init needs to guard protected names, or to observe ({})",
        plan.profile.seccomp.value,
        lacking.join(" "),
        plan.profile.seccomp.asked
    );
    complain(&message, Some(hint));
    Err(125)
}

/// What was proved since boot. A foreign system call's fate depends on kernel and filter alone, and trying it makes the
/// kernel log a killed process: so it is tried once a boot for each filter.
fn proved() -> Option<audit::Proved> {
    audit::proved_dir().and_then(|dir| audit::Proved::open(&dir)).ok()
}

/// What was decided, for `-v`.
fn tell_plan(plan: &Plan, run: crate::base::RunId) {
    tracing::info!(
        "run {run}: profile {}, folder {}, command {}",
        plan.profile.name,
        plan.chdir,
        plan.command.program
    );
    for layer in &plan.layers {
        tracing::info!("layer {}: {:?}: {}", layer.layer.name(), layer.state, layer.detail);
    }
    for step in &plan.view.steps {
        tracing::debug!("view: {} ({})", step.at, step.asked);
    }
}

type Refusal = (Option<launch::StageFailure>, String, Option<&'static str>);

fn begin(
    exec: &Exec,
    plan: &Plan,
    facts: &Facts,
    record: &Record,
    cgroup: Option<&Cgroup>,
    (filter, foreign_abi, door): (&Program, bool, Option<RawFd>),
) -> Result<Running, Refusal> {
    let inputs = Inputs {
        landlock_abi: facts.landlock.abi,
        mount_api: facts.calls.mount_api,
        mounts: mount_table(facts).map_err(|why| (None, why, None))?,
        filter: filter.instructions.to_vec(),
        trap: trap_filter(Arch::host(), plan.observed()).instructions.into_owned(),
        reach: reach(plan, facts),
        planted: record.path(),
        foreign_abi,
        cgroup: cgroup.is_some(),
        pass: exec.pass_fd.iter().copied().chain(door).collect(),
        pseudo_terminal: !exec.no_pty,
        tell_namespaces: exec.info_fd.is_some(),
    };
    let (ready, ends) =
        prepare::prepare(plan, inputs).map_err(|error| (None, prepare_error(&error), None))?;
    launch::start(ready, ends, cgroup.map(Cgroup::descriptor)).map_err(|failure| {
        let (message, tip) = hint::explain(failure, plan);
        (Some(failure), message, tip)
    })
}

/// Only classic mounts need it.
fn mount_table(facts: &Facts) -> Result<Vec<(crate::base::HostPath, u64)>, String> {
    if facts.calls.mount_api { Ok(Vec::new()) } else { crate::host::mounts::table() }
}

/// Empty where namespaces do its work.
fn reach(plan: &Plan, facts: &Facts) -> Vec<crate::sys::seccomp::Instruction> {
    let network = plan.profile.network.mode == NetworkMode::Host;
    let filter = plan.bare.as_ref().map(|_| reach_filter(Arch::host(), network, facts.landlock.abi));
    filter.map(|program| program.instructions.into_owned()).unwrap_or_default()
}

fn prepare_error(error: &PrepareError) -> String {
    match error {
        PrepareError::Sys(what, errno) => format!("{what}: {errno:?}: {}", errno.desc()),
        PrepareError::Ruleset(why) => format!("make the Landlock ruleset: {why}"),
        PrepareError::TooManySteps(count) => format!("the view has {count} steps; 65,535 is the most"),
    }
}

fn never_ran(plan: &Plan, record: &mut Record, outcome: Outcome) -> u8 {
    let (failure, message, tip) = match outcome {
        Outcome::Failed(failure) => {
            let (message, tip) = hint::explain(failure, plan);
            (Some(failure), message, tip)
        }
        other => (None, format!("init ended before the agent could start: {other:?}"), None),
    };
    complain(&message, tip);
    note(record.failed(failure, &message));
    outcome.code()
}

fn finish(exec: &Exec, plan: &Plan, mut record: Record, outcome: Outcome, cgroup: Option<Cgroup>) {
    note(record.end(plan, outcome));
    let out_of_memory = cgroup.as_ref().is_some_and(|cgroup| cgroup.memory_kills() > 0);
    match outcome {
        _ if out_of_memory => complain(
            "the kernel ended a process: the sandbox's memory limit was reached",
            Some("--memory, limits.memory"),
        ),
        Outcome::OutOfTime => {
            complain("the run's wall time was over, so it was ended", Some("--timeout, limits.wall_time"))
        }
        Outcome::Lost(ended) if !exec.quiet => {
            complain(&format!("the sandbox was ended from outside: {ended:?}"), None)
        }
        _ => {}
    }
    if let Some(Err(error)) = cgroup.map(Cgroup::remove) {
        tracing::warn!("the run's cgroup stays: {error}");
    }
}
