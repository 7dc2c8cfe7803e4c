//! The head of a log as text: a C2SP checkpoint (origin, size, root) in a C2SP signed note.
//!
//! Pure, and never decides which key is right: it finds the signature that a given key made.

use super::merkle::{Edge, Hash};
use crate::crypto::{Forged, PUBLIC_BYTES, SIGNATURE_BYTES, check_signature, sha256_parts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The most bytes of a note that is read.
pub(super) const MOST_BYTES: usize = 16 << 10;
/// The most bytes behind the name of a line: of signatures by other algorithms, too.
const MOST_LINE: usize = 4 << 10;
/// The most signature lines of a note that is read.
const MOST_LINES: usize = 16;

/// What is signed: which log, how many leaves, and their root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The log's name.
    pub(super) origin: String,
    /// Leaves.
    pub(super) size: u64,
    /// The root over them.
    pub(super) root: Hash,
}

impl Head {
    /// Of a log as far as this edge.
    pub(super) fn at(origin: String, edge: &Edge) -> Self {
        Self { origin, size: edge.size(), root: edge.root() }
    }

    /// The text that is signed.
    pub(super) fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }
}

/// Four bytes that hint at a key: of the name and the Ed25519 key (C2SP signed-note).
fn key_id(name: &str, key: &[u8; PUBLIC_BYTES]) -> [u8; 4] {
    typed_key_id(name, 1, key)
}

/// The same for a kind of signature.
pub(super) fn typed_key_id(name: &str, kind: u8, key: &[u8; PUBLIC_BYTES]) -> [u8; 4] {
    let digest = sha256_parts(&[name.as_bytes(), b"\n", &[kind], key]);
    let [a, b, c, d, ..] = *digest.bytes();
    [a, b, c, d]
}

/// A signature line.
pub(super) fn signature_line(
    name: &str,
    key: &[u8; PUBLIC_BYTES],
    signature: &[u8; SIGNATURE_BYTES],
) -> String {
    format!("\u{2014} {name} {}\n", STANDARD.encode([&key_id(name, key)[..], signature].concat()))
}

/// A digest over notes in their order: of what was digested before, and the next.
pub(super) fn digest(before: Option<Hash>, note: &[u8]) -> Hash {
    *sha256_parts(&[before.as_ref().map_or(&[][..], |before| before), note]).bytes()
}

/// A note that was read; what is in it is not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// What it says.
    pub(super) head: Head,
    text: String,
    lines: Vec<(String, Vec<u8>)>,
}

impl Note {
    /// Reads a note strictly: one text for each value.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let whole = str::from_utf8(bytes).ok().filter(|text| text.len() <= MOST_BYTES)?;
        let (text, signatures) = whole.split_once("\n\n")?;
        let text = format!("{text}\n");
        let mut parts = text.split('\n');
        let (origin, size, root) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next() != Some("") || parts.next().is_some() {
            return None; // an extension line
        }
        let number: u64 = size.parse().ok()?;
        let root: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
        let head = Head { origin: origin.to_owned(), size: number, root };
        if head.text() != text || !is_name(origin) {
            return None;
        }
        let lines: Vec<_> = signatures.strip_suffix('\n')?.split('\n').map(line).collect::<Option<_>>()?;
        (lines.len() <= MOST_LINES).then_some(Self { head, text, lines })
    }

    /// The note with the signature of this key alone.
    pub(super) fn only(&self, key: &[u8; PUBLIC_BYTES]) -> Option<String> {
        let id = key_id(&self.head.origin, key);
        let (name, line) =
            self.lines.iter().find(|(name, line)| *name == self.head.origin && line.starts_with(&id))?;
        Some(format!("{}\n\u{2014} {name} {}\n", self.text, STANDARD.encode(line)))
    }

    /// The text that is signed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its lines: a name, and the bytes behind it.
    pub(super) fn lines(&self) -> &[(String, Vec<u8>)] {
        &self.lines
    }

    /// How many signature lines it has.
    pub(super) fn signatures(&self) -> usize {
        self.lines.len()
    }

    /// Checks that a key of the log's own name signed it.
    /// # Errors
    /// When no line is by this key, or its signature is wrong.
    pub(super) fn check(&self, key: &[u8; PUBLIC_BYTES]) -> Result<(), Forged> {
        let id = key_id(&self.head.origin, key);
        let mine = self.lines.iter().find_map(|(name, line)| {
            let (hint, signature) = line.split_first_chunk::<4>()?;
            let signature: &[u8; SIGNATURE_BYTES] = signature.try_into().ok()?;
            (*name == self.head.origin && *hint == id).then_some(signature)
        });
        check_signature(key, self.text.as_bytes(), mine.ok_or(Forged)?)
    }
}

/// Whether this can name a key (C2SP signed-note).
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '+')
}

/// A line of a note: a name, and the bytes behind it.
pub(super) fn line(line: &str) -> Option<(String, Vec<u8>)> {
    let (name, code) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(code).ok()?;
    let fits = (4 + SIGNATURE_BYTES..=MOST_LINE).contains(&bytes.len());
    (fits && is_name(name)).then(|| (name.to_owned(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Secret, public_key, sign};

    fn signed() -> (String, [u8; 32]) {
        let seed = Secret::take(&mut [7; 32]).unwrap();
        let key = public_key(&seed).unwrap();
        let head = Head { origin: "example.org/log".into(), size: 7, root: [3; 32] };
        let signature = sign(&seed, head.text().as_bytes()).unwrap();
        (format!("{}\n{}", head.text(), signature_line(&head.origin, &key, &signature)), key)
    }

    #[test]
    fn a_note_comes_back_and_every_changed_byte_is_found() {
        let (text, key) = signed();
        let note = Note::parse(text.as_bytes()).unwrap();
        assert_eq!((note.head.size, note.signatures(), note.check(&key)), (7, 1, Ok(())));
        assert_eq!(note.check(&[1; 32]), Err(Forged));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert!(Note::parse(&changed).is_none_or(|note| note.check(&key).is_err()), "byte {at}");
        }
    }

    #[test]
    fn what_is_no_checkpoint_of_ours_is_refused() {
        let (text, _) = signed();
        let bad = [
            text.replace("\n7\n", "\n07\n"),
            text.replace("\n7\n", "\n7\nextension\n")
                .replacen("extension\n", "", 0)
                .replace("=\n\n", "=\nmore\n\n"),
            text.trim_end().to_owned(),
            text.replace("example.org/log\n7", "a b\n7"),
            text.replacen('\u{2014}', "-", 1),
        ];
        for text in bad {
            assert_eq!(Note::parse(text.as_bytes()), None, "{text}");
        }
    }
}
