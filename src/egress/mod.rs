//! Egress: the role that is the only way out of a run whose network is filtered. It decides by name and port, looks at
//! the first bytes, resolves and connects outside, moves the bytes, counts them, and tells what happened.
//!
//! Never opens a file, never lets anything out that no rule names, and never widens what the Guardian said: what it
//! cannot decide, read or count is refused. Bytes of the agent's go to the host that was allowed and nowhere else.
#![forbid(unsafe_code)]

mod client;
mod flow;
pub mod hello;
mod inspect;
mod meter;
mod reason;
mod tell;
