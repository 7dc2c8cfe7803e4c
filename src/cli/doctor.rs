//! Doctor: what this machine can enforce, tried rather than read, with the reason and the fix for what it cannot.
//!
//! Never changes the machine: a fix is a command that it prints.

use super::output;
use crate::host::facts::{Facts, Root};
use crate::host::kernel::FEATURES;
use crate::host::surroundings::{Access, Surroundings};
use crate::host::trial::{self, Gate, State, Verdict, WaysOut};
use crate::plan::egress::{Batches, REDIRECTED_PORT};
use crate::sys::seccomp::Instruction;
use serde::Serialize;
use std::fmt::{self, Write};

/// Layers without which the shipped profiles do not start. Landlock's ports and scopes are used where the kernel has
/// them; where no cgroup is delegated, rlimits take its place.
const REQUIRED: &[&str] = &["namespaces", "landlock-filesystem", "seccomp", "protect-new"];

/// `doctor`: 0 when no required layer is missing, else 1. Must run before any thread is started. `agent_filter` is the
/// program that agents run under; without one, what it does to calls of other ABIs is not tried.
pub(super) fn run(json: bool, agent_filter: &[Instruction]) -> u8 {
    let report = Report::gather(REQUIRED, agent_filter);
    let text = if json { report.to_json() } else { Ok(report.to_string()) };
    let printed = match text {
        Ok(text) => output::print(&text),
        Err(error) => {
            output::complain(&format!("write the report as JSON: {error}"), None);
            125
        }
    };
    if printed == 0 { report.exit_code() } else { printed }
}

/// What the doctor found.
#[derive(Debug, Serialize)]
struct Report {
    /// No required layer is missing: the shipped profiles start here.
    ok: bool,
    kernel: KernelLine,
    layers: Vec<LayerLine>,
    notes: Vec<Note>,
    newer_features: Vec<FeatureLine>,
}

#[derive(Debug, Serialize)]
struct KernelLine {
    release: String,
    machine: String,
    landlock_abi: u32,
    landlock_errata: u32,
}

#[derive(Debug, Serialize)]
struct LayerLine {
    name: &'static str,
    required: bool,
    state: &'static str,
    why: String,
    fix: Option<String>,
}

/// Something around us that is no layer and bears on one.
#[derive(Debug, Serialize)]
struct Note {
    about: &'static str,
    found: String,
    advice: Option<&'static str>,
}

/// A feature of a kernel newer than this one by its version. A distribution may have carried it back.
#[derive(Debug, Serialize)]
struct FeatureLine {
    name: &'static str,
    since: String,
    used_for: &'static str,
    lost_without: &'static str,
}

impl Report {
    /// Tries every layer. Must run before any thread is started. `agent_filter` is the program for an agent.
    fn gather(required: &[&str], agent_filter: &[Instruction]) -> Self {
        let facts = Facts::for_launch();
        let batches = Batches::new();
        let ways = WaysOut {
            address: &batches.address,
            everything: &batches.everything,
            table: &batches.table,
            redirected_port: REDIRECTED_PORT,
        };
        let verdicts = trial::all(&facts, agent_filter, ways);
        let mut notes = notes(&Surroundings::read(&Root::real()));
        notes.extend(gates(&trial::foreign_gates(&[])));
        Self::put_together(&facts, verdicts, notes, required)
    }

    fn put_together(facts: &Facts, verdicts: Vec<Verdict>, notes: Vec<Note>, required: &[&str]) -> Self {
        let layers: Vec<LayerLine> =
            verdicts.into_iter().map(|verdict| layer_line(verdict, required)).collect();
        let newer = FEATURES.iter().filter(|feature| feature.since > facts.kernel.version);
        Self {
            ok: layers.iter().all(|layer| !layer.required || layer.state != word(State::Missing)),
            kernel: KernelLine {
                release: facts.kernel.release.clone(),
                machine: facts.kernel.machine.clone(),
                landlock_abi: facts.landlock.abi,
                landlock_errata: facts.landlock.errata,
            },
            layers,
            notes,
            newer_features: newer
                .map(|feature| FeatureLine {
                    name: feature.name,
                    since: feature.since.to_string(),
                    used_for: feature.used_for,
                    lost_without: feature.lost_without,
                })
                .collect(),
        }
    }

