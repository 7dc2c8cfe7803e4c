//! `explain`: a plan as text and as JSON: what would be mounted, allowed, filtered, kept and limited, and in what order.

use super::args::Explain;
use super::egress;
use super::output::{complain, print};
use super::shape;
use crate::audit;
use crate::base::Source;
use crate::host::cgroup::{self, Cgroup};
use crate::host::facts::Facts;
use crate::launch::{Stage, ruleset};
use crate::plan::ask::AskEntry;
use crate::plan::transitions::Covered;
use crate::plan::view::{Act, BindFlags, Step};
use crate::plan::{self, Plan};
use crate::profile::{Context, Detection, NetworkMode};
use serde_json::{Value, json};
use std::fmt::Write;

/// Prints what a profile will do; the exit code.
pub(super) fn run(wish: &Explain) -> u8 {
    match explain(wish) {
        Ok(code) | Err(code) => code,
    }
}

fn explain(wish: &Explain) -> Result<u8, u8> {
    let (plan, facts) = plan_of(&wish.shape, &wish.command)?;
    if wish.json {
        let value = json(&plan, &facts, wish.filter)?;
        let text = serde_json::to_string_pretty(&value).map_err(|error| {
            complain(&format!("make JSON: {error}"), None);
            125u8
        })?;
        return Ok(print(&format!("{text}\n")));
    }
    Ok(print(&text(&plan, &facts, wish.filter)?))
}

/// The plan for a shape, without starting anything. Without a command, a shell is meant.
pub(super) fn plan_of(
    shape: &super::args::Shape,
    command: &[std::ffi::OsString],
) -> Result<(Plan, Facts), u8> {
    let context = Context::of_process().map_err(|error| shape::report(&[error]))?;
    let profile = shape::profile(shape, &context)?;
    let facts = Facts::for_launch();
    let shell = ["/bin/sh".into()];
    let argv = if command.is_empty() { &shell[..] } else { command };
    let wish = shape::wish(shape, argv, &context)?;
    let plan = shape::plan(profile, &wish, &facts, could_have_cgroup())?;
    Ok((plan, facts))
}

/// Whether a leaf could be made here, for `explain`; the next launch finds out for itself.
fn could_have_cgroup() -> bool {
    let limits = cgroup::Limits { memory_bytes: Some(1 << 30), ..cgroup::Limits::default() };
    audit::new_run_id().is_ok_and(|run| Cgroup::create(run, &limits).is_ok_and(|leaf| leaf.remove().is_ok()))
}

/// Prints the plan for people; the exit code.
pub(super) fn print_plan(shape: &super::args::Shape, command: &[std::ffi::OsString]) -> Result<u8, u8> {
    let (plan, facts) = plan_of(shape, command)?;
    Ok(print(&text(&plan, &facts, false)?))
}

/// The plan for people.
fn text(plan: &Plan, facts: &Facts, with_filter: bool) -> Result<String, u8> {
    let mut out = String::new();
    write_text(&mut out, plan, facts).map_err(|_| 125u8)?;
    if with_filter {
        out.push_str("\nseccomp filter\n");
        for line in disassembly(plan)? {
            out.push_str(&format!("  {line}\n"));
        }
    }
    Ok(out)
}

/// Rules over what happens, and what is done about what they find.
fn write_detection(out: &mut String, detection: &Detection) -> std::fmt::Result {
    if detection.rules.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ndetection")?;
    for rules in &detection.rules {
        writeln!(out, "  {:<42} {}", format!("rules {}", rules.value), rules.asked)?;
    }
    for (name, action) in &detection.actions {
        writeln!(out, "  {:<42} {}", format!("{} {}", name.value, action.word()), name.asked)?;
    }
    writeln!(out, "  when rules cannot be asked: {}", detection.when_lost().word())
}

