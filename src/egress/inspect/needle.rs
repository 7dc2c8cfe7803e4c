//! Words that are looked for in a stream, in every encoding they are likely to have, across the borders of its parts.
//!
//! Never holds back more than the beginning of a word that the stream may still complete.

use super::encode::{Form, forms};
use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use zeroize::Zeroizing;

/// What is looked for.
#[derive(Clone)]
pub(super) struct Needles {
    search: Option<AhoCorasick>,
    /// In the order of the patterns.
    known: Vec<(Found, Zeroizing<Vec<u8>>)>,
    longest: usize,
}

/// Which word, and how it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The place of the word in the list that was given.
    pub word: usize,
    /// How it was written.
    pub form: Form,
}

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Bytes without any word.
    Plain(&'a [u8]),
    /// A word.
    Word(Found, &'a [u8]),
}

/// The state of one stream. What it holds may be the beginning of a secret.
#[derive(Default)]
pub(super) struct Finder {
    held: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Finder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Finder {{ {} }}", self.held.len())
    }
}

impl Finder {
    /// Whether bytes wait to be decided.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Needles {{ {} }}", self.known.len())
    }
}

impl Needles {
    /// A search for these words. Empty words are never found.
    /// # Errors
    /// When there are too many of them.
    pub(super) fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, BuildError> {
        let mut known: Vec<(Found, Zeroizing<Vec<u8>>)> = Vec::new();
        for (word, bytes) in words.into_iter().enumerate() {
            for (form, bytes) in forms(bytes) {
                if !bytes.is_empty() && !known.iter().any(|(_, there)| **there == *bytes) {
                    known.push((Found { word, form }, bytes));
                }
            }
        }
        Self::of(known)
    }

    fn of(known: Vec<(Found, Zeroizing<Vec<u8>>)>) -> Result<Self, BuildError> {
        let longest = known.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0);
        let patterns = known.iter().map(|(_, bytes)| bytes.as_slice());
        let search = if known.is_empty() {
            None
        } else {
            Some(AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns)?)
        };
        Ok(Self { search, known, longest })
    }

    /// A search for these words as they are, in no other form.
    /// # Errors
    /// When there are too many of them.
    pub(super) fn plain<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, BuildError> {
        let found = |(word, bytes): (usize, &[u8])| {
            (Found { word, form: Form::Plain }, Zeroizing::new(bytes.to_vec()))
        };
        Self::of(words.into_iter().enumerate().map(found).collect())
    }

    /// Whether nothing is looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// Whether a word stands in these bytes, and which.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<Found> {
        let hit = self.search.as_ref()?.find(bytes)?;
        self.known.get(hit.pattern().as_usize()).map(|(found, _)| *found)
    }

    /// Calls `take` for each part of the stream that is decided; what may become a word waits for the next call.
    pub(super) fn feed(
        &self,
        finder: &mut Finder,
        bytes: &[u8],
        last: bool,
        mut take: impl FnMut(Piece<'_>),
    ) {
        let Some(search) = &self.search else { return take(Piece::Plain(bytes)) };
        let joined;
        let text = if finder.held.is_empty() {
            bytes
        } else {
            joined = [finder.held.as_slice(), bytes].concat();
            joined.as_slice()
        };
        let mut done = 0;
        for hit in search.find_iter(text) {
            if hit.end() == text.len() && !last && self.goes_on(text.get(hit.start()..).unwrap_or_default()) {
                break;
            }
            let Some((found, _)) = self.known.get(hit.pattern().as_usize()) else { continue };
            plain(text, done, hit.start(), &mut take);
            take(Piece::Word(*found, text.get(hit.range()).unwrap_or_default()));
            done = hit.end();
        }
        let keep = if last { 0 } else { self.waiting(text.get(done..).unwrap_or_default()) };
        plain(text, done, text.len() - keep, &mut take);
        finder.held = text.get(text.len() - keep..).unwrap_or_default().to_vec().into();
    }

    /// How many bytes at the end may be the beginning of a word.
    fn waiting(&self, text: &[u8]) -> usize {
        let most = text.len().min(self.longest.saturating_sub(1));
        (1..=most)
            .rev()
            .find(|count| self.goes_on(text.get(text.len() - count..).unwrap_or_default()))
            .unwrap_or(0)
    }

    /// Whether a longer word begins so.
    fn goes_on(&self, start: &[u8]) -> bool {
        self.known.iter().any(|(_, bytes)| bytes.len() > start.len() && bytes.starts_with(start))
    }
}

fn plain(text: &[u8], from: usize, to: usize, take: &mut impl FnMut(Piece<'_>)) {
    if let Some(part) = text.get(from..to).filter(|part| !part.is_empty()) {
        take(Piece::Plain(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(needles: &Needles, text: &[u8], step: usize) -> Vec<u8> {
        let mut finder = Finder::default();
        let mut out = Vec::new();
        let mut take = |piece: Piece<'_>| match piece {
            Piece::Plain(bytes) => out.extend_from_slice(bytes),
            Piece::Word(found, _) => out.extend_from_slice(format!("<{}>", found.word).as_bytes()),
        };
        for chunk in text.chunks(step) {
            needles.feed(&mut finder, chunk, false, &mut take);
        }
        needles.feed(&mut finder, b"", true, &mut take);
        out
    }

    #[test]
    fn a_word_is_found_however_the_stream_is_cut() {
        let needles = Needles::new([&b"secret-one"[..], b"secret-two"]).unwrap();
        let text = b"a secret-one secret-tw secret-twosecret-one, secret-on";
        for step in 1..=text.len() {
            let found = run(&needles, text, step);
            assert_eq!(found, b"a <0> secret-tw <1><0>, secret-on", "{step}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_word_waits() {
        let needles = Needles::new([&b"secret-one"[..]]).unwrap();
        let mut finder = Finder::default();
        let mut seen = Vec::new();
        needles.feed(&mut finder, b"data: x\n\nsecre", false, |piece| {
            if let Piece::Plain(bytes) = piece {
                seen.extend_from_slice(bytes);
            }
        });
        assert_eq!(seen, b"data: x\n\n");
        assert_eq!(*finder.held, b"secre");
    }

    #[test]
    fn encoded_words_are_found_at_every_alignment() {
        use base64::Engine;
        let needles = Needles::new([&b"ghp_abcdefgh1234567/+"[..]]).unwrap();
        for before in ["", "u", "us", "user:"] {
            for engine in [&base64::prelude::BASE64_STANDARD, &base64::prelude::BASE64_URL_SAFE] {
                let text = engine.encode(format!("{before}ghp_abcdefgh1234567/+ and more"));
                assert!(needles.find(text.as_bytes()).is_some(), "{before} {text}");
            }
        }
        for text in [
            "ghp_abcdefgh1234567%2F%2B",
            "ghp_abcdefgh1234567%2f%2b",
            "ghp_abcdefgh1234567\\/+",
            "6768705f61626364656667683132333435363",
        ] {
            let text =
                if text.starts_with("67") { "6768705f6162636465666768313233343536372f2b" } else { text };
            assert!(needles.find(text.as_bytes()).is_some(), "{text}");
        }
        assert!(needles.find(b"ghp_abcdefgh123456").is_none());
        assert!(!format!("{needles:?}").contains("ghp"));
    }
}
