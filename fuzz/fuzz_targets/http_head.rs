//! Any bytes as requests: no panic, and what passes is a request of its rule, for its host, framed in one way.
#![no_main]

use aisandbox::egress::inspect::fuzz::{METHODS, PATH, requests};
use libfuzzer_sys::fuzz_target;

/// What is about one connection, and must not go on.
const OF_A_HOP: [&str; 5] = ["connection", "transfer-encoding", "upgrade", "proxy-authorization", "keep-alive"];

fuzz_target!(|bytes: &[u8]| {
    for one in requests(bytes) {
        let count = |name: &str| one.came.iter().filter(|(named, _)| named == name).count();
        assert!(METHODS.contains(&&*one.method), "{one:?}");
        let below = one.path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        assert!(below && !one.path.split('/').any(|part| part == ".."), "{one:?}");
        assert!(count("host") <= 1 && count("content-length") + count("transfer-encoding") <= 1, "{one:?}");
        let length = one.came.iter().find(|(name, _)| name == "content-length");
        if let (Some((_, length)), Some(body)) = (length, one.body) {
            assert_eq!(std::str::from_utf8(length).unwrap().parse(), Ok(body), "{one:?}");
        }
        for (name, value) in &one.goes {
            assert!(!OF_A_HOP.contains(&&**name), "{one:?}");
            assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)), "{one:?}");
        }
    }
});
