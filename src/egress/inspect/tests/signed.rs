//! Bodies with a digest or a signature: they go out as they came, or not at all.

use super::super::coding::{Coding, Deflate};
use super::content::{post, scanned};
use super::hostile::raw;
use super::rig::{FAKE, NAME, Setup, credential, rule};
use crate::wire::egress::Place;

const SIGNED: [&str; 5] = [
    "X-Amz-Content-SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n",
    "Authorization: AWS4-HMAC-SHA256 Credential=AK/20300101/eu/s3/aws4_request, Signature=00\r\n",
    "Content-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n",
    "Digest: SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n",
    "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\n",
];

fn closed(text: &[u8]) -> Vec<u8> {
    Deflate::new(Coding::Gzip).unwrap().feed(text, true).unwrap()
}

#[test]
fn what_would_be_replaced_in_a_signed_body_stops_it_and_the_reason_is_told() {
    let rig = scanned(rule(), Setup::default());
    let long = [&vec![b'a'; 2 << 20][..], b"EDITME", &vec![b'b'; 1 << 20]].concat();
    for headers in SIGNED {
        for body in [b"an EDITME here".as_slice(), &long] {
            let told = post(&rig, "/", headers, body, "}");
            assert!(told.starts_with("HTTP/1.1 403"), "{headers}{told}");
            assert!(told.contains("\"reason\":\"dlp-signed\",\"rule\":\"p.yaml:7\""), "{headers}{told}");
        }
        let packed = format!("{headers}Content-Encoding: gzip\r\n");
        let told = post(&rig, "/", &packed, &closed(b"an EDITME here"), "}");
        assert!(told.contains("\"reason\":\"dlp-signed\""), "{packed}{told}");
    }
    assert!(rig.requests().iter().all(|seen| !seen.whole && !seen.body.ends_with(b"EDITME")));
    // The controls: the same without a signature, and with the word for none.
    for headers in ["", "X-Amz-Content-SHA256: UNSIGNED-PAYLOAD\r\n"] {
        let told = post(&rig, "/", headers, b"an EDITME here", "got 14");
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        assert_eq!(rig.requests().pop().unwrap().body, b"an [gone] here");
    }
}

#[test]
fn a_signed_head_is_not_changed_either() {
    let rig = scanned(rule(), Setup::default());
    for headers in [SIGNED[1], "Signature-Input: sig=(\"@query\")\r\nSignature: sig=:00:\r\n"] {
        for (target, more) in [("/?a=EDITME", ""), ("/", "X: EDITME\r\n")] {
            let told = post(&rig, target, &format!("{headers}{more}"), b"", "}");
            assert!(told.starts_with("HTTP/1.1 403") && told.contains("\"dlp-signed\""), "{told}");
        }
    }
    assert!(rig.requests().is_empty());
}

#[test]
fn a_signed_body_with_nothing_to_replace_goes_out_byte_by_byte_and_with_its_length() {
    let rig =
        scanned(rule(), Setup { credentials: vec![credential(NAME, &[Place::Header])], ..Setup::default() });
    let text: Vec<u8> = (0..40_000_u32).flat_map(|n| format!("line {n}, {FAKE}\n").into_bytes()).collect();
    assert!(text.len() > 1 << 20 && closed(&text).len() < 1 << 20);
    let noise: Vec<u8> = (0..400_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    for (body, coding) in [
        (text.clone(), ""),
        (closed(&text), "Content-Encoding: gzip\r\n"),
        (closed(&noise), "Content-Encoding: gzip\r\n"),
        (b"short".to_vec(), ""),
    ] {
        let told = post(&rig, "/", &format!("{}{coding}", SIGNED[2]), &body, "got");
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        let seen = rig.requests().pop().unwrap();
        assert!(seen.whole && seen.body == body, "{} of {}", seen.body.len(), body.len());
        assert_eq!(seen.headers["content-length"], body.len().to_string());
    }
}

#[test]
fn a_signed_body_hides_nothing_in_the_head_of_its_packing() {
    let rig = scanned(rule(), Setup::default());
    for each in [1, 5, 4096] {
        let mut named = closed(b"content");
        named[3] = 8; // FNAME (RFC 1952 2.3.1): a text up to a zero, behind ten bytes
        named.splice(10..10, *b"BLOCKME\0");
        let mut chunks = Vec::new();
        for part in named.chunks(each) {
            chunks.extend(format!("{:x}\r\n", part.len()).into_bytes());
            chunks.extend_from_slice(part);
            chunks.extend_from_slice(b"\r\n");
        }
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n{}\r\n",
            SIGNED[2]
        );
        let told = raw(&rig, &[head.as_bytes(), &chunks, b"0\r\n\r\n"].concat(), "}");
        assert!(told.starts_with("HTTP/1.1 403") && told.contains("\"dlp-unscannable\""), "{each}: {told}");
    }
    assert!(rig.requests().iter().all(|seen| !seen.whole && seen.body.len() < 4));
}

#[test]
fn no_credential_is_put_into_a_signed_body() {
    let rig =
        scanned(rule(), Setup { credentials: vec![credential(NAME, &[Place::Body])], ..Setup::default() });
    let told = post(&rig, "/", SIGNED[2], format!("k={FAKE}").as_bytes(), "}");
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("\"reason\":\"credential\""), "{told}");
    assert!(rig.requests().is_empty());
}
