//! Acts: what is done when everything else has said yes. One act a file.
//!
//! Never decides. What an act works on was pinned before a person was asked.

mod append;
mod device;
pub(super) mod freeze;
pub(super) mod holders;
pub(super) mod open;
pub(super) mod spawn;
mod transition;

use crate::wire::subject::Resource;

/// Why a resource of this kind can be granted to nobody in this run; `None`: it can.
pub(super) fn unavailable(resource: &Resource) -> Option<&'static str> {
    match resource {
        Resource::File { .. }
        | Resource::Program { .. }
        | Resource::Host { .. }
        | Resource::Upload { .. } => None,
        Resource::Device { name } => Some(device::unavailable(name)),
    }
}
