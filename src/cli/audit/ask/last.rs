//! `audit last`: one run, three answers.

use super::coverage::{Observed, observed};
use super::words::{self, bytes, many, name, names};
use super::{ask_of, code_of, print, print_json};
use crate::audit::index::answer::{Moved, Named, Part, RunRow, Summary};
use crate::audit::log::{Judge, Judged, Verdict};
use crate::audit::{AuditError, find};
use crate::base::{WallTime, escape};
use crate::cli::args::Told;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

/// The greatest log that is checked anew for an answer, in bytes: it takes a moment. A greater one was checked when it
/// was read, and its files are the same since.
const MOST_BYTES: u64 = 256 << 20;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Answer {
    #[serde(flatten)]
    pub(in crate::cli) summary: Summary,
    pub(in crate::cli) moved: Moved,
    pub(in crate::cli) seen: Observed,
}

/// The run in short, checked anew where that takes no more than a moment.
pub(in crate::cli) fn summary(dir: &Path, asked: &str, limit: usize) -> Result<Answer, AuditError> {
    let folder = find(dir, asked)?;
    let judged = fresh(dir, &folder);
    with(dir, asked, limit, judged.map(|judged| judged.verdict).as_ref())
}

/// The same with a verdict that was just given on its log.
pub(in crate::cli::audit) fn with(
    dir: &Path,
    asked: &str,
    limit: usize,
    verdict: Option<&Verdict>,
) -> Result<Answer, AuditError> {
    ask_of(dir, asked, &mut |index, mut row: RunRow| {
        if let Some(verdict) = verdict {
            row.verdict = Some(verdict.clone());
            row.checked = Some(WallTime::now().to_string());
        }
        let moved = index.moved_of_run(&row.run, limit)?;
        let seen = observed(&row.about);
        Ok(Answer { summary: index.summary(row, limit)?, moved, seen })
    })
}

fn fresh(dir: &Path, folder: &Path) -> Option<Judged> {
    let files = std::fs::read_dir(folder).ok()?.flatten();
    let size: u64 = files.filter_map(|file| file.metadata().ok()).map(|facts| facts.len()).sum();
    let runs = folder.parent().unwrap_or(dir);
    (size <= MOST_BYTES).then(|| Judge::new(runs, None).run(folder).ok())?
}

pub(super) fn run(dir: &Path, asked: &str, how: &Told, out: &mut dyn Write) -> Result<u8, AuditError> {
    let answer = summary(dir, asked, how.limit)?;
    if how.json {
        print_json(out, &answer)?;
    } else {
        print(out, text(&answer).trim_end())?;
    }
    Ok(code_of(answer.summary.run.verdict.as_ref()))
}

/// The answer in words.
pub(in crate::cli) fn text(answer: &Answer) -> String {
    let summary = &answer.summary;
    let mut out = head(&summary.run);
    let mut part = |title: &str, lines: Vec<String>| {
        for (place, line) in lines.iter().enumerate() {
            let title = if place == 0 { title } else { "" };
            writeln!(out, "{title:<9} {line}").unwrap_or_default();
        }
    };
    part("TOUCHED", touched(summary, &answer.seen.files));
    part("APPROVED", approved(summary));
    part("MOVED", moved(&answer.moved, &answer.seen.network));
    part("DENIED", denied(summary));
    part("UNSEEN", answer.seen.unseen.clone());
    out
}

/// Who, what, when, and whether the record holds.
pub(in crate::cli) fn head(row: &RunRow) -> String {
    let about = &row.about;
    let mut out = format!("run {}  {}\n", row.run, crate::cli::audit::text::command(&about.command));
    let mut facts =
        vec![format!("profile {}", escape(about.profile.as_deref().unwrap_or("not known").as_bytes()))];
    facts.extend(about.uid.map(words::user));
    facts.push(words::span(row.began.as_deref(), row.ended.as_deref()));
    facts.extend(about.outcome.as_deref().map(|outcome| escape(outcome.as_bytes())));
    writeln!(out, "    {}", facts.join(", ")).unwrap_or_default();
    let checked = row.checked.as_deref().map(words::moment).unwrap_or_default();
    let verdict = row.verdict.as_ref().map_or_else(
        || format!("UNREADABLE: {}", escape(about.unreadable.as_deref().unwrap_or_default().as_bytes())),
        |verdict| format!("{}, checked {checked}", crate::cli::audit::text::verdict(verdict)),
    );
    writeln!(out, "    {verdict}").unwrap_or_default();
    if !about.degraded.is_empty() {
        let layers = names(about.degraded.iter().map(String::as_str), 0);
        writeln!(out, "    less than whole, and accepted: {layers}").unwrap_or_default();
    }
    if let Some(above) = about.chain.first() {
        writeln!(out, "    started by the agent of run {}", escape(above.as_bytes())).unwrap_or_default();
    }
    out
}

fn listed(part: &Part<Named>) -> String {
    names(part.told.iter().map(|named| named.name.as_str()), part.all)
}

fn touched(summary: &Summary, coverage: &str) -> Vec<String> {
    let files = &summary.files;
    let mut lines = vec![format!(
        "{} read, {} changed, {} deleted, {} sensitive",
        many(files.read, "file or place", "files and places"),
        files.changed,
        files.deleted,
        files.sensitive
    )];
    for (title, part) in
        [("sensitive", &summary.sensitive), ("given", &summary.given), ("programs", &summary.programs)]
    {
        if part.all > 0 {
            lines.push(format!("{title}: {}", listed(part)));
        }
    }
    lines.push(format!("[seen: {coverage}]"));
    lines
}

fn approved(summary: &Summary) -> Vec<String> {
    if summary.approved.is_empty() {
        return vec!["nothing was asked for and given".to_owned()];
    }
    let line = |group: &crate::audit::index::answer::Group| {
        let objects = group.objects.iter();
        let objects: Vec<String> =
            objects.map(|given| format!("{} {}", words::acts(given.acts), name(&given.name))).collect();
        format!("{} by {}: {}", group.count, words::decider(&group.by, group.person), objects.join("; "))
    };
    summary.approved.iter().map(line).collect()
}

fn moved(moved: &Moved, coverage: &str) -> Vec<String> {
    let mut lines = vec![format!("{} out, {} in", bytes(moved.sent), bytes(moved.received))];
    let sent = moved.rows.told.iter().filter(|row| row.sent > 0 || row.by_rule || row.by_content);
    lines.extend(sent.flat_map(super::moved::lines));
    lines.push(format!("[seen: {coverage}]"));
    lines
}

fn denied(summary: &Summary) -> Vec<String> {
    if summary.denials == 0 {
        return vec!["nothing".to_owned()];
    }
    let mut lines = vec![many(summary.denials, "refusal", "refusals")];
    lines.extend(summary.denied.told.iter().map(|denied| {
        let acts = words::acts(denied.acts);
        format!("{} × {acts} {} ({}:{})", denied.count, name(&denied.name), summary.run.run, denied.first)
    }));
    let more = summary.denied.all.saturating_sub(summary.denied.told.len() as u64);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines.push(format!("why: aisandbox audit explain {}", summary.run.run));
    lines
}
