//! The JSON Schemas of profile and filter files, made from the types that decode them.
//!
//! Never written by hand: a key that the decoder takes is in it, and none besides.

use super::filter_keys::FilterKeys;
use super::written::ProfileFile;
use schemars::{JsonSchema, generate::SchemaSettings};

/// The schema (draft 2020-12) for editors and for checks in a pipeline.
pub fn schema() -> serde_json::Value {
    schema_of::<ProfileFile>("aisandbox profile, version 1")
}

/// The same for filter files.
pub fn filter_schema() -> serde_json::Value {
    schema_of::<FilterKeys>("aisandbox filter, version 1")
}

fn schema_of<T: JsonSchema>(title: &str) -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = T::json_schema(&mut settings.into_generator());
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), title.into());
    schema.to_value()
}
