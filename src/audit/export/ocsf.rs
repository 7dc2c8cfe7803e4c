//! OCSF 1.9: the event of the class that the table says, with the leaf beside it.
//!
//! The projection is for searching; what is signed is the leaf. So it goes along as `raw_data`, with its place in the log.

use super::Item;
use super::context::{Context, file_name};
use super::facts::Facts;
use super::judge::Outcome;
use super::objects::{self, EXECUTABLE};
use super::rest::pruned;
use crate::audit::Span;
use serde_json::{Map, Value, json};

/// The version of OCSF: the first with profile `record_integrity`.
const VERSION: &str = "1.9.0-dev";

/// The event. What OCSF has no name for is in `unmapped`.
pub(super) fn event(item: &Item<'_>, facts: Facts<'_>, context: &Context) -> Value {
    let class = facts.class_uid();
    let mut event = head(item, &facts, context);
    event.extend(control(&facts));
    event.extend(object(class, item, &facts, context));
    event.insert("attestation_list".to_owned(), attestations(item, context));
    event.insert("raw_data".to_owned(), item.text().into());
    event.insert("raw_data_hash".to_owned(), objects::leaf_fingerprint(&item.hash()));
    event.insert("unmapped".to_owned(), unmapped(facts, item, &context.span(&item.record)));
    pruned(Value::Object(event))
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn head(item: &Item<'_>, facts: &Facts<'_>, context: &Context) -> Map<String, Value> {
    let class = facts.class_uid();
    let status = if facts.outcome.is_bad() { (2, "Failure") } else { (1, "Success") };
    let is_finding = class / 1000 == 2;
    map(json!({
        "activity_id": facts.type_uid % 100,
        "category_uid": class / 1000,
        "class_uid": class,
        "type_uid": facts.type_uid,
        "time": item.millis(),
        "severity_id": severity(facts.severity),
        "status_id": if is_finding { 1 } else { status.0 },
        "status": if is_finding { "New" } else { status.1 },
        "status_detail": facts.reason,
        "message": facts.schema.map(|schema| schema.meaning),
        "count": facts.count.filter(|count| *count > 0),
        "duration": facts.took_ms,
        "metadata": {
            "version": VERSION,
            "product": { "name": "aisandbox", "vendor_name": "aisandbox", "version": context.version() },
            "uid": item.id(),
            "sequence": item.record.seq,
            "correlation_uid": context.trace.as_deref().unwrap_or(&context.run),
            "event_code": item.record.event,
            "log_name": context.log_name(),
            "log_version": item.record.v.to_string(),
            "is_truncated": item.record.cut.is_some(),
            "profiles": profiles(class),
        },
        "device": objects::device(context),
        "actor": objects::actor(facts, context),
        "ai_agent": agent(context, class),
    }))
}

/// Findings have no `ai_operation`.
fn profiles(class: u32) -> &'static [&'static str] {
    match class {
        0 => &["host"],
        2004 | 2006 => &["host", "security_control", "record_integrity"],
        _ => &["host", "security_control", "record_integrity", "ai_operation"],
    }
}

fn agent(context: &Context, class: u32) -> Option<Value> {
    let program = context.program.as_deref().filter(|_| class / 1000 != 2)?;
    let uid = context.program_sha256.as_deref().unwrap_or(program);
    Some(json!({ "name": file_name(program), "uid": uid, "instance_uid": context.run, "type_id": 0 }))
}

fn severity(cef: u8) -> u8 {
    match cef {
        0..=2 => 1,
        3..=4 => 2,
        5..=6 => 3,
        7..=8 => 4,
        _ => 5,
    }
}

/// Profile `security_control`: what we, as a control, did.
fn control(facts: &Facts<'_>) -> Map<String, Value> {
    let (action, disposition) = match (facts.outcome, facts.class_uid()) {
        (Outcome::Allowed, 3003) => (1, 8),
        (Outcome::Allowed, _) => (1, 1),
        (Outcome::Denied, 3003) => (2, 25),
        (Outcome::Denied, _) => (2, 2),
        (Outcome::Asked, _) => (0, 0),
        (Outcome::Observed, 2004 | 2006) => (3, 19),
        (Outcome::Observed, _) => (3, 17),
        (Outcome::Failed, _) => (3, 27),
    };
    map(json!({
        "action_id": action,
        "disposition_id": disposition,
        "is_alert": facts.severity >= 7,
        "policy": facts.policy.as_ref().map(|name| json!({ "name": name })),
        "firewall_rule": facts.rule.as_ref().map(|name| json!({ "name": name })),
    }))
}

