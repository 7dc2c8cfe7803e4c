//! A key of 32 bytes, in memory that is never swapped or dumped, and gone when dropped.
//!
//! Never shows itself: not in Debug, not by serde. ring copies a key to the stack for the length of a call; the
//! process that holds keys is undumpable for that reason too.

use super::provider;
use crate::sys::memory::{Page, SLOT, Slot};
use crate::sys::random::random_bytes;
use crate::sys::{Errno, Sys};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroize;

/// Bytes of a secret.
pub const SECRET_BYTES: usize = SLOT;

/// The pages that secrets lie in. A page is kept once made: a run has few, and locked memory is counted.
static PAGES: Mutex<Vec<Arc<Page>>> = Mutex::new(Vec::new());

/// A secret of 32 bytes.
pub struct Secret(Slot);

impl Secret {
    /// From the kernel's random numbers.
    /// # Errors
    /// As [`Page::new`] and getrandom(2).
    pub fn random() -> Sys<Self> {
        Self::take(&mut random_bytes::<SECRET_BYTES>()?)
    }

    /// Takes these bytes over; they are zero afterwards.
    /// # Errors
    /// As [`Page::new`].
    pub fn take(bytes: &mut [u8; SECRET_BYTES]) -> Sys<Self> {
        let mut slot = slot()?;
        slot.bytes_mut().copy_from_slice(bytes);
        bytes.zeroize();
        Ok(Self(slot))
    }

    /// Another secret, derived by HKDF-SHA256 (RFC 5869). The parts of the info are put together as they are.
    /// # Errors
    /// As [`Page::new`].
    pub fn derive(&self, salt: &[u8], info: &[&[u8]]) -> Sys<Self> {
        let mut slot = slot()?;
        provider::expand(self.expose(), salt, info, slot.bytes_mut()).map_err(|_| Errno::EINVAL)?;
        Ok(Self(slot))
    }

    /// The bytes, for who must hand them on.
    pub fn expose(&self) -> &[u8; SECRET_BYTES] {
        self.0.bytes()
    }
}

fn slot() -> Sys<Slot> {
    let mut pages = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = pages.iter().find_map(Page::take) {
        return Ok(slot);
    }
    let page = Page::new()?;
    let slot = page.take().ok_or(Errno::ENOMEM)?;
    pages.push(page);
    Ok(slot)
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_and_empties_where_it_came_from() {
        let mut bytes = [0x41; 32];
        let secret = Secret::take(&mut bytes).unwrap();
        assert_eq!((bytes, *secret.expose()), ([0; 32], [0x41; 32]));
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn another_salt_or_another_info_is_another_secret() {
        let secret = Secret::take(&mut [1; 32]).unwrap();
        let derive = |salt: &[u8], info: &[&[u8]]| *secret.derive(salt, info).unwrap().expose();
        assert_eq!(derive(b"a", &[b"bc"]), derive(b"a", &[b"b", b"c"]));
        assert_ne!(derive(b"a", &[b"bc"]), derive(b"b", &[b"bc"]));
        assert_ne!(derive(b"a", &[b"bc"]), derive(b"a", &[b"bd"]));
    }

    #[test]
    fn there_are_more_secrets_than_one_page_holds() {
        let many: Vec<Secret> = (0..300).map(|_| Secret::random().unwrap()).collect();
        let mut bytes: Vec<[u8; 32]> = many.iter().map(|secret| *secret.expose()).collect();
        bytes.sort_unstable();
        bytes.dedup();
        assert_eq!(bytes.len(), 300);
    }
}
