//! `policy list|check|eval|test`: what policies there are, whether they are right, and what they say.
//!
//! Never changes one and never asks a running Guardian: it reads bundles itself, with the person's own rights.

use super::args;
use super::output::{complain, print};
use crate::base::escape;
use crate::policy::archive::{self, Member};
use crate::policy::{
    self, Bundle, Labels, Level, PolicySet, TestResult, Trust, apply_masks, places, record, run_tests,
};
use crate::profile::{Context, Policies};
use crate::wire::codec::decode;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A bundle is wrong.
const WRONG: u8 = 1;
/// A test failed.
const FAILED_TEST: u8 = 2;
/// It could not be looked at.
const FAILED: u8 = 125;

/// Carries one of the commands out; the exit code.
pub(super) fn run(command: &args::Policy) -> u8 {
    let done = match command {
        args::Policy::List { json } => list(*json),
        args::Policy::Check { bundles, key, require_signature } => check(bundles, key, *require_signature),
        args::Policy::Eval { bundles, input, key, record } => {
            keys(key).and_then(|trust| eval(bundles, input.as_deref(), &trust, *record))
        }
        args::Policy::Test { bundles, key, json } => keys(key).and_then(|trust| test(bundles, &trust, *json)),
    };
    done.unwrap_or_else(|message| {
        complain(&message, Some("see aisandbox-policy(7)"));
        FAILED
    })
}

