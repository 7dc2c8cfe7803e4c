//! Any bytes in pieces of any size: no panic, all is released, no finding comes after its bytes were.
#![no_main]

use aisandbox::crypto::Secret;
use aisandbox::dlp::{Engine, Limits, Options, Rules, classify};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(Rules::shipped().unwrap(), Options::new(Arc::new(Secret::random().unwrap()), classify::score)));

fuzz_target!(|bytes: &[u8]| {
    let Some((size, text)) = bytes.split_first() else { return };
    let mut stream = ENGINE.stream(Limits::default());
    let mut released = 0;
    for piece in text.chunks(usize::from(*size) * 16 + 1) {
        let step = stream.feed(piece, false);
        assert!(step.release_to >= released && step.release_to <= text.len() as u64);
        assert!(step.findings.iter().all(|finding| finding.start >= released && finding.end <= text.len() as u64));
        released = step.release_to;
    }
    let step = stream.feed(&[], true);
    assert!(step.findings.iter().all(|finding| finding.start >= released));
    assert_eq!(step.release_to, text.len() as u64);
});
