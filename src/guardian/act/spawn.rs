//! Starting an agent beside this one, with less.

/// What is told where a run may start none.
pub(crate) const UNAVAILABLE: &str = "this run may start no agents (`agents:` in the profile)";
