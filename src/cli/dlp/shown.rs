//! Findings as lines: for people and as JSON.

use crate::base::escape;
use crate::dlp::{Finding, Unscannable};
use serde_json::{Value, json};
use std::path::Path;

/// `file:start-end: kind (rule) action, 40 bytes, hash 0123…, from base64`
pub(super) fn text_line(file: &Path, finding: &Finding) -> String {
    let from = match finding.decoded_from.as_slice() {
        [] => String::new(),
        chain => format!(", in {}", chain.join(" in ")),
    };
    let value = finding.value.as_deref().map(|value| format!(": {}", escape(value))).unwrap_or_default();
    format!(
        "{}:{}-{}: {} ({}) {}, {} bytes, hash {}, {:.2}{from}{value}\n",
        super::shown(file),
        finding.start,
        finding.end,
        escape(finding.kind.as_bytes()),
        escape(finding.rule.as_bytes()),
        finding.action.word(),
        finding.length,
        finding.value_hash,
        finding.confidence,
    )
}

pub(super) fn text_unscannable(file: &Path, why: Unscannable) -> String {
    format!("{}: dlp_unscannable ({}): {why}\n", super::shown(file), why.word())
}

pub(super) fn json_line(file: &Path, finding: &Finding) -> String {
    let mut line = as_json(finding);
    if let Value::Object(fields) = &mut line {
        fields.insert("file".into(), file.to_string_lossy().into());
    }
    format!("{line}\n")
}

pub(super) fn json_unscannable(file: &Path, why: Unscannable) -> String {
    format!(
        "{}\n",
        json!({ "file": file.to_string_lossy(), "kind": "dlp_unscannable", "rule": why.word(), "action": "block" })
    )
}

/// A finding as JSON. A value that is no UTF-8 is shown escaped.
pub(super) fn as_json(finding: &Finding) -> Value {
    let confidence = (f64::from(finding.confidence) * 1000.0).round() / 1000.0;
    let mut line = json!({
        "kind": &*finding.kind, "rule": &*finding.rule, "value_hash": finding.value_hash,
        "start": finding.start, "end": finding.end, "decoded_from": finding.decoded_from,
        "action": finding.action.word(), "length": finding.length, "confidence": confidence,
    });
    if let (Value::Object(fields), Some(value)) = (&mut line, &finding.value) {
        let text = std::str::from_utf8(value).map_or_else(|_| escape(value), str::to_owned);
        fields.insert("value".into(), text.into());
    }
    line
}
