//! Sink: carries records to the systems that others have, at least once each, with ids that stay.
//!
//! Never writes to a log, never says that something arrived which the other side did not confirm as far as its protocol
//! can, and never goes past a place where a log does not hold. The logs are the spool: nothing is kept twice. Each sink is
//! a thread of its own; one that hangs holds up no other.
#![forbid(unsafe_code)]

mod backoff;
mod bulk;
mod config;
mod cursor;
mod hec;
mod http;
mod journald;
mod keys;
mod lines;
mod message;
mod pump;
mod push;
mod s3;
mod secret;
mod ship;
mod sigv4;
mod spool;
mod status;
mod syslog;
mod tail;
mod tls;
mod tries;
mod work;
mod written;

pub use config::{Bulk, Config, Hec, Http, Kind, S3, Sink, Spool, Syslog, Tls, load};
pub use secret::SecretPlace;

pub use status::{Standing, Told, standing};
pub use work::{Ended, Work, open};

use message::{Form, Message};
use std::time::Duration;

/// One way to somewhere else.
trait Deliver: Send {
    /// What a message is.
    fn form(&self) -> Form;

    /// Sends what is in the batch. What arrived is taken out of it; what is left is sent again. Gives what the other side
    /// refused for good, which is taken out too.
    /// # Errors
    /// Why not all of it arrived.
    fn deliver(&mut self, batch: &mut Vec<Message>) -> Result<Vec<Refused>, Trouble>;
}

/// A message that the other side does not take, whenever it is sent.
#[derive(Debug)]
struct Refused {
    message: Message,
    why: String,
}

/// Why a batch did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// It can be sent again; not before this time, where the other side named one.
    Later { why: String, after: Option<Duration> },
    /// Not as it is: something in it is refused, or it is too long.
    Refused { why: String },
}

impl Trouble {
    fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }
}
