//! Consent: how a person is asked: the question in words, the terminal prompt, the notification, the screen of `ui`.
//!
//! Never decides anything and never grants anything: it shows a question and passes the answer on. What an agent
//! supplies is shown by the rules of [`plain`] alone.
#![forbid(unsafe_code)]

pub mod board;
pub mod notify;
mod plain;
pub mod prompt;
pub mod text;
pub mod ui;
mod words;

pub use plain::{columns, plain};
pub use words::{actions, lasting};
