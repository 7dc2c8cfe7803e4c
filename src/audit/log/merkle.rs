//! The Merkle tree of RFC 6962: hashes of leaves and nodes, the right edge of a growing tree, paths of proof.
//!
//! Pure: never reads or writes anything, and keeps of a tree no more than its edge.

use crate::crypto::{sha256, sha256_parts};

/// A hash of the tree.
pub(super) type Hash = [u8; 32];

/// The hash of a leaf.
pub(crate) fn leaf_hash(entry: &[u8]) -> Hash {
    *sha256_parts(&[&[0], entry]).bytes()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    *sha256_parts(&[&[1], left, right]).bytes()
}

/// The right edge of a tree: the roots of its whole subtrees, largest first. All that growing it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edge {
    size: u64,
    peaks: Vec<Hash>,
}

impl Edge {
    /// How many leaves the tree has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The edge of a tree of `size` leaves, as it was kept.
    pub(super) fn from_parts(size: u64, peaks: Vec<Hash>) -> Self {
        Self { size, peaks }
    }

    /// The roots of its whole subtrees.
    pub(super) fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds the hash of the next leaf.
    pub(super) fn push(&mut self, leaf: Hash) {
        self.push_and_tell(leaf, |_, _, _| ());
    }

    /// The same, and tells of every subtree that is whole with it: its level, its place there, its root.
    pub(super) fn push_and_tell(&mut self, leaf: Hash, mut tell: impl FnMut(u32, u64, &Hash)) {
        let mut hash = leaf;
        let (mut level, mut above) = (0, self.size);
        tell(level, above, &hash);
        while above & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
            (level, above) = (level + 1, above >> 1);
            tell(level, above, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The edge once these leaves were added.
    pub(super) fn with(&self, leaves: &[Hash]) -> Self {
        let mut edge = self.clone();
        leaves.iter().for_each(|leaf| edge.push(*leaf));
        edge
    }

    /// The root of the tree as it is.
    pub(super) fn root(&self) -> Hash {
        self.root_of_last(self.peaks.len()).unwrap_or_else(|| *sha256(&[]).bytes())
    }

    /// The root over the leaves below its last peaks, as many; `None` for none.
    fn root_of_last(&self, peaks: usize) -> Option<Hash> {
        let last = self.peaks.iter().rev().take(peaks);
        last.copied().reduce(|right, left| node_hash(&left, &right))
    }

    /// The root of the subtree at a place of a level, where it is not whole: it ends with the tree. `None` where all of it
    /// is there, or nothing.
    pub(super) fn root_of_part(&self, level: u32, place: u64) -> Option<Hash> {
        let below = self.size & ((1u64.checked_shl(level)?) - 1);
        let is_last = below > 0 && self.size.checked_shr(level) == Some(place);
        if is_last { self.root_of_last(below.count_ones() as usize) } else { None }
    }
}

/// The root over these leaves.
pub(super) fn root_of(leaves: &[Hash]) -> Hash {
    Edge::default().with(leaves).root()
}

/// Where a tree of `size` leaves splits: the largest power of two below `size`, which is above 1.
fn split(size: usize) -> usize {
    1 << (usize::BITS - 1 - (size - 1).leading_zeros())
}

/// The hashes that lead from leaf `index` to the root over `leaves`, lowest first (RFC 6962, 2.1.1). Empty for a leaf
/// that is not there.
pub(super) fn path(mut leaves: &[Hash], mut index: usize) -> Vec<Hash> {
    let mut path = Vec::new();
    while leaves.len() > 1 && index < leaves.len() {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            path.push(root_of(right));
            leaves = left;
        } else {
            path.push(root_of(left));
            index -= left.len();
            leaves = right;
        }
    }
    path.reverse();
    path
}

/// The root that a path leads to (RFC 9162, 2.1.3.2). `None` when the path is too short or too long for the place.
pub(super) fn root_by_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// The hashes that show that the tree over the first `old` of these leaves is the beginning of the tree over all of them
/// (RFC 6962, 2.1.2). Empty for none, for all, and for more than there are.
pub(super) fn consistency(leaves: &[Hash], old: usize) -> Vec<Hash> {
    let mut proof = Vec::new();
    if 0 < old && old < leaves.len() {
        subproof(leaves, old, true, &mut proof);
    }
    proof
}

/// `whole`: the part of the old tree here is a tree that the old root was made of alone.
fn subproof(leaves: &[Hash], old: usize, whole: bool, proof: &mut Vec<Hash>) {
    if old == leaves.len() {
        proof.extend((!whole).then(|| root_of(leaves)));
        return;
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    if old <= middle {
        subproof(left, old, whole, proof);
        proof.push(root_of(right));
    } else {
        subproof(right, old - middle, false, proof);
        proof.push(root_of(left));
    }
}

/// Whether a proof shows that a tree of `old` leaves with this root is the beginning of another (RFC 9162, 2.1.4.2). The
/// tree of no leaf is the beginning of any, with an empty proof.
pub(super) fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old == 0 || old == new {
        return proof.is_empty() && (old == 0 || old_root == new_root);
    }
    if old > new {
        return false;
    }
    // A whole old tree is itself the first hash.
    let mut proof =
        if old.is_power_of_two() { [&[*old_root], proof].concat() } else { proof.to_vec() }.into_iter();
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let Some(first) = proof.next() else { return false };
    let (mut from_old, mut from_new) = (first, first);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            from_old = node_hash(&hash, &from_old);
            from_new = node_hash(&hash, &from_new);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            from_new = node_hash(&from_new, &hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{to_hex, unhex};

    #[test]
    fn every_tree_is_the_beginning_of_every_greater_one_and_of_no_other() {
        let all = leaves(70);
        for new in 1..70usize {
            let new_root = root_of(&all[..new]);
            for old in 0..=new {
                let (old_root, proof) = (root_of(&all[..old]), consistency(&all[..new], old));
                let is = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                    is_consistent((old as u64, old_root), (new as u64, new_root), proof)
                };
                assert!(is(&old_root, &new_root, &proof), "{old} of {new}");
                let longer = [proof.clone(), vec![new_root]].concat();
                assert!(!is(&old_root, &new_root, &longer), "{old} of {new}");
                if old == 0 {
                    continue;
                }
                assert!(!is(&leaf_hash(b"other"), &new_root, &proof), "{old} of {new}");
                assert!(old == new || !is(&old_root, &leaf_hash(b"other"), &proof), "{old} of {new}");
                assert!(proof.is_empty() || !is(&old_root, &new_root, &proof[1..]), "{old} of {new}");
                // Another history of the same length.
                let mut forked = all[..new].to_vec();
                forked[old - 1] = leaf_hash(b"fork");
                assert!(!is(&old_root, &root_of(&forked), &consistency(&forked, old)), "{old} of {new}");
            }
        }
        assert!(!is_consistent((5, &root_of(&all[..5])), (4, &root_of(&all[..4])), &[]));
    }

    fn leaves(count: u16) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    /// The leaves and roots of the Certificate Transparency reference tests.
    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        let entries = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(&unhex(entry).unwrap())).collect();
        let root = |count: usize| to_hex(&root_of(&hashes[..count]));
        assert_eq!(root(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(root(3), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
        assert_eq!(root(8), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn every_leaf_of_every_tree_leads_to_its_root_and_no_other_leaf_does() {
        for size in 1..70u16 {
            let leaves = leaves(size);
            let root = root_of(&leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = path(&leaves, index);
                let by = |leaf, index, path: &[Hash]| root_by_path(leaf, index, u64::from(size), path);
                assert_eq!(by(*leaf, index as u64, &path), Some(root), "{index} of {size}");
                assert_ne!(by(leaf_hash(b"other"), index as u64, &path), Some(root));
                assert_ne!(by(*leaf, index as u64 + 1, &path), Some(root));
                let longer = [path.clone(), vec![root]].concat();
                assert_eq!(by(*leaf, index as u64, &longer), None, "{index} of {size}");
            }
        }
    }
}
