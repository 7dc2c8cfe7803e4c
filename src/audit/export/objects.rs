//! Objects of OCSF that several classes have.

use super::context::{Context, file_name};
use super::facts::{Destination, Facts, Process};
use super::rest::pruned;
use serde_json::{Value, json};

/// A digest (SHA-256) as a fingerprint.
pub(super) fn fingerprint(value: &str) -> Value {
    json!({ "algorithm": "SHA-256", "algorithm_id": 3, "encoding_id": 1, "value": value })
}

/// The same of a leaf: it is not that of the bytes alone.
pub(super) fn leaf_fingerprint(value: &str) -> Value {
    json!({
        "algorithm": "SHA-256", "algorithm_id": 3, "encoding_id": 1, "value": value,
        "serialization": "RFC 6962 leaf: a zero byte, then raw_data", "serialization_id": 99,
    })
}

/// A file: its name must be there.
pub(super) fn file(path: Option<&str>, sha256: Option<&str>, type_id: u8) -> Value {
    let hashes: Vec<Value> = sha256.map(fingerprint).into_iter().collect();
    let name = path.map_or("unknown", file_name);
    pruned(json!({ "name": name, "path": path, "type_id": type_id, "hashes": hashes }))
}

/// An executable file's number.
pub(super) const EXECUTABLE: u8 = 8;

/// A process that was seen, with its parents around it.
pub(super) fn process(process: &Process, parents: &[Process]) -> Option<Value> {
    let pid = process.pid?;
    let program = process.program.as_deref();
    let file = program.map(|path| file(Some(path), process.sha256.as_deref(), EXECUTABLE));
    let parent = parents.split_first().and_then(|(parent, above)| self::process(parent, above));
    Some(pruned(json!({
        "pid": pid, "name": program.map(file_name), "file": file, "parent_process": parent,
    })))
}

/// Who did it: the process, the user, the run.
pub(super) fn actor(facts: &Facts<'_>, context: &Context) -> Value {
    pruned(json!({
        "process": process(&facts.process, &facts.parents),
        "user": user(context),
        "session": { "uid": context.run },
        "app_name": "aisandbox",
    }))
}

/// The user of the run.
pub(super) fn user(context: &Context) -> Value {
    match context.uid {
        Some(uid) => json!({ "uid": uid.to_string(), "type_id": 0 }),
        None => json!({ "name": "unknown", "type_id": 0 }),
    }
}

/// The machine; its identity is that of the device's log.
pub(super) fn device(context: &Context) -> Value {
    pruned(json!({
        "type_id": 0,
        "uid": context.device.as_deref().unwrap_or("unknown"),
        "os": { "name": "Linux", "type_id": 200, "kernel_release": context.kernel },
    }))
}

/// The other end of a connection.
pub(super) fn endpoint(to: &Destination) -> Value {
    let end = pruned(json!({ "hostname": to.host, "ip": to.address, "port": to.port }));
    if to.host.is_none() && to.address.is_none() {
        json!({ "name": "unknown", "port": to.port })
    } else {
        end
    }
}
