//! Public keys of others as PEM files, each with the one algorithm it is for.
//!
//! Never takes an algorithm from a message: the kind of the key says it.

use super::base64::base64;
use super::provider::{Forged, check_ecdsa, check_rsa, check_signature};

/// What is in front of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410).
const ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The same for a point of P-256 (RFC 5480).
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The algorithm of an RSA key (RFC 3279).
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A public key of another party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519, for `EdDSA`.
    Ed25519([u8; 32]),
    /// A point of P-256, for `ES256`.
    P256([u8; 65]),
    /// RSA of at least 2048 bits as RSAPublicKey, for `RS256`.
    Rsa(Vec<u8>),
}

impl PublicKey {
    /// Reads `-----BEGIN PUBLIC KEY-----`, as `openssl pkey -pubout` writes it.
    /// # Errors
    /// Why it is none.
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        let body = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----").ok_or("not a public key in PEM")?;
        let body = body.strip_suffix("-----END PUBLIC KEY-----").ok_or("not a public key in PEM")?;
        let joined: String = body.split_ascii_whitespace().collect();
        let der = base64(&joined).ok_or("not base64")?;
        if let Some(key) = der.strip_prefix(ED25519) {
            return key.try_into().map(Self::Ed25519).map_err(|_| "a key of another length");
        }
        if let Some(key) = der.strip_prefix(P256) {
            return key.try_into().map(Self::P256).map_err(|_| "a key of another length");
        }
        rsa(&der).map(|key| Self::Rsa(key.to_vec())).ok_or("neither Ed25519, P-256 nor RSA")
    }

    /// The algorithm's name in a JWT (RFC 7518, RFC 8037).
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// Checks a signature.
    /// # Errors
    /// [`Forged`].
    pub fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), Forged> {
        match self {
            Self::Ed25519(key) => check_signature(key, message, signature),
            Self::P256(point) => check_ecdsa(point, message, signature),
            Self::Rsa(key) => check_rsa(key, message, signature),
        }
    }
}

/// The RSAPublicKey inside a SubjectPublicKeyInfo.
fn rsa(der: &[u8]) -> Option<&[u8]> {
    let (info, []) = element(der, 0x30)? else { return None };
    let (bits, []) = element(info.strip_prefix(RSA)?, 0x03)? else { return None };
    bits.strip_prefix(&[0])
}

/// The content of the DER element at the start, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (length, rest) = match rest {
        [short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, one @ 0x80..=0xff, rest @ ..] => (usize::from(*one), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
