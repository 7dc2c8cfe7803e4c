//! The shipped rules with each map of fields, asked by pySigma of the same events as they are exported.

use crate::pysigma::counts;
use crate::records::{events, lines};
use crate::source;
use aisandbox::audit::export::{Format, run};
use aisandbox::audit::log::{Judge, Log};
use aisandbox::audit::new_run_id;
use aisandbox::detect::{engine, shipped};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The lines that an event file becomes: its events are written to logs, one for each run in it, and exported.
fn exported(runs: &Path, file: &str, format: Format) -> Vec<String> {
    let records = lines(file);
    let mut logs: BTreeMap<String, (String, Log)> = BTreeMap::new();
    for (record, event) in records.iter().zip(events(file)) {
        let run = record["run"].as_str().unwrap().to_owned();
        let (_, log) = logs.entry(run).or_insert_with(|| {
            let run = new_run_id().unwrap();
            (run.to_string(), Log::create(runs, run).unwrap())
        });
        log.append(&event).unwrap();
    }
    let mut of_run: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (run_there, (here, log)) in &mut logs {
        log.seal().unwrap();
        let mut out = Vec::new();
        run(&mut Judge::new(runs, None), &runs.join(&*here), format, None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let own = |line: &&str| {
            !line.contains("log.start") && !line.contains("log.key") && !line.contains("log.end")
        };
        of_run.insert(run_there.clone(), text.lines().filter(own).map(str::to_owned).collect());
    }
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let line = |record: &serde_json::Value| {
        let run = record["run"].as_str().unwrap().to_owned();
        (run, record["time"].clone())
    };
    let places: Vec<(String, serde_json::Value)> = records.iter().map(line).collect();
    let mut all = Vec::new();
    for (run, time) in &places {
        let at = taken.entry(run).or_default();
        all.push(serde_json::json!({ "time": time, "text": of_run[run][*at] }).to_string());
        *at += 1;
    }
    for (run, lines) in &of_run {
        assert_eq!(taken[&**run], lines.len(), "{file}: every event became one line");
    }
    all
}

/// The rules that find their positive events, and nothing in their negative ones, with this map.
fn working(map: &str, format: Format) -> Option<BTreeSet<String>> {
    let folder = std::env::temp_dir().join(format!("aisandbox-maps-{map}-{}", std::process::id()));
    let folder = Folder(folder);
    let runs = folder.0.join("state/runs");
    std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700)
        .create(runs.parent().unwrap())
        .unwrap();
    let engine = engine(&shipped()).unwrap();
    for rule in engine.telling() {
        for kind in ["positive", "negative"] {
            let file = format!("{}.{kind}.jsonl", rule.name);
            std::fs::write(folder.0.join(&file), exported(&runs, &file, format).join("\n") + "\n").unwrap();
        }
    }
    let counts = counts(&folder.0, Some(&source("packaging/siem/maps").join(map)))?;
    let telling = engine.telling().map(|rule| rule.name.clone());
    Some(
        telling
            .filter(|name| {
                counts[&(name.clone(), "positive".into())] == 1
                    && counts[&(name.clone(), "negative".into())] == 0
            })
            .collect(),
    )
}

fn all() -> BTreeSet<String> {
    engine(&shipped()).unwrap().telling().map(|rule| rule.name.clone()).collect()
}

#[test]
fn every_rule_works_with_the_maps_of_ecs_ocsf_and_splunk() {
    for (map, format) in [("ecs.yml", Format::Ecs), ("ocsf.yml", Format::Ocsf), ("splunk.yml", Format::Jsonl)]
    {
        let Some(working) = working(map, format) else { return };
        assert_eq!(working, all(), "{map}");
    }
}

#[test]
fn with_the_map_of_cef_all_rules_work_but_those_it_names() {
    let Some(working) = working("cef.yml", Format::Cef) else { return };
    let text = std::fs::read_to_string(source("packaging/siem/maps/cef.yml")).unwrap();
    let named: String = text.lines().take_while(|line| line.starts_with('#')).collect();
    let not: BTreeSet<String> = all().difference(&working).cloned().collect();
    assert!(not.len() <= 4, "{not:?}");
    for rule in all() {
        assert_eq!(named.contains(&rule), not.contains(&rule), "{rule}: {not:?}");
    }
}
