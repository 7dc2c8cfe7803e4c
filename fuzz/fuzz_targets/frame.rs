//! Any datagram at either end of a broker channel: no panic, and nothing is taken that was not sealed with its key.
#![no_main]

use aisandbox::wire::agent::AgentEnd;
use aisandbox::wire::channel::{GuardianEnd, check_hello};
use aisandbox::wire::frame::ChannelId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let (mut guardian, _welcome) = GuardianEnd::open(ChannelId([7; 16]), "RUN", "token", 300).unwrap();
    assert!(guardian.receive(datagram).is_err(), "the key is random");
    assert!(guardian.receive(datagram).is_err(), "and the first failure ends it");
    drop(check_hello(datagram));
    drop(AgentEnd::open(datagram));
});
