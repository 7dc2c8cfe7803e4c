//! The keys of a log: one for each block, each made from the one before, which is then gone.
//!
//! Never writes a key anywhere. Whoever takes all of this process's memory finds the key of the block that comes, and
//! none of a block that is written.

use crate::crypto::{PUBLIC_BYTES, SIGNATURE_BYTES, Secret, public_key, sign};
use crate::sys::{Errno, Sys};

/// A key and the seed that the next is made from.
struct Step {
    seed: Secret,
    signing: Secret,
    public: [u8; PUBLIC_BYTES],
}

impl Step {
    fn from_seed(seed: Secret) -> Sys<Self> {
        let signing = seed.derive(SALT, &[b"sign"])?;
        let public = public_key(&signing).map_err(|_| Errno::EINVAL)?;
        Ok(Self { seed, signing, public })
    }
}

const SALT: &[u8] = b"aisandbox log key v1";

/// The key of the block that comes, and the one after it.
pub(super) struct Ratchet {
    epoch: u64,
    now: Step,
    next: Step,
}

impl Ratchet {
    /// Keys of a new log.
    pub(super) fn new() -> Sys<Self> {
        let now = Step::from_seed(Secret::random()?)?;
        let next = Step::from_seed(now.seed.derive(SALT, &[b"next"])?)?;
        Ok(Self { epoch: 0, now, next })
    }

    /// The number of the block that comes.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The key that signs it.
    pub(super) fn public(&self) -> [u8; PUBLIC_BYTES] {
        self.now.public
    }

    /// The key that signs the block after it.
    pub(super) fn next_public(&self) -> [u8; PUBLIC_BYTES] {
        self.next.public
    }

    /// Signs the block that comes.
    pub(super) fn sign(&self, message: &[u8]) -> Sys<[u8; SIGNATURE_BYTES]> {
        sign(&self.now.signing, message).map_err(|_| Errno::EINVAL)
    }

    /// Forgets the key of a block that was written. Only then: a block that was not could not be signed again.
    pub(super) fn advance(&mut self) -> Sys<()> {
        let after = Step::from_seed(self.next.seed.derive(SALT, &[b"next"])?)?;
        self.now = std::mem::replace(&mut self.next, after);
        self.epoch += 1;
        Ok(())
    }
}

impl std::fmt::Debug for Ratchet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Ratchet({})", self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::check_signature;

    #[test]
    fn each_key_signs_its_own_block_and_was_named_before() {
        let mut keys = Ratchet::new().unwrap();
        for epoch in 0..5 {
            let (now, next) = (keys.public(), keys.next_public());
            let signature = keys.sign(b"block").unwrap();
            assert_eq!(check_signature(&now, b"block", &signature), Ok(()));
            assert!(check_signature(&next, b"block", &signature).is_err());
            assert_eq!(keys.epoch(), epoch);
            keys.advance().unwrap();
            assert_eq!(keys.public(), next);
        }
    }
}
