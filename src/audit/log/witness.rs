//! What a log and a witness say to each other (C2SP tlog-witness): a head that the log's stable key signed, a proof that it
//! grew from the one before, and the witness's cosignature.
//!
//! Pure but for reading the log. Never signs for a log, and says of what is wrong with a submission just one thing, in the
//! order of the protocol.

use super::cosign::{Cosigner, Witness, lines};
use super::hex::Hex;
use super::merkle::{Hash, consistency, is_consistent, leaf_hash};
use super::note::{MOST_BYTES, Note};
use super::reader::{Held, read_blocks};
use crate::audit::AuditError;
use crate::sys::Errno;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// The most hashes of a proof.
const MOST_HASHES: usize = 63;
/// The most bytes of a submission.
pub const MOST_SUBMISSION: usize = MOST_BYTES + 64 * 64;

/// The newest head of a log that its stable key signed, with that signature alone; `None` where there is none that holds.
/// # Errors
/// When the log cannot be read.
pub fn checkpoint(folder: &Path) -> Result<Option<String>, AuditError> {
    let (head, _) = newest(folder, &mut |_| {})?;
    Ok(head.map(|(_, signed)| signed))
}

/// The newest head, and it with the signature of the stable key alone; each leaf's hash is handed over.
fn newest(folder: &Path, each: &mut dyn FnMut(Hash)) -> Result<(Option<(Note, String)>, u64), AuditError> {
    let mut head = None;
    let mut take = |held: &Held<'_>| {
        let block = held.block;
        block.leaves().flatten().for_each(|leaf| each(leaf_hash(leaf)));
        head = Note::parse(block.note).filter(|note| note.signatures() == 2).or(head.take());
    };
    let (verdict, start, _) = read_blocks(folder, &mut take)?;
    let found = start.zip(head).and_then(|(start, head)| {
        let signed = head.only(&start.stable.0)?;
        Some((head, signed))
    });
    Ok((found, verdict.leaves))
}

/// What a log sends to a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    old: u64,
    proof: Vec<Hash>,
    note: Note,
    text: String,
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The log's key did not sign it.
    Unsigned,
    /// The old size is greater than the new one.
    Backwards,
    /// It cosigned another head last, of this size.
    Conflict(u64),
    /// The proof does not hold.
    Inconsistent,
}

impl Submission {
    /// The newest head of the log in a folder, for a witness that has seen the first `old` leaves; `None` where the stable key
    /// signed none yet.
    /// # Errors
    /// When the log cannot be read.
    pub fn of(folder: &Path, old: u64) -> Result<Option<Self>, AuditError> {
        let mut leaves = Vec::new();
        let (head, _) = newest(folder, &mut |leaf| leaves.push(leaf))?;
        let Some((note, text)) = head else { return Ok(None) };
        leaves.truncate(usize::try_from(note.head.size).unwrap_or(usize::MAX));
        let proof = consistency(&leaves, usize::try_from(old).unwrap_or(usize::MAX));
        Ok(Some(Self { old, proof, note, text }))
    }

