//! Candidates from text that is on this machine and may be used: this repository, the packages it is built from, and
//! the documentation of Rust. All of them count as harmless; files with keys in them are left out.

use crate::example::{Example, Split};
use std::fs;
use std::path::{Path, PathBuf};

/// The most of one file that is read.
const MOST_READ: usize = 400_000;
/// The most bytes that one source gives.
const MOST_OF_SOURCE: usize = 6_000_000;

/// Roots of text, each with how many folders below it a source begins.
pub(crate) fn roots(given: &[String]) -> Vec<(PathBuf, usize)> {
    if !given.is_empty() {
        return given.iter().map(|path| (PathBuf::from(path), 1)).collect();
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let repository = std::env::current_dir().expect("a working folder");
    let mut roots: Vec<(PathBuf, usize)> =
        ["src", "tests", "profiles", "man"].iter().map(|part| (repository.join(part), 1)).collect();
    roots.extend(home.map(|home| (home.join("registry/src"), 2)));
    let sysroot = std::process::Command::new("rustc").args(["--print", "sysroot"]).output();
    if let Ok(said) = sysroot {
        let sysroot = PathBuf::from(String::from_utf8_lossy(&said.stdout).trim());
        roots.push((sysroot.join("share/doc/rust/html"), 2));
        roots.push((sysroot.join("lib/rustlib/src/rust/library"), 1));
    }
    roots.into_iter().filter(|(root, _)| root.is_dir()).collect()
}

/// All candidates below the roots; each source goes to one split as a whole.
pub(crate) fn examples(roots: &[(PathBuf, usize)], one_in: u64, mut take: impl FnMut(Split, Example)) -> u64 {
    let mut read = 0;
    for (root, depth) in roots {
        for source in sources(root, *depth) {
            let name = source.strip_prefix(root).unwrap_or(&source).to_string_lossy().into_owned();
            let split = Split::of(&name);
            let mut left = MOST_OF_SOURCE;
            for file in files(&source) {
                let Ok(text) = fs::read(&file) else { continue };
                let text = &text[..text.len().min(MOST_READ)];
                if text.len() > left || holds_keys(&file, text) {
                    continue;
                }
                left -= text.len();
                read += text.len() as u64;
                candidates(text, |start, end, named| {
                    let mixed = hash(&text[start..end]);
                    if named || mixed.is_multiple_of(one_in) {
                        let before = text[start.saturating_sub(64)..start].to_vec();
                        take(
                            split,
                            Example {
                                candidate: text[start..end].to_vec(),
                                before,
                                secret: false,
                                kind: "found",
                            },
                        );
                    }
                });
            }
        }
    }
    read
}

fn holds_keys(file: &Path, text: &[u8]) -> bool {
    let path = file.to_string_lossy();
    let text = String::from_utf8_lossy(&text[..text.len().min(100_000)]).into_owned();
    path.contains("/redact")
        || path.contains("/dlp")
        || text.contains("PRIVATE KEY-----")
        || text.contains("AKIA")
        || text.contains("ghp_")
        || text.contains("eyJ")
        || path.contains("token")
}

fn sources(root: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = vec![root.to_path_buf()];
    for _ in 0..depth {
        found = found
            .iter()
            .flat_map(|folder| if folder.is_dir() { listed(folder) } else { vec![folder.clone()] })
            .collect();
    }
    found
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .map(|list| list.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.sort();
    found
}

fn files(source: &Path) -> Vec<PathBuf> {
    if source.is_file() {
        return vec![source.to_path_buf()];
    }
    let mut found = Vec::new();
    let mut folders = vec![source.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in listed(&folder) {
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => folders.push(path),
                Ok(meta) if meta.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found
}

pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
        >> 7
}

/// Parts of names whose value is a candidate.
const KEYS: [&str; 20] = [
    "pass", "pwd", "secret", "token", "key", "auth", "cred", "api", "private", "bearer", "cookie", "session",
    "sign", "salt", "psk", "pin", "cert", "login", "clave", "pat",
];

/// Calls with each candidate of a text: values after names, and tokens that stand alone.
pub(crate) fn candidates(text: &[u8], mut take: impl FnMut(usize, usize, bool)) {
    tokens(text, &mut take);
    values(text, &mut take);
}

fn tokens(text: &[u8], take: &mut impl FnMut(usize, usize, bool)) {
    let inside = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~')
    };
    let mut at = 0;
    while at < text.len() {
        if !inside(text[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < text.len() && inside(text[at]) {
            at += 1;
        }
        let token = &text[start..at];
        if (16..=300).contains(&token.len()) {
            take(start, at, false);
        }
    }
}

fn values(text: &[u8], take: &mut impl FnMut(usize, usize, bool)) {
    for at in 0..text.len() {
        if !matches!(text[at], b'=' | b':' | b'>') {
            continue;
        }
        let head = text[at.saturating_sub(48)..at].to_ascii_lowercase();
        let head = head.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let name_end = head.iter().rposition(|byte| byte.is_ascii_alphanumeric()).map_or(0, |end| end + 1);
        if head.len() - name_end > 3 {
            continue;
        }
        let joined = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let start = head[..name_end].iter().rposition(|byte| !joined(byte)).map_or(0, |start| start + 1);
        let name = String::from_utf8_lossy(&head[start..name_end]).into_owned();
        if !KEYS.iter().any(|key| name.contains(key)) {
            continue;
        }
        let mut start = at + 1;
        while start < text.len()
            && start < at + 6
            && matches!(text[start], b' ' | b'=' | b'>' | b'"' | b'\'' | b'`' | b'&')
        {
            start += 1;
        }
        let quote = text[start - 1];
        let ends = |byte: u8| match quote {
            b'"' | b'\'' | b'`' => byte == quote || byte == b'\n',
            _ => {
                byte.is_ascii_whitespace()
                    || matches!(byte, b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'&' | b')' | b'}')
            }
        };
        let length = text[start..].iter().take(200).position(|byte| ends(*byte)).unwrap_or(0);
        if length >= 4 {
            take(start, start + length, true);
        }
    }
}
