//! `dlp rules list|test|import`.

use super::{FOUND, RULE_BYTES, key, open, scan_file, shown};
use crate::base::escape;
use crate::cli::args::{DlpFormat, DlpRules};
use crate::cli::output::print;
use crate::dlp::{Engine, Failed, Options, Rules, classify};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

pub(super) fn run(command: &DlpRules) -> Result<u8, String> {
    match command {
        DlpRules::List { files, json } => list(&all(files)?, *json),
        DlpRules::Test { files } => test(&all(files)?),
        DlpRules::Import { file, from, scan } => import(file, *from, scan.as_deref()),
    }
}

/// Rules of a file of ours.
pub(super) fn read(file: &Path) -> Result<Rules, String> {
    Rules::read(&text(file)?).map_err(|errors| format!("rules {}: {errors}", shown(file)))
}

fn text(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = open(file)?.take(RULE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("read {}: {error}", shown(file)))?;
    if bytes.len() as u64 > RULE_BYTES {
        return Err(format!("rules {}: more than {RULE_BYTES} bytes", shown(file)));
    }
    String::from_utf8(bytes).map_err(|_| format!("rules {}: not UTF-8", shown(file)))
}

fn all(files: &[PathBuf]) -> Result<Rules, String> {
    if files.is_empty() {
        return Rules::shipped().map_err(|errors| format!("the shipped rules: {errors}"));
    }
    let mut rules = Rules::default();
    for file in files {
        rules.add(read(file)?);
    }
    Ok(rules)
}

fn list(rules: &Rules, json: bool) -> Result<u8, String> {
    if json {
        let row = |rule: &crate::dlp::Rule| {
            json!({
                "id": &*rule.id, "kind": &*rule.kind, "class": rule.class.word(), "action": rule.action.word(),
                "about": rule.about,
            })
        };
        return Ok(print(&format!("{:#}\n", rules.iter().map(row).collect::<Value>())));
    }
    let row = |rule: &crate::dlp::Rule| {
        let (class, action) = (rule.class.word(), rule.action.word());
        format!("{:28} {class:10} {action:8} {}\n", rule.id, escape(rule.about.as_bytes()))
    };
    Ok(print(&rules.iter().map(row).collect::<String>()))
}

fn test(rules: &Rules) -> Result<u8, String> {
    let failed = rules.failures(&key()?, classify::score);
    let code = print(&format!("{}{} rules, {} failures\n", lines(&failed), rules.len(), failed.len()));
    Ok(if failed.is_empty() && !rules.is_empty() { code } else { FOUND })
}

fn lines(failed: &[Failed]) -> String {
    let line = |failed: &Failed| {
        let what = if failed.must_match { "finds nothing in" } else { "finds something in" };
        format!("line {}: rule {} {what}: {}\n", failed.line, failed.rule, escape(failed.example.as_bytes()))
    };
    failed.iter().map(line).collect()
}

fn import(file: &Path, from: DlpFormat, target: Option<&Path>) -> Result<u8, String> {
    let text = text(file)?;
    let read = match from {
        DlpFormat::Gitleaks => Rules::gitleaks(&text),
        DlpFormat::Kingfisher => Rules::kingfisher(&text),
    };
    let rules = read.map_err(|errors| format!("rules {}: {errors}", shown(file)))?;
    let failed = rules.failures(&key()?, classify::score);
    let all = rules.len();
    let names: Vec<_> = failed.iter().map(|failed| failed.rule.clone()).collect();
    let rules = rules.without(&names);
    let mut code = print(&format!("{}{} of {all} rules can be used\n", lines(&failed), rules.len()));
    if !failed.is_empty() || rules.is_empty() {
        code = code.max(FOUND);
    }
    if let Some(target) = target {
        let engine = Engine::new(rules, Options::new(key()?, classify::score));
        code = code.max(scan_file(&engine, target, open(target)?, false)?);
    }
    Ok(code)
}
