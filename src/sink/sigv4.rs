//! Signatures of requests to S3 (AWS Signature Version 4).
//!
//! Pure: takes the moment as text, and never shows the key.

use crate::base::to_hex;
use crate::crypto::{mac_of, sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Who signs, and for where.
pub(super) struct Scope<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) region: &'a str,
}

/// A request, before it is signed.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    /// The path, encoded.
    pub(super) path: &'a str,
    /// The headers that are signed, in lower case; `host` and `x-amz-date` among them.
    pub(super) headers: &'a BTreeMap<&'a str, String>,
    /// The digest of the body, as hex.
    pub(super) body: &'a str,
}

/// The value of the header `authorization`; `moment` is that of `x-amz-date`, `20130524T000000Z`.
pub(super) fn authorization(scope: &Scope<'_>, request: &Unsigned<'_>, moment: &str) -> String {
    let day = moment.get(..8).unwrap_or_default();
    let names = request.headers.keys().copied().collect::<Vec<_>>().join(";");
    let mut canonical = format!("{}\n{}\n\n", request.method, request.path);
    for (name, value) in request.headers {
        // Writing to a String never fails.
        writeln!(canonical, "{name}:{}", value.trim()).unwrap_or_default();
    }
    write!(canonical, "\n{names}\n{}", request.body).unwrap_or_default();
    let place = format!("{day}/{}/s3/aws4_request", scope.region);
    let text = format!("AWS4-HMAC-SHA256\n{moment}\n{place}\n{}", sha256(canonical.as_bytes()));
    let first = zeroize::Zeroizing::new(format!("AWS4{}", scope.secret_key));
    let key = mac_of(first.as_bytes(), &[day.as_bytes()]);
    let key = mac_of(&key, &[scope.region.as_bytes()]);
    let key = mac_of(&mac_of(&key, &[b"s3"]), &[b"aws4_request"]);
    let signature = to_hex(&mac_of(&key, &[text.as_bytes()]));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{place}, SignedHeaders={names}, Signature={signature}",
        scope.access_key
    )
}

/// A path as it is signed and sent: all but letters, digits, `-`, `.`, `_`, `~` and `/` encoded.
pub(super) fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            _ => write!(out, "%{byte:02X}").unwrap_or_default(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'_> = Scope {
        access_key: "AKIAIOSFODNN7EXAMPLE",
        secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region: "us-east-1",
    };

    fn signature(method: &str, path: &str, body: &[u8], more: &[(&'static str, &str)]) -> String {
        let digest = sha256(body).to_string();
        let mut headers = BTreeMap::from([
            ("host", "examplebucket.s3.amazonaws.com".to_owned()),
            ("x-amz-content-sha256", digest.clone()),
            ("x-amz-date", "20130524T000000Z".to_owned()),
        ]);
        headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let request = Unsigned { method, path, headers: &headers, body: &digest };
        let text = authorization(&SCOPE, &request, "20130524T000000Z");
        text.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// The examples of "Signature Calculations for the Authorization Header" in the documentation of S3.
    #[test]
    fn the_examples_of_the_documentation_come_out() {
        assert_eq!(
            signature("GET", "/test.txt", b"", &[("range", "bytes=0-9")]),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            signature(
                "PUT",
                &encoded("/test$file.text"),
                b"Welcome to Amazon S3.",
                &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
    }
}
