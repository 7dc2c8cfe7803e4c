//! DNS: the server inside, which knows the names of the rules and nothing else, and the resolver outside.
//!
//! Never sends anything because of a lookup inside: names are resolved when a connection was decided.

pub mod message;
pub(super) mod resolver;
pub(super) mod server;
