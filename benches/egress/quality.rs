//! How well secrets and personal data are found: on a set that is made by chance, in other words and layouts than the
//! rules have as examples, with text beside it that only looks like secrets.
//!
//! `AISANDBOX_BENCH_SPLIT=dev` takes the templates for tuning instead of those held back, and then
//! `AISANDBOX_BENCH_SHOW=N` prints N misses and false alarms of each part. `AISANDBOX_BENCH_WRITE=FILE` writes the records
//! as lines of JSON (`id`, `text`, `values`, `kind`), for other tools.

mod credentials;
#[allow(dead_code, reason = "the training uses more of it")]
#[path = "../../training/dice.rs"]
mod dice;
mod encode;
mod fill;
mod harmless;
mod number;
mod person;
mod record;
mod source;

use crate::table::{Wanted, add};
use aisandbox::crypto::Secret;
use aisandbox::dlp::{Engine, Options, Rules, classify};
use dice::Dice;
use record::Record;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// A part: its name, how its records are made, and the F1 that it must have and that is aimed at.
type Part = (&'static str, fn(usize, usize, &mut Dice) -> Vec<Record>, f64, f64);

const PARTS: &[Part] = &[
    ("plain secrets", record::plain, 0.90, 0.95),
    ("encoded secrets", record::encoded, 0.80, 0.93),
    ("personal data", record::personal, 0.75, 0.88),
];

pub(crate) fn run() {
    let dev = std::env::var("AISANDBOX_BENCH_SPLIT").is_ok_and(|split| split == "dev");
    let split = usize::from(!dev);
    let each = super::turns(120, 12);
    let key = Secret::take(&mut [11; 32]).expect("a key");
    let mut options = Options::new(Arc::new(key), classify::score);
    options.show_values = true;
    let engine = Engine::new(Rules::shipped().expect("the shipped rules"), options);
    println!("{} templates, {each} records of a kind", if dev { "tuning" } else { "held-back" });
    let mut written =
        std::env::var_os("AISANDBOX_BENCH_WRITE").map(|path| std::fs::File::create(path).expect("the file"));
    for (number, (name, make, must, aim)) in PARTS.iter().enumerate() {
        let records = make(split, each, &mut Dice::new(1000 * (split as u64 + 1) + number as u64));
        if let Some(file) = &mut written {
            records.iter().enumerate().for_each(|(id, record)| write(file, &format!("{name} {id}"), record));
        }
        let mut counts = Counts::default();
        records.iter().for_each(|record| counts.take(record, &engine));
        counts.print(name, *must, *aim);
    }
    source::print(&engine);
}

fn write(file: &mut std::fs::File, id: &str, record: &Record) {
    let line =
        serde_json::json!({ "id": id, "text": record.text, "values": record.values, "kind": record.kind });
    writeln!(file, "{line}").expect("a line");
}

#[derive(Default, Clone, Copy)]
struct Row {
    wanted: usize,
    found: usize,
    /// Findings in its records that are none.
    wrong: usize,
    records: usize,
    /// Records with nothing in them in which something was found.
    alarmed: usize,
    beyond: bool,
}

#[derive(Default)]
struct Counts {
    /// By kind of record.
    rows: BTreeMap<&'static str, Row>,
    /// By kind of finding: right and wrong ones.
    kinds: BTreeMap<String, (usize, usize)>,
    clean_bytes: usize,
    clean_findings: usize,
    shown: Vec<String>,
}

impl Counts {
    fn take(&mut self, record: &Record, engine: &Engine) {
        let row = self.rows.entry(record.kind).or_default();
        row.records += 1;
        row.wanted += record.values.len();
        row.beyond = record.beyond;
        let findings: Vec<(String, String)> = engine
            .scan(record.text.as_bytes())
            .into_iter()
            .map(|finding| {
                let value = finding.value.unwrap_or_default();
                (finding.kind.to_string(), String::from_utf8_lossy(&value).into_owned())
            })
            .collect();
        let mut met = vec![false; record.values.len()];
        for (kind, value) in &findings {
            let fits = record.values.iter().position(|wanted| is_same(wanted, value));
            let counts = self.kinds.entry(kind.clone()).or_default();
            match fits {
                Some(place) => {
                    counts.0 += 1;
                    met[place] = true;
                }
                None => {
                    counts.1 += 1;
                    row.wrong += 1;
                    self.shown
                        .push(format!("wrong ({}): {kind} {value:?} in {:?}", record.kind, record.text));
                }
            }
        }
        row.found += met.iter().filter(|met| **met).count();
        if met.contains(&false) {
            self.shown.push(format!("missed ({}): {:?} in {:?}", record.kind, record.values, record.text));
        }
        if record.values.is_empty() {
            row.alarmed += usize::from(!findings.is_empty());
            self.clean_bytes += record.text.len();
            self.clean_findings += findings.len();
        }
    }

    fn print(&mut self, name: &str, must: f64, aim: f64) {
        println!("\n{name}");
        for (kind, row) in self.rows.iter().filter(|(_, row)| row.wanted > 0) {
            let (recall, precision) = (share(row.found, row.wanted), share(row.found, row.found + row.wrong));
            let note = if row.beyond { "  (in no total)" } else { "" };
            println!(
                "  {kind:<20} recall {recall:.3}  precision {precision:.3}  F1 {:.3}{note}",
                f1(precision, recall)
            );
        }
        for (kind, row) in self.rows.iter().filter(|(_, row)| row.wanted == 0) {
            println!("  {kind:<24} false alarms in {:>4} of {} records", row.alarmed, row.records);
        }
        let kinds: Vec<String> = self
            .kinds
            .iter()
            .filter(|(_, (_, wrong))| *wrong > 0)
            .map(|(kind, (right, wrong))| format!("{kind} {right}+{wrong}"))
            .collect();
        println!("  findings by kind, right+wrong: {}", kinds.join(", "));
        let clean = || self.rows.values().filter(|row| row.wanted == 0);
        let alarmed = share(clean().map(|row| row.alarmed).sum(), clean().map(|row| row.records).sum());
        let (precision, recall) = self.total(true);
        println!("  with those in no total: F1 {:.3}  recall {recall:.3}", f1(precision, recall));
        let (precision, recall) = self.total(false);
        println!(
            "  TOTAL F1 {:.3} (must {must:.2}, aim {aim:.2})  recall {recall:.3}  precision {precision:.3}  false alarms {:.2} % of \
             clean records (must 2, aim 0.5), {:.1} a MB",
            f1(precision, recall),
            alarmed * 100.0,
            self.clean_findings as f64 * 1e6 / self.clean_bytes.max(1) as f64,
        );
        add(format!("DLP, {name}, F1"), f1(precision, recall), Wanted::Least(must, aim));
        add(format!("DLP, {name}, false alarms, %"), alarmed * 100.0, Wanted::Most(2.0, 0.5));
        let most =
            std::env::var("AISANDBOX_BENCH_SHOW").ok().and_then(|count| count.parse().ok()).unwrap_or(0usize);
        Dice::new(5).shuffle(&mut self.shown);
        self.shown
            .iter()
            .take(most)
            .for_each(|line| println!("    {}", line.chars().take(600).collect::<String>()));
    }
}

impl Counts {
    /// Precision and recall over all kinds, or over those that count.
    fn total(&self, beyond: bool) -> (f64, f64) {
        let rows = || self.rows.values().filter(|row| beyond || !row.beyond);
        let sum = |of: fn(&Row) -> usize| rows().map(of).sum::<usize>();
        let (wanted, found, wrong) = (sum(|row| row.wanted), sum(|row| row.found), sum(|row| row.wrong));
        (share(found, found + wrong), share(found, wanted))
    }
}

/// Whether what was found is what was wanted: one within the other, signs aside, and at least half as long.
fn is_same(wanted: &str, found: &str) -> bool {
    let bare = |text: &str| {
        text.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    let (wanted, found) = (bare(wanted), bare(found));
    let (short, long) = if wanted.len() < found.len() { (&wanted, &found) } else { (&found, &wanted) };
    !short.is_empty() && long.contains(short.as_str()) && short.len() * 2 >= long.len()
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}
