//! The JSON Schema of what goes over a channel, made from the types that are encoded and decoded.
//!
//! Never written by hand: a field that the codec takes is in it, and none besides.

use super::broker::{Call, Event, Return, Welcome};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// The schema (draft 2020-12) of a payload: one of the four messages, each by itself under `$defs`.
pub fn broker() -> Value {
    let mut types = SchemaSettings::draft2020_12().into_generator();
    let messages = [
        of::<Call>(&mut types),
        of::<Return>(&mut types),
        of::<Event>(&mut types),
        of::<Welcome>(&mut types),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aisandbox broker, version 1",
        "oneOf": messages,
        "$defs": types.take_definitions(true),
    })
}

fn of<T: JsonSchema>(types: &mut SchemaGenerator) -> Schema {
    types.subschema_for::<T>()
}
