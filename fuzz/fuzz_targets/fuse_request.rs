//! Any FUSE requests at role `files`: no panic, the role goes on, and nothing outside of what was granted changes.
#![no_main]

#[path = "../../tests/fuse_requests/kernel.rs"]
mod kernel;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    kernel::send(&kernel::cut(bytes));
});
