//! Exact data: bytes of which it is known that they must not go out, found again without keeping them.
//!
//! Never holds a value: of each only keyed hashes, which are worth nothing without the key. A secret is found by a hash
//! of eight of its bytes and proved by a code over the whole (HMAC-SHA256), as it is and in the forms that it takes
//! inside other encodings. A file is found by hashes of pieces of its text, whatever its lines and signs became.
//! Never grows past its bounds: what does not fit is refused, not forgotten.

mod form;
mod shingle;

use crate::crypto::{Secret, mac};
use shingle::Shingles;
use std::sync::Arc;
use zeroize::Zeroize;

/// A shorter secret is refused: ordinary text would have it too.
pub const LEAST_SECRET: usize = 8;
/// A longer secret is refused; it can be added as a file.
pub const MOST_SECRET: usize = 64 << 10;
/// A shorter file is found by nothing: ordinary text would have it too.
const LEAST_FILE: usize = 16;
/// A longer file is found by pieces of its text alone.
const SHORT_FILE: usize = 2 << 10;
/// The most forms of all secrets together; one secret has about thirty.
const MOST_NEEDLES: usize = 1 << 16;
/// The most labels.
const MOST_LABELS: usize = 1 << 14;
/// The most hits of one search.
const MOST_HITS: usize = 256;
/// Bytes of a secret that are hashed to find it.
const ANCHOR: usize = 8;
/// Bytes kept of the code over a whole secret.
const CODE: usize = 16;

/// What it costs to look for what has a hash, and to prove it, in bytes of ordinary text.
const MEETING: usize = 24;
const PROOF: usize = 256;

/// What a hit is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A real credential.
    Secret,
    /// A part of a file.
    File,
    /// A decoy, which nobody has a reason to send.
    Canary,
}

impl What {
    /// Each.
    pub const ALL: [Self; 3] = [Self::Secret, Self::File, Self::Canary];

    /// Whether findings of this kind are of something known.
    pub fn is_kind(kind: &str) -> bool {
        Self::ALL.iter().any(|what| what.kind() == kind)
    }
}

/// A place where something known was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHit {
    /// Where it starts, in bytes.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// The label that it was added with.
    pub label: Arc<str>,
    /// What it is of.
    pub what: What,
    /// Pieces that the text has in common with the file; 1 for a secret.
    pub shared: u32,
}

/// Why something was not added. It would not be found, so who adds it must not go on as if it were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdded {
    /// Shorter than [`LEAST_SECRET`], or all the same byte.
    TooShort,
    /// Longer than [`MOST_SECRET`].
    TooLong,
    /// No more fits.
    Full,
}

impl std::fmt::Display for NotAdded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::TooShort => "too short to be told from ordinary text",
            Self::TooLong => "too long for a secret; add it as a file",
            Self::Full => "no more secrets or files fit",
        })
    }
}

impl std::error::Error for NotAdded {}

/// One form of a secret.
#[derive(Debug, Clone, Copy)]
struct Needle {
    /// Keyed hash of the bytes by which it is found.
    anchor: u64,
    /// Where those are in it.
    offset: u32,
    length: u32,
    /// Keyed hash of its last bytes: most of what shares an anchor ends here.
    tail: u32,
    code: [u8; CODE],
    label: u16,
    what: What,
}

/// All that is known.
#[derive(Debug)]
pub struct Known {
    key: Secret,
    mix: Mix,
    labels: Vec<Arc<str>>,
    /// By anchor.
    needles: Vec<Needle>,
    sieve: Sieve,
    files: Shingles,
}

impl Known {
    /// Nothing is known yet. The key is for this alone; it leaves with this value.
    pub fn new(key: Secret) -> Self {
        let mix = Mix { add: number(&key, b"anchor add"), by: number(&key, b"anchor by") | 1 };
        let files = Shingles::new(|place| number(&key, &[&b"shingle"[..], &[place]].concat()));
        Self { key, mix, labels: Vec::new(), needles: Vec::new(), sieve: Sieve::default(), files }
    }

    /// A real credential goes by this label from now on.
    /// # Errors
    /// [`NotAdded`].
    pub fn add_secret(&mut self, label: &str, secret: &[u8]) -> Result<(), NotAdded> {
        self.add(label, secret, What::Secret)
    }

