//! The stream against the whole text: pieces of any size, holding back, edits.

use super::engine_tests::engine;
use super::*;
use crate::wire::dlp::Act;
use proptest::prelude::*;

/// Findings of a text that comes in pieces; proves that no byte of one was released before it was told.
fn in_pieces(engine: &Engine, text: &[u8], size: usize) -> Vec<Finding> {
    let mut stream = engine.stream(Limits::default());
    let mut all = Vec::new();
    let mut released = 0;
    let mut pieces = text.chunks(size.max(1)).peekable();
    while let Some(piece) = pieces.next() {
        let step = stream.feed(piece, pieces.peek().is_none());
        assert!(step.findings.iter().all(|finding| finding.start >= released), "{step:?} {released}");
        assert!(step.release_to >= released);
        released = step.release_to;
        all.extend(step.findings);
    }
    assert_eq!(released, text.len() as u64);
    all
}

fn samples() -> Vec<String> {
    let fill = example::fill;
    let token = fill("ghp_<w30><crc>");
    vec![
        format!("token={token}"),
        fill("-----BEGIN RSA PRIVATE KEY-----\n<w64>\n<w64>\n<w64>\n<w20>==\n-----END RSA PRIVATE KEY-----"),
        "password = \"tR7#kq9!Lz\"".into(),
        "card 4556 7375 8689 9855".into(),
        "IBAN GB29 NWBK 6016 1331 9268 19".into(),
        "jane.doe@corp.org".into(),
        fill("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.<b300>.<b43>"),
        token.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        token.bytes().map(|byte| format!("{byte:02x}")).collect(),
        "postgres://app:Zk3!vTq9@db.prod:5432/app".into(),
        token.bytes().map(|byte| format!("{}\0", char::from(byte))).collect(),
    ]
}

#[test]
fn cut_at_every_place_the_findings_are_the_same() {
    let engine = engine();
    let filler =
        "fn main() { let x = 1; println!(\"some words that are none of anybody's secrets\"); }\n".repeat(14);
    for sample in samples() {
        let text = format!("{filler}{sample}\n{filler}{filler}");
        let whole = engine.scan(text.as_bytes());
        assert_eq!(whole.len(), 1, "{sample:?} {whole:?}");
        let from = filler.len() - 2;
        for cut in from..from + sample.len() + 4 {
            let mut stream = engine.stream(Limits::default());
            let first = stream.feed(&text.as_bytes()[..cut], false);
            let second = stream.feed(&text.as_bytes()[cut..], true);
            let all: Vec<Finding> = first.findings.into_iter().chain(second.findings).collect();
            assert_eq!(all, whole, "{sample:?} cut at {cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]
    #[test]
    fn in_pieces_of_any_size_the_findings_are_the_same(
        order in prop::collection::vec((0usize..11, 0usize..400), 1..12),
        size in 1usize..3000,
    ) {
        let engine = engine();
        let samples = samples();
        let mut text = String::new();
        for (number, gap) in order {
            text.push_str(&samples[number % samples.len()]);
            text.push('\n');
            text.push_str(&"let some = words(that, are) + none;\n".repeat(gap / 8));
        }
        prop_assert_eq!(in_pieces(&engine, text.as_bytes(), size), engine.scan(text.as_bytes()));
    }

    #[test]
    fn bytes_of_any_kind_end_and_are_released(bytes in prop::collection::vec(any::<u8>(), 0..4000), size in 1usize..900) {
        let engine = engine();
        if !bytes.is_empty() {
            in_pieces(&engine, &bytes, size);
        }
    }
}

#[test]
fn a_word_without_end_is_looked_at_in_parts_and_what_is_in_it_is_found() {
    let engine = engine();
    let token = example::fill("ghp_<w30><crc>");
    let line = "a line of plain text that goes on and on, ";
    let mut plain = line.repeat(60_000);
    plain.insert_str(2_000_001, &format!(" {token} "));
    let encoded = base64_of(plain.as_bytes());
    let mut stream = engine.stream(Limits::default());
    let mut found = Vec::new();
    let mut most_held = 0;
    for (number, piece) in encoded.as_bytes().chunks(65_536).enumerate() {
        let end = (number + 1) * 65_536;
        let step = stream.feed(piece, end >= encoded.len());
        assert_eq!(step.blocked, None);
        most_held = most_held.max(end as u64 - step.release_to.min(end as u64));
        found.extend(step.findings);
    }
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].value.as_deref(), Some(token.as_bytes()));
    assert!(most_held < 3 << 20, "{most_held}");
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn what_is_replaced_keeps_json_whole() {
    let mut options =
        Options::new(std::sync::Arc::new(crate::crypto::Secret::random().unwrap()), classify::score);
    for kind in ["github-token", "credit-card"] {
        options.actions.insert(kind.into(), Act::Redact);
    }
    let engine = Engine::new(Rules::shipped().unwrap(), options);
    let token = example::fill("ghp_<w30><crc>");
    let text =
        format!("{{\"a\": \"x {token} y\", \"card\": 4556737586899855, \"list\": [1, 5425233430109903]}}");
    let step = engine.stream(Limits::default()).feed(text.as_bytes(), true);
    let mut out = text.clone().into_bytes();
    for edit in step.edits.iter().rev() {
        out.splice(edit.start as usize..edit.end as usize, edit.with.iter().copied());
    }
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert!(json["a"].as_str().unwrap().starts_with("x [AIS:github-token:"));
    assert_eq!((json["card"].as_u64(), json["list"][1].as_u64()), (Some(0), Some(0)));
}

#[test]
fn a_flush_releases_all_and_what_goes_on_is_still_found() {
    let engine = engine();
    let token = example::fill("ghp_<w30><crc>");
    let mut stream = engine.stream(Limits::default());
    assert_eq!(stream.feed(&token.as_bytes()[..20], false).release_to, 0);
    assert_eq!(stream.flush().release_to, 20);
    let step = stream.feed(&token.as_bytes()[20..], true);
    assert_eq!((step.findings.len(), step.release_to), (1, 40));
}
