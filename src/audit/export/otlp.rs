//! OTLP logs: one `ExportLogsServiceRequest` in OTLP's JSON for each record, as its file exporters write it.

use super::Item;
use super::context::Context;
use super::facts::Facts;
use super::rest::pruned;
use serde_json::{Value, json};

/// The request. The body is the event's data as it is.
pub(super) fn logs(item: &Item<'_>, facts: &Facts<'_>, context: &Context) -> Value {
    let to = facts.to.clone().unwrap_or_default();
    let (number, text) = severity(facts.severity);
    let span = context.span(&item.record);
    let mut record = pruned(json!({
        "timeUnixNano": item.record.ts.to_string(),
        "observedTimeUnixNano": item.record.ts.to_string(),
        "severityNumber": number,
        "severityText": text,
        "eventName": item.record.event,
        "traceId": context.trace,
        "spanId": context.trace.as_ref().map(|_| &span.id),
        "attributes": attributes(&[
            ("log.record.uid", json!(item.id())),
            ("log.record.original", json!(item.text())),
            ("aisandbox.leaf.index", json!(item.record.seq)),
            ("aisandbox.leaf.hash", json!(item.hash())),
            ("aisandbox.outcome", json!(facts.outcome.word())),
            ("aisandbox.action", json!(facts.action)),
            ("aisandbox.reason", json!(facts.reason)),
            ("aisandbox.approval", json!(facts.approval())),
            ("aisandbox.parent_span.id", json!(span.parent)),
            ("aisandbox.claimed", json!(facts.claimed)),
            ("process.pid", json!(facts.process.pid)),
            ("process.executable.path", json!(facts.process.program)),
            ("file.path", json!(facts.file())),
            ("server.address", json!(to.host)),
            ("server.port", json!(to.port)),
            ("network.peer.address", json!(to.address)),
            ("network.protocol.name", json!(to.protocol)),
            ("http.request.method", json!(to.request.as_ref().map(|(method, _)| method))),
            ("url.path", json!(to.request.as_ref().map(|(_, path)| path))),
            ("http.response.status_code", json!(to.status)),
        ]),
    }));
    if let Some(fields) = record.as_object_mut() {
        fields.insert("body".to_owned(), any(&item.record.data));
    }
    json!({ "resourceLogs": [{
        "resource": { "attributes": attributes(&[
            ("service.name", json!("aisandbox")),
            ("service.version", json!(context.version())),
            ("service.instance.id", json!(context.run)),
            ("host.id", json!(context.device)),
            ("os.type", json!("linux")),
            ("aisandbox.profile", json!(context.profile)),
            ("aisandbox.coverage", json!(context.coverage)),
        ]) },
        "scopeLogs": [{ "scope": { "name": "aisandbox.audit", "version": "1" }, "logRecords": [record] }],
    }] })
}

fn attributes(all: &[(&str, Value)]) -> Vec<Value> {
    let there = all.iter().filter(|(_, value)| !value.is_null() && value != "");
    there.map(|(key, value)| json!({ "key": key, "value": any(value) })).collect()
}

/// A value as OTLP's JSON has it: numbers of 64 bits are text.
fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(yes) => json!({ "boolValue": yes }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => match number.as_i64() {
            Some(number) => json!({ "intValue": number.to_string() }),
            None => json!({ "stringValue": number.to_string() }),
        },
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(items) => {
            json!({ "arrayValue": { "values": items.iter().map(any).collect::<Vec<_>>() } })
        }
        Value::Object(fields) => {
            // Not every collector reads a value that is none.
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let values = fields.map(|(key, value)| json!({ "key": key, "value": any(value) }));
            json!({ "kvlistValue": { "values": values.collect::<Vec<_>>() } })
        }
    }
}

fn severity(cef: u8) -> (u8, &'static str) {
    match cef {
        0..=3 => (9, "INFO"),
        4..=6 => (13, "WARN"),
        7..=8 => (17, "ERROR"),
        _ => (21, "FATAL"),
    }
}