    /// A decoy goes by this label from now on.
    /// # Errors
    /// [`NotAdded`].
    pub fn add_canary(&mut self, label: &str, canary: &[u8]) -> Result<(), NotAdded> {
        self.add(label, canary, What::Canary)
    }

    /// A file's content goes by this label from now on. A short one is also found as a whole, as a secret is: it may have
    /// too little text for eight pieces.
    /// # Errors
    /// [`NotAdded::Full`].
    pub fn add_file(&mut self, label: &str, content: &[u8]) -> Result<(), NotAdded> {
        let place = self.label(label)?;
        self.files.add(place, content)?;
        let whole = content.trim_ascii();
        if (LEAST_FILE..=SHORT_FILE).contains(&whole.len()) {
            match self.add(label, whole, What::File) {
                Ok(()) | Err(NotAdded::TooShort) => {}
                Err(full) => return Err(full),
            }
        }
        Ok(())
    }

    /// Where something known is in these bytes, in order; at most 256 places. A file counts when eight pieces of it
    /// are there.
    pub fn find(&self, text: &[u8]) -> Vec<KnownHit> {
        self.find_within(text, |_| true)
    }

    /// The same, as long as there is work left: `work` is told of steps that take longer than the bytes they read, in bytes of
    /// ordinary text, and says whether to go on.
    pub fn find_within(&self, text: &[u8], work: impl Fn(usize) -> bool) -> Vec<KnownHit> {
        let mut hits = Vec::new();
        self.find_secrets(text, &work, &mut hits);
        for part in self.files.find(text, &work) {
            let Some(label) = self.labels.get(usize::from(part.label)) else { continue };
            let (label, what) = (Arc::clone(label), What::File);
            hits.push(KnownHit { start: part.start, end: part.end, label, what, shared: part.shared });
        }
        hits.sort_by_key(|hit| (hit.start, hit.end));
        hits.truncate(MOST_HITS);
        hits
    }

    /// Whether nothing is known: then a search need not be made.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty() && self.files.is_empty()
    }

    fn add(&mut self, label: &str, value: &[u8], what: What) -> Result<(), NotAdded> {
        let first = value.first();
        if value.len() < LEAST_SECRET || value.iter().all(|byte| Some(byte) == first) {
            return Err(NotAdded::TooShort);
        }
        if value.len() > MOST_SECRET {
            return Err(NotAdded::TooLong);
        }
        let mut forms = form::all(value);
        let room = self.needles.len() + forms.len() <= MOST_NEEDLES;
        let added = if room { self.label(label) } else { Err(NotAdded::Full) };
        if let Ok(label) = added {
            self.needles
                .extend(forms.iter().filter_map(|form| needle(&self.key, &self.mix, form, label, what)));
            self.needles.sort_by_key(|needle| needle.anchor);
            self.sieve = Sieve::of(self.needles.iter().map(|needle| needle.anchor), self.needles.len());
        }
        forms.iter_mut().for_each(Zeroize::zeroize);
        added.map(|_| ())
    }

    fn label(&mut self, label: &str) -> Result<u16, NotAdded> {
        let known = self.labels.iter().position(|known| **known == *label);
        let place = known.unwrap_or(self.labels.len());
        if place >= MOST_LABELS {
            return Err(NotAdded::Full);
        }
        if known.is_none() {
            self.labels.push(label.into());
        }
        u16::try_from(place).map_err(|_| NotAdded::Full)
    }

    fn find_secrets(&self, text: &[u8], work: &impl Fn(usize) -> bool, hits: &mut Vec<KnownHit>) {
        if self.needles.is_empty() {
            return;
        }
        for (at, bytes) in text.array_windows::<ANCHOR>().enumerate() {
            let anchor = self.mix.of(*bytes);
            if self.sieve.may_have(anchor) && hits.len() < MOST_HITS {
                if !work(MEETING) {
                    return;
                }
                self.proved(text, at, anchor, work, hits);
            }
        }
    }

    /// Adds the secrets that have this anchor here.
    fn proved(
        &self,
        text: &[u8],
        at: usize,
        anchor: u64,
        work: &impl Fn(usize) -> bool,
        hits: &mut Vec<KnownHit>,
    ) {
        let from = self.needles.partition_point(|needle| needle.anchor < anchor);
        let same = self.needles.iter().skip(from).take_while(|needle| needle.anchor == anchor);
        for needle in same {
            let Some(start) = at.checked_sub(needle.offset as usize) else { continue };
            let end = start + needle.length as usize;
            let Some(found) = text.get(start..end) else { continue };
            if self.mix.tail(found) != Some(needle.tail) {
                continue;
            }
            if !work(PROOF + found.len()) {
                return;
            }
            if code(&self.key, found) != needle.code {
                continue;
            }
            let Some(label) = self.labels.get(usize::from(needle.label)) else { continue };
            let hit = KnownHit { start, end, label: Arc::clone(label), what: needle.what, shared: 1 };
            if !hits.contains(&hit) {
                hits.push(hit);
            }
        }
    }
}

