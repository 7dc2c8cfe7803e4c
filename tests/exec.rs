//! `exec`: what a command gets and what comes back, seen from a shell.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use support::for_each_user;

#[test]
fn an_agent_cannot_read_a_key_outside_its_binds() {
    for_each_user(|home| {
        let home = home.with(".ssh/id_ed25519", "secret");
        let (outside, inside) = home.run_both("cowork", "echo ran; cat ~/.ssh/id_ed25519");
        assert_eq!(outside.expect_code(0), "ran\nsecret"); // the control: nothing else forbids it
        assert_eq!(inside.expect_code(1), "ran\n"); // it did run, and read nothing
    });
}
