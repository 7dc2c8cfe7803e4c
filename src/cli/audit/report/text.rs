//! A report as text: the answers of `audit last`, then when, by which process, from where to where, and how to check it.
//!
//! Every text of a record is escaped, and every line has an end.

use super::{left_out, row};
use crate::audit::Record;
use crate::audit::report::{End, Evidence, Flow, Part, Process, Strength};
use crate::base::escape;
use crate::cli::audit::ask::last;
use crate::cli::audit::ask::words::{bytes, many, name};
use crate::cli::audit::text::{short, vouched};
use std::fmt::Write as _;

/// How deep the tree of processes is drawn.
const MOST_DEPTH: usize = 24;

pub(super) fn text(
    answer: &last::Answer,
    evidence: &Evidence<Record>,
    flows: Part<'_, Flow>,
    limit: usize,
) -> String {
    let mut out = last::text(answer);
    timeline(&mut out, evidence);
    processes(&mut out, evidence, limit);
    tell_flows(&mut out, flows, evidence.flows.crowded());
    proof(&mut out, answer, evidence);
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").unwrap_or_default();
}

fn timeline(out: &mut String, evidence: &Evidence<Record>) {
    line(out, "\nTIMELINE (UTC)");
    let mut before: Option<&Record> = None;
    for record in &evidence.timeline {
        let gap = before.map_or(0, |before| record.seq.saturating_sub(before.seq + 1));
        if gap > 0 && left_out(evidence) > 0 {
            line(out, &format!("         … {} between", many(gap, "leaf", "leaves")));
        }
        line(out, &format!("{:>7}  {}", record.seq, short(record)));
        before = Some(record);
    }
    if left_out(evidence) > 0 {
        let each = evidence.left_out.iter();
        let each: Vec<String> =
            each.map(|(event, count)| format!("{count} {}", escape(event.as_bytes()))).collect();
        line(out, &format!("left out: {} (--limit)", each.join(", ")));
    }
}

fn processes(out: &mut String, evidence: &Evidence<Record>, limit: usize) {
    line(out, "\nPROCESSES that asked or reached out");
    let all = evidence.processes.all();
    if all.is_empty() {
        line(out, "none that the record names");
    }
    let mut told = 0;
    let mut open: Vec<(usize, usize)> = evidence.processes.below(None).map(|at| (0, at)).collect();
    open.reverse();
    while let Some((depth, at)) = open.pop() {
        let Some(process) = all.get(at).filter(|_| told < limit) else { break };
        line(out, &format!("{}{}", "  ".repeat(depth.min(MOST_DEPTH) + 1), process_line(process)));
        told += 1;
        let mut below: Vec<(usize, usize)> =
            evidence.processes.below(Some(at)).map(|at| (depth + 1, at)).collect();
        below.reverse();
        open.extend(below);
    }
    let more = all.len().saturating_sub(told);
    if more > 0 {
        line(out, &format!("and {more} more (--limit)"));
    }
    if evidence.processes.crowded() > 0 {
        line(out, &format!("and {} events of processes beyond these", evidence.processes.crowded()));
    }
}

fn process_line(process: &Process) -> String {
    let pid = if process.pid == 0 { String::new() } else { format!(" ({})", process.pid) };
    let mut text = format!("{}{pid}", name(&process.program));
    if process.events > 0 {
        text.push_str(&format!(", {}", many(process.events, "event", "events")));
    }
    if process.denied > 0 {
        text.push_str(&format!(", {} REFUSED", process.denied));
    }
    for run in &process.started {
        text.push_str(&format!(", started run {}", name(run)));
    }
    text
}

fn tell_flows(out: &mut String, flows: Part<'_, Flow>, crowded: u64) {
    line(out, "\nFLOWS");
    if flows.all == 0 {
        line(out, "none that the record names");
    }
    flows.told.iter().for_each(|flow| line(out, &format!("  {}", flow_line(flow))));
    let more = flows.all.saturating_sub(flows.told.len() as u64);
    if more > 0 {
        line(out, &format!("and {more} more (--limit)"));
    }
    if crowded > 0 {
        line(out, &format!("and {crowded} events of flows beyond these"));
    }
}

fn flow_line(flow: &Flow) -> String {
    let end = |end: &End| name(&end.name);
    let label = if flow.label.is_empty() { String::new() } else { format!(" [{}]", name(&flow.label)) };
    let amount = if flow.bytes > 0 { format!(", {}", bytes(flow.bytes)) } else { String::new() };
    if flow.bytes == 0 && flow.stopped > 0 && flow.stopped == flow.times {
        return format!("{} → {}: {} REFUSED", end(&flow.from), end(&flow.to), flow.stopped);
    }
    let stopped = if flow.stopped > 0 { format!(", {} REFUSED", flow.stopped) } else { String::new() };
    format!("{} → {}{label}{amount}{stopped}: {}", end(&flow.from), end(&flow.to), strength(flow.strength))
}

/// How sure it is, in words.
fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::Given => "given; what was done with it is not seen",
        Strength::Seen => "seen",
        Strength::Rule => "a rule found something in it",
        Strength::Content => "the content of something known was in it",
    }
}

fn proof(out: &mut String, answer: &last::Answer, evidence: &Evidence<Record>) {
    line(out, "\nPROOF");
    let verdict = &evidence.verdict;
    let keys = evidence.counts.get("log.key").copied().unwrap_or(0);
    line(out, &format!("  {}", crate::cli::audit::text::verdict(verdict)));
    line(out, &format!("  root {} over {}", verdict.root, many(verdict.leaves, "leaf", "leaves")));
    line(
        out,
        &format!("  {} followed one another, each named by the one before", many(keys + 1, "key", "keys")),
    );
    if let Some(identity) = verdict.identity {
        line(out, &format!("  {}", vouched(&identity, evidence.known, false)));
    }
    line(out, &format!("  seen of files: {}", answer.seen.files));
    line(out, &format!("  seen of the network: {}", answer.seen.network));
    answer.seen.unseen.iter().for_each(|unseen| line(out, &format!("  not seen: {unseen}")));
    line(out, &format!("  check it: aisandbox audit verify {}", row(answer).run));
}
