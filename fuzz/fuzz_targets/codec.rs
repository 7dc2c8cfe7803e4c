//! Any bytes as each message of our sockets: no panic, and what is taken comes back the same.
#![no_main]

use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::{broker, consent, files, limit, mounts, policy, session};
use libfuzzer_sys::fuzz_target;

fn check<T>(bytes: &[u8]) -> Option<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    match decode::<T>(bytes) {
        Ok(message) => {
            let again = encode(&message).expect("what fitted fits again");
            assert_eq!(decode::<T>(&again).as_ref(), Ok(&message));
            Some(message)
        }
        Err(error) => {
            assert!(!error.to_string().contains('\u{1b}'));
            None
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(call) = check::<broker::Call>(bytes) {
        let _checked = limit::check(&call.op);
    }
    check::<broker::Return>(bytes);
    check::<broker::Event>(bytes);
    check::<broker::Welcome>(bytes);
    check::<session::Command>(bytes);
    check::<consent::Shown>(bytes);
    check::<files::FromFiles>(bytes);
    check::<mounts::FromMounts>(bytes);
    check::<policy::FromPolicy>(bytes);
});
