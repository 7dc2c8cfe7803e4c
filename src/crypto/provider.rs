//! The one file that names `ring`: SHA-256, SHA-1 where a format wants it, HMAC-SHA256, HKDF-SHA256, Ed25519; ECDSA and RSA to
//! check others' signatures.
//!
//! Never keeps a key: each call makes what it needs from a [`Secret`] and lets go of it.

use super::secret::Secret;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac::{self, HMAC_SHA256};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use std::fmt;

/// Bytes of a code by HMAC-SHA256.
pub const MAC_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of an Ed25519 public key.
pub const PUBLIC_BYTES: usize = 32;

/// The code or signature is not by this key over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

impl fmt::Display for Forged {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not made with this key over these bytes")
    }
}

impl std::error::Error for Forged {}

/// SHA-256 over bytes that come in parts.
pub(super) struct Hasher(Context);

impl Hasher {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> [u8; 32] {
        fixed(self.0.finish().as_ref())
    }
}

/// SHA-1 over the parts, for a format that has it as a checksum. It proves nothing: two contents of one sum can be made.
pub fn sha1_of_format(parts: &[&[u8]]) -> [u8; 20] {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    fixed(context.finish().as_ref())
}

/// HMAC-SHA256 over the parts, one after the other (RFC 2104). The parts' borders are not in it: the caller's format
/// must hold them apart.
pub fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key.expose()));
    parts.iter().for_each(|part| context.update(part));
    fixed(context.sign().as_ref())
}

/// HMAC-SHA256 as [`mac`], with a key of any length: for formats that make keys of passwords.
pub fn mac_of(key: &[u8], parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    fixed(context.sign().as_ref())
}

/// Compares in constant time. A code of another length is forged.
/// # Errors
/// [`Forged`].
pub fn check_mac(key: &Secret, message: &[u8], code: &[u8]) -> Result<(), Forged> {
    hmac::verify(&hmac::Key::new(HMAC_SHA256, key.expose()), message, code).map_err(|_| Forged)
}

struct ThirtyTwo;

impl KeyType for ThirtyTwo {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-SHA256 (RFC 5869) into 32 bytes; the parts of the info are put together.
pub(super) fn expand(secret: &[u8], salt: &[u8], info: &[&[u8]], to: &mut [u8; 32]) -> Result<(), Forged> {
    let prk = Salt::new(HKDF_SHA256, salt).extract(secret);
    prk.expand(info, ThirtyTwo).and_then(|okm| okm.fill(to)).map_err(|_| Forged)
}

/// The public key that belongs to this seed.
/// # Errors
/// Never with 32 bytes, which a [`Secret`] has.
pub fn public_key(seed: &Secret) -> Result<[u8; PUBLIC_BYTES], Forged> {
    Ok(fixed(pair(seed)?.public_key().as_ref()))
}

/// An Ed25519 signature (RFC 8032) by the key of this seed.
/// # Errors
/// As [`public_key`].
pub fn sign(seed: &Secret, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], Forged> {
    Ok(fixed(pair(seed)?.sign(message).as_ref()))
}

fn pair(seed: &Secret) -> Result<Ed25519KeyPair, Forged> {
    Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| Forged)
}

/// Checks a signature with nothing but the public key.
/// # Errors
/// [`Forged`].
pub fn check_signature(public: &[u8; PUBLIC_BYTES], message: &[u8], signature: &[u8]) -> Result<(), Forged> {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).map_err(|_| Forged)
}

/// Checks a signature by P-256 with SHA-256 in the form of RFC 7518: two numbers of 32 bytes.
pub(super) fn check_ecdsa(point: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Forged> {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).map_err(|_| Forged)
}

/// Checks an RSA signature (PKCS #1 v1.5, SHA-256, 2048 to 8192 bits) by an RSAPublicKey.
pub(super) fn check_rsa(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Forged> {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature).map_err(|_| Forged)
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn secret(hex: &str) -> Secret {
        let mut key: [u8; 32] = bytes(hex).try_into().unwrap();
        Secret::take(&mut key).unwrap()
    }

    /// A key shorter than a block is the same as one with zeros behind it, so RFC 4231's short keys fit 32 bytes.
    #[test]
    fn a_code_is_that_of_rfc_4231() {
        let key = secret(&format!("{}{}", "0b".repeat(20), "00".repeat(12)));
        let known = bytes("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(mac(&key, &[b"Hi ", b"There"]).to_vec(), known);
        assert_eq!(check_mac(&key, b"Hi There", &known), Ok(()));
        assert_eq!(check_mac(&key, b"Hi there", &known), Err(Forged));
        assert_eq!(check_mac(&key, b"Hi There", &known[..31]), Err(Forged));
        assert_eq!(check_mac(&key, b"Hi There", &[]), Err(Forged));
    }

    #[test]
    fn a_derived_key_is_that_of_rfc_5869() {
        let mut out = [0; 32];
        let (salt, info) = (bytes("000102030405060708090a0b0c"), bytes("f0f1f2f3f4f5f6f7f8f9"));
        expand(&[0x0b; 22], &salt, &[&info[..3], &info[3..]], &mut out).unwrap();
        assert_eq!(out.to_vec(), bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
    }

    #[test]
    fn a_signature_is_that_of_rfc_8032_and_holds_for_one_message_alone() {
        let seed = secret("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = public_key(&seed).unwrap();
        assert_eq!(
            public.to_vec(),
            bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        );
        let signature = sign(&seed, &[0x72]).unwrap();
        assert!(signature.starts_with(&bytes("92a009a9f0d4cab8720e820b5f642540")));
        assert_eq!(check_signature(&public, &[0x72], &signature), Ok(()));
        assert_eq!(check_signature(&public, &[0x73], &signature), Err(Forged));
        let other = public_key(&Secret::random().unwrap()).unwrap();
        assert_eq!(check_signature(&other, &[0x72], &signature), Err(Forged));
    }
}
