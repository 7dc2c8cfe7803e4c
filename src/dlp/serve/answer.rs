//! A step of a stream as an answer that fits one datagram.
//!
//! Never leaves a stricter action out for a milder one, and never releases bytes with an edit that could not be told.

use crate::dlp::edit::Edit;
use crate::dlp::exact::What;
use crate::dlp::finding::Finding;
use crate::dlp::stream::Step;
use crate::wire::codec::MOST_BYTES;
use crate::wire::dlp::{self as wire, Act, FromDlp};
use std::collections::HashMap;
use std::sync::Arc;

/// The most findings of one answer.
const MOST_FINDINGS: usize = 64;

/// The answer for a stream that is not looked into.
pub(super) fn unread(stream: u64, released: u64, why: &str) -> FromDlp {
    let (edits, findings) = (Vec::new(), Vec::new());
    FromDlp::Step { stream, release_to: released, edits, findings, unscannable: Some(why.to_owned()) }
}

/// The answer for a step; bytes before `released` went out before it. `full`: the stream is not looked into any more.
pub(super) fn answer(stream: u64, released: u64, step: Step, full: bool) -> FromDlp {
    let Step { release_to, findings, edits, blocked } = step;
    let word = blocked.map(|why| why.word().replace('_', "-")).or(full.then(|| "too-large".to_owned()));
    let stopped = |why| stopped(stream, released, release_to, findings.clone(), why);
    let Some(edits) = whole(edits, &findings, released, release_to) else { return stopped("too-late") };
    if word.is_some() && !edits.is_empty() {
        // Where a rule lets out what cannot be read, it goes as it is.
        return stopped("unscannable");
    }
    let findings = strictest(findings.clone(), released, release_to);
    let told = FromDlp::Step { stream, release_to, edits, findings, unscannable: word };
    if fits(&told) { told } else { stopped("too-many") }
}

/// Nothing goes out, because edits cannot be made.
fn stopped(stream: u64, released: u64, to: u64, findings: Vec<Finding>, why: &str) -> FromDlp {
    let mut findings = strictest(findings, released, to);
    let milder = findings.iter().position(|finding| !finding.critical);
    if let Some(place) = milder.filter(|_| findings.len() >= MOST_FINDINGS) {
        findings.remove(place);
    }
    findings.push(block(why, released, to));
    let (edits, unscannable) = (Vec::new(), Some(why.to_owned()));
    FromDlp::Step { stream, release_to: released, edits, findings, unscannable }
}

fn fits(told: &FromDlp) -> bool {
    serde_json::to_vec(told).is_ok_and(|bytes| bytes.len() <= MOST_BYTES)
}

/// A finding that stands for all that could not be told.
fn block(why: &str, start: u64, end: u64) -> wire::Finding {
    wire::Finding {
        kind: "unedited".to_owned(),
        rule: why.to_owned(),
        value_hash: String::new(),
        start,
        end,
        decoded_from: Vec::new(),
        act: Act::Block,
        critical: false,
    }
}

/// Edits in order and without overlap, which together replace every finding that is to be replaced. `None`: a part of
/// one went out already, or is not released yet, or cannot be told.
fn whole(edits: Vec<Edit>, findings: &[Finding], released: u64, to: u64) -> Option<Vec<wire::Edit>> {
    let mut whole: Vec<wire::Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        let with = String::from_utf8(edit.with).ok()?;
        let plain = with.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"'\\".contains(&byte));
        let after = whole.last().is_none_or(|last| last.end <= edit.start);
        if !plain || !after || edit.start < released || edit.start >= edit.end {
            return None;
        }
        whole.push(wire::Edit { start: edit.start, end: edit.end, with, token: edit.token });
    }
    let replaces = |finding: &&Finding| matches!(finding.action, Act::Redact | Act::Hash | Act::Tokenize);
    for finding in findings.iter().filter(replaces) {
        let behind = whole.partition_point(|edit| edit.start <= finding.start);
        let over = whole.get_mut(behind.checked_sub(1)?).filter(|edit| finding.start < edit.end)?;
        over.end = over.end.max(finding.end);
    }
    whole.dedup_by(|next, last| {
        let inside = next.start < last.end;
        if inside {
            last.end = last.end.max(next.end);
        }
        inside
    });
    whole.last().is_none_or(|last| last.end <= to).then_some(whole)
}

/// The findings as they are told, in order; where there are too many, the strictest, and of each kind some.
fn strictest(findings: Vec<Finding>, released: u64, to: u64) -> Vec<wire::Finding> {
    let mut seen: HashMap<(Arc<str>, Arc<str>, Act), usize> = HashMap::new();
    let mut ranked: Vec<(usize, wire::Finding)> = Vec::with_capacity(findings.len());
    for finding in findings {
        let before = seen.entry((finding.kind.clone(), finding.rule.clone(), finding.action)).or_default();
        ranked.push((*before, told(finding)));
        *before += 1;
    }
    if ranked.len() > MOST_FINDINGS {
        ranked.sort_by_key(|(before, finding)| (!finding.critical, std::cmp::Reverse(finding.act), *before));
        // A person would be asked about less than what goes out.
        let asks = ranked.get(MOST_FINDINGS).is_some_and(|(_, finding)| finding.act == Act::Ask);
        if asks {
            ranked.truncate(MOST_FINDINGS - 1);
            ranked.push((0, block("too-many", released, to)));
        }
        ranked.truncate(MOST_FINDINGS);
        ranked.sort_by_key(|(_, finding)| (finding.start, finding.end));
    }
    ranked.into_iter().map(|(_, finding)| finding).collect()
}

fn told(finding: Finding) -> wire::Finding {
    let known = What::is_kind(&finding.kind);
    wire::Finding {
        kind: (*finding.kind).to_owned(),
        rule: (*finding.rule).to_owned(),
        value_hash: finding.value_hash,
        start: finding.start,
        end: finding.end,
        decoded_from: finding.decoded_from.into_iter().map(str::to_owned).collect(),
        act: finding.action,
        critical: known && finding.action == Act::Block,
    }
}
