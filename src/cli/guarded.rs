//! A guarded run of `exec`: its doors before the plan, its roles and the Guardian's thread before the agent starts, and
//! its end after the agent's.
//!
//! Never starts a guarded agent without its Guardian: what cannot be started stops the launch. A panic of the Guardian
//! ends the sandbox.

use super::agent;
use super::broker;
use super::bundles;
use super::detection;
use super::egress;
use super::output::complain;
use super::reputation;
use super::roles::{Roles, failed};
use super::session;
use super::shape;
use crate::audit::{DigestCache, SharedLog, digests_dir};
use crate::base::{HostPath, InnerPath, RunId};
use crate::consent::text::alert_text;
use crate::guardian::ceiling::{Actions, Entry, How};
use crate::guardian::consent::Kind;
use crate::guardian::desk::Rates;
use crate::guardian::reputation::Reputation;
use crate::guardian::session::Session;
use crate::guardian::token::TokenId;
use crate::guardian::{self, About, Setup, Summary};
use crate::launch::Running;
use crate::plan::Plan;
use crate::plan::ask::AskEntry;
use crate::plan::layers::State;
use crate::plan::view::door_source;
use crate::profile::{self, Access, AuditMode, Context, FsEntry, Layer, Profile, Standing, Unknown};
use crate::role::{self, Role};
use crate::sys::{Errno, asker, fd, process, socket};
use crate::wire::agents::{BINARY_AT, BROKER_AT, Placeholder};
use crate::wire::session::RunState;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a question waits when the profile does not say.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The doors of a guarded run, before there is a sandbox.
pub(super) struct Doors {
    ours: OwnedFd,
    theirs: OwnedFd,
    path: OwnedFd,
    control: OwnedFd,
    answers: Option<PathBuf>,
    standing: Vec<Standing>,
    under: Option<(TokenId, u8)>,
    overseer: Option<OwnedFd>,
    early: Option<egress::Early>,
    rules: Option<detection::Early>,
    /// The run's trace, as hex.
    trace: String,
    /// The profile before anything of this run was put into it: what it can hand down.
    given: Profile,
}

/// Makes the doors and shows them in the view; `None` for a run without a Guardian. `above` are the placeholders of the run
/// above, where there is one.
pub(super) fn doors(
    profile: &mut Profile,
    session: &Session,
    context: &Context,
    (run, trace): (RunId, &str),
    above: &[Placeholder],
) -> Result<Option<Doors>, u8> {
    if !profile.guarded() {
        return Ok(None);
    }
    let given = profile.clone();
    let rules = detection::Early::begin(&profile.detection, run).map_err(|why| refuse(&why))?;
    let early = egress::Early::begin(profile, &context.home, above).map_err(|why| refuse(&why))?;
    let told = |error: guardian::session::SessionError| {
        complain(&error.to_string(), error.hint());
        125
    };
    let control = session.listen_control().map_err(told)?;
    let path = session.listen_broker().map_err(told)?;
    let (ours, theirs) =
        socket::message_pair().map_err(|errno| refuse(&format!("make the broker: {errno}")))?;
    let own = std::env::current_exe().ok();
    for (at, source) in [(BROKER_AT, Some(session.path().join("broker"))), (BINARY_AT, own)] {
        let source = source.and_then(|source| source.canonicalize().ok());
        let (Some(source), Ok(at)) = (source, InnerPath::new(at)) else {
            return Err(refuse(&format!("find what is shown at {at}")));
        };
        let source =
            HostPath::new(source).map_err(|error| refuse(&format!("show {at}: its path {error}")))?;
        profile.filesystem.push(shown(at, source));
    }
    // Beside the folder of the person's own profiles, which is the first to be searched.
    let answers = context.search.first().and_then(|own| Some(own.parent()?.join("answers.yaml")));
    let standing = answers
        .as_deref()
        .map_or(Ok(Vec::new()), profile::answers)
        .map_err(|errors| shape::report(&errors))?;
    let (under, overseer) = (None, None);
    let trace = trace.to_owned();
    let doors =
        Doors { ours, theirs, path, control, answers, standing, under, overseer, early, rules, trace, given };
    Ok(Some(doors))
}

fn shown(path: InnerPath, source: HostPath) -> FsEntry {
    FsEntry { source: Some(source), ..FsEntry::plain(path, Access::Ro, door_source()) }
}

fn refuse(message: &str) -> u8 {
    complain(message, None);
    125
}

