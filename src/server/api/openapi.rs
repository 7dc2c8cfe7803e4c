//! The OpenAPI document of what is served, made of the table of routes.

use super::routes::{ROWS, Row};
use serde_json::{Map, Value, json};

/// The document, OpenAPI 3.1.
pub(super) fn document() -> Value {
    let paths: Map<String, Value> = ROWS.iter().map(|row| (row.path.to_owned(), path(row))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "aisandbox audit",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Records of runs, for reading only",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": { "Error": {
                "type": "object",
                "required": ["error"],
                "properties": { "error": {
                    "type": "object",
                    "required": ["status", "why"],
                    "properties": { "status": { "type": "integer" }, "why": { "type": "string" } },
                } },
            } },
            "securitySchemes": { "certificate": { "type": "mutualTLS" } },
        },
        "security": [{ "certificate": [] }],
    })
}

fn path(row: &Row) -> Value {
    let params: Vec<Value> = row
        .params
        .iter()
        .map(|param| {
            let in_path = row.path.contains(&format!("{{{}}}", param.name));
            json!({
                "name": param.name,
                "in": if in_path { "path" } else { "query" },
                "required": in_path,
                "description": param.about,
                "schema": { "type": if param.number { "integer" } else { "string" } },
            })
        })
        .collect();
    let error = json!({ "$ref": "#/components/schemas/Error" });
    let refused =
        |about: &str| json!({ "description": about, "content": { "application/json": { "schema": error } } });
    json!({ "get": {
        "summary": row.about,
        "parameters": params,
        "responses": {
            "200": {
                "description": "The answer; its ETag names the size of the logs that it was read from",
                "content": { row.kind: {} },
            },
            "304": { "description": "The logs are as they were (If-None-Match)" },
            "400": refused("The question makes no sense"),
            "403": refused("Not for this role, or for a client without one"),
            "404": refused("There is no such run, event or path"),
            "429": refused("Too many questions of this client"),
            "503": refused("It cannot be recorded that this is read, or too much is asked at one time"),
        },
    } })
}
