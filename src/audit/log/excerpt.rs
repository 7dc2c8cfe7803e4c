//! What of a log is handed to somebody who checks it with nothing else: all of its bytes where they are few, else single
//! leaves, each with the path to one signed head.
//!
//! Never hands over a leaf that does not hold, and never more than it was allowed.

use super::block;
use super::join::Opening;
use super::merkle::{Edge, Hash, leaf_hash};
use super::note::Note;
use super::openings::{add_open, add_withheld};
use super::reader::{Held, Verdict, read_blocks};
use super::stored::Stored;
use crate::audit::AuditError;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// A leaf of at most as many bytes is always kept; one that is longer only while there is room.
const SHORT: usize = 4 << 10;

/// A leaf with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The hashes that lead from it to the root, lowest first.
    pub path: Vec<[u8; 32]>,
}

/// Some leaves under one head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The head, with the signature of the log's stable key alone.
    pub note: String,
    /// Leaves under it.
    pub size: u64,
    /// The leaves, in order.
    pub leaves: Vec<Kept>,
    /// What opens them, as the file of openings has it.
    pub openings: Vec<u8>,
}

/// The bytes of a segment, and those of what opens its leaves.
pub type Opened = (Vec<u8>, Vec<u8>);

/// The one segment of a log as far as the verdict says that it holds, or all of it where it says from where it does not, and
/// what opens it; `None` where both are longer than `most`, or it is not the only one.
/// # Errors
/// When it cannot be read.
pub fn whole(folder: &Path, verdict: &Verdict, most: u64) -> Result<Option<Opened>, AuditError> {
    let (mut bytes, mut openings) = (Vec::new(), Vec::new());
    if Stored::open(folder, 1)?.is_some() {
        return Ok(None);
    }
    Stored::first(folder)?.rest(0, &mut bytes)?;
    if verdict.at.is_none() {
        // It may have grown since.
        bytes.truncate(end_of(&bytes, verdict.leaves));
    }
    if let Some(stored) = Stored::openings(folder, 0)? {
        stored.rest(0, &mut openings)?;
    }
    Ok(Some((bytes, openings)).filter(|(bytes, openings)| (bytes.len() + openings.len()) as u64 <= most))
}

/// Where the block ends that has the last of as many leaves.
fn end_of(bytes: &[u8], leaves: u64) -> usize {
    let (mut at, mut size) = (0, 0);
    while size < leaves
        && let Some(Ok(block)) = bytes.get(at..).map(block::parse)
    {
        at += block.length;
        size += u64::from(block.count);
    }
    at
}

/// These leaves of a log and its first, under the newest head that the stable key signed; those behind it, and long ones
/// beyond `most` bytes, are not there. `None` where there is no such head.
/// # Errors
/// When the log cannot be read.
pub fn excerpt(folder: &Path, wanted: &BTreeSet<u64>, most: usize) -> Result<Option<Excerpt>, AuditError> {
    let mut nodes: HashMap<(u32, u64), Option<Hash>> = HashMap::new();
    for index in wanted.iter().chain([&0]) {
        // A tree of more levels has no leaves that could be counted.
        nodes.extend((0..48).map(|level| ((level, (index >> level) ^ 1), None)));
    }
    let (mut edge, mut leaves, mut room) = (Edge::default(), Vec::new(), most);
    let mut head: Option<(Note, Edge)> = None;
    let mut openings = Vec::new();
    let mut take = |held: &Held<'_>| {
        for found in held.leaves() {
            let (index, bytes) = (found.index, found.bytes);
            edge.push_and_tell(leaf_hash(bytes), |level, place, hash| {
                if let Some(node) = nodes.get_mut(&(level, place)) {
                    *node = Some(*hash);
                }
            });
            let length = bytes.len() + found.opening.length();
            let fits = length <= SHORT || length <= room;
            if index == 0 || (fits && wanted.contains(&index)) {
                room = room.saturating_sub(if length > SHORT { length } else { 0 });
                leaves.push((index, bytes.to_vec()));
                match found.opening {
                    Opening::Open(of) => add_open(&mut openings, index, &[&of.salt[..], of.value].concat()),
                    Opening::Withheld(id) => add_withheld(&mut openings, index, id),
                    Opening::None | Opening::Missing => {}
                }
            }
        }
        if let Some(note) = Note::parse(held.block.note).filter(|note| note.signatures() == 2) {
            head = Some((note, edge.clone()));
        }
    };
    let (_, start, _) = read_blocks(folder, &mut take)?;
    let Some((start, (note, edge))) = start.zip(head) else { return Ok(None) };
    let Some(signed) = note.only(&start.stable.0) else { return Ok(None) };
    let size = edge.size();
    leaves.retain(|(index, _)| *index < size);
    let path = |index: u64| path_of(index, &edge, &nodes);
    let leaves = leaves.into_iter().map(|(index, bytes)| Kept { index, bytes, path: path(index) }).collect();
    Ok(Some(Excerpt { note: signed, size, leaves, openings }))
}

/// The path of a leaf in the tree of this edge, from the subtrees that were kept on the way.
fn path_of(index: u64, edge: &Edge, nodes: &HashMap<(u32, u64), Option<Hash>>) -> Vec<Hash> {
    let size = edge.size();
    let beside = |level: u32| {
        let place = (index >> level) ^ 1;
        let whole = (place + 1).checked_shl(level).is_some_and(|end| end <= size);
        let known = nodes.get(&(level, place)).copied().flatten().filter(|_| whole);
        known.or_else(|| edge.root_of_part(level, place))
    };
    (0..48).filter_map(beside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::log::merkle::{path, root_by_path};

    #[test]
    fn the_path_of_every_leaf_is_the_one_that_all_leaves_give_also_when_the_tree_grew_on() {
        for size in 1..70u64 {
            let hashes: Vec<Hash> = (0..size + 40).map(|number| leaf_hash(&number.to_be_bytes())).collect();
            let mut nodes = HashMap::new();
            (0..size).for_each(|index| {
                nodes.extend((0..48).map(|level| ((level, (index >> level) ^ 1), None)));
            });
            let (mut edge, mut then) = (Edge::default(), Edge::default());
            for (number, hash) in (1..).zip(&hashes) {
                edge.push_and_tell(*hash, |level, place, hash| {
                    nodes.entry((level, place)).and_modify(|node| *node = Some(*hash));
                });
                if number == size {
                    then = edge.clone();
                }
            }
            let leaves = &hashes[..usize::try_from(size).unwrap()];
            for (index, hash) in leaves.iter().enumerate() {
                let found = path_of(index as u64, &then, &nodes);
                assert_eq!(found, path(leaves, index), "{index} of {size}");
                assert_eq!(root_by_path(*hash, index as u64, size, &found), Some(then.root()));
            }
        }
    }
}
