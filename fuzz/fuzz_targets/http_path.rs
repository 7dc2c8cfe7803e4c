//! Any path of a request: no panic, and a path that a rule allows leads, however often it is decoded, below that rule.
#![no_main]

use aisandbox::egress::inspect::path::Readings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let Ok(readings) = Readings::of(path) else { return };
    if !readings.begin_with("/api") {
        return;
    }
    let mut text = path.as_bytes().to_vec();
    for _ in 0..8 {
        let mut kept: Vec<&[u8]> = Vec::new();
        for segment in text.split(|byte| *byte == b'/' || *byte == b'\\').skip(1) {
            match segment.split(|byte| *byte == b';').next() {
                Some(b"..") => drop(kept.pop()),
                Some(b"." | b"") => {}
                _ => kept.push(segment),
            }
        }
        assert_eq!(kept.first(), Some(&&b"api"[..]), "{path}");
        text = once(&text);
    }
});

/// One round of percent decoding, as lax as any.
fn once(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}
