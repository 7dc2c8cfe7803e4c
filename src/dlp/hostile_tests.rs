//! Text that an agent writes so that it is not read, or not in time.

use super::engine_tests::engine;
use super::*;
use crate::base::thread_time;
use std::io::Write;
use std::time::Duration;

fn token() -> String {
    example::fill("ghp_<w30><crc>")
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::prelude::BASE64_STANDARD.encode(bytes)
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_token_is_found_however_it_is_written() {
    let engine = engine();
    let (value, plain) = (token(), format!("key: {}\n", token()));
    let each = |between: &str, one: &dyn Fn(u8) -> String| {
        plain.bytes().map(one).collect::<Vec<_>>().join(between).into_bytes()
    };
    let reversed: String = plain.chars().rev().collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("html", each("", &|byte| format!("&#{byte};"))),
        ("html", each("", &|byte| format!("&#x{byte:X};"))),
        ("quoted", each("", &|byte| format!("={byte:02X}"))),
        ("quoted", format!("{}=\r\n{}", &value[..12], &value[12..]).into_bytes()),
        ("separated", each(" ", &|byte| format!("{byte:02x}"))),
        ("separated", each(", ", &|byte| format!("0x{byte:02x}"))),
        ("separated", format!("{{\"type\":\"Buffer\",\"data\":{:?}}}", plain.as_bytes()).into_bytes()),
        ("alike", value.replacen('p', "\u{440}", 1).into_bytes()),
        ("zero_width", value.replacen('p', "p\u{ad}", 1).into_bytes()),
        ("base64", base64(plain.as_bytes()).chars().rev().collect::<String>().into_bytes()),
        ("backwards", base64(reversed.as_bytes()).into_bytes()),
        (
            "zlib",
            [b"%PDF-1.7\n5 0 obj\nstream\n", &zlib(plain.repeat(4).as_bytes())[..], b"\nendstream"].concat(),
        ),
        ("percent", each("", &|byte| format!("%25{byte:02x}"))),
        ("separated", base64(&each(":", &|byte| format!("{byte:02x}"))).into_bytes()),
    ];
    for (name, text) in cases {
        let found = engine.scan(&text);
        let hit = found.iter().find(|one| &*one.kind == "github-token");
        let hit = hit.unwrap_or_else(|| panic!("{name} {} {found:?}", text.escape_ascii()));
        assert!(hit.decoded_from.contains(&name), "{name} {:?}", hit.decoded_from);
    }
}

#[test]
fn what_is_packed_in_a_way_that_nobody_reads_is_told() {
    let engine = engine();
    for mark in [&b"\xfd7zXZ\0\0\x04"[..], b"7z\xbc\xaf\x27\x1c\0\x04", b"Rar!\x1a\x07\x01\0", b"BZh91AY&SY"]
    {
        for before in ["", "%PDF-1.4 and more in front of it "] {
            let text = [before.as_bytes(), mark, &[7; 40]].concat();
            let found = engine.scan_whole(&text);
            assert_eq!(found.blocked, Some(Unscannable::Undecodable), "{}", text.escape_ascii());
        }
    }
}

#[test]
fn the_words_of_a_wallet_are_found_behind_a_word_for_them_and_encoded() {
    let engine = engine();
    let phrase = "letter advice cage absurd amount doctor acoustic avoid letter advice cage above";
    for text in [format!("my recovery phrase is {phrase} ok"), base64(phrase.as_bytes())] {
        let kinds: Vec<String> =
            engine.scan(text.as_bytes()).iter().map(|one| one.kind.to_string()).collect();
        assert_eq!(kinds, ["wallet-phrase"], "{text}");
    }
}

/// Steps that take longer than the bytes they read have their price, so that a flood of them has an end.
#[test]
fn a_flood_takes_more_work_than_a_text_of_its_length_and_is_told() {
    let engine = engine();
    let blocked = |pattern: &str| {
        let text = pattern.repeat((1 << 17) / pattern.len());
        let mut stream = engine.stream(Limits { work_bytes: 1 << 18, ..Limits::default() });
        stream.feed(text.as_bytes(), true).blocked
    };
    for text in
        ["nothing but words, as people write them. ", "    let number = 17;\n", "<p class=\"a\">one</p>\n"]
    {
        assert_eq!(blocked(text), None, "{text}");
    }
    for pattern in [
        "password=",
        "password='Xk3vQz9!' ",
        "&#103; ",
        "\u{ff47} ",
        "4556737586899855,",
        "+49 30 901820 ",
        "mnemonic abandon ability ",
        "1 A street, 12345",
        " AKIA",
        "pwdpwdpwd",
        "021000021,",
        "12345678Z ",
        "67 68 69 70 71 gg ",
    ] {
        assert_eq!(blocked(pattern), Some(Unscannable::TooMuchWork), "{pattern}");
    }
}

/// One that looked at each letter's whole word for each letter took minutes for this.
#[test]
fn hostile_text_is_read_in_time() {
    let engine = engine();
    let patterns = [
        "eyJ",
        "eyJhbGciOiJ.",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----\n",
        "://a:",
        "password=",
        "AKIA",
        "a@",
        "4-",
        "4",
        "%2525",
        "\\u0061",
        "\\\"",
        "\u{200b}",
        "\u{ff47}",
        "\u{ff47}%41",
        "a\u{440}",
        "\u{440}",
        "PK\u{3}\u{4}",
        "\0a",
        "67 ",
        "103,",
        "0x67, ",
        "&#103;",
        "&#",
        "=41",
        "a=\n",
        "mnemonic ",
        "abandon ",
        "mnemonic legal ",
        "born ",
        "1 A street, ",
        "A ",
        " Street ",
        "stream\nx\u{1}",
        "secret: ",
        "secretsecret",
        "key key ",
        "(2222222222",
        "{\"token\":",
        "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\n",
    ];
    let packed =
        [&b"\x1f\x8b\x08\x00"[..], b"\x1f\x8b\x08\x08", b"\x28\xb5\x2f\xfd", b"PK\x03\x04\x14\0\0\0\x08\0"];
    for pattern in patterns.iter().map(|text| text.as_bytes()).chain(packed) {
        let text = pattern.repeat((1 << 17) / pattern.len());
        let start = thread_time();
        let found = engine.scan_whole(&text);
        let took = thread_time() - start;
        assert!(
            took < Duration::from_secs(30),
            "{} took {took:?}, {} findings",
            pattern.escape_ascii(),
            found.findings.len()
        );
    }
}