impl Doors {
    /// The number at which the agent finds its door.
    pub(super) fn number(&self) -> RawFd {
        self.theirs.as_raw_fd()
    }

    /// Tokens given at these doors go back to the one the run was asked for under.
    pub(super) fn go_back_to(&mut self, under: (TokenId, u8), overseer: OwnedFd) {
        (self.under, self.overseer) = (Some(under), Some(overseer));
    }

    /// Names the doors to the agent.
    pub(super) fn name(&self, plan: &mut Plan) {
        plan.environment.insert(broker::DOOR.into(), self.number().to_string().into());
        if plan.bare.is_none() {
            plan.environment.insert(broker::PATH.into(), BROKER_AT.into());
        }
    }

    /// Starts roles and the Guardian's thread. The sandbox is confined and waits.
    pub(super) fn start(
        self,
        running: &mut Running,
        plan: &Plan,
        run: RunId,
        session: &Session,
        context: &Context,
        log: SharedLog,
    ) -> Result<Serving, String> {
        // The sandbox is cloned: from here on there may be threads.
        log.start_thread(plan.profile.audit == AuditMode::Durable)
            .map_err(|error| format!("start the log's thread: {error}"))?;
        let mut roles = Roles::default();
        if plan.view.asks.iter().any(|ask| ask.mounted) {
            roles.start_mounts(running, plan)?;
            roles.start_files(running, plan)?;
        }
        if ways(&plan.profile).contains(&Kind::Notification) {
            roles.0.push(role::start(Role::Notify).map_err(failed("start role notify"))?);
        }
        roles.0.extend(bundles::start(&plan.profile, context, &log)?);
        let placeholders = self.early.as_ref().map(egress::Early::placeholders).unwrap_or_default();
        // Without namespaces there is no way out, and what was begun for one ends here.
        if let Some(early) = self.early.filter(|_| plan.egress.is_some()) {
            roles.0.extend(egress::serve(early, running, plan, &log)?);
        }
        let knower = plan.profile.programs.reputation.as_ref().filter(|_| !plan.view.asks.is_empty());
        if let Some(knower) = knower {
            roles.0.push(reputation::start(knower)?);
        }
        let detection = self.rules.map(|rules| rules.serve(&plan.profile.detection, &log, running));
        let (role, detection) = detection.transpose()?.unzip();
        roles.0.extend(role);
        let (stop, tell) = socket::message_pair().map_err(failed("make a socket pair"))?;
        let state_file = session.state_file().map_err(|error| error.to_string())?;
        let first = session::first_state(plan, run, running.pid());
        let setup = Setup {
            about: about(&first, run, plan),
            ceiling: plan
                .view
                .asks
                .iter()
                .map(entry)
                .collect::<Result<_, _>>()
                .map_err(failed("hold an entry"))?,
            hosts: egress::asked_hosts(&plan.profile),
            uploads: egress::asked_uploads(&plan.profile),
            ways: ways(&plan.profile),
            timeout: plan.profile.consent.timeout.unwrap_or(TIMEOUT),
            templates: plan.profile.consent.templates.clone(),
            standing: self.standing,
            answers: self.answers,
            rates: rates(&plan.profile),
            log,
            durable: plan.profile.audit == AuditMode::Durable,
            digests: digests_dir().and_then(|dir| DigestCache::open(&dir)).ok(),
            init: Some(asker::descriptor_of(running.pid()).map_err(failed("hold init"))?),
            landlock: plan.state(Layer::LandlockFilesystem) == State::Enforced,
            under: self.under,
            above: agent::above(plan, self.given, run, &self.trace, placeholders),
            door: Some(self.ours),
            path_door: Some(self.path),
            control: Some(self.control),
            reputation: knower.map(|knower| Reputation {
                by: reputation::by(knower),
                known: reputation::known(knower),
                patience: knower.timeout + reputation::BESIDE,
                refuse_unknown: plan.profile.programs.unknown == Unknown::Deny,
            }),
            detection,
            roles: roles.ends().map_err(failed("hold a role's socket"))?,
            terminal: terminal(running, &plan.profile)?,
            overseer: self.overseer,
            stop,
            teller: Box::new(move |state: &RunState| {
                if let Err(error) = state_file.write(state) {
                    tracing::warn!("`aisandbox ps` may show what was before: {error}");
                }
            }),
        };
        running.close_at_end(tell);
        let init = asker::descriptor_of(running.pid()).map_err(failed("hold init"))?;
        let thread = std::thread::Builder::new().name("guardian".to_owned());
        let thread = thread
            .spawn(move || {
                let guard = EndsSandbox(Some(init));
                let summary = guardian::serve(setup);
                guard.disarm();
                summary
            })
            .map_err(|error| format!("start the Guardian's thread: {error}"))?;
        Ok(Serving { thread, roles })
    }
}