/// The files of a bundle by path, or of a shipped policy by name.
fn members(bundle: &Path) -> Result<Vec<Member>, String> {
    let shipped = bundle.to_str().and_then(policy::shipped);
    let read = shipped.map_or_else(|| places::members_of(bundle), Ok);
    read.map_err(|why| format!("policy {}: {why}", shown(bundle)))
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// One row of `list`: level, name, and what is in it, or why it cannot be read.
struct Row {
    level: &'static str,
    name: String,
    read: Result<Bundle, String>,
}

fn list(json: bool) -> Result<u8, String> {
    let rows = rows()?;
    if json {
        let row = |row: &Row| match &row.read {
            Ok(bundle) => json!({
                "level": row.level, "name": row.name, "revision": bundle.manifest.revision,
                "policies": bundle.policies(), "signed_by": bundle.signed_by,
            }),
            Err(why) => json!({ "level": row.level, "name": row.name, "error": why }),
        };
        return Ok(print(&format!("{:#}\n", rows.iter().map(row).collect::<Value>())));
    }
    let line = |row: &Row| {
        let name = escape(row.name.as_bytes());
        let about = match &row.read {
            Ok(bundle) => {
                let signed =
                    bundle.signed_by.as_ref().map(|key| format!(", signed by {key}")).unwrap_or_default();
                let words = bundle.policies().join(" ");
                format!("{words} (revision {}{signed})", bundle.manifest.revision)
            }
            Err(why) => format!("cannot be used: {why}"),
        };
        format!("{:13}  {name}  {}\n", row.level, escape(about.as_bytes()))
    };
    Ok(print(&rows.iter().map(line).collect::<String>()))
}

fn rows() -> Result<Vec<Row>, String> {
    let found = found()?.into_iter().map(|found| {
        let read = read_found(&found);
        Row { level: found.level.word(), name: found.name, read }
    });
    let shipped = policy::shipped_names().map(|name| {
        let members = policy::shipped(name).unwrap_or_default();
        let read = Bundle::read(name, &members, &Trust::default(), false);
        Row { level: "shipped", name: name.to_owned(), read }
    });
    Ok(found.chain(shipped).collect())
}

fn found() -> Result<Vec<places::Found>, String> {
    let context = Context::of_process().map_err(|error| error.message)?;
    places::find(&context, &Policies::default())
}

fn read_found(found: &places::Found) -> Result<Bundle, String> {
    let trust = Trust { required: found.signed, keys: found.keys.clone() };
    Bundle::read(&found.name, &archive::unpack(&found.bytes)?, &trust, false)
}

fn keys(paths: &[PathBuf]) -> Result<Trust, String> {
    let keys = paths.iter().map(|path| places::key(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Trust { required: false, keys })
}

fn check(bundles: &[PathBuf], key: &[PathBuf], required: bool) -> Result<u8, String> {
    let trust = Trust { required, ..keys(key)? };
    let mut code = 0;
    for path in bundles {
        let read = members(path).and_then(|members| {
            // Once as it is used, once with its tests, which may be wrong too.
            let read = Bundle::read(&shown(path), &members, &trust, true);
            let read = read.and_then(|_| Bundle::read(&shown(path), &members, &trust, false));
            read.map_err(|why| format!("policy {}: {why}", shown(path)))
        });
        match read {
            Ok(bundle) => {
                let signed =
                    bundle.signed_by.as_ref().map_or("not signed".into(), |key| format!("signed by {key}"));
                let line =
                    format!("{}: right ({} policies, {signed})\n", shown(path), bundle.policies().len());
                code = code.max(print(&line));
            }
            Err(why) => {
                complain(&why, None);
                code = code.max(WRONG);
            }
        }
    }
    Ok(code)
}

fn eval(bundles: &[PathBuf], input: Option<&Path>, trust: &Trust, as_record: bool) -> Result<u8, String> {
    let mut set = PolicySet::default();
    for path in bundles {
        let read = Bundle::read(&shown(path), &members(path)?, trust, false);
        set.put(Level::Project, read.map_err(|why| format!("policy {}: {why}", shown(path)))?);
    }
    if bundles.is_empty() {
        for found in found()? {
            let read = read_found(&found).map_err(|why| format!("policy {}: {why}", found.name))?;
            set.put(found.level, read);
        }
    }
    let mut bytes = Vec::new();
    let mut from: Box<dyn Read> = match input {
        Some(path) => {
            let file = std::fs::File::open(path);
            Box::new(file.map_err(|error| format!("open the input {}: {error}", shown(path)))?)
        }
        None => Box::new(std::io::stdin().lock()),
    };
    from.by_ref()
        .take(1 << 17)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("read the input: {error}"))?;
    let question = decode(bytes.trim_ascii()).map_err(|error| format!("the input: {error}"))?;
    let decision = set.decide(&question);
    if !as_record {
        let text = serde_json::to_string_pretty(&decision).map_err(|error| error.to_string())?;
        return Ok(print(&format!("{text}\n")));
    }
    let labels = Labels { id: question.run.clone(), version: env!("CARGO_PKG_VERSION").into() };
    let mut made = record(&labels, &question, &decision);
    let masks = set.masks(&made);
    apply_masks(&mut made, &masks);
    Ok(print(&format!("{made:#}\n")))
}

fn test(bundles: &[PathBuf], trust: &Trust, json: bool) -> Result<u8, String> {
    let mut results = Vec::new();
    for path in bundles {
        let read = Bundle::read(&shown(path), &members(path)?, trust, true);
        let mut bundle = read.map_err(|why| format!("policy {}: {why}", shown(path)))?;
        results.extend(run_tests(&mut bundle).map_err(|why| format!("policy {}: {why}", shown(path)))?);
    }
    let failed = results.iter().filter(|result| result.failure.is_some()).count();
    let text = if json { format!("{:#}\n", as_json(&results)) } else { as_text(&results, failed) };
    let code = print(&text);
    // Nothing was proved by no test.
    Ok(if failed > 0 || results.is_empty() { FAILED_TEST } else { code })
}

fn as_json(results: &[TestResult]) -> Value {
    let row = |result: &TestResult| {
        json!({
            "file": result.file, "rule": result.rule, "pass": result.failure.is_none(), "failure": result.failure,
            "took_ns": u64::try_from(result.took.as_nanos()).unwrap_or(u64::MAX),
        })
    };
    results.iter().map(row).collect()
}

fn as_text(results: &[TestResult], failed: usize) -> String {
    let mut text = String::new();
    for result in results {
        let word = if result.failure.is_some() { "FAIL" } else { "PASS" };
        let rule = escape(result.rule.as_bytes());
        text.push_str(&format!("{rule}: {word} ({:?})\n", result.took));
        if let Some(why) = &result.failure {
            text.push_str(&format!("  {}: {}\n", escape(result.file.as_bytes()), escape(why.as_bytes())));
        }
    }
    text.push_str(&format!("{}\nPASS: {}/{}\n", "-".repeat(80), results.len() - failed, results.len()));
    if failed > 0 {
        text.push_str(&format!("FAIL: {failed}/{}\n", results.len()));
    }
    text
}