fn write_text(out: &mut String, plan: &Plan, facts: &Facts) -> std::fmt::Result {
    let profile = &plan.profile;
    writeln!(out, "profile {} — {}", profile.name, profile.description)?;
    let origins: Vec<&str> = profile.origins.iter().map(|origin| origin.name.as_str()).collect();
    writeln!(out, "  made from {}", origins.join(", "))?;
    writeln!(out, "\ncommand {}\n  in {}", plan.command.program, plan.chdir)?;
    writeln!(out, "\nlayers (kernel {})", facts.kernel.release)?;
    for layer in &plan.layers {
        let state = format!("{:?}", layer.state).to_lowercase();
        let required = if layer.required { "required" } else { "" };
        writeln!(out, "  {:<20} {:<9} {:<9} {}", layer.layer.name(), state, required, layer.detail)?;
    }
    for lost in plan.bare.iter().flat_map(|bare| &bare.lost) {
        writeln!(out, "  lost without namespaces: {lost}")?;
    }
    writeln!(out, "\nview")?;
    for step in plan.view.steps.iter().filter(|step| !matches!(step.act, Act::Folder | Act::EmptyFile)) {
        writeln!(out, "  {:<42} {:<28} {}", step.at.to_string(), act_text(&step.act), step.asked)?;
    }
    for missing in &plan.view.missing {
        let place = format!("{}/{}", missing.folder, missing.rest);
        writeln!(out, "  {place:<42} {:<28} {}", "must stay absent", missing.asked)?;
    }
    for (path, asked) in &plan.view.left_out {
        writeln!(
            out,
            "  {:<42} {:<28} {asked}",
            path.to_string(),
            "left out: absent, shown as a link, or around another"
        )?;
    }
    if !plan.view.asks.is_empty() {
        writeln!(out, "\nmay be asked for")?;
    }
    for ask in &plan.view.asks {
        writeln!(out, "  {:<42} {} {}", ask.inner.to_string(), ask_text(ask), ask.asked)?;
    }
    if !plan.transitions.is_empty() {
        writeln!(out, "\nstarted beside, with less")?;
    }
    for covered in &plan.transitions {
        writeln!(
            out,
            "  {:<42} {} {}",
            covered.wish.path.to_string(),
            covered.wish.less,
            covered.wish.asked
        )?;
    }
    writeln!(out, "\nLandlock rules")?;
    for (place, actions) in plan.view.rules.iter().map(ruleset::describe) {
        writeln!(out, "  {place:<42} {}", actions.join(" "))?;
    }
    writeln!(out, "\nnetwork {:?} ({})", profile.network.mode, profile.network.asked)?;
    for line in egress::rules_of(&profile.network) {
        writeln!(out, "  {line}")?;
    }
    if let Some((place, asked)) = parent_proxy(plan) {
        writeln!(out, "  all of it through the proxy {place} ({asked})")?;
    }
    write_detection(out, &profile.detection)?;
    let lists = [
        ("sensitive places that are shown: what is sent of them is found", egress::known_of(plan)),
        ("decoys: one that is sent is an alert", decoys(plan)),
    ];
    for (title, lines) in lists.iter().filter(|(_, lines)| !lines.is_empty()) {
        writeln!(out, "\n{title}")?;
        lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    let credentials = egress::credentials_of(&profile.network);
    if !credentials.is_empty() {
        writeln!(out, "\ncredentials, which stay outside")?;
    }
    for line in credentials {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\nenvironment")?;
    for (name, value) in &plan.environment {
        let (name, value) = (name.as_encoded_bytes(), value.as_encoded_bytes());
        writeln!(out, "  {}={}", crate::base::escape(name), crate::base::escape(value))?;
    }
    writeln!(out, "\nlimits {}", limits(plan))?;
    writeln!(out, "\nseccomp {} ({})", profile.seccomp.value, profile.seccomp.asked)?;
    writeln!(out, "\nstages, in order")?;
    for (number, stage) in stages(plan).enumerate() {
        writeln!(out, "  {:>2} {}", number + 1, stage.text())?;
    }
    Ok(())
}

/// The proxy that a filtered network is left by, without what it is logged in with.
fn parent_proxy(plan: &Plan) -> Option<(String, &Source)> {
    let filtered = plan.profile.network.mode == NetworkMode::Filtered;
    let (place, asked) = plan.profile.network.parent_proxy.as_ref().filter(|_| filtered)?;
    let host = place.rsplit_once('@').map_or(place.as_str(), |(_, host)| host);
    Some((crate::base::escape(host.as_bytes()), asked))
}

/// Where decoys will lie.
fn decoys(plan: &Plan) -> Vec<String> {
    let home =
        plan.egress.is_some().then(|| Context::of_process().ok()).flatten().map(|context| context.home);
    home.map(|home| egress::decoys_of(&plan.profile, &home)).unwrap_or_default()
}

fn stages(plan: &Plan) -> impl Iterator<Item = &'static Stage> {
    let bare = plan.bare.is_some();
    Stage::ALL.iter().filter(move |stage| !(bare && stage.needs_namespaces()))
}

fn act_text(act: &Act) -> String {
    match act {
        Act::Folder => "empty folder".into(),
        Act::EmptyFile => "empty file".into(),
        Act::Bind { object, flags } => format!("{} {}", bind_text(*flags), object.canonical),
        Act::StandIn { .. } => "stand-in: started beside".into(),
        Act::Tmpfs { size_bytes, mode, noexec } => {
            let size = size_bytes
                .map_or_else(|| "half of memory".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
            format!("tmpfs {size} {mode:o}{}", if *noexec { " noexec" } else { "" })
        }
        Act::Data(bytes) => format!("file of {} bytes, read-only", bytes.len()),
        Act::Symlink(target) => format!("link to {}", crate::base::escape(target.as_bytes())),
        Act::MaskFolder | Act::MaskFile => "masked".into(),
        Act::Ask { .. } => "asks at its first touch".into(),
        Act::Devices => "minimal /dev".into(),
        Act::Proc => "procfs of the sandbox".into(),
    }
}

/// What a place that asks may give.
pub(super) fn ask_text(ask: &AskEntry) -> String {
    let actions: Vec<&str> = ask.wish.actions.iter().map(|action| action.word()).collect();
    let how = match (&ask.serve, ask.mounted) {
        (_, false) => "by explicit request",
        (None, true) => "then mounted",
        (Some(_), true) => "then served call by call",
    };
    format!("{} of {}, {how}", actions.join(" "), ask.object.canonical)
}

fn bind_text(flags: BindFlags) -> &'static str {
    match flags {
        BindFlags { device: true, .. } => "device",
        BindFlags { read_only: true, noexec: false, .. } => "ro",
        BindFlags { read_only: true, noexec: true, .. } => "ro noexec",
        BindFlags { read_only: false, noexec: false, .. } => "rw",
        BindFlags { read_only: false, noexec: true, .. } => "rw noexec",
    }
}

fn limits(plan: &Plan) -> String {
    let limits = plan.profile.limits;
    let size = |name: &str, value: Option<u64>| value.map(|bytes| format!("{name} {} MiB", bytes >> 20));
    let count = |name: &str, value: Option<u64>| value.map(|count| format!("{name} {count}"));
    let parts = [
        size("memory", limits.memory_bytes),
        count("processes", limits.processes),
        limits.cpu_millis.map(|millis| format!("cpu {}.{:03}", millis / 1000, millis % 1000)),
        count("open-files", limits.open_files),
        size("file-size", limits.file_size_bytes),
        limits.wall_time.map(|most| format!("wall-time {} s", most.as_secs())),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn disassembly(plan: &Plan) -> Result<Vec<String>, u8> {
    let (_, program) = super::filter::compiled(&plan.profile.seccomp).map_err(|message| {
        complain(&message, None);
        125u8
    })?;
    Ok(plan::disassemble(&program))
}

fn json(plan: &Plan, facts: &Facts, with_filter: bool) -> Result<Value, u8> {
    let filter = if with_filter { json!(disassembly(plan)?) } else { Value::Null };
    let rules: Vec<Value> = plan
        .view
        .rules
        .iter()
        .map(ruleset::describe)
        .map(|(place, actions)| json!({ "place": place, "actions": actions }))
        .collect();
    let missing = |missing: &plan::protect::Missing| json!({ "folder": missing.folder.to_string(), "name": missing.rest, "pattern": missing.pattern });
    let left_out = |(path, asked): &(crate::base::InnerPath, crate::base::Source)| json!({ "path": path.to_string(), "asked": asked.to_string() });
    let variable = |(name, value): (&std::ffi::OsString, &std::ffi::OsString)| {
        (name.to_string_lossy().into_owned(), Value::from(value.to_string_lossy()))
    };
    Ok(json!({
        "profile": plan.profile.name,
        "origins": plan.profile.origins.iter().map(|origin| &origin.name).collect::<Vec<_>>(),
        "kernel": facts.kernel.release,
        "command": plan.command.program.to_string(),
        "chdir": plan.chdir.to_string(),
        "layers": plan.layers,
        "view": plan.view.steps.iter().map(step_json).collect::<Vec<_>>(),
        "absent": plan.view.missing.iter().map(missing).collect::<Vec<_>>(),
        "left_out": plan.view.left_out.iter().map(left_out).collect::<Vec<_>>(),
        "asks": plan.view.asks.iter().map(ask_json).collect::<Vec<_>>(),
        "transitions": plan.transitions.iter().map(transition_json).collect::<Vec<_>>(),
        "landlock": rules,
        "network": plan.profile.network.mode,
        "rules": egress::rules_of(&plan.profile.network),
        "credentials": egress::credentials_of(&plan.profile.network),
        "parent_proxy": parent_proxy(plan).map(|(place, _)| place),
        "known_places": egress::known_of(plan),
        "decoys": decoys(plan),
        "environment": plan.environment.iter().map(variable).collect::<serde_json::Map<_, _>>(),
        "limits": limits(plan),
        "seccomp": { "name": plan.profile.seccomp.value, "filter": filter },
        "lost": plan.bare.as_ref().map(|bare| &bare.lost),
        "stages": stages(plan).map(|stage| stage.text()).collect::<Vec<_>>(),
    }))
}

fn ask_json(ask: &AskEntry) -> Value {
    json!({
        "path": ask.inner.to_string(), "object": ask.object.canonical.to_string(), "actions": ask.wish.actions,
        "mounted": ask.mounted, "served": ask.serve, "asked": ask.asked.to_string(),
    })
}

fn transition_json(covered: &Covered) -> Value {
    let Covered { wish, object, at } = covered;
    json!({
        "path": wish.path.to_string(), "object": object.canonical.to_string(), "sha256": wish.sha256,
        "at": at.iter().map(ToString::to_string).collect::<Vec<_>>(), "less": wish.less.to_string(),
        "asked": wish.asked.to_string(),
    })
}

fn step_json(step: &Step) -> Value {
    json!({ "path": step.at.to_string(), "act": act_text(&step.act), "asked": step.asked.to_string() })
}
