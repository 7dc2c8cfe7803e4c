//! A digest (SHA-256) of bytes or of a file, and its text.
//!
//! Never signs and never keys a hash; a digest says which bytes, not who wrote them.

use super::provider::Hasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::str::FromStr;

/// A SHA-256 digest; as text, 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The digest of these bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    Digest(hasher.finish())
}

/// The digest of these parts, one after the other.
pub fn sha256_parts(parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finish())
}

/// The digest of an open regular file from its first byte to its end. The descriptor's position is not moved.
/// # Errors
/// `EINVAL` for what is no regular file, `EBADF` for an O_PATH descriptor, and the rest of pread(2).
pub fn sha256_file(fd: BorrowedFd<'_>) -> io::Result<Digest> {
    let kind = crate::sys::file::kind_and_identity(fd)?.mode & libc::S_IFMT;
    if kind != libc::S_IFREG {
        return Err(crate::sys::Errno::EINVAL.into());
    }
    let mut hasher = Hasher::new();
    let mut buffer = vec![0u8; 1 << 17];
    let mut offset = 0;
    loop {
        match nix::sys::uio::pread(fd, &mut buffer, offset) {
            Ok(0) => return Ok(Digest(hasher.finish())),
            Ok(count) => {
                hasher.update(buffer.get(..count).unwrap_or_default());
                offset += i64::try_from(count).unwrap_or(0);
            }
            Err(crate::sys::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The text is no digest: 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADigest;

impl fmt::Display for NotADigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a SHA-256 digest (64 lower-case hex digits)")
    }
}

impl std::error::Error for NotADigest {}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(NotADigest);
        }
        let mut bytes = [0u8; 32];
        for (to, [high, low]) in bytes.iter_mut().zip(pairs) {
            *to = (value(*high)? << 4) | value(*low)?;
        }
        Ok(Self(bytes))
    }
}

fn value(digit: u8) -> Result<u8, NotADigest> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotADigest),
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Digest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn the_digest_of_abc_is_the_standards() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc").to_string(), known);
        assert_eq!(known.parse::<Digest>(), Ok(sha256(b"abc")));
    }

    #[test]
    fn a_text_that_is_no_digest_is_refused() {
        let known = sha256(b"abc").to_string();
        for bad in ["", "ab", &known.to_uppercase(), &format!("{known}0"), &known.replace('b', "\u{e9}")] {
            assert_eq!(bad.parse::<Digest>(), Err(NotADigest), "{bad}");
        }
    }

    #[test]
    fn a_file_has_the_digest_of_its_bytes_and_a_device_has_none() {
        let path = std::env::temp_dir().join(format!("aisandbox-digest-{}", std::process::id()));
        let bytes = vec![7u8; 300_000];
        std::fs::write(&path, &bytes).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        assert_eq!(sha256_file(file.as_fd()).unwrap(), sha256(&bytes));
        std::fs::remove_file(&path).unwrap();
        let zero = std::fs::File::open("/dev/zero").unwrap();
        assert_eq!(sha256_file(zero.as_fd()).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
