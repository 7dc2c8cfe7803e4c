//! The file that a device's keys rest in: one page, 0600, written over in place, so that a used seed is nowhere.
//!
//! Never keeps a second copy of a seed, and never takes a file for keys whose sum is wrong.

use super::device::{FAN, Keys, LEVELS, Step, Tree};
use super::hex::Hex;
use super::merkle::{Edge, Hash};
use crate::crypto::{Secret, sha256};
use crate::sys::Sys;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use zeroize::Zeroizing;

const MAGIC: &[u8; 4] = b"ASK1";
/// The most bytes of the file.
const MOST_BYTES: u64 = 64 << 10;

/// What the file holds.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) keys: Keys,
    /// The right edge of the device's log, and its length in bytes: what adding to it takes.
    pub(super) edge: Edge,
    pub(super) log_bytes: u64,
}

/// Reads the file; `None` for one that is empty or damaged.
pub(super) fn read(file: &File) -> io::Result<Option<Kept>> {
    let length = file.metadata()?.len();
    if length == 0 || length > MOST_BYTES {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or(0)]);
    file.read_exact_at(&mut bytes, 0)?;
    let whole = bytes.split_last_chunk::<32>().filter(|(body, sum)| sha256(body).bytes() == *sum);
    let Some((body, _)) = whole else { return Ok(None) };
    Ok(kept(&mut Reader(body)))
}

/// Writes the file over.
pub(super) fn write(file: &File, kept: &Kept) -> io::Result<()> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 << 10));
    bytes.extend(MAGIC);
    bytes.extend(kept.keys.used.to_be_bytes());
    bytes.extend(kept.keys.identity);
    for tree in &kept.keys.trees {
        bytes.extend((tree.next as u64).to_be_bytes());
        bytes.extend(tree.seed.expose());
        tree.keys.iter().for_each(|key| bytes.extend(key));
        bytes.extend(tree.signed.map_or([0; 64], |signed| signed.0));
    }
    bytes.extend((kept.keys.links.len() as u64).to_be_bytes());
    for link in &kept.keys.links {
        bytes.extend(link.index.to_be_bytes());
        bytes.extend(link.key.0);
        link.path.iter().for_each(|hash| bytes.extend(hash.0));
        bytes.extend(link.signed.map_or([0; 64], |signed| signed.0));
    }
    bytes.extend(kept.edge.size().to_be_bytes());
    kept.edge.peaks().iter().for_each(|hash| bytes.extend(hash));
    bytes.extend(kept.log_bytes.to_be_bytes());
    let sum = sha256(&bytes);
    bytes.extend(sum.bytes());
    file.write_all_at(&bytes, 0)?;
    file.set_len(bytes.len() as u64)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn hashes(&mut self, count: usize) -> Option<Vec<Hash>> {
        (0..count).map(|_| self.take()).collect()
    }

    fn tree(&mut self) -> Option<Sys<Tree>> {
        let next = usize::try_from(self.number()?).ok().filter(|next| *next <= FAN)?;
        let mut seed = Zeroizing::new(self.take::<32>()?);
        let keys = self.hashes(FAN)?;
        let signed = Some(Hex(self.take()?)).filter(|signed| signed.0 != [0; 64]);
        Some(Secret::take(&mut seed).map(|seed| Tree { next, seed, keys, signed }))
    }

    fn link(&mut self) -> Option<Step> {
        let (index, key) = (self.number()?, Hex(self.take()?));
        let path = self.hashes(FAN.ilog2() as usize)?.into_iter().map(Hex).collect();
        Some(Step { index, key, path, signed: Some(Hex(self.take()?)) })
    }
}

fn kept(from: &mut Reader<'_>) -> Option<Kept> {
    if from.take()? != *MAGIC {
        return None;
    }
    let (used, identity) = (from.number()?, from.take()?);
    let trees: Vec<Tree> = (0..LEVELS).map(|_| from.tree()?.ok()).collect::<Option<_>>()?;
    let links = from.number().filter(|links| *links < 1 << 10)?;
    let links = (0..links).map(|_| from.link()).collect::<Option<_>>()?;
    let size = from.number()?;
    let edge = Edge::from_parts(size, from.hashes(size.count_ones() as usize)?);
    let log_bytes = from.number()?;
    from.0.is_empty().then_some(Kept { keys: Keys { used, trees, links, identity }, edge, log_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (std::path::PathBuf, File) {
        let path = std::env::temp_dir().join(format!(
            "aisandbox-keys-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        (path, file)
    }

    #[test]
    fn keys_go_on_where_they_were_and_no_used_seed_is_in_the_file() {
        let (path, file) = place();
        let mut edge = Edge::default();
        (0..5).for_each(|number| edge.push([number; 32]));
        let mut kept = Kept { keys: Keys::enrol().unwrap(), edge, log_bytes: 77 };
        let mut seeds = Vec::new();
        for number in 0..40 {
            seeds.push(*kept.keys.trees[2].seed.expose());
            let (_, place) = kept.keys.take().unwrap();
            assert_eq!(place.number, number);
            write(&file, &kept).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert!(seeds.iter().all(|seed| !bytes.windows(32).any(|window| window == seed)));
            kept = read(&file).unwrap().unwrap();
            assert_eq!((kept.edge.size(), kept.log_bytes), (5, 77));
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= 4096);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_damaged_file_holds_no_keys() {
        let (path, file) = place();
        assert!(read(&file).unwrap().is_none());
        write(&file, &Kept { keys: Keys::enrol().unwrap(), edge: Edge::default(), log_bytes: 0 }).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(read(&file).unwrap().is_none(), "byte {at}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
