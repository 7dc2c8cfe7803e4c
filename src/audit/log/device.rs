//! The device's keys: a tree of trees of keys that each sign once, under one root that is the device's identity.
//!
//! A tree has 16 keys, made one from the other, and each is gone once it signed. The keys of the lowest tree sign
//! what runs need; a key of a tree above signs the root of one tree below; the last key of the highest signs its
//! successor. So an identity costs 48 keys at first, not all it will ever need, and every signature leads to it by a
//! path of the same length. Never reads or writes a file: `key_file` does.

use super::hex::Hex;
use super::merkle::{self, Hash, leaf_hash, root_by_path};
use crate::base::to_hex;
use crate::crypto::{Forged, Secret, check_signature, public_key, sign};
use crate::sys::{Errno, Sys};
use serde::{Deserialize, Serialize};

/// Keys of a tree.
pub(super) const FAN: usize = 16;
/// Trees one below the other.
pub(super) const LEVELS: usize = 3;
/// The most highest trees that a signature may lead through.
const MOST_LINKS: usize = 64;
const SALT: &[u8] = b"aisandbox device key v1";

/// A key's place under the identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// How many keys of the lowest level signed before it.
    pub number: u64,
    /// The key in its tree, then the key that signed the tree's root in the tree above, up to the highest.
    pub steps: Vec<Step>,
    /// Highest trees before that one, oldest first: the last key of each, which signed the next root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Step>,
}

/// A key in its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Which key of the tree.
    pub index: u64,
    /// The key.
    pub key: Hex<32>,
    /// The way to the tree's root.
    pub path: Vec<Hex<32>>,
    /// What it signed: the root of the tree below or after. Absent for the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Hex<64>>,
}

/// What a device signed about a run, and by which key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cert {
    /// The key.
    pub place: Place,
    /// Its signature over the run and its keys (aisandbox-audit(7)).
    pub signature: Hex<64>,
}

/// What a device signs when a run begins.
pub(super) fn run_text(run: &str, key: &Hex<32>, stable: &Hex<32>) -> String {
    format!("aisandbox run v1\n{run}\n{key}\n{stable}\n")
}

fn tree_text(root: &Hash) -> String {
    format!("aisandbox device tree v1\n{}\n", to_hex(root))
}

impl Cert {
    /// The identity of the device that signed these keys of a run.
    /// # Errors
    /// When a signature or a path is wrong.
    pub fn identity(&self, run: &str, key: &Hex<32>, stable: &Hex<32>) -> Result<Hash, Forged> {
        let (mine, identity) = self.place.check()?;
        check_signature(&mine, run_text(run, key, stable).as_bytes(), &self.signature.0)?;
        Ok(identity)
    }
}

impl Place {
    /// The key, and the identity it lies under.
    /// # Errors
    /// When a signature, a path or the number is wrong.
    pub fn check(&self) -> Result<(Hash, Hash), Forged> {
        if self.steps.len() != LEVELS || self.links.len() > MOST_LINKS {
            return Err(Forged);
        }
        let (mut below, mut number) = (None, 0);
        let mut scale = 1;
        for step in self.steps.iter().chain(self.links.iter().rev()) {
            below = Some(step.root(below.as_ref())?);
        }
        for step in &self.steps {
            number += step.index * scale;
            scale *= FAN as u64;
        }
        // The last key of a highest tree signs its successor and no tree below.
        number += self.links.len() as u64 * (FAN as u64 - 1) * (FAN as u64).pow(LEVELS as u32 - 1);
        let last = FAN as u64 - 1;
        let in_turn = self.links.iter().all(|link| link.index == last)
            && self.steps.last().is_some_and(|top| top.index != last);
        let mine = self.steps.first().ok_or(Forged)?.key.0;
        if in_turn && number == self.number { Ok((mine, below.ok_or(Forged)?)) } else { Err(Forged) }
    }
}

impl Step {
    /// The root of the tree, if this key is in it and signed the root below.
    fn root(&self, below: Option<&Hash>) -> Result<Hash, Forged> {
        match (below, &self.signed) {
            (Some(below), Some(signed)) => {
                check_signature(&self.key.0, tree_text(below).as_bytes(), &signed.0)?
            }
            (None, None) => {}
            _ => return Err(Forged),
        }
        let path: Vec<Hash> = self.path.iter().map(|hash| hash.0).collect();
        root_by_path(leaf_hash(&self.key.0), self.index, FAN as u64, &path).ok_or(Forged)
    }
}

/// A tree whose keys are used one after the other.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) next: usize,
    pub(super) seed: Secret,
    pub(super) keys: Vec<[u8; 32]>,
    /// What the tree above says of the root.
    pub(super) signed: Option<Hex<64>>,
}

impl Tree {
    fn new() -> Sys<Self> {
        let seed = Secret::random()?;
        let (mut keys, mut at) = (Vec::with_capacity(FAN), Secret::take(&mut seed.expose().to_owned())?);
        for _ in 0..FAN {
            keys.push(public_key(&signing(&at)?).map_err(|_| Errno::EINVAL)?);
            at = at.derive(SALT, &[b"next"])?;
        }
        Ok(Self { next: 0, seed, keys, signed: None })
    }

    fn leaves(&self) -> Vec<Hash> {
        self.keys.iter().map(|key| leaf_hash(key)).collect()
    }

