//! Crypto: hashes, message codes, signatures and the keys for them.
//!
//! Never decides what a good signature is worth, never reads or writes a file for a key, and never prints one: a
//! [`Secret`] lies in locked memory and shows nothing of itself.
#![forbid(unsafe_code)]

mod base62;
mod base64;
mod derived;
mod digest;
mod placeholder;
mod provider;
mod public;
mod secret;

pub use base62::base62_crc;
pub use base64::{base64, base64url};
pub use derived::Derived;
pub use digest::{Digest, NotADigest, sha256, sha256_file, sha256_parts};
pub use placeholder::placeholder;
pub use provider::{Forged, MAC_BYTES, PUBLIC_BYTES, SIGNATURE_BYTES};
pub use provider::{check_mac, check_signature, mac, mac_of, public_key, sha1_of_format, sign};
pub use public::PublicKey;
pub use secret::{SECRET_BYTES, Secret};
