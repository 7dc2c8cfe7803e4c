//! Messages of gRPC, cut into frames of HTTP/2 as an agent likes, with role `dlp` behind.

use super::flood::{PREFACE, frame, head};
use super::guardian::{Role, Setup, name, patient, rule, server, wait_until};
use super::reader::reader;
use aisandbox::wire::dlp::ToDlp;
use aisandbox::wire::egress::{Carried, FromEgress, Kind, Rule};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

const SECRET: &str = "sk-live-0123456789ABCdefGHIj";

/// A message, and whether it is packed.
fn message(packed: bool, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[u8::from(packed)][..], &length, content].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Sends a body in frames of so many bytes, with an empty one behind each.
fn call(role: &Role, port: u16, body: &[u8], each: usize) {
    let mut stream = patient(role.open("a.test", port));
    let open = frame(1, 4, 1, &head(0x83, &format!("a.test:{port}")));
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[]), &open].concat()).unwrap();
    for part in body.chunks(each) {
        stream.write_all(&[frame(0, 0, 1, part), frame(0, 0, 1, &[])].concat()).unwrap();
    }
    stream.write_all(&frame(0, 1, 1, &[])).unwrap();
    // Until it is refused, or the host has it all and the test goes on.
    stream.set_read_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
}

#[test]
fn a_secret_in_a_message_is_found_however_it_is_packed_and_cut() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    let port = server(move |mut stream| {
        stream.write_all(&[frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat()).unwrap();
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            hears.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    let known = ToDlp::Known { label: "api".to_owned(), secret: SECRET.to_owned(), canary: false };
    let (_reader, socket) = reader(&[known]);
    let scanned = Rule { dlp: true, ..rule(name("a.test"), port) };
    let role = Role::start_with(Setup::of([scanned]), &[(Carried::Dlp {}, socket.as_fd())]);
    let text = format!("field {SECRET} end");
    for (packed, content) in [(false, text.clone().into_bytes()), (true, gzip(text.as_bytes()))] {
        let body = [message(false, b"first"), message(packed, &content)].concat();
        for each in [1, 7, 4096] {
            call(&role, port, &body, each);
            loop {
                match role.hear() {
                    Some(FromEgress::Event { event }) if event.kind == Kind::Alert => {
                        assert_eq!(event.reason.as_deref(), Some("dlp"), "{packed} {each}");
                        break;
                    }
                    Some(FromEgress::Event { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            let heard = std::mem::take(&mut *heard.lock().unwrap());
            let holds = |part: &[u8]| heard.windows(part.len()).any(|window| window == part);
            assert!(
                !holds(&SECRET.as_bytes()[..12]) && !holds(&content[content.len() - 12..]),
                "{packed} {each}"
            );
        }
    }
    // The control.
    let plain = message(true, &gzip(b"nothing that is known"));
    call(&role, port, &plain, 7);
    let came = || heard.lock().unwrap().windows(plain.len()).any(|window| window == plain);
    wait_until("the host has it", came);
}
