//! Cosignatures: a witness's word, with the time, that a log had a head and grew from the one before (C2SP
//! tlog-cosignature, Ed25519).
//!
//! Never decides whether a head may be cosigned, and never takes a cosignature of a key it was not given.

use super::note::{Note, is_name, line, typed_key_id};
use crate::base::to_hex;
use crate::crypto::{PUBLIC_BYTES, SIGNATURE_BYTES, Secret, check_signature, public_key, sign};
use crate::sys::Errno;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What marks a key as one of timestamped Ed25519 cosignatures.
const KIND: u8 = 4;

/// What is signed.
fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// A witness that is known by its name and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    name: String,
    key: [u8; PUBLIC_BYTES],
}

impl Witness {
    /// Reads `NAME+ID+KEY`, as C2SP signed-note writes a key; `None` for another kind of key, or an id that does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let bytes = STANDARD.decode(key).ok()?;
        let (kind, key) = bytes.split_first()?;
        let key: [u8; PUBLIC_BYTES] = key.try_into().ok()?;
        let fits = *kind == KIND && is_name(name) && id == to_hex(&typed_key_id(name, KIND, &key));
        fits.then(|| Self { name: name.to_owned(), key })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `NAME+ID+KEY`.
    pub fn text(&self) -> String {
        let id = to_hex(&typed_key_id(&self.name, KIND, &self.key));
        format!("{}+{id}+{}", self.name, STANDARD.encode([&[KIND][..], &self.key].concat()))
    }

    /// When it cosigned this note, in seconds since 1970, if one of these lines is its own and right.
    pub(super) fn signed(&self, note: &Note) -> Option<u64> {
        let id = typed_key_id(&self.name, KIND, &self.key);
        note.lines().iter().filter(|(name, _)| *name == self.name).find_map(|(_, bytes)| {
            let (hint, rest) = bytes.split_first_chunk::<4>()?;
            let (time, signature) = rest.split_first_chunk::<8>()?;
            let signature: &[u8; SIGNATURE_BYTES] = signature.try_into().ok()?;
            let time = u64::from_be_bytes(*time);
            let right = check_signature(&self.key, message(time, note.text()).as_bytes(), signature).is_ok();
            (*hint == id && right).then_some(time)
        })
    }
}

/// A witness's own key.
#[derive(Debug)]
pub struct Cosigner {
    witness: Witness,
    seed: Secret,
}

impl Cosigner {
    /// By its name and the seed of its key.
    /// # Errors
    /// `EINVAL` for what cannot be a name.
    pub fn new(name: &str, seed: Secret) -> Result<Self, Errno> {
        let key = public_key(&seed).map_err(|_| Errno::EINVAL)?;
        if !is_name(name) {
            return Err(Errno::EINVAL);
        }
        Ok(Self { witness: Witness { name: name.to_owned(), key }, seed })
    }

    /// What others know it by.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// The line for a head that is what it was, or grew, at this time: seconds since 1970.
    /// # Errors
    /// `EINVAL` when the key cannot be used.
    pub(super) fn line(&self, text: &str, time: u64) -> Result<String, Errno> {
        let Witness { name, key } = &self.witness;
        let signature = sign(&self.seed, message(time, text).as_bytes()).map_err(|_| Errno::EINVAL)?;
        let bytes = [&typed_key_id(name, KIND, key)[..], &time.to_be_bytes(), &signature].concat();
        Ok(format!("\u{2014} {name} {}\n", STANDARD.encode(bytes)))
    }
}

/// The lines of an answer that are cosignatures in form; nothing else may be in it.
pub(super) fn lines(text: &str) -> Option<Vec<&str>> {
    let all: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
    (all.len() <= 8 && all.iter().all(|one| line(one).is_some())).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::log::merkle::Edge;
    use crate::audit::log::note::Head;

    #[test]
    fn a_cosignature_holds_for_its_note_its_time_and_its_key_alone() {
        let cosigner = Cosigner::new("witness.example/w1", Secret::take(&mut [9; 32]).unwrap()).unwrap();
        let text = Head::at("example.org/log".into(), &Edge::default()).text();
        let line = cosigner.line(&text, 1_700_000_000).unwrap();
        let whole = format!("{text}\n{line}");
        let note = Note::parse(whole.as_bytes()).unwrap();
        assert_eq!(cosigner.witness().signed(&note), Some(1_700_000_000));
        let read = Witness::parse(&cosigner.witness().text()).unwrap();
        assert_eq!(&read, cosigner.witness());
        let other = Cosigner::new("witness.example/w1", Secret::take(&mut [8; 32]).unwrap()).unwrap();
        assert_eq!(other.witness().signed(&note), None);
        for at in 0..whole.len() {
            let mut changed = whole.clone().into_bytes();
            changed[at] ^= 1;
            let note = Note::parse(&changed);
            assert!(note.is_none_or(|note| read.signed(&note).is_none()), "byte {at}");
        }
    }

    #[test]
    fn what_is_no_key_of_a_witness_is_none() {
        let good = Cosigner::new("w", Secret::take(&mut [9; 32]).unwrap()).unwrap().witness().text();
        assert!(Witness::parse(&good).is_some());
        let (name, rest) = good.split_once('+').unwrap();
        for bad in
            ["", "w", "w+1+2", &format!("v+{rest}"), &format!("{name} +{rest}"), &good[..good.len() - 4]]
        {
            assert!(Witness::parse(bad).is_none(), "{bad}");
        }
        assert!(Cosigner::new("a b", Secret::take(&mut [9; 32]).unwrap()).is_err());
    }
}
