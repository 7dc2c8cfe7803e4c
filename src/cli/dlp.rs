//! `dlp scan` and `dlp rules`: looks for what may not leave, in files and records, with the engine that guards the network.
//!
//! Never changes a file, and never prints a value unless `--show-values` asks for it.

mod records;
mod rules;
mod shown;

use super::args;
use super::output::{complain, print};
use crate::base::escape;
use crate::crypto::Secret;
use crate::dlp::{Engine, Limits, Options, Rules, classify};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Something was found, or a rule failed.
const FOUND: u8 = 1;
/// It could not be looked at.
const FAILED: u8 = 125;
/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// The most bytes of a rule file.
const RULE_BYTES: u64 = 4 << 20;

/// Carries one of the commands out; the exit code.
pub(super) fn run(command: &args::Dlp) -> u8 {
    let done = match command {
        args::Dlp::Scan { files, json, jsonl, show_values, rules } => {
            engine(rules, *show_values).and_then(|engine| scan(&engine, files, *json, *jsonl))
        }
        args::Dlp::Rules { command } => rules::run(command),
    };
    done.unwrap_or_else(|message| {
        complain(&message, Some("see aisandbox-dlp(7)"));
        FAILED
    })
}

fn key() -> Result<Arc<Secret>, String> {
    Secret::random().map(Arc::new).map_err(|errno| format!("make a key for hashes: {errno}"))
}

fn engine(files: &[PathBuf], show_values: bool) -> Result<Engine, String> {
    let mut rules = Rules::shipped().map_err(|errors| format!("the shipped rules: {errors}"))?;
    for file in files {
        rules.add(rules::read(file)?);
    }
    let mut options = Options::new(key()?, classify::score);
    options.show_values = show_values;
    Ok(Engine::new(rules, options))
}

fn scan(engine: &Engine, files: &[PathBuf], json: bool, jsonl: bool) -> Result<u8, String> {
    let mut code = 0;
    for file in files {
        let source = open(file)?;
        code = code.max(if jsonl {
            records::scan(engine, file, source)?
        } else {
            scan_file(engine, file, source, json)?
        });
    }
    Ok(code)
}

/// Looks into a file piece by piece, so that memory does not grow with it.
fn scan_file(engine: &Engine, file: &Path, mut source: Box<dyn Read>, json: bool) -> Result<u8, String> {
    let mut stream = engine.stream(Limits::default());
    let mut buffer = vec![0; PIECE];
    let mut code = 0;
    let mut blocked = None;
    loop {
        let count =
            read_full(&mut source, &mut buffer).map_err(|error| format!("read {}: {error}", shown(file)))?;
        let last = count < buffer.len();
        let step = stream.feed(buffer.get(..count).unwrap_or_default(), last);
        for finding in &step.findings {
            code = code.max(FOUND);
            let line = if json { shown::json_line(file, finding) } else { shown::text_line(file, finding) };
            code = code.max(print(&line));
        }
        if let Some(why) = step.blocked.filter(|_| blocked.is_none()) {
            blocked = Some(why);
            code = code.max(FOUND);
            code = code.max(print(&if json {
                shown::json_unscannable(file, why)
            } else {
                shown::text_unscannable(file, why)
            }));
        }
        if last {
            return Ok(code);
        }
    }
}

fn read_full(source: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut have = 0;
    while let Some(rest) = buffer.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(count) => have += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

/// Opens a file for reading; a folder is refused here, so that nobody takes it for clean.
fn open(file: &Path) -> Result<Box<dyn Read>, String> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let failed = |error: std::io::Error| format!("open {}: {error}", shown(file));
    let opened =
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_CLOEXEC).open(file).map_err(failed)?;
    if opened.metadata().map_err(failed)?.is_dir() {
        return Err(format!("open {}: is a folder", shown(file)));
    }
    Ok(Box::new(opened))
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}
