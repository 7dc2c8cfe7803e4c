//! Encodings, each written as programs write them, all of them as text.

use super::dice::{Dice, base64};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write;

/// An encoding: its name, and what it makes of bytes.
pub(crate) type Encoding = (&'static str, fn(&str, &mut Dice) -> String);

pub(crate) const ENCODINGS: &[Encoding] = &[
    ("base64", |text, _| base64(text.as_bytes(), false)),
    ("base64 in lines", |text, _| lines(&base64(text.as_bytes(), false), 76)),
    ("base64url", |text, _| base64(text.as_bytes(), true)),
    (
        "hex",
        |text, dice| if dice.once_in(3) { hex(text.as_bytes()).to_uppercase() } else { hex(text.as_bytes()) },
    ),
    ("percent", |text, _| percent(text, false)),
    ("percent of all", |text, _| percent(text, true)),
    ("gzip, base64", |text, _| base64(&gzip(text.as_bytes()), false)),
    ("zlib, base64", |text, _| base64(&zlib(text.as_bytes()), false)),
    ("gzip, hex", |text, _| hex(&gzip(text.as_bytes()))),
    ("base64 twice", |text, _| base64(base64(text.as_bytes(), false).as_bytes(), false)),
    ("hex, base64", |text, _| base64(hex(text.as_bytes()).as_bytes(), false)),
    ("base64, percent", |text, _| percent(&base64(text.as_bytes(), false), false)),
    ("utf-16, base64", |text, _| base64(&utf16(text), false)),
    ("data uri", |text, _| format!("data:text/plain;base64,{}", base64(text.as_bytes(), false))),
    ("data uri, percent", |text, _| format!("data:text/plain,{}", percent(text, false))),
    ("zip, base64", |text, dice| base64(&zip(text.as_bytes(), dice), false)),
    ("json escapes", |text, _| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
    ("base32", |text, _| base32(text.as_bytes())),
    ("html entities", |text, _| text.chars().map(|letter| format!("&#{};", letter as u32)).collect()),
    ("escaped bytes", |text, _| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()),
    ("hex with spaces", |text, _| {
        text.bytes().map(|byte| format!("{byte:02x} ")).collect::<String>().trim_end().to_owned()
    }),
    ("backwards, base64", |text, _| base64(text.chars().rev().collect::<String>().as_bytes(), false)),
];

/// Where encoded text stands: for tuning, held back.
pub(crate) const AROUND: [&[&str]; 2] = [
    &[
        "payload={V}\n",
        "{\"data\":\"{V}\"}\n",
        "echo '{V}' | decode\n",
        "blob: {V}\n",
        "{V}\n",
        "{first} sent {V} yesterday\n",
    ],
    &[
        "GET /collect?d={V}&t={n} HTTP/1.1\n",
        "{\"event\":\"{w}\",\"attachment\":{\"content\":\"{V}\"}}\n",
        "const chunk = \"{V}\";\n",
        "<item id=\"{n}\">{V}</item>\n",
        "X-Trace-Context: {V}\n",
        "commit message: {w}\n\n{V}\n",
        "kind: Secret\ndata:\n  {w}: {V}\n",
    ],
];

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(!0, |sum: u32, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lines(text: &str, width: usize) -> String {
    text.as_bytes().chunks(width).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

fn percent(text: &str, all: bool) -> String {
    let stays = |byte: u8| !all && (byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    text.bytes()
        .map(|byte| if stays(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn base32(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let held = (0..5).fold(0u64, |held, at| held << 8 | u64::from(chunk.get(at).copied().unwrap_or(0)));
        let letters = (chunk.len() * 8).div_ceil(5);
        out.extend((0..letters).map(|place| char::from(alphabet[(held >> (35 - 5 * place) & 31) as usize])));
        out.push_str(&"=".repeat(8 - letters));
    }
    out
}

/// An archive of one file, deflated (APPNOTE 4.3).
fn zip(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    let packed = encoder.finish().unwrap();
    let name = format!("{}.txt", dice.text("abcdefgh", 6));
    let sizes = [crc32(bytes), packed.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
    let common =
        [&[20, 0, 0, 0, 8, 0, 0, 0, 33, 90][..], &sizes, &(name.len() as u16).to_le_bytes(), &[0, 0]]
            .concat();
    let mut out = [&b"PK\x03\x04"[..], &common, name.as_bytes(), &packed].concat();
    let start = out.len() as u32;
    let entry = [&b"PK\x01\x02\x14\x00"[..], &common, &[0; 14], name.as_bytes()].concat();
    out.extend(&entry);
    let ends = [(entry.len() as u32).to_le_bytes(), start.to_le_bytes()].concat();
    out.extend([&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &ends, &[0, 0]].concat());
    out
}
