//! What is learnt from and measured on: a candidate, what stands before it, and whether it is a secret.

use crate::found;

pub(crate) struct Example {
    pub(crate) candidate: Vec<u8>,
    pub(crate) before: Vec<u8>,
    pub(crate) secret: bool,
    /// Where it came from, for the tables of the report.
    pub(crate) kind: &'static str,
}

/// What an example may be used for. A source (a package, a template) is in one of them as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Split {
    /// To learn from.
    Train,
    /// To choose the threshold with.
    Validation,
    /// To measure once, after the threshold was written down.
    Final,
}

impl Split {
    /// The split of a source, by its name.
    pub(crate) fn of(source: &str) -> Self {
        match found::hash(source.as_bytes()) % 10 {
            0 | 4..=9 => Self::Train,
            1 | 2 => Self::Validation,
            _ => Self::Final,
        }
    }

    /// The part of a list of sources that belongs to this split.
    pub(crate) fn part<T: Copy>(self, list: &[T]) -> Vec<T> {
        let belongs = |place: usize| match (place + 3) % 7 {
            0..=3 | 5 => Self::Train,
            4 => Self::Validation,
            _ => Self::Final,
        };
        list.iter().enumerate().filter(|(place, _)| belongs(*place) == self).map(|(_, item)| *item).collect()
    }
}
