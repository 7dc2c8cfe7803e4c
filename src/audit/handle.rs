//! One log for the threads of a launcher: each event whole, in one order.
//!
//! Never lets a caller go on as if a record existed that could not be written: the error is the caller's.

use super::{AuditError, Event, Log};
use crate::base::HostPath;
use std::sync::{Arc, Mutex, PoisonError};

/// A handle on the log of the run; clones write to the same one.
#[derive(Debug, Clone)]
pub struct SharedLog(Arc<Mutex<Log>>);

impl SharedLog {
    /// Shares a log.
    pub fn new(log: Log) -> Self {
        Self(Arc::new(Mutex::new(log)))
    }

    /// Writes one event; it is in the kernel when this returns.
    /// # Errors
    /// As [`Log::append`].
    pub fn append(&self, event: &Event) -> Result<(), AuditError> {
        // A panic of another thread between two lines leaves a whole log: `Log` closes itself around each write.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).append(event)
    }

    /// Waits until every line is on the disk.
    /// # Errors
    /// As [`Log::sync`].
    pub fn sync(&self) -> Result<(), AuditError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sync()
    }

    /// Writes one event and waits until it is on the disk.
    /// # Errors
    /// As the two.
    pub fn append_durable(&self, event: &Event) -> Result<(), AuditError> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.append(event)?;
        log.sync()
    }

    /// The log's own path; a file that exists and that no sandbox may see.
    pub fn path(&self) -> Option<HostPath> {
        HostPath::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).path()).ok()
    }
}
