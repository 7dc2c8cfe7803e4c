//! Any bytes as a question and as an answer of DNS: no panic, and what we say ourselves can be read.
#![no_main]

use aisandbox::egress::dns::message::{A, AAAA, Asked, NOERROR, answer, query, read_answer};
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;

fuzz_target!(|bytes: &[u8]| {
    match query(bytes) {
        Asked::Query(asked) => {
            let address: IpAddr = IpAddr::from([198, 18, 0, 2]);
            let told = answer(&asked, NOERROR, &[address], 5);
            assert_eq!(told.get(..2), bytes.get(..2));
            if let Some(name) = asked.name.as_deref().filter(|_| asked.internet && asked.kind == A) {
                let id = [bytes[0], bytes[1]];
                let read = read_answer(&told, id, name, A).expect("our own answer");
                assert_eq!(read.addresses, [address]);
            }
        }
        Asked::Refused(told) => assert!(told.len() == 12 && told[2] & 0x80 != 0),
        Asked::Nothing => {}
    }
    let id = [bytes.first().copied().unwrap_or(0), bytes.get(1).copied().unwrap_or(0)];
    for kind in [A, AAAA] {
        if let Some(read) = read_answer(bytes, id, "a.org", kind) {
            assert!(read.addresses.len() <= 64);
        }
    }
});
