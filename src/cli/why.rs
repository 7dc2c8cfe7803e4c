//! `why`: one decision explained: what happens to a path, a host or a system call in a sandbox, and which line says so.

use super::args::Why;
use super::filter::compiled;
use super::output::{complain, print};
use super::{egress, explain, shape};
use crate::base::{HostPath, InnerPath};
use crate::host::Tree;
use crate::plan::protect::Missing;
use crate::plan::view::{Act, RuleObject};
use crate::plan::{CallData, Decision, Plan, decide};
use crate::profile::{Arch, NetworkMode, call_number};
use serde_json::{Value, json};
use std::path::Path;

/// Explains; the exit code is 0 when it is allowed, 1 when it is not, 125 when the question cannot be answered.
pub(super) fn run(why: &Why) -> u8 {
    match answer(why) {
        Ok(answer) => {
            let printed =
                if why.json { print(&format!("{}\n", answer.json(why))) } else { print(&answer.text(why)) };
            if printed != 0 { printed } else { u8::from(!answer.allowed) }
        }
        Err(code) => code,
    }
}

pub(super) struct Answer {
    pub(super) allowed: bool,
    pub(super) lines: Vec<String>,
}

impl Answer {
    fn text(&self, why: &Why) -> String {
        let verdict = if self.allowed { "allowed" } else { "not allowed" };
        let mut text = format!("{}: {verdict}\n", crate::base::escape(why.subject.as_bytes()));
        for line in &self.lines {
            text.push_str(&format!("  {line}\n"));
        }
        text
    }

    fn json(&self, why: &Why) -> Value {
        json!({ "subject": why.subject, "allowed": self.allowed, "because": self.lines })
    }
}

fn answer(why: &Why) -> Result<Answer, u8> {
    let (plan, _) = explain::plan_of(&why.shape, &[])?;
    if is_path(&why.subject) {
        let context = crate::profile::Context::of_process().map_err(|error| shape::report(&[error]))?;
        let path = shape::inner(Path::new(&why.subject), &context).map_err(|message| {
            complain(&message, None);
            125u8
        })?;
        return Ok(about_path(&plan, &path));
    }
    let machine = Arch::host();
    match call_number(&why.subject, machine) {
        Some(number) => about_call(&plan, number, machine),
        None if why.subject.contains(['.', ':']) || why.subject == "localhost" => {
            Ok(about_host(&plan, &why.subject))
        }
        None => {
            complain(
                &format!(
                    "{}: neither a path, a host nor a system call",
                    crate::base::escape(why.subject.as_bytes())
                ),
                Some("a path has a slash, a host a dot or a colon; `man 2 syscalls` lists the calls"),
            );
            Err(125)
        }
    }
}

/// Without namespaces: every path is the host's, and the rules alone decide.
fn about_host_path(plan: &Plan, path: &InnerPath) -> Answer {
    let host = plan.view.host_of(path);
    let covers = |on: &RuleObject| match on {
        RuleObject::Host(object) => host.as_ref().is_some_and(|host| object.canonical.contains(host)),
        RuleObject::Inner(..) => false,
    };
    let rules: Vec<_> = plan.view.rules.iter().filter(|rule| covers(&rule.on)).collect();
    let mut lines = vec!["there are no namespaces here: it exists, and Landlock decides".to_owned()];
    lines.extend(rules.iter().map(|rule| format!("Landlock: {}", rule.actions.names().join(" "))));
    Answer { allowed: !rules.is_empty(), lines }
}

/// A slash, `~` or a dot in front (`.envrc`): no host and no system call is called so.
fn is_path(subject: &str) -> bool {
    subject.contains('/') || subject.starts_with(['~', '.'])
}

