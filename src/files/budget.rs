//! The bytes that may still be read and written together.

use std::sync::Mutex;
use std::sync::PoisonError;

/// What is left; without a limit there is always enough.
#[derive(Debug)]
pub(super) struct Budget(Option<Mutex<u64>>);

impl Budget {
    pub(super) fn new(bytes: Option<u64>) -> Self {
        Self(bytes.map(Mutex::new))
    }

    /// Takes as many of the wished bytes as are left. Zero when none is.
    pub(super) fn take(&self, wished: u64) -> u64 {
        let Some(left) = &self.0 else { return wished };
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = wished.min(*left);
        *left -= taken;
        taken
    }

    /// Gives back what was taken and not used.
    pub(super) fn give_back(&self, unused: u64) {
        if let Some(left) = &self.0 {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            *left = left.saturating_add(unused);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_is_left_and_what_was_not_used_comes_back() {
        let budget = Budget::new(Some(10));
        assert_eq!((budget.take(6), budget.take(6), budget.take(1)), (6, 4, 0));
        budget.give_back(3);
        assert_eq!(budget.take(u64::MAX), 3);
        assert_eq!(Budget::new(None).take(u64::MAX), u64::MAX);
    }
}
