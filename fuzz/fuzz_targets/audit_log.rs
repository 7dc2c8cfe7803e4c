//! The bytes of a log, of a device's log and of a proof: none makes the reader panic, and only what was signed holds.
#![no_main]

use aisandbox::audit::log::{DeviceLog, State, check_proof, verify_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let verdict = verify_bytes(data);
    // Nobody signed anything here: nothing of it can hold.
    assert!(verdict.leaves == 0 && verdict.state != State::Sealed, "{verdict:?}");
    let device = DeviceLog::of(data);
    assert_eq!((device.entries, device.runs.len()), (0, 0));
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(check_proof(text).is_err());
    }
});
