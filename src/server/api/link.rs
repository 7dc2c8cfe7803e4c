//! The socket to the half that holds the device's keys: a reading is recorded there before it is answered here.

use crate::sys::socket;
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::serve::{FromServer, ToServer};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Our end of it. One reading at a time.
#[derive(Debug)]
pub(super) struct Link(Mutex<OwnedFd>);

impl Link {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self(Mutex::new(socket))
    }

    /// Says something that has no answer.
    pub(super) fn tell(&self, message: &FromServer) -> Result<(), String> {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = encode(message).map_err(|error| error.to_string())?;
        socket::send(socket.as_fd(), &bytes, None, true).map_err(|errno| errno.to_string())
    }

    /// Has a reading recorded.
    /// # Errors
    /// Why it could not be; then nothing may be handed out.
    pub(super) fn note(&self, reading: &FromServer) -> Result<(), String> {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = encode(reading).map_err(|error| error.to_string())?;
        socket::send(socket.as_fd(), &bytes, None, true).map_err(|errno| errno.to_string())?;
        let mut buffer = vec![0; MOST_BYTES];
        let (length, _) =
            socket::receive(socket.as_fd(), &mut buffer, true).map_err(|errno| errno.to_string())?;
        if length == 0 {
            // Who records is gone, and with it the reason to be here.
            std::process::exit(0);
        }
        match decode(buffer.get(..length).unwrap_or_default()) {
            Ok(ToServer::Noted {}) => Ok(()),
            Ok(ToServer::NotNoted { why }) => Err(why),
            Ok(ToServer::Begin { .. }) => Err("an answer that nobody asked for".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}
