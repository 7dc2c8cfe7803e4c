//! Connections that are read, from real clients to servers of the tests' own.

mod clients;
mod content;
mod counted;
mod hostile;
mod messages;
mod parts;
mod rig;
mod secrets;
mod signed;
mod streams;
