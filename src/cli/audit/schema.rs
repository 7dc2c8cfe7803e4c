//! `aisandbox audit schema`: what events there are, who may read which field, and what other systems call them.
//!
//! Prints the table of `audit/schema/` and nothing of its own.

use super::print;
use crate::audit::schema::{self, Class, EventSchema};
use crate::audit::{AuditError, json};
use std::io::Write;

/// Prints the JSON Schema of records, or of leaves.
/// # Errors
/// When `out` cannot be written.
pub(super) fn json_schema(of_leaves: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    let schema = if of_leaves { schema::json_schema() } else { schema::record_schema() };
    print(out, &json(&schema)?).map(|()| 0)
}

/// Prints one event with its fields, or all events.
/// # Errors
/// When there is no such event, or `out` cannot be written.
pub(super) fn table(asked: Option<&str>, out: &mut dyn Write) -> Result<u8, AuditError> {
    match asked.map(|name| (name, schema::event(name))) {
        None => all(out)?,
        Some((_, Some(event))) => one(event, out)?,
        Some((name, None)) => return Err(AuditError::NoSuchEvent { asked: name.to_owned() }),
    }
    Ok(0)
}

fn all(out: &mut dyn Write) -> Result<(), AuditError> {
    let width = schema::events().iter().map(|event| event.name.len()).max().unwrap_or(0);
    for event in schema::events() {
        let durability = event.durability.word();
        print(out, &format!("{:width$}  {}  {durability:5}  {}", event.name, event.version, event.meaning))?;
    }
    Ok(())
}

fn one(event: &EventSchema, out: &mut dyn Write) -> Result<(), AuditError> {
    let list = |items: Vec<String>| items.join(" ");
    let types = event.ecs.types.join(" ");
    let (low, high) = event.cef.severity;
    let severity = if low == high { low.to_string() } else { format!("{low} to {high}") };
    print(
        out,
        &format!("{}, version {}, {}: {}", event.name, event.version, event.durability.word(), event.meaning),
    )?;
    print(out, &format!("OCSF  {}", list(event.ocsf.iter().map(ToString::to_string).collect())))?;
    print(out, &format!("CEF   {}, {severity}", event.cef.name))?;
    print(out, &format!("ECS   {} / {types}", event.ecs.category))?;
    let width = Class::ALL.iter().map(|class| class.word().len()).max().unwrap_or(0);
    for field in &event.fields {
        print(out, &format!("{:width$}  {}", field.class.word(), field.path))?;
    }
    Ok(())
}
