//! Connecting to a host. There is no way out of a sandbox that is filtered by name yet, so nothing can be granted.

/// What is told and recorded.
pub(super) const UNAVAILABLE: &str =
    "hosts cannot be granted in this run; its network is what `network.mode` says";
