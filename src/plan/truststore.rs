//! A truststore that every Java reads, from a bundle of authorities: JKS with certificates alone, as in
//! `sun.security.provider.JavaKeyStore`.
//!
//! Never checks a certificate: what is none is left to Java to refuse. Not PKCS #12, which Java 8 reads only when it is
//! told, and without a password not at all before 9.

use crate::crypto::{base64, sha1_of_format};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
/// The kind of an entry: a certificate that is trusted.
const TRUSTED: u32 = 2;
/// The password that Java's own truststores have. Everybody knows it; the sum over it finds a broken file.
const PASSWORD: &str = "changeit";
/// A part of that sum, by the format.
const SALT: &[u8] = b"Mighty Aphrodite";

/// The truststore with the certificates of a bundle in PEM, in its order.
pub(super) fn truststore(bundle: &[u8]) -> Vec<u8> {
    let all = certificates(&String::from_utf8_lossy(bundle));
    let mut store = Vec::with_capacity(bundle.len());
    for number in [MAGIC, VERSION, length(&all)] {
        store.extend(number.to_be_bytes());
    }
    for (number, certificate) in all.iter().enumerate() {
        store.extend(TRUSTED.to_be_bytes());
        text(&mut store, &format!("authority-{number}"));
        store.extend(0u64.to_be_bytes()); // since when: nobody reads it
        text(&mut store, "X.509");
        store.extend(length(certificate).to_be_bytes());
        store.extend(certificate);
    }
    let password: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let sum = sha1_of_format(&[&password, SALT, &store]);
    store.extend(sum);
    store
}

/// The certificates of a bundle in PEM (RFC 7468). What stands between them is no part of it.
fn certificates(bundle: &str) -> Vec<Vec<u8>> {
    let begun = bundle.split("-----BEGIN CERTIFICATE-----").skip(1);
    let whole = begun.filter_map(|rest| rest.split_once("-----END CERTIFICATE-----"));
    whole.filter_map(|(body, _)| base64(&body.split_whitespace().collect::<String>())).collect()
}

/// A bundle has 8 MB at most, and so has every part of it.
fn length<T>(all: &[T]) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

/// As `DataOutput.writeUTF` does for ASCII.
fn text(store: &mut Vec<u8>, text: &str) {
    store.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    store.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_the_certificates_of_the_bundle_and_nothing_between_them() {
        let bundle = b"# first\n-----BEGIN CERTIFICATE-----\nZm9v\nYmFy\n-----END CERTIFICATE-----\n\
                       # broken\n-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n\
                       -----BEGIN CERTIFICATE-----\r\nZg==\r\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nZg";
        let store = truststore(bundle);
        let wanted = b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x02\
            \0\0\0\x02\0\x0bauthority-0\0\0\0\0\0\0\0\0\0\x05X.509\0\0\0\x06foobar\
            \0\0\0\x02\0\x0bauthority-1\0\0\0\0\0\0\0\0\0\x05X.509\0\0\0\x01f";
        assert_eq!(store.split_at(wanted.len()).0, wanted);
        assert_eq!(store.len(), wanted.len() + 20);
    }

    #[test]
    fn the_sum_is_the_one_that_keytool_writes() {
        // The store of `keytool` without an entry.
        let empty = truststore(b"");
        let sum = empty.split_at(12).1.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(sum, "e2686e45fb43dfa4d992dd41ceb6b21c6330d792");
    }
}
