//! Wire: what our processes, the agent and the person say to each other, as types, and how they become bytes.
//!
//! Never opens, reads or writes anything: bytes in, types out, and back. Nothing here decides.
#![forbid(unsafe_code)]

pub mod agent;
pub mod agents;
pub mod broker;
pub mod channel;
pub mod codec;
pub mod consent;
pub mod denial;
pub mod detect;
pub mod dlp;
pub mod egress;
pub mod files;
pub mod frame;
pub mod hidden;
pub mod limit;
pub mod mounts;
pub mod policy;
pub mod reputation;
pub mod schema;
pub mod serve;
pub mod session;
pub mod subject;
pub mod transitions;
pub mod upload;
pub mod words;
