//! Egress: the role that is the only way out of a run whose network is filtered. It decides by name and port, looks at
//! the first bytes, resolves and connects outside, moves the bytes, counts them, and tells what happened.
//!
//! Never opens a file, never lets anything out that no rule names, and never widens what the Guardian said: what it
//! cannot decide, read or count is refused. Bytes of the agent's go to the host that was allowed and nowhere else.
#![forbid(unsafe_code)]

mod accept;
mod bucket;
mod client;
mod connection;
mod decide;
pub mod dns;
mod flow;
mod grants;
pub mod hello;
pub mod inspect;
mod link;
mod meter;
mod names;
mod outward;
mod peek;
mod place;
mod proxy;
mod publish;
mod race;
mod reason;
mod refuse;
mod relay;
mod serve;
mod session;
mod setup;
mod tell;
mod who;
mod writes;

pub use reason::text as reason_text;
pub use serve::{serve, set_limits};
