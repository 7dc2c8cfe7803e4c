//! `aisandbox audit pack`: makes sealed records small.
//!
//! Exit codes: 0, or 1 when a record that was named is not sealed and stays as it is.

use super::print;
use super::text::state_word;
use crate::audit::log::{Packed, pack};
use crate::audit::{AuditError, find, with_logs};
use crate::base::Escaped;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

pub(super) fn run(
    dir: &Path,
    asked: &[String],
    all: bool,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let folders: Vec<PathBuf> = if all {
        with_logs(dir)?.iter().map(|run| dir.join(run.to_string())).collect()
    } else {
        asked.iter().map(|run| find(dir, run)).collect::<Result<_, _>>()?
    };
    let (mut code, mut told) = (0, Vec::new());
    for folder in folders {
        let packed = match pack(&folder) {
            // Of all, each is for itself; one that cannot be read does not hold up the others.
            Err(error) if all => {
                crate::cli::output::complain(&error.to_string(), None);
                code = 1;
                continue;
            }
            other => other?,
        };
        if !all && matches!(packed, Packed::Not(_) | Packed::Busy) {
            code = 1;
        }
        let name = folder.file_name().unwrap_or(folder.as_os_str()).as_encoded_bytes();
        if as_json {
            told.push(object(&String::from_utf8_lossy(name), packed));
        } else if !all || matches!(packed, Packed::Done { .. }) {
            print(out, &format!("{}: {}", Escaped(name), words(packed)))?;
        }
    }
    if as_json {
        print(out, &format!("{:#}", Value::Array(told)))?;
    }
    Ok(code)
}

fn words(packed: Packed) -> String {
    match packed {
        Packed::Done { before, after } => format!("packed, {after} bytes instead of {before}"),
        Packed::Already => "was packed before".to_owned(),
        Packed::Not(state) => format!("stays as it is: {}", state_word(state)),
        Packed::Busy => "is being packed by another process".to_owned(),
    }
}

fn object(run: &str, packed: Packed) -> Value {
    match packed {
        Packed::Done { before, after } => {
            json!({ "run": run, "packed": true, "before": before, "after": after })
        }
        Packed::Already => json!({ "run": run, "packed": true }),
        Packed::Not(state) => json!({ "run": run, "packed": false, "state": state }),
        Packed::Busy => json!({ "run": run, "packed": false, "busy": true }),
    }
}
