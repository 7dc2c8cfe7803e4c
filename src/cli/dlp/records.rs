//! `dlp scan --jsonl`: records `{"id": …, "text": …}`, one a line in, one a line out.

use super::shown::as_json;
use super::{FOUND, shown};
use crate::cli::output::print;
use crate::dlp::Engine;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The most bytes of one record.
const RECORD_BYTES: u64 = 64 << 20;

/// Looks into each record.
/// # Errors
/// The first line that is no record, by its number.
pub(super) fn scan(engine: &Engine, file: &Path, source: Box<dyn Read>) -> Result<u8, String> {
    let mut source = BufReader::with_capacity(1 << 16, source);
    let mut code = 0;
    for number in 1u64.. {
        let wrong = |what: &str| format!("{}, line {number}: {what}", shown(file));
        let mut line = Vec::new();
        let read = (&mut source).take(RECORD_BYTES + 1).read_until(b'\n', &mut line);
        if read.map_err(|error| wrong(&error.to_string()))? == 0 {
            break;
        }
        if line.len() as u64 > RECORD_BYTES {
            return Err(wrong("a record has at most 64 MiB"));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record: Value = serde_json::from_slice(&line).map_err(|_| wrong("is no JSON"))?;
        let (Some(id), Some(text)) = (record.get("id"), record.get("text").and_then(Value::as_str)) else {
            return Err(wrong("a record has `id`, and `text` as a text"));
        };
        let findings: Vec<Value> = engine.scan(text.as_bytes()).iter().map(as_json).collect();
        if !findings.is_empty() {
            code = code.max(FOUND);
        }
        code = code.max(print(&format!("{}\n", json!({ "id": id, "findings": findings }))));
    }
    Ok(code)
}
