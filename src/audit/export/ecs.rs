//! Elastic Common Schema: one document. What ECS has no name for is below `aisandbox`.

use super::Item;
use super::context::{Context, file_name};
use super::facts::{Facts, Process};
use super::judge::Outcome;
use super::rest::pruned;
use serde_json::{Value, json};

/// The version of ECS that the names are of.
const VERSION: &str = "8.17.0";

/// The document.
pub(super) fn document(item: &Item<'_>, facts: Facts<'_>, context: &Context) -> Value {
    let is_program = facts.class_uid() == 1007;
    let file = facts.file().filter(|_| !is_program);
    let parent = facts.parents.first().map(process);
    let span = context.span(&item.record);
    let document = json!({
        "@timestamp": item.record.time,
        "ecs": { "version": VERSION },
        "message": facts.schema.map(|schema| schema.meaning),
        "event": event(item, &facts),
        "file": { "path": file, "name": file.map(file_name), "hash": { "sha256": facts.sha256.as_ref().filter(|_| file.is_some()) } },
        "process": merged(process(&facts.process), json!({ "parent": parent })),
        "user": { "id": context.uid.map(|uid| uid.to_string()) },
        "rule": { "name": facts.policy.as_ref().or(facts.rule.as_ref()) },
        "trace": { "id": context.trace },
        "span": { "id": span.id },
        "host": { "id": context.device, "os": { "type": "linux", "kernel": context.kernel } },
        "observer": { "product": "aisandbox", "vendor": "aisandbox", "version": context.version() },
    });
    let document = merged(document, network(&facts));
    pruned(merged(document, json!({ "aisandbox": ours(item, facts, context) })))
}

fn network(facts: &Facts<'_>) -> Value {
    let Some(to) = &facts.to else { return Value::Null };
    json!({
        "destination": {
            "address": to.host.as_ref().or(to.address.as_ref()),
            "domain": to.host,
            "ip": to.address,
            "port": to.port,
            "bytes": to.received,
        },
        "tls": { "client": { "server_name": to.sni } },
        "network": {
            "bytes": to.sent.zip(to.received).map(|(sent, received)| sent.saturating_add(received)),
            "protocol": to.protocol,
            "direction": "egress",
        },
        "source": { "bytes": to.sent },
        "http": {
            "request": { "method": to.request.as_ref().map(|(method, _)| method) },
            "response": { "status_code": to.status },
        },
        "url": { "path": to.request.as_ref().map(|(_, path)| path) },
    })
}

/// What ECS has no name for.
fn ours(item: &Item<'_>, facts: Facts<'_>, context: &Context) -> Value {
    let program = facts.program().filter(|_| facts.class_uid() == 1007);
    let to = facts.to.as_ref();
    let about = json!({
        "run": context.run,
        "profile": context.profile,
        "coverage": context.coverage,
        "agent": { "program": context.program, "sha256": context.program_sha256 },
        "event_version": facts.schema.map(|schema| schema.version),
        "withheld": item.record.sd,
        "cut": item.record.cut,
    });
    let said = json!({
        "outcome": facts.outcome.word(),
        "what": facts.action,
        "object": facts.object,
        "program": { "path": program, "sha256": facts.sha256.as_ref().filter(|_| program.is_some()) },
        "command": facts.command,
        "label": facts.label,
        "findings": facts.findings,
        "words": facts.words,
        "by": facts.by,
        "request": facts.request,
        "grant": facts.grant,
        "token": facts.token,
        "claimed": facts.claimed,
        "parent_span": context.span(&item.record).parent,
        "child": facts.child,
        "flow": to.and_then(|to| to.flow),
        "exit_code": facts.exit_code,
        "count": facts.count,
        "parents": facts.parents.iter().skip(1).map(process).collect::<Vec<_>>(),
        "data": facts.rest.left(),
    });
    merged(about, said)
}

fn event(item: &Item<'_>, facts: &Facts<'_>) -> Value {
    let mut types: Vec<&str> = facts.schema.map(|schema| schema.ecs.types.to_vec()).unwrap_or_default();
    match facts.outcome {
        Outcome::Allowed if !types.contains(&"start") => types.push("allowed"),
        Outcome::Denied if !types.contains(&"denied") => types.push("denied"),
        _ => {}
    }
    let outcome = match facts.outcome {
        Outcome::Allowed => "success",
        Outcome::Denied | Outcome::Failed => "failure",
        Outcome::Asked | Outcome::Observed => "unknown",
    };
    json!({
        "id": item.id(),
        "sequence": item.record.seq,
        "hash": item.hash(),
        "original": item.text(),
        "kind": if facts.severity >= 7 { "alert" } else { "event" },
        "category": facts.schema.map(|schema| [schema.ecs.category]),
        "type": types,
        "action": item.record.event,
        "outcome": outcome,
        "reason": facts.reason,
        "severity": facts.severity,
        "duration": facts.took_ms.map(|took| took.saturating_mul(1_000_000)),
        "module": "aisandbox",
        "dataset": "aisandbox.audit",
    })
}

fn process(process: &Process) -> Value {
    json!({
        "pid": process.pid,
        "executable": process.program,
        "name": process.program.as_deref().map(file_name),
        "hash": { "sha256": process.sha256 },
    })
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (one.as_object_mut(), other) {
        fields.extend(more);
    }
    one
}
