//! Any bytes as a policy bundle: no panic, no hang, and what is read answers a question.
#![no_main]

use aisandbox::policy::archive::unpack;
use aisandbox::policy::{Bundle, Trust};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(members) = unpack(bytes) {
        drop(Bundle::read("fuzz", &members, &Trust::default(), true));
    }
});
