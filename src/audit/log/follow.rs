//! Reads on where it stopped, as a log grows: every block once, after it was checked.
//!
//! Never writes, and never hands over a leaf of a block that does not hold.

use super::block;
use super::reader::{Found, Verdict, ended, goes_on, open, stopped};
use super::segment::{MOST_BYTES, name};
use super::walk::{Stop, Walk};
use crate::audit::AuditError;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A log that is read as it grows.
#[derive(Debug)]
pub struct Follow {
    folder: PathBuf,
    walk: Walk,
    number: u32,
    file: File,
    /// Bytes of the segment that hold.
    held: u64,
    damage: Option<Stop>,
}

impl Follow {
    /// The log in a folder, which is named as its run; from its start.
    /// # Errors
    /// When it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, AuditError> {
        let run = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let file = open(&folder.join(name(0)))?;
        Ok(Self { folder: folder.to_owned(), walk: Walk::of(run), number: 0, file, held: 0, damage: None })
    }

    /// Whether somebody writes to it.
    pub fn goes_on(&self) -> bool {
        goes_on(&self.folder)
    }

    /// Hands over the leaves of all blocks that came since, and gives the verdict so far.
    /// # Errors
    /// When it cannot be read.
    pub fn more(&mut self, each: &mut dyn FnMut(Found<'_>)) -> Result<Verdict, AuditError> {
        let mut leaves = |block: &block::Block<'_>| {
            for (index, bytes) in (block.first..).zip(block.leaves().flatten()) {
                each(Found { index, bytes });
            }
        };
        // Looked at first: what is written until it ends is then read for sure.
        let alive = self.goes_on();
        let mut bytes = Vec::new();
        loop {
            if let Some(stop) = &self.damage {
                return Ok(stopped(&self.walk, (name(self.number), self.held), stop.clone(), alive));
            }
            let next = self.folder.join(name(self.number + 1));
            let last = !next.try_exists().map_err(|error| AuditError::io("look for", &next, &error))?;
            self.rest(&mut bytes)?;
            let (held, stop) = self.walk.segment(&bytes, last, &mut leaves);
            self.held += held as u64;
            match stop {
                // A block that is being written is read again the next time; the walk is where it was before it.
                Some(stop @ Stop::Torn(_)) => {
                    return Ok(stopped(&self.walk, (name(self.number), self.held), stop, alive));
                }
                Some(stop) => self.damage = Some(stop),
                None if last => return Ok(ended(&self.walk, alive)),
                None => {
                    self.file = open(&next)?;
                    (self.number, self.held) = (self.number + 1, 0);
                }
            }
        }
    }

    fn rest(&mut self, bytes: &mut Vec<u8>) -> Result<(), AuditError> {
        let path = self.folder.join(name(self.number));
        let failed = |error: std::io::Error| AuditError::io("read the log", &path, &error);
        bytes.clear();
        let most = MOST_BYTES + 2 * block::MOST_BYTES as u64;
        self.file.seek(SeekFrom::Start(self.held)).map_err(failed)?;
        (&self.file).take(most.saturating_sub(self.held)).read_to_end(bytes).map_err(failed)?;
        Ok(())
    }
}