    /// Reads one strictly.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body = str::from_utf8(body).ok().filter(|body| body.len() <= MOST_SUBMISSION)?;
        let (head, text) = body.split_once("\n\n")?;
        let mut parts = head.split('\n');
        let number = parts.next()?.strip_prefix("old ")?;
        let old: u64 = number.parse().ok().filter(|old: &u64| old.to_string() == number)?;
        let proof: Vec<Hash> =
            parts.map(|line| STANDARD.decode(line).ok()?.try_into().ok()).collect::<Option<_>>()?;
        let fits = proof.len() <= MOST_HASHES;
        fits.then_some(Self { old, proof, note: Note::parse(text.as_bytes())?, text: text.to_owned() })
    }

    /// As it is sent.
    pub fn body(&self) -> String {
        let hashes: String = self.proof.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        format!("old {}\n{hashes}\n{}", self.old, self.text)
    }

    /// What the log is called.
    pub fn origin(&self) -> &str {
        &self.note.head.origin
    }

    /// Leaves under the head.
    pub fn size(&self) -> u64 {
        self.note.head.size
    }

    /// The root over them.
    pub fn root(&self) -> Hex<32> {
        Hex(self.note.head.root)
    }

    /// Checks all that a witness must, which knows the log's key and the head that it cosigned last.
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, stable: &Hex<32>, last: Option<&Cosigned>) -> Result<(), Refused> {
        self.note.check(&stable.0).map_err(|_| Refused::Unsigned)?;
        let head = &self.note.head;
        if self.old > head.size {
            return Err(Refused::Backwards);
        }
        let (size, root) = last.map_or((0, [0; 32]), |last| (last.size(), last.root().0));
        if self.old != size || (size == head.size && size > 0 && root != head.root) {
            return Err(Refused::Conflict(size));
        }
        let grew = is_consistent((size, &root), (head.size, &head.root), &self.proof);
        if grew { Ok(()) } else { Err(Refused::Inconsistent) }
    }

    /// The head with the log's signature and the witness's: what is kept before it is said.
    /// # Errors
    /// When the witness's key cannot be used.
    pub fn cosign(&self, stable: &Hex<32>, by: &Cosigner, time: u64) -> Result<Cosigned, Errno> {
        let signed = self.note.only(&stable.0).ok_or(Errno::EINVAL)?;
        let line = by.line(self.note.text(), time)?;
        Cosigned::parse(format!("{signed}{line}").as_bytes()).ok_or(Errno::EINVAL)
    }

    /// The head with what a witness answered; `None` for an answer that is no list of cosignatures, or none of this head
    /// by a witness that is named here, if any is.
    pub fn answered(&self, answer: &str, known: &[Witness]) -> Option<Cosigned> {
        let lines = lines(answer)?.join("\n");
        let cosigned = Cosigned::parse(format!("{}{lines}\n", self.text).as_bytes())?;
        let named = known.is_empty() || known.iter().any(|witness| witness.signed(&cosigned.note).is_some());
        named.then_some(cosigned)
    }
}

/// A head that was cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    note: Note,
    text: String,
}