/// Ends the sandbox unless the Guardian ended as it should.
struct EndsSandbox(Option<OwnedFd>);

impl EndsSandbox {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for EndsSandbox {
    fn drop(&mut self) {
        if let Some(init) = &self.0
            && let Err(errno) = process::signal_pidfd(init.as_fd(), libc::SIGKILL)
        {
            tracing::debug!("the sandbox has ended already: {errno}");
        }
    }
}

/// A Guardian that serves.
pub(super) struct Serving {
    thread: JoinHandle<Summary>,
    roles: Roles,
}

impl Serving {
    /// After the agent's end: the thread has heard of it, says its last words, and the roles end.
    pub(super) fn end(self) {
        match self.thread.join() {
            Ok(Summary { ended_the_run, alerts, .. }) => {
                alerts.iter().for_each(|alert| complain(&alert_text(alert), None));
                if let Some(why) = ended_the_run {
                    complain(&format!("the Guardian ended the run: {why}"), None);
                }
            }
            Err(_) => complain("the Guardian failed, so the run was ended", None),
        }
        drop(self.roles);
    }
}

fn about(first: &RunState, run: RunId, plan: &Plan) -> About {
    About {
        run: run.to_string(),
        chain: plan.chain.clone(),
        profile: first.profile.clone(),
        answers_under: answers_under(&first.profile),
        command: first.command.clone(),
        launcher: first.launcher,
        init: first.init,
        uid: nix::unistd::geteuid().as_raw(),
        since: first.since,
    }
}

/// `./x.yaml` is another file in another folder: answers given under one of them say nothing of the other.
fn answers_under(profile: &str) -> String {
    let is_path = profile.contains('/') || profile.ends_with(".yaml");
    let file = is_path.then(|| std::fs::canonicalize(profile).ok()).flatten();
    file.and_then(|file| file.to_str().map(str::to_owned)).unwrap_or_else(|| profile.to_owned())
}

fn entry(ask: &AskEntry) -> Result<Entry, Errno> {
    let object = ask.object.fd.as_ref().ok_or(Errno::EBADF)?;
    let how = match (&ask.serve, ask.mounted) {
        (_, false) => How::Descriptor,
        (None, true) => How::Mount,
        (Some(serve), true) => How::Served(serve.clone()),
    };
    Ok(Entry {
        number: ask.number,
        inner: ask.inner.clone(),
        object: fd::duplicate_above(object.as_fd(), 3)?,
        host: ask.object.canonical.clone(),
        folder: ask.is_folder(),
        actions: Actions::of(&ask.wish.actions),
        lease: ask.wish.lease,
        uses: ask.wish.uses,
        bytes: ask.wish.bytes,
        how,
        on_revoke: ask.wish.on_revoke,
        asked: ask.asked.to_string(),
    })
}

/// The Guardian's end of the way to the person's terminal; the launcher's own loop has the other.
fn terminal(running: &mut Running, profile: &Profile) -> Result<Option<OwnedFd>, String> {
    if !ways(profile).contains(&Kind::Terminal) {
        return Ok(None);
    }
    let (ours, theirs) = socket::message_pair().map_err(failed("make a socket pair"))?;
    running.asks_through(theirs);
    Ok(Some(ours))
}

/// What the profile does not say is as the desk has it.
fn rates(profile: &Profile) -> Rates {
    let (said, usual) = (profile.consent.rates, Rates::default());
    let or =
        |said: Option<u64>, usual: usize| said.and_then(|said| usize::try_from(said).ok()).unwrap_or(usual);
    Rates {
        per_minute: or(said.per_minute, usual.per_minute),
        per_asker: or(said.per_process, usual.per_asker),
        waiting: or(said.waiting, usual.waiting),
        memory: said.refusal.unwrap_or(usual.memory),
    }
}

/// Without a word of the profile, whoever looks may answer.
fn ways(profile: &Profile) -> Vec<Kind> {
    let known = [Kind::Terminal, Kind::Notification, Kind::Ui];
    let named: Vec<Kind> = profile
        .consent
        .channels
        .iter()
        .filter_map(|word| known.into_iter().find(|kind| kind.word() == *word))
        .collect();
    if named.is_empty() { vec![Kind::Terminal, Kind::Ui] } else { named }
}
