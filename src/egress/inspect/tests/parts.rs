//! A secret in parts: two bodies, two heads, places of one head, a head and its body.

use super::content::{post, scanned};
use super::hostile::raw;
use super::rig::{FAKE, Rig, Setup, credential, rule};
use crate::wire::egress::{Place, Rule};

#[test]
fn a_secret_in_two_requests_is_found_where_the_second_begins() {
    for (halves, ends) in [(["so far BLO", "CKME and on"], "403"), (["so far BLO", "and on"], "200")] {
        let rig = scanned(rule(), Setup::default());
        for (number, half) in halves.iter().enumerate() {
            let told = post(&rig, "/", "", half.as_bytes(), if number == 0 { "got" } else { "\n" });
            let wanted = if number == 0 { "200" } else { ends };
            assert!(told.starts_with(&format!("HTTP/1.1 {wanted}")), "{half}: {told}");
        }
        assert_eq!(rig.requests().len(), if ends == "403" { 1 } else { 2 });
    }
    let rig = scanned(rule(), Setup::default());
    for (half, code) in [("BLOCK", "200"), ("M", "200"), ("E", "403"), ("-EDI", "200"), ("TME", "403")] {
        let told = post(&rig, "/", "", half.as_bytes(), if code == "200" { "got" } else { "}" });
        assert!(told.starts_with(&format!("HTTP/1.1 {code}")), "{half}: {told}");
    }
}

/// The status of a request without a body.
fn get(rig: &Rig, target: &str, headers: &str) -> String {
    let head = format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n{headers}Connection: close\r\n\r\n");
    raw(rig, head.as_bytes(), "").split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_secret_in_places_of_one_head_is_found() {
    let agent = "User-Agent: x/1\r\n";
    for (target, headers, wanted) in [
        ("/?a=BLO&b=CKME", "", "403"),
        ("/?a=BL%4F;b=CKM%45", "", "403"),
        ("/?BLO&CKME", "", "403"),
        ("/BLO/CKME", "", "403"),
        ("/x?a=BLO", "X-A: CKME\r\n", "403"),
        ("/x?a=B", "X-A: L\r\nX-B: O\r\nX-C: C\r\nX-D: K\r\nX-E: M\r\nX-F: E\r\n", "403"),
        ("/?a=BLO&b=CK", "X-A: M-E\r\n", "200"),
        // A login is a secret in its place, and no part of one.
        ("/?a=BLO", "Authorization: CKME\r\n", "200"),
    ] {
        let rig = scanned(rule(), Setup::default());
        assert_eq!(get(&rig, target, &format!("{headers}{agent}")), wanted, "{target} {headers}");
        assert_eq!(rig.requests().len(), usize::from(wanted == "200"));
    }
}

#[test]
fn a_secret_in_heads_of_several_requests_is_found_in_the_one_that_completes_it() {
    let rig = scanned(rule(), Setup::default());
    let agent = "User-Agent: x/1\r\nAccept: */*\r\n";
    assert_eq!(get(&rig, "/search?q=BLO", agent), "200");
    assert_eq!(get(&rig, "/search?q=BLO", agent), "200", "what is said again says nothing");
    assert_eq!(get(&rig, "/search?q=CKME", agent), "403");
    assert_eq!(get(&rig, "/search?q=CKME", agent), "403", "it is not known by having been tried");
    assert_eq!(get(&rig, "/search", &format!("{agent}X-A: CKME\r\n")), "403");
    assert_eq!(get(&rig, "/search?q=other", agent), "200");
    assert_eq!(get(&rig, "/search?q=CKME", agent), "200", "it completes nothing any more");
    let rig = scanned(rule(), Setup::default());
    for (letter, code) in [
        ("", "200"),
        ("B", "200"),
        ("L", "200"),
        ("O", "200"),
        ("C", "200"),
        ("K", "200"),
        ("M", "200"),
        ("E", "403"),
    ] {
        assert_eq!(get(&rig, &format!("/?{letter}"), agent), code, "{letter}");
    }
}

#[test]
fn a_secret_in_a_head_and_its_body_is_found() {
    let rig = scanned(rule(), Setup::default());
    let told = post(&rig, "/?q=BLO", "", b"CKME", "}");
    assert!(told.starts_with("HTTP/1.1 403"), "{told}");
    let told = post(&rig, "/?q=other", "", b"CKME", "got 4");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert_eq!(rig.requests().len(), 1);
}

#[test]
fn what_was_replaced_or_exchanged_in_a_head_is_no_part_of_what_comes() {
    let setup = Setup { credentials: vec![credential("a.example", &[Place::Query])], ..Setup::default() };
    let rig = scanned(Rule { redact: true, ..rule() }, setup);
    assert_eq!(get(&rig, &format!("/?k=EDITME&s={FAKE}&z=BLOCK"), ""), "200");
    assert_eq!(get(&rig, "/?k=ME", ""), "403", "the control");
    assert!(rig.requests()[0].line.contains("gone"), "{:?}", rig.requests()[0]);
}
