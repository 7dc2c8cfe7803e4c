//! What its sender signed or gave a digest of: the host takes it as it is, or not at all.
//!
//! Never looks whether a signature holds: that is the host's to say.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers, also in front of trailers, with a digest of the body or a signature over it: RFC 9530 and what was before it,
/// object stores, and hooks.
const OF_BODIES: [&str; 24] = [
    "content-digest",
    "repr-digest",
    "digest",
    "content-md5",
    "x-content-sha256",
    "x-ms-content-sha256",
    "x-ms-content-crc64",
    "x-ms-blob-content-md5",
    "x-bz-content-sha1",
    "x-goog-hash",
    "x-goog-content-sha256",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-checksum-md5",
    "x-checksum-sha1",
    "x-checksum-sha256",
    "upload-checksum",
    "x-hub-signature",
    "x-hub-signature-256",
    "x-signature",
    "stripe-signature",
];
/// What the header of AWS for the digest of a body says where there is none.
const UNSIGNED: &[u8] = b"UNSIGNED-PAYLOAD";
const AWS_DIGEST: &str = "x-amz-content-sha256";

/// Whether the host would see that the body was changed.
pub(super) fn is_body(headers: &HeaderMap) -> bool {
    let announced = headers.get_all(header::TRAILER).iter().flat_map(words);
    let is_one = |name: &str| OF_BODIES.contains(&name);
    headers.keys().any(|name| is_one(name.as_str()))
        || announced.into_iter().any(|name| is_one(name.as_str()))
        || match headers.get(AWS_DIGEST) {
            // Also the words that say that each part of the body has a signature of its own.
            Some(value) => value.as_bytes() != UNSIGNED,
            None => is_aws(headers),
        }
}

/// Whether the host would see that the head was changed: Signature Version 4 of AWS, and RFC 9421.
pub(super) fn is_head(headers: &HeaderMap) -> bool {
    is_aws(headers) || headers.contains_key("signature-input")
}

/// Signature Version 4 covers the body too, by a digest that need not be told.
fn is_aws(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"aws4-"))
}

fn words(value: &HeaderValue) -> Vec<HeaderName> {
    let words = value.as_bytes().split(|byte| *byte == b',');
    words.filter_map(|word| HeaderName::from_bytes(word.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_digest_or_a_signature_is_known_and_the_word_for_none_too() {
        let aws = ("authorization", "AWS4-HMAC-SHA256 Credential=x");
        let none = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        for (lines, body, head) in [
            (&[][..], false, false),
            (&[("authorization", "Bearer x"), ("etag", "x")], false, false),
            (&[("content-digest", "sha-256=:x:")], true, false),
            (&[("digest", "SHA-256=x")], true, false),
            (&[("content-md5", "x")], true, false),
            (&[("trailer", "x-end, Content-Digest")], true, false),
            (&[("trailer", "x-end")], false, false),
            (&[aws], true, true),
            (&[aws, none], false, true),
            (&[none], false, false),
            (&[("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb924")], true, false),
            (&[aws, ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], true, true),
            (&[("signature-input", "sig=()")], false, true),
        ] {
            assert_eq!((is_body(&headers(lines)), is_head(&headers(lines))), (body, head), "{lines:?}");
        }
    }
}
