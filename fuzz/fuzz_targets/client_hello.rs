//! Any bytes as the beginning of a TLS connection: no panic, and a hello is one however many of its bytes came.
#![no_main]

use aisandbox::egress::hello::{Parsed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    if let Parsed::Hello(hello) = &whole {
        if let Some(name) = &hello.sni {
            assert!(!name.is_empty() && name.len() <= 253 && name.is_ascii());
            assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_control()));
        }
        // What is behind it changes nothing.
        assert_eq!(parse(&[bytes, b"more"].concat()), whole);
    }
    for end in 0..bytes.len().min(64) {
        // A beginning of it can be unclear, but never clear in another way.
        match (parse(&bytes[..end]), &whole) {
            (Parsed::More, _) => {}
            (early, whole) => assert_eq!(early, *whole),
        }
    }
});
