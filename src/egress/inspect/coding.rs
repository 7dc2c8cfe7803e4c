//! Content codings of bodies: gzip and deflate, opened and closed as a stream. Every other one is opaque.
//!
//! Never opens more than a little at a time, and never gives more than [`MOST_RATIO`] times of what came.

use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder, ZlibDecoder, ZlibEncoder};
use std::io::Write;

/// The most bytes that one call opens; they come to a thousand times as much at most.
const BLOCK: usize = 1 << 10;
/// How many times larger opened content may be, beyond the first mebibyte.
pub(super) const MOST_RATIO: u64 = 100;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), which HTTP calls deflate.
    Deflate,
    /// Something that is not opened here, and that role `dlp` knows by its first bytes: zstd, one coding in another; or parts
    /// that are signed one by one.
    Other,
    /// Something that nobody opens.
    Unknown,
}

/// The content is broken, or swells too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

impl Coding {
    /// Whether it is not opened here.
    pub(super) fn is_opaque(self) -> bool {
        matches!(self, Self::Other | Self::Unknown)
    }

    /// What the values of Content-Encoding say.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let joined: Vec<&[u8]> = values.flat_map(|value| value.split(|byte| *byte == b',')).collect();
        let mut found = Self::Identity;
        for word in joined.iter().map(|word| word.trim_ascii().to_ascii_lowercase()) {
            let this = match word.as_slice() {
                b"" | b"identity" => continue,
                b"gzip" | b"x-gzip" => Self::Gzip,
                b"deflate" => Self::Deflate,
                b"zstd" | b"aws-chunked" => Self::Other,
                _ => Self::Unknown,
            };
            found = match (found, this) {
                (Self::Identity, this) => this,
                (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
                _ => Self::Other,
            };
        }
        found
    }
}

/// Opens a stream.
#[derive(Debug)]
pub(super) struct Inflate {
    engine: Opening,
    taken: u64,
    made: u64,
    /// The head of gzip has fields beside the content: a name, a remark, anything.
    fields: bool,
}

#[derive(Debug)]
enum Opening {
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Inflate {
    /// For this coding; `None` for one that is not opened.
    pub(super) fn new(coding: Coding) -> Option<Self> {
        let engine = match coding {
            Coding::Gzip => Opening::Gzip(GzDecoder::new(Vec::new())),
            Coding::Deflate => Opening::Deflate(ZlibDecoder::new(Vec::new())),
            Coding::Identity | Coding::Other | Coding::Unknown => return None,
        };
        Some(Self { engine, taken: 0, made: 0, fields: false })
    }

    /// Opens a little of `input`, and takes that from it.
    /// # Errors
    /// [`Broken`], also for bytes behind the end.
    pub(super) fn block(&mut self, input: &mut &[u8]) -> Result<Vec<u8>, Broken> {
        let part = input.get(..input.len().min(BLOCK)).unwrap_or_default();
        if part.is_empty() {
            return Ok(Vec::new());
        }
        let flags = 3_u64.checked_sub(self.taken).and_then(|at| part.get(usize::try_from(at).ok()?));
        self.fields |= matches!(self.engine, Opening::Gzip(_)) && flags.is_some_and(|flags| *flags != 0);
        let (taken, out) = match &mut self.engine {
            Opening::Gzip(engine) => (
                engine.write(part).and_then(|taken| engine.flush().map(|()| taken)),
                std::mem::take(engine.get_mut()),
            ),
            Opening::Deflate(engine) => (
                engine.write(part).and_then(|taken| engine.flush().map(|()| taken)),
                std::mem::take(engine.get_mut()),
            ),
        };
        let taken = taken.ok().filter(|taken| *taken > 0 || !out.is_empty()).ok_or(Broken)?;
        *input = input.get(taken..).ok_or(Broken)?;
        self.count(taken, out)
    }

    /// Whether bytes came that are no part of the content.
    pub(super) fn has_fields(&self) -> bool {
        self.fields
    }

    /// How many bytes were given.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// The rest. Nothing was cut off.
    /// # Errors
    /// [`Broken`].
    pub(super) fn finish(&mut self) -> Result<Vec<u8>, Broken> {
        let (done, out) = match &mut self.engine {
            Opening::Gzip(engine) => (engine.try_finish(), std::mem::take(engine.get_mut())),
            Opening::Deflate(engine) => (engine.try_finish(), std::mem::take(engine.get_mut())),
        };
        done.map_err(|_| Broken)?;
        self.count(0, out)
    }

    fn count(&mut self, taken: usize, out: Vec<u8>) -> Result<Vec<u8>, Broken> {
        self.taken = self.taken.saturating_add(taken as u64);
        self.made = self.made.saturating_add(out.len() as u64);
        let swells = self.made > (1 << 20) + self.taken.saturating_mul(MOST_RATIO);
        if swells { Err(Broken) } else { Ok(out) }
    }
}

/// Closes a stream again.
#[derive(Debug)]
pub(super) struct Deflate(Closing);

#[derive(Debug)]
enum Closing {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Deflate {
    /// For this coding; `None` for one that is not closed here.
    pub(super) fn new(coding: Coding) -> Option<Self> {
        match coding {
            Coding::Gzip => Some(Self(Closing::Gzip(GzEncoder::new(Vec::new(), Compression::fast())))),
            Coding::Deflate => {
                Some(Self(Closing::Deflate(ZlibEncoder::new(Vec::new(), Compression::fast()))))
            }
            Coding::Identity | Coding::Other | Coding::Unknown => None,
        }
    }