fn about_path(plan: &Plan, path: &InnerPath) -> Answer {
    if plan.bare.is_some() {
        return about_host_path(plan, path);
    }
    let mut lines = Vec::new();
    let over = plan
        .view
        .steps
        .iter()
        .rev()
        .find(|step| step.at.contains(path) && !matches!(step.act, Act::Folder | Act::EmptyFile));
    let mut allowed = over.is_some();
    match over {
        Some(step) => {
            lines.push(format!("{} ({})", describe(&step.act, path), step.asked));
            let masked = matches!(step.act, Act::MaskFile | Act::MaskFolder);
            let hidden = matches!(step.act, Act::Tmpfs { .. }) && step.at != *path && on_host(path);
            if hidden {
                lines.push(format!("the host has such a path, and it is not shown (--ro {path} shows it)"));
            }
            let asks = plan.view.asks.iter().find(|ask| ask.inner == step.at);
            lines.extend(asks.map(|ask| format!("may be asked for: {}", explain::ask_text(ask))));
            allowed &= !masked && !hidden && asks.is_none();
        }
        None if plan.view.shows(path) && path.as_path() != Path::new("/") => {
            allowed = true;
            lines.push("an empty folder on the way to an entry".into());
        }
        None => {
            lines.push(
                "no entry of the profile names it or a folder above it: it does not exist inside".into(),
            );
            lines.push(format!("hint: --ro {path} shows it, --rw {path} lets it be changed"));
        }
    }
    if let Some(host) = plan.view.host_of(path) {
        lines.push(format!("the host's {host}"));
    }
    let covers =
        |missing: &&Missing| missing.folder.join(&missing.rest).is_ok_and(|absent| absent.contains(path));
    // `.git` and `.git/hooks` are two names and one answer.
    if let Some(missing) = plan.view.missing.iter().find(covers) {
        allowed = false;
        lines.push(format!("protected while it does not exist: nothing can create it ({})", missing.asked));
    }
    let rule = plan.view.rules.iter().rev().find(|rule| match &rule.on {
        RuleObject::Inner(at, _) => at.contains(path),
        RuleObject::Host(object) => {
            plan.view.host_of(path).is_some_and(|host| object.canonical.contains(&host))
        }
    });
    if let Some(rule) = rule.filter(|_| over.is_some()) {
        lines.push(format!("Landlock: {}", rule.actions.names().join(" ")));
    }
    Answer { allowed, lines }
}

fn on_host(path: &InnerPath) -> bool {
    HostPath::new(path.as_path()).is_ok_and(|host| crate::host::HostTree.open(&host, false).is_ok())
}

fn describe(act: &Act, path: &InnerPath) -> String {
    match act {
        Act::Bind { flags, .. } if flags.read_only => "shown read-only".into(),
        Act::Bind { .. } => "shown, and can be changed".into(),
        Act::StandIn { .. } => "a stand-in: the program runs beside this sandbox, with less".into(),
        Act::Tmpfs { .. } => "in memory, gone at the end".into(),
        Act::MaskFile | Act::MaskFolder => "masked: something empty covers it".into(),
        Act::Data(_) => "a read-only file made from the profile".into(),
        Act::Symlink(target) => format!("a link to {}", crate::base::escape(target.as_bytes())),
        Act::Ask { .. } => "not there until a person says yes; the first touch asks".into(),
        Act::Devices => "the minimal /dev".into(),
        Act::Proc => "procfs of the sandbox".into(),
        Act::Folder | Act::EmptyFile => format!("{path} is an empty folder"),
    }
}

fn about_host(plan: &Plan, subject: &str) -> Answer {
    let network = &plan.profile.network;
    if network.mode == NetworkMode::Filtered && plan.egress.is_some() {
        return egress::about(network, subject);
    }
    let (allowed, line) = match network.mode {
        NetworkMode::Host => (true, "the sandbox uses the host's network"),
        NetworkMode::None => (false, "the sandbox has a network namespace without any interface up"),
        NetworkMode::Loopback => {
            (false, "the sandbox has a network namespace with a loopback of its own and nothing else")
        }
        NetworkMode::Filtered => (false, "without namespaces nothing is reached by name"),
    };
    let mut lines = vec![format!("{line} ({})", network.asked)];
    if let Some(ports) = &network.connect_tcp {
        lines.push(format!("TCP only to ports {ports:?} (Landlock)"));
    }
    if !allowed {
        lines.push("hint: --net host gives the host's network".into());
    }
    Answer { allowed, lines }
}

fn about_call(plan: &Plan, number: u32, machine: Arch) -> Result<Answer, u8> {
    let (found, program) = compiled(&plan.profile.seccomp).map_err(|message| {
        complain(&message, None);
        125u8
    })?;
    let file = found.file().map_err(|errors| shape::report(&errors))?;
    let data = CallData { audit_arch: machine.audit(), number, args: [0; 6] };
    let decision = decide(&program.instructions, &data);
    let mut lines =
        vec![format!("with all arguments zero: {decision} (seccomp {})", plan.profile.seccomp.value)];
    for rule in file
        .rules
        .iter()
        .filter(|rule| rule.calls.iter().any(|call| call_number(call, machine) == Some(number)))
    {
        let by_argument = if rule.when.is_empty() { "" } else { ", by its arguments" };
        let comment = crate::base::escape(rule.comment.as_bytes());
        lines.push(format!("{}{by_argument}: {comment} ({})", rule.action, rule.asked));
    }
    if lines.len() == 1 {
        lines.push("no rule names it, so it is unknown here: ENOSYS".into());
    }
    Ok(Answer { allowed: decision == Decision::Allow, lines })
}