    fn root(&self) -> Hash {
        merkle::root_of(&self.leaves())
    }

    /// The next key; the seed it came from is gone afterwards.
    fn take(&mut self) -> Sys<Secret> {
        let key = signing(&self.seed)?;
        self.seed = self.seed.derive(SALT, &[b"next"])?;
        self.next += 1;
        Ok(key)
    }

    /// The key that was used last.
    fn step(&self, signed: Option<Hex<64>>) -> Sys<Step> {
        let index = self.next.checked_sub(1).ok_or(Errno::EINVAL)?;
        let key = self.keys.get(index).ok_or(Errno::EINVAL)?;
        let path = merkle::path(&self.leaves(), index).into_iter().map(Hex).collect();
        Ok(Step { index: index as u64, key: Hex(*key), path, signed })
    }
}

fn signing(seed: &Secret) -> Sys<Secret> {
    seed.derive(SALT, &[b"sign"])
}

/// All keys of a device that are left.
#[derive(Debug)]
pub(super) struct Keys {
    /// Keys of the lowest level that are used.
    pub(super) used: u64,
    /// Highest first.
    pub(super) trees: Vec<Tree>,
    pub(super) links: Vec<Step>,
    pub(super) identity: Hash,
}

impl Keys {
    /// A new device.
    pub(super) fn enrol() -> Sys<Self> {
        let top = Tree::new()?;
        let mut keys = Self { used: 0, identity: top.root(), trees: vec![top], links: Vec::new() };
        for level in 1..LEVELS {
            let tree = Tree::new()?;
            keys.trees.push(tree);
            keys.have_signed(level)?;
        }
        Ok(keys)
    }

    /// The next key with its place. It signs what it is for at once, and is dropped.
    pub(super) fn take(&mut self) -> Sys<(Secret, Place)> {
        let key = self.take_at(LEVELS - 1)?;
        let mut steps = Vec::new();
        let mut signed = None;
        for tree in self.trees.iter().rev() {
            steps.push(tree.step(signed)?);
            signed = tree.signed;
        }
        let place = Place { number: self.used, steps, links: self.links.clone() };
        self.used += 1;
        Ok((key, place))
    }

    fn tree(&mut self, level: usize) -> Sys<&mut Tree> {
        self.trees.get_mut(level).ok_or(Errno::EINVAL)
    }

    fn take_at(&mut self, level: usize) -> Sys<Secret> {
        let last = if level == 0 { FAN - 1 } else { FAN };
        if self.tree(level)?.next >= last {
            self.renew(level)?;
        }
        self.tree(level)?.take()
    }

    fn renew(&mut self, level: usize) -> Sys<()> {
        let tree = Tree::new()?;
        if level > 0 {
            *self.tree(level)? = tree;
            return self.have_signed(level);
        }
        let old = self.tree(0)?;
        let signed = sign_root(&old.take()?, &tree.root())?;
        let link = old.step(Some(signed))?;
        *old = tree;
        self.links.push(link);
        Ok(())
    }

    /// Lets the tree above sign the root of a new tree.
    fn have_signed(&mut self, level: usize) -> Sys<()> {
        let root = self.tree(level)?.root();
        let key = self.take_at(level - 1)?;
        self.tree(level)?.signed = Some(sign_root(&key, &root)?);
        Ok(())
    }
}

fn sign_root(key: &Secret, root: &Hash) -> Sys<Hex<64>> {
    sign(key, tree_text(root).as_bytes()).map(Hex).map_err(|_| Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_leads_to_the_identity_in_its_turn_over_several_trees_of_each_level() {
        let mut keys = Keys::enrol().unwrap();
        let most = FAN * FAN * FAN + 40; // beyond the first highest tree
        for number in 0..most as u64 {
            let (key, place) = keys.take().unwrap();
            if number % 97 != 0 && number < most as u64 - 3 {
                continue;
            }
            let mine = public_key(&key).unwrap();
            assert_eq!(place.check(), Ok((mine, keys.identity)), "{number}");
            assert_eq!(place.number, number);
        }
        assert_eq!(keys.links.len(), 1);
    }

    #[test]
    fn a_place_that_was_changed_leads_nowhere() {
        let mut keys = Keys::enrol().unwrap();
        let (key, place) = (0..20).map(|_| keys.take().unwrap()).last().unwrap();
        let changes: [fn(&mut Place); 6] = [
            |place| place.number += 1,
            |place| place.steps[0].index -= 1,
            |place| place.steps[1].key.0[0] ^= 1,
            |place| place.steps[2].path[0].0[0] ^= 1,
            |place| place.steps[1].signed.as_mut().unwrap().0[0] ^= 1,
            |place| place.steps.truncate(2),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = place.clone();
            change(&mut changed);
            assert_ne!(changed.check().map(|found| found.1), Ok(keys.identity), "{number}");
        }
        let (first, stable) = (Hex([1; 32]), Hex([2; 32]));
        let signature = Hex(sign(&key, run_text("run", &first, &stable).as_bytes()).unwrap());
        let cert = Cert { place, signature };
        assert_eq!(cert.identity("run", &first, &stable), Ok(keys.identity));
        assert_eq!(cert.identity("other", &first, &stable), Err(Forged));
        assert_eq!(cert.identity("run", &stable, &first), Err(Forged));
    }
}
