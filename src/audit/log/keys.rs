//! The keys of a log: one for each epoch, each made from the one before, which is then gone.
//!
//! Never writes a key anywhere. Whoever takes all of this process's memory finds the key of the epoch that goes on, and
//! none of an epoch that is over.

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

/// The key of this epoch, and the next one as soon as it was named.
pub(super) struct Ratchet {
    epoch: u64,
    now: Step,
    next: Option<Step>,
}

impl Ratchet {
    /// Keys of a new log.
    pub(super) fn new() -> Sys<Self> {
        Ok(Self { epoch: 0, now: Step::from_seed(Secret::random()?)?, next: None })
    }

    /// The number of this epoch.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The key that signs it.
    pub(super) fn public(&self) -> [u8; PUBLIC_BYTES] {
        self.now.public
    }

    /// The key that signs the next one. It is made here, so that [`Ratchet::advance`] cannot fail.
    pub(super) fn next_public(&mut self) -> Sys<[u8; PUBLIC_BYTES]> {
        let next = match self.next.take() {
            Some(next) => next,
            None => Step::from_seed(self.now.seed.derive(SALT, &[b"next"])?)?,
        };
        Ok(self.next.insert(next).public)
    }

    /// Signs a block of this epoch.
    pub(super) fn sign(&self, message: &[u8]) -> Sys<[u8; SIGNATURE_BYTES]> {
        sign(&self.now.signing, message).map_err(|_| Errno::EINVAL)
    }

    /// Forgets the key of an epoch whose last block was written, with the next key in it. Only then: a block that was not
    /// could not be signed again.
    pub(super) fn advance(&mut self) {
        if let Some(next) = self.next.take() {
            self.now = next;
            self.epoch += 1;
        }
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
    fn each_key_signs_its_own_epoch_and_was_named_before() {
        let mut keys = Ratchet::new().unwrap();
        for epoch in 0..5 {
            let (now, next) = (keys.public(), keys.next_public().unwrap());
            let signature = keys.sign(b"block").unwrap();
            assert_eq!(check_signature(&now, b"block", &signature), Ok(()));
            assert!(check_signature(&next, b"block", &signature).is_err());
            assert_eq!(keys.epoch(), epoch);
            keys.advance();
            assert_eq!(keys.public(), next);
            keys.advance();
            assert_eq!(keys.public(), next, "no key takes over that was not named");
        }
    }
}
