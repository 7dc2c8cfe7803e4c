//! The engine with the shipped rules: examples, layers inside each other, bombs.

use super::*;
use crate::crypto::Secret;
use crate::wire::dlp::Act;
use std::io::Write;
use std::sync::Arc;

pub(super) fn engine() -> Engine {
    let mut options = Options::new(Arc::new(Secret::random().unwrap()), classify::score);
    options.show_values = true;
    Engine::new(Rules::shipped().unwrap(), options)
}

fn token() -> String {
    example::fill("ghp_<w30><crc>")
}

fn kinds(findings: &[Finding]) -> Vec<(String, Vec<&'static str>, String)> {
    let one = |finding: &Finding| {
        let value = String::from_utf8_lossy(finding.value.as_deref().unwrap_or_default()).into_owned();
        (finding.kind.to_string(), finding.decoded_from.clone(), value)
    };
    findings.iter().map(one).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let all = three.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(LETTERS[(all >> (18 - 6 * place) & 63) as usize]));
        }
    }
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn every_shipped_rule_passes_its_examples_and_there_are_enough() {
    let rules = Rules::shipped().unwrap();
    let failed = rules.failures(&Arc::new(Secret::random().unwrap()), classify::score);
    assert_eq!(failed, []);
    let credentials = rules.iter().filter(|rule| rule.class != Class::Personal);
    let kinds: std::collections::BTreeSet<_> = credentials.map(|rule| rule.kind.clone()).collect();
    assert!(kinds.len() >= 60 && rules.len() > kinds.len(), "{}", kinds.len());
    for rule in rules.iter() {
        assert!(!rule.matching.is_empty() && !rule.clean.is_empty(), "{}", rule.id);
    }
}

#[test]
fn a_token_is_found_through_every_encoding_and_where_it_stands() {
    let token = token();
    let engine = engine();
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let wide: Vec<u8> = token.bytes().flat_map(|byte| [byte, 0]).collect();
    let line = format!("user=x token={token} end");
    let packable = format!("{}{line}", "it packs, it packs well; ".repeat(8));
    let cases: Vec<(Vec<u8>, Vec<&str>)> = vec![
        (token.clone().into_bytes(), vec![]),
        (base64(line.as_bytes()).into_bytes(), vec!["base64"]),
        (base64(base64(line.as_bytes()).as_bytes()).into_bytes(), vec!["base64", "base64"]),
        (hex.into_bytes(), vec!["hex"]),
        (percent.into_bytes(), vec!["percent"]),
        (wide, vec!["utf16"]),
        (gzip(packable.as_bytes()), vec!["gzip"]),
        (base64(&gzip(packable.as_bytes())).into_bytes(), vec!["base64", "gzip"]),
        (format!("data:text/plain;base64,{}", base64(line.as_bytes())).into_bytes(), vec!["base64"]),
        (token.replacen("hp", "\\u0068p", 1).into_bytes(), vec!["escape"]),
        (token.replacen("hp", "h\u{200b}p", 1).into_bytes(), vec!["zero_width"]),
    ];
    for (text, chain) in cases {
        let whole = [b"{\"a\": \"".as_slice(), &text, b"\"}"].concat();
        let found = engine.scan(&whole);
        assert_eq!(
            kinds(&found),
            [("github-token".to_owned(), chain.clone(), token.clone())],
            "{}",
            String::from_utf8_lossy(&whole)
        );
        assert!(found[0].start >= 7 && found[0].end <= 7 + text.len() as u64, "{chain:?} {found:?}");
        assert_eq!(found[0].length, token.len());
    }
}

#[test]
fn several_secrets_of_one_packed_text_are_all_told() {
    let text = format!("{} and card 4556 7375 8689 9855 and {}", token(), example::fill("glpat-<b20>"));
    let found = engine().scan(&gzip(text.as_bytes()));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn a_bomb_and_a_nest_are_told_and_end_soon() {
    let engine = engine();
    let bomb = gzip(&vec![b'a'; 40 << 20]);
    assert_eq!(engine.scan_whole(&bomb).blocked, Some(Unscannable::Bomb));
    let nested = gzip(&gzip(&vec![b'a'; 12 << 20]));
    assert!(engine.scan_whole(&nested).blocked.is_some());
    let mut deep = token();
    for _ in 0..6 {
        deep = base64(deep.as_bytes());
    }
    assert_eq!(engine.scan_whole(deep.as_bytes()).blocked, Some(Unscannable::TooDeep));
    let found = engine.scan(deep.as_bytes());
    assert_eq!((&*found[0].kind, found[0].action), ("dlp_unscannable", Act::Block));
}

#[test]
fn what_programs_and_lock_files_are_full_of_is_nothing() {
    let text = r#"
        "integrity": "sha512-TKtDyKNpF9pA4TiVHJ2IXtaeJq2ODWgSZpLvsSyDvDqkYvOsAX0OpxlPGLpZGBuxvw7lBUu0U7G0Lxz3v9KlWw==",
        checksum = "3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed"
        let token = tokens.next().unwrap_or_default();
        password: Option<String>, pub(crate) api_key: ApiKey,
        golang.org/x/sync v0.3.0 h1:ftCYgMx6zT/asHUrPw8BLLscYtGznsLAnjq5RH9P66E=
        index 3f78685..e387550 100644
        uuid 550e8400-e29b-41d4-a716-446655440000 and 192.168.10.254, 2024-01-02T03:04:05.678Z
    "#;
    assert_eq!(engine().scan(text.as_bytes()), []);
}

#[test]
fn the_key_decides_the_hash_and_no_value_is_kept_unless_asked_for() {
    let hash = |byte| {
        let key = Secret::take(&mut [byte; 32]).unwrap();
        let engine = Engine::new(Rules::shipped().unwrap(), Options::new(Arc::new(key), classify::score));
        let found = engine.scan(token().as_bytes());
        assert_eq!(found[0].value, None);
        found[0].value_hash.clone()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

/// One that looked at all that came out took most of its work for the first.
#[test]
fn a_bomb_costs_no_more_than_to_unpack_it_and_its_beginning_is_read() {
    let engine = engine();
    let bomb = gzip(&[token().as_bytes(), &vec![b'\n'; 20 << 20]].concat());
    let text = bomb.repeat(8);
    let layer = layer::Layer {
        text: &text,
        depth: 0,
        from: 0,
        goes_on: false,
        at_start: true,
        guess: false,
        backwards: false,
        leaf: false,
    };
    let Limits { work_bytes, output_bytes, .. } = Limits::default();
    let work = work::Work::new(work_bytes, output_bytes);
    let found = engine.look(&layer, &work);
    assert!(!found.hits.is_empty());
    assert_eq!(work.blocked(), Some(Unscannable::Bomb));
    assert!(work.take(28 << 20), "{work:?}");
}
