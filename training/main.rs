//! Makes the weights of the DLP classifier: `cargo run --release --example train -- learn YYYYMMDD [FOLDER …]`.
//!
//! Learns, chooses the threshold on the validation split, and writes both, with the day it was frozen, to
//! `src/dlp/classify/weights.bin`. `-- final [FOLDER …]` then measures what was compiled in on the split that was held
//! back; `-- scan FOLDER …` shows what would be taken for a secret in text that has none. Nothing but the weights is
//! written, and no text that was read is in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod dice;
mod example;
mod found;
mod harmless;
mod learn;
mod made;
mod secrets;
mod words;

use aisandbox::dlp::classify;
use dice::Dice;
use example::{Example, Split};
use learn::{Model, Row};
use std::collections::BTreeMap;

const FILE: &str = "src/dlp/classify/weights.bin";
/// Of a thousand harmless candidates of the validation split, so many may pass.
const MOST_PASSING: f64 = 1.0;
/// One token in so many is learnt from; values after names all are.
const ONE_IN: u64 = 12;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("learn") => learn(words[1].parse().expect("a day as YYYYMMDD"), &words[2..]),
        Some("final") => measure(&words[1..]),
        Some("scan") => scan(&words[1..]),
        _ => panic!("learn YYYYMMDD [FOLDER …], final [FOLDER …], or scan FOLDER …"),
    }
}

fn gathered(folders: &[String], wanted: &[Split], made: usize) -> Vec<Vec<Example>> {
    let mut parts: Vec<Vec<Example>> = wanted.iter().map(|_| Vec::new()).collect();
    let read = found::examples(&found::roots(folders), ONE_IN, |split, example| {
        if let Some(place) = wanted.iter().position(|one| *one == split) {
            parts[place].push(example);
        }
    });
    for (part, split) in parts.iter_mut().zip(wanted) {
        let found = part.len();
        let share = if *split == Split::Train { made } else { made / 4 };
        part.extend(made::examples(*split, share, &mut Dice::new(*split as u64 + 1)));
        println!("{split:?}: {found} found in {} MB of text, {share} made", read / 1_000_000);
    }
    parts
}

fn learn(frozen: u32, folders: &[String]) {
    let parts = gathered(folders, &[Split::Train, Split::Validation], 400_000);
    let rows: Vec<Row> = parts[0].iter().map(Row::of).collect();
    let (model, unit) = Model::learnt(&rows, 6, &mut Dice::new(7)).rounded();
    let judged: Vec<(f32, &Example)> =
        parts[1].iter().map(|example| (model.of_row(&Row::of(example)), example)).collect();
    let threshold = chosen(&judged);
    println!("threshold {threshold:.4}, chosen on the validation split:");
    table(&judged, threshold);
    std::fs::write(FILE, model.file(unit, threshold, frozen)).expect(FILE);
}

/// The lowest threshold that lets at most [`MOST_PASSING`] in a thousand harmless candidates pass.
fn chosen(judged: &[(f32, &Example)]) -> f32 {
    let mut harmless: Vec<f32> =
        judged.iter().filter(|(_, example)| !example.secret).map(|(score, _)| *score).collect();
    harmless.sort_by(|one, other| other.total_cmp(one));
    let place = (harmless.len() as f64 * MOST_PASSING / 1000.0) as usize;
    harmless[place].max(0.5)
}

fn measure(folders: &[String]) {
    println!("threshold {:.4}, frozen {}", classify::threshold(), classify::frozen());
    let parts = gathered(folders, &[Split::Final], 400_000);
    let judged: Vec<(f32, &Example)> = parts[0]
        .iter()
        .map(|example| (classify::score(&example.candidate, &example.before), example))
        .collect();
    table(&judged, classify::threshold());
}

fn table(judged: &[(f32, &Example)], threshold: f32) {
    let mut rows: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut hits, mut alarms, mut secrets) = (0usize, 0usize, 0usize);
    for (score, example) in judged {
        let passes = *score >= threshold;
        let row = rows.entry(example.kind).or_default();
        row.0 += 1;
        row.1 += usize::from(passes);
        secrets += usize::from(example.secret);
        hits += usize::from(passes && example.secret);
        alarms += usize::from(passes && !example.secret);
    }
    for (kind, (count, passed)) in rows {
        println!(
            "  {kind:<18} {count:>8} candidates, {passed:>7} taken for secrets ({:.2} %)",
            percent(passed, count)
        );
    }
    let (precision, recall) = (percent(hits, hits + alarms), percent(hits, secrets));
    println!(
        "  precision {precision:.2} %, recall {recall:.2} %, false alarms {:.3} %",
        percent(alarms, judged.len() - secrets)
    );
    let mut shown = 0;
    for (score, example) in judged.iter().filter(|(score, example)| (*score >= threshold) != example.secret) {
        if found::hash(&example.candidate).is_multiple_of(29) && shown < shown_most() {
            println!(
                "    {score:.3} {} | {} ‖ {}",
                example.kind,
                example.before.escape_ascii(),
                example.candidate.escape_ascii()
            );
            shown += 1;
        }
    }
}

fn shown_most() -> usize {
    std::env::var("SHOW").ok().and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn scan(folders: &[String]) {
    let (mut named, mut alone) = (0u64, 0u64);
    let read = found::examples(&found::roots(folders), 1, |_, example| {
        if classify::score(&example.candidate, &example.before) >= classify::threshold() {
            let named_one = example.before.ends_with(b"=")
                || example.before.ends_with(b"\"")
                || example.before.ends_with(b" ");
            *(if named_one { &mut named } else { &mut alone }) += 1;
            if shown_most() > 0 {
                println!("{} ‖ {}", example.before.escape_ascii(), example.candidate.escape_ascii());
            }
        }
    });
    println!(
        "{} MB, {:.2} taken for secrets a MB",
        read / 1_000_000,
        (named + alone) as f64 * 1e6 / read.max(1) as f64
    );
}