fn object(class: u32, item: &Item<'_>, facts: &Facts<'_>, context: &Context) -> Map<String, Value> {
    map(match class {
        1001 => json!({ "file": objects::file(facts.file(), facts.sha256.as_deref(), 0) }),
        1007 => json!({ "process": launched(item, facts) }),
        1008 => json!({ "log_name": context.log_name(), "log_provider": "aisandbox" }),
        2004 => json!({ "finding_info": { "uid": item.id(), "title": title(item), "types": [facts.rule] } }),
        2006 => finding(item, facts),
        3003 | 3005 => rights(facts, context),
        3004 => {
            json!({ "entity": { "type": "policy", "type_id": 5, "name": context.profile.as_deref().unwrap_or("unknown") } })
        }
        4001..=4003 => network(class, facts),
        6002 => json!({ "app": app(context) }),
        _ => Value::Null,
    })
}

fn app(context: &Context) -> Value {
    json!({ "name": "aisandbox", "vendor_name": "aisandbox", "version": context.version() })
}

/// A program that is started, or would be. It has no pid yet; what names it is the run, or the event.
fn launched(item: &Item<'_>, facts: &Facts<'_>) -> Value {
    let path = facts.program().or_else(|| facts.command.first().map(String::as_str));
    pruned(json!({
        "uid": facts.child.clone().unwrap_or_else(|| item.id()),
        "name": path.map(file_name),
        "file": path.map(|path| objects::file(Some(path), facts.sha256.as_deref(), EXECUTABLE)),
        "cmd_line": facts.command.join(" "),
    }))
}

/// What a rule finds, in its own words.
fn title<'a>(item: &'a Item<'_>) -> Option<&'a str> {
    item.record.data.get("title")?.as_str()
}

fn finding(item: &Item<'_>, facts: &Facts<'_>) -> Value {
    let types: Vec<&str> = facts.findings.iter().map(|(kind, _)| kind.as_str()).collect();
    json!({
        "finding_info": { "uid": item.id(), "title": facts.name_for_people(), "types": types },
        "data_security": {
            "data_lifecycle_state_id": 2,
            "detection_system_id": 2,
            "total": facts.findings.iter().map(|(_, count)| count).sum::<u64>(),
        },
        "dst_endpoint": facts.to.as_ref().map(objects::endpoint),
    })
}

/// Rights that are asked for, given or taken: an action and its object each.
fn rights(facts: &Facts<'_>, context: &Context) -> Value {
    let object = facts.object.as_deref().or(facts.grant.as_deref()).or(facts.request.as_deref());
    let object = object.or(facts.token.as_deref()).unwrap_or("unknown");
    let actions = facts.action.as_deref().unwrap_or_default().split(' ').filter(|action| !action.is_empty());
    let mut privileges: Vec<String> = actions.map(|action| format!("{action} {object}")).collect();
    if privileges.is_empty() {
        privileges.push(object.to_owned());
    }
    json!({ "user": objects::user(context), "privileges": privileges })
}

fn network(class: u32, facts: &Facts<'_>) -> Value {
    let Some(to) = &facts.to else {
        return json!({ "dst_endpoint": { "name": "unknown" } });
    };
    let sni = to.sni.as_ref().map(|sni| json!({ "sni": sni, "version": "unknown" }));
    let traffic = json!({ "bytes_out": to.sent, "bytes_in": to.received });
    let url =
        to.request.as_ref().map(|(_, path)| json!({ "hostname": to.host, "port": to.port, "path": path }));
    let method = to.request.as_ref().map(|(method, _)| method);
    json!({
        "dst_endpoint": objects::endpoint(to),
        "connection_info": { "direction_id": 2, "protocol_name": (class != 4003).then_some("tcp"), "uid": to.flow.map(|flow| flow.to_string()) },
        "app_name": to.protocol,
        "tls": sni,
        "traffic": traffic,
        "http_request": (class == 4002).then(|| json!({ "http_method": method, "url": url })),
        "http_response": to.status.filter(|_| class == 4002).map(|code| json!({ "code": code })),
        "query": to.host.as_ref().filter(|_| class == 4003).map(|host| json!({ "hostname": host })),
    })
}

/// A head of a whole log; the signature is that of the block, which only the log has.
fn attestations(item: &Item<'_>, context: &Context) -> Value {
    json!([{
        "uid": item.id(),
        "chain_uid": context.log_name(),
        "authority_uid": context.device,
        "fingerprint": objects::leaf_fingerprint(&item.hash()),
    }])
}

fn unmapped(facts: Facts<'_>, item: &Item<'_>, span: &Span) -> Value {
    json!({ "aisandbox": {
        "event_version": facts.schema.map(|schema| schema.version),
        "outcome": facts.outcome.word(),
        "action": facts.action,
        "object": facts.object,
        "label": facts.label,
        "findings": facts.findings,
        "words": facts.words,
        "by": facts.by,
        "request": facts.request,
        "grant": facts.grant,
        "token": facts.token,
        "claimed": facts.claimed,
        "span": span.id,
        "parent_span": span.parent,
        "exit_code": facts.exit_code,
        "withheld": item.record.sd,
        "cut": item.record.cut,
        "data": facts.rest.left(),
    } })
}