    /// For a program: one JSON object, with a line end.
    /// # Errors
    /// None known: every field has a JSON form.
    fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The last line. A degraded layer starts (as for `exec`, unless it is required by name), and is said.
    fn verdict(&self) -> &'static str {
        let whole = |layer: &LayerLine| !layer.required || layer.state == word(State::Enforced);
        match (self.ok, self.layers.iter().all(whole)) {
            (true, true) => "every required layer holds",
            (true, false) => "every required layer is there, and one holds less than a newer kernel's",
            (false, _) => "a required layer is missing",
        }
    }

    /// 0 when no required layer is missing, else 1.
    fn exit_code(&self) -> u8 {
        u8::from(!self.ok)
    }
}

fn layer_line(verdict: Verdict, required: &[&str]) -> LayerLine {
    LayerLine {
        name: verdict.layer,
        required: required.contains(&verdict.layer),
        state: word(verdict.state),
        why: verdict.why,
        fix: verdict.fix,
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Enforced => "enforced",
        State::Degraded => "degraded",
        State::Missing => "missing",
    }
}

fn note(about: &'static str, found: impl Into<String>, advice: Option<&'static str>) -> Note {
    Note { about, found: found.into(), advice }
}

fn notes(around: &Surroundings) -> Vec<Note> {
    let mut notes = vec![terminal(around), yama(around), fuse(around), modules(around)];
    if around.wsl {
        notes.push(note(
            "wsl",
            "this is Windows Subsystem for Linux",
            Some("with networkingMode=mirrored its own listener leaves no room for protect-new"),
        ));
    }
    if let Some(kind) = &around.container {
        let covered = if around.masked_proc { ", and parts of /proc are covered" } else { "" };
        let root = if around.overlay_root { " on an overlay root" } else { "" };
        notes.push(note("container", format!("its traces are here ({kind}){root}{covered}"), None));
    }
    if around.chroot {
        notes.push(note(
            "chroot",
            "the root is a plain folder",
            Some("the kernel refuses user namespaces here"),
        ));
    }
    notes.push(apparmor(around));
    if let Some(enforces) = around.selinux_enforces {
        notes.push(note("selinux", if enforces { "enforcing" } else { "permissive" }, None));
    }
    let filter = if around.packet_filter { "the kernel can be asked" } else { "absent" };
    notes.push(note("packet-filter", filter, None));
    notes
}

fn terminal(around: &Surroundings) -> Note {
    let found = match around.tiocsti {
        Some(true) => "processes may push input into their terminal (dev.tty.legacy_tiocsti is 1)",
        Some(false) => "processes cannot push input into their terminal (dev.tty.legacy_tiocsti is 0)",
        None => "this kernel has no switch against terminal injection (dev.tty.legacy_tiocsti, Linux 6.2)",
    };
    let advice = match around.tiocsti {
        Some(true) => {
            Some("inside a sandbox the filter refuses it; outside: `sudo sysctl dev.tty.legacy_tiocsti=0`")
        }
        Some(false) => None,
        None => Some("inside a sandbox the filter refuses it"),
    };
    note("terminal-injection", found, advice)
}

fn yama(around: &Surroundings) -> Note {
    let found = match around.yama {
        None => "absent: processes of one user may trace each other".to_owned(),
        Some(0) => "off: processes of one user may trace each other".to_owned(),
        Some(level) => format!("kernel.yama.ptrace_scope is {level}"),
    };
    note("yama", found, None)
}

fn fuse(around: &Surroundings) -> Note {
    match around.fuse {
        Access::Usable => note("fuse", "/dev/fuse opens", None),
        Access::Refused => note(
            "fuse",
            "/dev/fuse is there and we may not open it",
            Some("`ask` entries will need it: mode 0666"),
        ),
        Access::Absent => {
            note("fuse", "/dev/fuse is absent", Some("`ask` entries will need it: `sudo modprobe fuse`"))
        }
    }
}

fn modules(around: &Surroundings) -> Note {
    match &around.modules {
        Some(list) => note("security-modules", list.join(", "), None),
        None => note("security-modules", "cannot be read (/sys/kernel/security is not mounted)", None),
    }
}

fn apparmor(around: &Surroundings) -> Note {
    let label = around.apparmor_label.as_deref().unwrap_or("unconfined");
    note("apparmor", if around.apparmor { format!("on; we run as {label}") } else { "off".to_owned() }, None)
}

