//! The JSON Schema of a profile file, made from the types that decode it.
//!
//! Never written by hand: a key that the decoder takes is in it, and none besides.

use super::written::ProfileFile;
use schemars::{JsonSchema, generate::SchemaSettings};

/// The schema (draft 2020-12) for editors and for checks in a pipeline.
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = ProfileFile::json_schema(&mut settings.into_generator());
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), "aisandbox profile, version 1".into());
    schema.to_value()
}