impl What {
    /// The kind of a finding of it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Secret => "known-secret",
            Self::File => "known-file",
            Self::Canary => "canary",
        }
    }
}

fn needle(key: &Secret, mix: &Mix, form: &[u8], label: u16, what: What) -> Option<Needle> {
    let (offset, anchor) = rarest(form)?;
    Some(Needle {
        anchor: mix.of(anchor),
        offset: u32::try_from(offset).ok()?,
        length: u32::try_from(form.len()).ok()?,
        tail: mix.tail(form)?,
        code: code(key, form),
        label,
        what,
    })
}

/// The eight bytes that ordinary text has least of all: many different ones, many kinds, many changes of kind. A whole
/// secret may begin as many addresses do.
fn rarest(form: &[u8]) -> Option<(usize, [u8; ANCHOR])> {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let worth = |bytes: &[u8; ANCHOR]| {
        let distinct =
            bytes.iter().enumerate().filter(|(at, byte)| !bytes.iter().take(*at).any(|one| one == *byte));
        let changes = bytes.array_windows::<2>().filter(|[one, other]| kind(*one) != kind(*other)).count();
        distinct.count() + changes
    };
    let best = form.array_windows::<ANCHOR>().enumerate().take(4096).max_by_key(|(_, bytes)| worth(bytes))?;
    Some((best.0, *best.1))
}

fn code(key: &Secret, bytes: &[u8]) -> [u8; CODE] {
    let whole = mac(key, &[b"whole", bytes]);
    whole.first_chunk().copied().unwrap_or_default()
}

/// A number that follows from the key and a word.
fn number(key: &Secret, word: &[u8]) -> u64 {
    mac(key, &[b"number", word]).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The keyed hash of eight bytes.
#[derive(Debug)]
struct Mix {
    add: u64,
    by: u64,
}

impl Mix {
    fn of(&self, bytes: [u8; ANCHOR]) -> u64 {
        let mixed = (u64::from_le_bytes(bytes) ^ self.add).wrapping_mul(self.by);
        mixed ^ mixed >> 32
    }

    fn tail(&self, bytes: &[u8]) -> Option<u32> {
        let mixed = self.of(*bytes.last_chunk()?).wrapping_mul(self.by);
        Some((mixed >> 32) as u32)
    }
}

/// Says fast that a hash is not in a set.
#[derive(Debug, Default)]
struct Sieve {
    bits: Vec<u64>,
    shift: u32,
}

impl Sieve {
    /// With 64 bits for each hash, so one in 64 others passes at most.
    fn of(hashes: impl Iterator<Item = u64>, count: usize) -> Self {
        let words = count.next_power_of_two().max(128);
        let mut sieve = Self { bits: vec![0; words], shift: 58 - words.trailing_zeros() };
        for hash in hashes {
            let (word, bit) = sieve.place(hash);
            if let Some(word) = sieve.bits.get_mut(word) {
                *word |= bit;
            }
        }
        sieve
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        let place = hash >> self.shift;
        ((place >> 6) as usize, 1 << (place & 63))
    }

    fn may_have(&self, hash: u64) -> bool {
        let (word, bit) = self.place(hash);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
#[path = "exact_tests.rs"]
mod tests;
