//! How fast the DLP engine reads, with all shipped rules, on one core: by the time of this thread, so that a busy machine
//! counts less.

use crate::table::{Wanted, add};
use aisandbox::base::thread_time;
use aisandbox::crypto::Secret;
use aisandbox::dlp::{Engine, Limits, Options, Rules, classify};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most bytes of source code.
const SOURCE_BYTES: usize = 32 << 20;

pub(crate) fn run() {
    let start = thread_time();
    let engine = engine();
    println!("{:<44} {:>8.1} ms", "making the engine", (thread_time() - start).as_secs_f64() * 1e3);
    report(&engine, "source code", &source(), Some((80.0, 250.0)));
    report(&engine, "random bytes in base64, one line", &base64(), None);
    report(&engine, "JSON", &json(), None);
    report(&engine, "random bytes", &random(8 << 20), None);
}

pub(crate) fn engine() -> Engine {
    let options = Options::new(Arc::new(Secret::random().unwrap()), classify::score);
    Engine::new(Rules::shipped().unwrap(), options)
}

/// Source code in which everything can be looked into; packages have test files that cannot.
pub(crate) fn readable_source() -> Vec<u8> {
    let (engine, text) = (engine(), source());
    let mut stream = engine.stream(Limits::default());
    let is_readable = |piece: &&[u8]| stream.feed(piece, false).blocked.is_none();
    text.chunks(64 << 10).filter(is_readable).flatten().copied().collect()
}

fn report(engine: &Engine, name: &str, text: &[u8], wanted: Option<(f64, f64)>) {
    let mut best = f64::MAX;
    let mut found = 0;
    for _ in 0..crate::turns(5, 1) {
        let start = thread_time();
        let mut stream = engine.stream(Limits::default());
        found = text.chunks(64 << 10).map(|piece| stream.feed(piece, false).findings.len()).sum::<usize>();
        found += stream.feed(&[], true).findings.len();
        best = best.min((thread_time() - start).as_secs_f64());
    }
    let megabytes = text.len() as f64 / 1e6;
    println!("{name:<44} {:>8.0} MB/s   {megabytes:.0} MB, {found} findings", megabytes / best);
    if let Some((must, aim)) = wanted {
        add(format!("DLP, {name}, one core, MB/s"), megabytes / best, Wanted::Least(must, aim));
    }
}

/// This repository's code, and that of the packages it is built from where they are.
fn source() -> Vec<u8> {
    let mut text = Vec::new();
    let mut open: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    open.splice(0..0, home.map(|home| home.join("registry/src")));
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && text.len() < SOURCE_BYTES {
                text.extend(std::fs::read(path).unwrap_or_default());
            }
        }
    }
    text
}

/// The same bytes in each run.
fn random(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn base64() -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(random(6 << 20)).into_bytes()
}

fn json() -> Vec<u8> {
    let mut text = b"[".to_vec();
    let random = random(4 << 20);
    for (number, bytes) in random.chunks(20).enumerate().take(60_000) {
        let hash: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        text.extend(
            format!(
                "{{\"id\": {number}, \"name\": \"quick alpha\", \"price\": {}.25, \"hash\": \"{hash}\"}},\n",
                bytes[0]
            )
            .bytes(),
        );
    }
    text.extend(b"0]");
    text
}
