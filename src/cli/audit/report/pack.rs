//! The record as a page carries it: all of its bytes, or of a long one the leaves that matter with their paths, packed.
//!
//! Never carries more than its bounds, and says how many leaves it carries.

use crate::audit::AuditError;
use crate::audit::log::{Excerpt, Kept, Verdict, excerpt, whole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// A record up to this is carried whole: leaves, and bytes.
const MOST_LEAVES: u64 = 24_000;
const MOST_BYTES: u64 = 16 << 20;
/// Bytes of long leaves in an excerpt.
const MOST_LONG: usize = 4 << 20;

/// Where the leaves of an excerpt stand, and under which head.
#[derive(Debug, Serialize)]
pub(super) struct Places {
    note: String,
    /// Index and path, the path as base64.
    places: Vec<(u64, String)>,
}

/// A record, packed.
#[derive(Debug)]
pub(super) struct Packed {
    /// Deflated: a segment, or leaves, each with its length in two bytes; then what opens them.
    pub(super) bytes: Vec<u8>,
    /// Bytes before.
    pub(super) length: usize,
    /// Bytes of what opens them, of those.
    pub(super) openings: usize,
    /// Leaves that are in it.
    pub(super) held: u64,
    /// `None` where the record is whole.
    pub(super) places: Option<Places>,
}

/// Packs the log of this verdict; `wanted` are the leaves that matter.
pub(super) fn pack(folder: &Path, verdict: &Verdict, wanted: &[u64]) -> Result<Packed, AuditError> {
    if verdict.leaves <= MOST_LEAVES
        && let Some((bytes, openings)) = whole(folder, verdict, MOST_BYTES)?
    {
        return packed((&bytes, &openings), verdict.leaves, None);
    }
    let wanted: BTreeSet<u64> = wanted.iter().copied().collect();
    let none = || AuditError::NoProof {
        path: folder.to_owned(),
        why: "it is too long for a page, and no head of it has the stable signature".to_owned(),
    };
    let Excerpt { note, leaves, openings, .. } = excerpt(folder, &wanted, MOST_LONG)?.ok_or_else(none)?;
    let mut bytes = Vec::new();
    let mut places = Vec::new();
    for Kept { index, bytes: leaf, path } in &leaves {
        // A leaf that holds is no longer than two bytes can say.
        bytes.extend(u16::try_from(leaf.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(leaf);
        places.push((*index, STANDARD.encode(path.concat())));
    }
    packed((&bytes, &openings), leaves.len() as u64, Some(Places { note, places }))
}

fn packed(
    (bytes, openings): (&[u8], &[u8]),
    held: u64,
    places: Option<Places>,
) -> Result<Packed, AuditError> {
    let mut to = DeflateEncoder::new(Vec::new(), Compression::new(6));
    let done = to.write_all(bytes).and_then(|()| to.write_all(openings)).and_then(|()| to.finish());
    let packed = done.map_err(|error| AuditError::Encode { why: error.to_string() })?;
    let (length, openings) = (bytes.len() + openings.len(), openings.len());
    Ok(Packed { bytes: packed, length, openings, held, places })
}