impl Cosigned {
    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?.to_owned();
        Some(Self { note: Note::parse(bytes)?, text })
    }

    /// Reads the one that is kept in a file; `None` where there is none.
    pub fn read(path: &Path) -> Option<Self> {
        use std::io::Read;
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).ok()?;
        file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
        Self::parse(&bytes)
    }

    /// As it is kept.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines that are not the log's own.
    pub fn lines(&self) -> String {
        let (_, all) = self.text.split_once("\n\n").unwrap_or_default();
        let own = format!("\u{2014} {} ", self.note.head.origin);
        all.split_inclusive('\n').filter(|line| !line.starts_with(&own)).collect()
    }

    /// Leaves under the head.
    pub fn size(&self) -> u64 {
        self.note.head.size
    }

    /// The root over them.
    pub fn root(&self) -> Hex<32> {
        Hex(self.note.head.root)
    }

    /// Whether the log's stable key signed it, under its own name.
    pub(super) fn is_of(&self, origin: &str, stable: &Hex<32>) -> bool {
        self.note.head.origin == origin && self.note.check(&stable.0).is_ok()
    }

    /// Who cosigned it, and when: in seconds since 1970, of those that are known; of others the name that they give
    /// themselves.
    pub fn by(&self, known: &[Witness]) -> Vec<(String, Option<u64>)> {
        let own = &self.note.head.origin;
        let others = self.note.lines().iter().filter(|(name, _)| name != own);
        let time = |name: &str| {
            known.iter().find_map(|witness| witness.signed(&self.note).filter(|_| witness.name() == name))
        };
        others.map(|(name, _)| (name.clone(), time(name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::log::merkle::root_of;
    use crate::audit::log::note::{Head, signature_line};
    use crate::crypto::{Secret, public_key, sign};

    const ORIGIN: &str = "aisandbox.run/X";

    fn leaves(count: usize, last: &[u8]) -> Vec<Hash> {
        let mut all: Vec<Hash> = (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect();
        if let Some(end) = all.last_mut() {
            *end = leaf_hash(last);
        }
        all
    }

    /// A submission for these leaves, signed by this seed.
    fn submission(seed: u8, leaves: &[Hash], old: usize) -> (Submission, Hex<32>) {
        let secret = Secret::take(&mut [seed; 32]).unwrap();
        let key = public_key(&secret).unwrap();
        let head = Head { origin: ORIGIN.into(), size: leaves.len() as u64, root: root_of(leaves) };
        let signature = sign(&secret, head.text().as_bytes()).unwrap();
        let text = format!("{}\n{}", head.text(), signature_line(ORIGIN, &key, &signature));
        let note = Note::parse(text.as_bytes()).unwrap();
        let made = Submission { old: old as u64, proof: consistency(leaves, old), note, text };
        assert_eq!(Submission::parse(made.body().as_bytes()).as_ref(), Some(&made), "it comes back");
        (made, Hex(key))
    }

    #[test]
    fn a_witness_cosigns_growth_and_says_what_else_is_wrong_in_the_order_of_the_protocol() {
        let by = Cosigner::new("w1", Secret::take(&mut [9; 32]).unwrap()).unwrap();
        let (first, stable) = submission(1, &leaves(5, b"e"), 0);
        assert_eq!(first.check(&stable, None), Ok(()));
        let last = first.cosign(&stable, &by, 100).unwrap();
        assert_eq!((last.size(), last.by(&[by.witness().clone()])), (5, vec![("w1".into(), Some(100))]));
        assert_eq!(first.answered(&last.lines(), &[by.witness().clone()]).as_ref(), Some(&last));
        assert_eq!(last.by(&[]), [("w1".to_owned(), None)], "nobody knows it");

        let grown: Vec<Hash> = [leaves(5, b"e"), leaves(4, b"x")].concat();
        let (next, _) = submission(1, &grown, 5);
        assert_eq!(next.check(&stable, Some(&last)), Ok(()));
        let again = submission(1, &leaves(5, b"e"), 5).0;
        assert_eq!(again.check(&stable, Some(&last)), Ok(()), "the same head, at a later time");
        assert_eq!(submission(2, &grown, 5).0.check(&stable, Some(&last)), Err(Refused::Unsigned));
        let mut backwards = again.clone();
        backwards.old = 6;
        assert_eq!(backwards.check(&stable, Some(&last)), Err(Refused::Backwards));
        assert_eq!(submission(1, &grown, 4).0.check(&stable, Some(&last)), Err(Refused::Conflict(5)));
        assert_eq!(
            submission(1, &leaves(3, b"c"), 0).0.check(&stable, Some(&last)),
            Err(Refused::Conflict(5))
        );
        // Two views: the same size with another root, and a greater one that did not grow from the first.
        assert_eq!(
            submission(1, &leaves(5, b"other"), 5).0.check(&stable, Some(&last)),
            Err(Refused::Conflict(5))
        );
        let fork: Vec<Hash> = [leaves(5, b"other"), leaves(4, b"x")].concat();
        assert_eq!(submission(1, &fork, 5).0.check(&stable, Some(&last)), Err(Refused::Inconsistent));
    }

    #[test]
    fn a_submission_is_read_strictly() {
        let good = submission(1, &leaves(9, b"x"), 5).0.body();
        for bad in [
            good.replacen("old 5", "old 05", 1),
            good.replacen("old 5", "old -5", 1),
            good.replacen("old 5", "new 5", 1),
            good.replacen("old 5\n", "old 5\nnot base64\n", 1),
            good.replacen("old 5\n", &format!("old 5\n{}", "AAAA\n".repeat(64)), 1),
            good.replacen("\n\n", "\n", 1),
            good.trim_end().to_owned(),
            "x".repeat(MOST_SUBMISSION + 1),
            String::new(),
        ] {
            assert!(Submission::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