fn gates(gates: &[(&'static str, Gate)]) -> Vec<Note> {
    let open = gates.iter().filter(|(_, gate)| *gate == Gate::Open);
    let advice = Some("the filter ends a process that uses it");
    open.map(|(name, _)| note("foreign-abi", format!("the kernel takes calls of the {name} ABI"), advice))
        .collect()
}

/// The table for people. Words that come from the machine are escaped.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kernel = &self.kernel;
        let (release, machine) = (kernel.release.escape_debug(), kernel.machine.escape_debug());
        writeln!(out, "kernel {release} on {machine}, Landlock ABI {}\n", kernel.landlock_abi)?;
        for layer in &self.layers {
            let mark = if layer.required { "" } else { " (not required)" };
            row(out, layer.name, &format!("{}{mark}: {}", layer.state, layer.why))?;
            if let Some(fix) = &layer.fix {
                row(out, "", &format!("fix: {fix}"))?;
            }
        }
        out.write_char('\n')?;
        for note in &self.notes {
            row(out, note.about, &note.found)?;
            if let Some(advice) = note.advice {
                row(out, "", advice)?;
            }
        }
        if !self.newer_features.is_empty() {
            writeln!(out, "\nfeatures of kernels newer than this one by its version:")?;
        }
        for feature in &self.newer_features {
            row(
                out,
                feature.name,
                &format!("Linux {}; without it: {}", feature.since, feature.lost_without),
            )?;
        }
        writeln!(out, "\n{}", self.verdict())
    }
}

fn row(out: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(out, "{name:24} {}", text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::facts::{Kernel, Version};

    fn verdict(layer: &'static str, state: State) -> Verdict {
        let fix = (state != State::Enforced).then(|| "do \u{1b}this".to_owned());
        Verdict { layer, state, why: "seen".to_owned(), fix }
    }

    fn report(cgroup: State, seccomp: State) -> Report {
        let kernel = Kernel { release: "6.8.0".into(), version: Version(6, 8, 0), machine: "x86_64".into() };
        let verdicts = vec![verdict("seccomp", seccomp), verdict("cgroup", cgroup)];
        Report::put_together(&Facts { kernel, ..Facts::default() }, verdicts, Vec::new(), REQUIRED)
    }

    #[test]
    fn only_a_required_layer_decides_the_exit_code() {
        assert_eq!(report(State::Missing, State::Enforced).exit_code(), 0);
        assert_eq!(report(State::Enforced, State::Missing).exit_code(), 1);
    }

    #[test]
    fn a_required_layer_that_is_degraded_is_said_and_does_not_fail() {
        let degraded = report(State::Enforced, State::Degraded);
        assert_eq!(degraded.exit_code(), 0);
        assert!(degraded.to_string().contains("holds less"), "{degraded}");
        assert!(!report(State::Enforced, State::Enforced).to_string().contains("holds less"));
    }

    #[test]
    fn the_json_has_a_line_for_each_layer_with_state_reason_and_fix() {
        let text = report(State::Degraded, State::Enforced).to_json().unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["ok"], true);
        assert_eq!(json["kernel"]["release"], "6.8.0");
        assert_eq!(json["layers"][0]["name"], "seccomp");
        assert_eq!(json["layers"][0]["state"], "enforced");
        assert_eq!(json["layers"][0]["required"], true);
        assert!(json["layers"][0]["fix"].is_null());
        assert_eq!(json["layers"][1]["state"], "degraded");
        assert_eq!(json["layers"][1]["required"], false);
        assert_eq!(json["newer_features"][0]["name"], "landlock-ioctl-dev");
    }

    #[test]
    fn what_the_machine_says_reaches_the_terminal_escaped() {
        let text = report(State::Missing, State::Enforced).to_string();
        assert!(text.contains("fix: do \\u{1b}this"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn every_required_layer_is_one_that_is_tried() {
        let tried: Vec<&str> = trial::all(&Facts::default(), &[], WaysOut::default())
            .iter()
            .map(|verdict| verdict.layer)
            .collect();
        assert!(REQUIRED.iter().all(|layer| tried.contains(layer)), "{tried:?}");
        assert!(!tried.contains(&"no-such-layer"));
    }
}
