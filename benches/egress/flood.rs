//! How long the longest step takes of what an agent writes so that it is not read in time, by the time of this thread.
//!
//! Each shape is sent as it is, and in a packed thing that is held back until its end: all of that is one step then.

use crate::dlp::engine;
use crate::table::{Wanted, add};
use aisandbox::base::thread_time;
use aisandbox::dlp::{Engine, Limits};
use std::io::Write;
use std::time::Duration;

/// Bytes of a shape as it is.
const PLAIN_BYTES: usize = 2 << 20;
/// Bytes of one that is packed: a little less than what is held back.
const PACKED_BYTES: usize = 15 << 20;
/// Bytes of one message to the role.
const CHUNK: usize = 64 << 10;
/// What the issue allows, in milliseconds.
const MOST_MS: f64 = 250.0;

/// Repeated, with a number in place of `#` so that no two are the same.
const SHAPES: [&str; 68] = [
    "eyJ",
    " eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.# ",
    "eyJhbGciOiJ.",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC#\n",
    "://a:",
    "https://user:pass#word@h.example/ ",
    "password=",
    "password='Xk3#vQz9!' ",
    "secret: s#Gk29dLqPz81 ",
    "api_key=\"zQ#8fKd02LmXw71\"\n",
    "{\"token\":",
    "token token token ",
    "AKIA",
    " AKIA",
    " AKIAQ3EGRZ7M#XAAAA ",
    " ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0#mLq ",
    "sk_live_ xoxb- glpat- AIza ghp_ ",
    "slack discord heroku twilio mailchimp stripe = ",
    "aws_secret_access_key = ",
    "a@",
    "person#@posteo.net ",
    "4-",
    "4",
    "4556 7375 8689 9855 ",
    "4556737586899855,",
    "+49 30 901820# ",
    "DE89370400440532013000 ",
    "a1b2 ",
    "%2525",
    "%41%42 ",
    "%67hp%5f# ",
    "\\u0061",
    "\\u0061 ",
    "\\\"",
    "&#103; ",
    "&=&=",
    "=41=42 ",
    "\u{200b}",
    "\u{ff47} ",
    "a\u{440} ",
    "\u{440}\u{441} ",
    "\0a",
    "a\0\0",
    "67 68 ",
    "103,x",
    "1 2 3 4 5 x ",
    "0x67, ",
    "mnemonic abandon ability able about above absent absorb abstract absurd abuse access accident ",
    "born 1 May ",
    "1 A street, ",
    "PK\u{3}\u{4}",
    "stream\nx\u{1}",
    "QUJDQUJDQUJDQUJDQUJD ",
    "pwdpwdpwd",
    "secretsecret",
    "key key key ",
    "xox",
    "021000021,",
    "12345678Z ",
    "AB123456C ",
    "(2222222222",
    "415-555-2671,",
    "67 68 69 70 71 gg ",
    "&#a;",
    "%4g",
    "://abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "-----BEGIN PRIVATE KEY-----\n                                                                        ",
];

pub(crate) fn run() {
    let engine = engine();
    let mut all: Vec<(f64, String)> = Vec::new();
    for shape in SHAPES {
        all.push((longest(&engine, fill(shape, PLAIN_BYTES)), shape.escape_debug().to_string()));
        let packed = packed(&fill(shape, PACKED_BYTES));
        all.push((longest(&engine, packed), format!("packed: {}", shape.escape_debug())));
        let nested =
            base64(&base64(&base64(fill(shape, PLAIN_BYTES / 8).as_bytes()).into_bytes()).into_bytes());
        all.push((longest(&engine, nested), format!("base64 three times: {}", shape.escape_debug())));
    }
    for mark in
        [&b"\x1f\x8b\x08\x00"[..], b"\x1f\x8b\x08\x08", b"\x28\xb5\x2f\xfd", b"PK\x03\x04\x14\0\0\0\x08\0"]
    {
        let text = mark.repeat(PLAIN_BYTES / mark.len());
        all.push((longest(&engine, text), mark.escape_ascii().to_string()));
    }
    all.sort_by(|one, other| other.0.total_cmp(&one.0));
    println!("the longest step, of {} shapes", all.len());
    for (took, name) in all.iter().take(12) {
        println!("{took:>8.1} ms  {name}");
    }
    let worst = all.first().map_or(0.0, |(took, _)| *took);
    add("DLP, longest step of a flood, ms", worst, Wanted::Most(MOST_MS, MOST_MS));
}

fn fill(shape: &str, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + shape.len() + 8);
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        match shape.split_once('#') {
            Some((before, behind)) => {
                text.push_str(before);
                text.push_str(&number.to_string());
                text.push_str(behind);
            }
            None => text.push_str(shape),
        }
    }
    text
}

/// Packed as it is, so that it never counts as a bomb.
fn packed(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The longest step, in milliseconds.
fn longest(engine: &Engine, text: impl AsRef<[u8]>) -> f64 {
    let mut stream = engine.stream(Limits::default());
    let (mut most, mut chunks) = (Duration::ZERO, text.as_ref().chunks(CHUNK).peekable());
    while let Some(chunk) = chunks.next() {
        let start = thread_time();
        let step = stream.feed(chunk, chunks.peek().is_none());
        most = most.max(thread_time() - start);
        // The role looks into nothing more of it.
        if step.blocked.is_some() {
            break;
        }
    }
    most.as_secs_f64() * 1e3
}
