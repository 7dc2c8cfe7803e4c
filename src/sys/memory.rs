//! Memory for keys: one page that is never swapped, never dumped, and empty in a forked child; given out in slots.

use super::{Errno, Sys, checked_int};
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a slot.
pub const SLOT: usize = 32;
/// Slots of a page.
pub const SLOTS: usize = 128;

type Room = [[u8; SLOT]; SLOTS];

/// A page of slots.
pub struct Page {
    room: NonNull<Room>,
    used: [AtomicU64; 2],
}

// SAFETY: the page stays mapped until the last `Arc` is dropped, and each slot of it has one owner.
unsafe impl Send for Page {}
// SAFETY: shared, only the atomic marks are changed; a slot's bytes are reached through its one owner.
unsafe impl Sync for Page {}

impl Page {
    /// A page: locked (mlock(2)), left out of core dumps, and wiped for a forked child (MADV_WIPEONFORK, Linux 4.14).
    /// # Errors
    /// `ENOMEM`, `EAGAIN` or `EPERM` where RLIMIT_MEMLOCK leaves no page; `EINVAL` before Linux 4.14.
    pub fn new() -> Sys<Arc<Self>> {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping at a place the kernel chooses; nothing of ours is there.
        let at = unsafe { libc::mmap(ptr::null_mut(), size_of::<Room>(), prot, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let room = NonNull::new(at.cast::<Room>()).ok_or(Errno::ENOMEM)?;
        let page = Self { room, used: [AtomicU64::new(0), AtomicU64::new(0)] };
        // SAFETY: the mapping that was just made, at its full length.
        checked_int(unsafe { libc::mlock(at, size_of::<Room>()) })?;
        for advice in [libc::MADV_DONTDUMP, libc::MADV_WIPEONFORK] {
            // SAFETY: the same mapping; neither advice changes its bytes in this process.
            checked_int(unsafe { libc::madvise(at, size_of::<Room>(), advice) })?;
        }
        Ok(Arc::new(page))
    }

    /// A free slot, all zero.
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        for (half, used) in self.used.iter().enumerate() {
            let mark = |bits: u64| (bits != u64::MAX).then(|| bits | (bits + 1));
            if let Ok(before) = used.fetch_update(Ordering::AcqRel, Ordering::Acquire, mark) {
                let place = usize::try_from(before.trailing_ones()).unwrap_or(0);
                return Some(Slot { page: Arc::clone(self), place: half * 64 + place });
            }
        }
        None
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` at this length; every slot holds an `Arc` of the page, so none is left.
        unsafe { libc::munmap(self.room.as_ptr().cast(), size_of::<Room>()) };
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Page")
    }
}

/// The one owner of a slot. Its bytes are zero when it is taken, and again when it is given back.
pub struct Slot {
    page: Arc<Page>,
    place: usize,
}

impl Slot {
    fn at(&self) -> *mut [u8; SLOT] {
        // SAFETY: `place` is below SLOTS, so it stays inside the page.
        unsafe { self.page.room.as_ptr().cast::<[u8; SLOT]>().add(self.place) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; SLOT] {
        // SAFETY: mapped, any byte is a value, and only this owner reaches them: `&self` shares, `&mut self` writes.
        unsafe { &*self.at() }
    }

    /// Its bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8; SLOT] {
        // SAFETY: as in `bytes`, and this borrow is the only one.
        unsafe { &mut *self.at() }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: inside the page and ours alone; volatile, so that it is not left out as a write nobody reads.
        unsafe { self.at().write_volatile([0; SLOT]) };
        let mark = 1u64 << (self.place % 64);
        for (half, used) in self.page.used.iter().enumerate() {
            if half == self.place / 64 {
                used.fetch_and(!mark, Ordering::AcqRel);
            }
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Slot")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The flags of the mapping that holds this address, from /proc/self/smaps.
    fn flags_of(address: usize) -> String {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in smaps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let number = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((Some(from), Some(to))) = range.map(|(from, to)| (number(from), number(to))) {
                inside = (from..to).contains(&address);
            }
            if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                return flags.to_owned();
            }
        }
        String::new()
    }

    #[test]
    fn a_slot_is_locked_undumped_and_wiped_for_a_forked_child() {
        let slot = Page::new().unwrap().take().unwrap();
        let flags = flags_of(slot.bytes().as_ptr() as usize);
        for flag in ["lo", "dd", "wf"] {
            assert!(flags.split(' ').any(|word| word == flag), "{flag} in {flags}");
        }
        let control = Box::new([0u8; 4096]);
        assert!(!flags_of(control.as_ptr() as usize).contains("dd"), "ordinary memory has no such flag");
    }

    #[test]
    fn every_slot_has_one_owner_and_comes_back_empty() {
        let page = Page::new().unwrap();
        let mut slots: Vec<Slot> = (0..SLOTS).map(|_| page.take().unwrap()).collect();
        let places: BTreeSet<usize> = slots.iter().map(|slot| slot.bytes().as_ptr() as usize).collect();
        assert_eq!(places.len(), SLOTS);
        assert!(page.take().is_none());
        slots[77].bytes_mut().fill(7);
        let was = slots.swap_remove(77).bytes().as_ptr() as usize;
        let again = page.take().unwrap();
        assert_eq!((again.bytes().as_ptr() as usize, *again.bytes()), (was, [0; SLOT]));
    }
}