    /// What comes out for `input`: all of it, so that a peer that waits for it goes on.
    /// # Errors
    /// [`Broken`], which does not happen.
    pub(super) fn feed(&mut self, input: &[u8], last: bool) -> Result<Vec<u8>, Broken> {
        let (done, out) = match &mut self.0 {
            Closing::Gzip(engine) => {
                let written = engine.write_all(input);
                let done = if last { engine.try_finish() } else { engine.flush() };
                (written.and(done), std::mem::take(engine.get_mut()))
            }
            Closing::Deflate(engine) => {
                let written = engine.write_all(input);
                let done = if last { engine.try_finish() } else { engine.flush() };
                (written.and(done), std::mem::take(engine.get_mut()))
            }
        };
        done.map(|()| out).map_err(|_| Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(coding: Coding, bytes: &[u8], step: usize) -> Result<Vec<u8>, Broken> {
        let mut inflate = Inflate::new(coding).unwrap();
        let mut out = Vec::new();
        for mut chunk in bytes.chunks(step) {
            while !chunk.is_empty() {
                out.extend(inflate.block(&mut chunk)?);
            }
        }
        out.extend(inflate.finish()?);
        Ok(out)
    }

    #[test]
    fn what_is_closed_opens_to_the_same_bytes() {
        let text: Vec<u8> = (0..300_000u32).flat_map(|number| (number % 251).to_le_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Deflate] {
            let mut deflate = Deflate::new(coding).unwrap();
            let mut closed = Vec::new();
            for chunk in text.chunks(100_000) {
                closed.extend(deflate.feed(chunk, false).unwrap());
            }
            closed.extend(deflate.feed(b"", true).unwrap());
            for step in [1, 1000, closed.len()] {
                assert!(open(coding, &closed, step).unwrap() == text, "{coding:?} {step}");
            }
            assert_eq!(open(coding, &closed[..closed.len() - 9], 100), Err(Broken));
            assert_eq!(open(coding, &[&closed[..], b"x"].concat(), 100), Err(Broken));
        }
    }

    #[test]
    fn a_bomb_is_broken() {
        let closed = Deflate::new(Coding::Gzip).unwrap().feed(&vec![0; 64 << 20], true).unwrap();
        assert!(closed.len() < 400_000);
        assert_eq!(open(Coding::Gzip, &closed, 1 << 20), Err(Broken));
        assert_eq!(open(Coding::Gzip, b"not gzip at all", 4), Err(Broken));
    }

    #[test]
    fn one_coding_is_opened_and_two_are_not() {
        let of = |values: &[&str]| Coding::of(values.iter().map(|value| value.as_bytes()));
        assert_eq!(of(&[]), Coding::Identity);
        assert_eq!(of(&["identity, GZIP"]), Coding::Gzip);
        assert_eq!(of(&["deflate"]), Coding::Deflate);
        for values in [&["gzip, gzip"][..], &["deflate", "zstd"], &["zstd"], &["aws-chunked"]] {
            assert_eq!(of(values), Coding::Other);
        }
        for values in [&["gzip", "br"][..], &["br"], &["br, gzip, gzip"], &["x-own"]] {
            assert_eq!(of(values), Coding::Unknown);
        }
    }
}
