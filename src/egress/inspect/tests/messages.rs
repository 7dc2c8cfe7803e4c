//! Messages of WebSocket with what must not leave in them, in one frame, in several, and in several messages.

use super::super::frames::{Head, Opcode, read_head, write_frame};
use super::super::tls::Tls;
use super::super::way::Told;
use super::content::scanned;
use super::rig::{FAKE, NAME, Rig, Setup, credential, rule};
use super::streams::{frame, run, upgrading};
use crate::wire::egress::{Kind, Place};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

async fn open(rig: &Rig) -> impl AsyncRead + AsyncWrite + Unpin {
    let tls = Tls::new(rig.pem.as_bytes());
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let (mut stream, _) = tls.connect(NAME, &[b"http/1.1".to_vec()], stream).await.unwrap();
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream
}

/// Says it under a mask that no other frame of this length has.
async fn say(stream: &mut (impl AsyncWrite + Unpin), fin: bool, opcode: Opcode, text: &str) {
    let length = u8::try_from(text.len()).unwrap();
    let mask = [0x5a, length, 0xff, length.wrapping_mul(37)];
    let head = Head { fin, opcode, mask: Some(mask), length: text.len() as u64 };
    let masked: Vec<u8> = text.bytes().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    write_frame(stream, &head, &masked).await.unwrap();
}

/// What comes until the end of a message, and its opcode; `None` when the other side closes.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let (head, part) = frame(stream).await;
        if head.opcode == Opcode::CLOSE {
            return None;
        }
        text.extend(part);
        if head.fin {
            return Some(String::from_utf8(text).unwrap());
        }
    }
}

fn rig() -> Rig {
    scanned(rule(), Setup { answer: Arc::new(upgrading), ..Setup::default() })
}

#[test]
fn what_must_not_leave_ends_it_however_it_is_cut_into_frames_and_messages() {
    let cases: [&[(bool, Opcode, &str)]; 6] = [
        &[(true, Opcode::TEXT, "a BLOCKME b")],
        &[
            (false, Opcode::TEXT, "a BLO"),
            (false, Opcode::CONTINUATION, "CK"),
            (true, Opcode::CONTINUATION, "ME"),
        ],
        &[(true, Opcode::BINARY, "a BLO"), (true, Opcode::BINARY, "CKME b")],
        &[(false, Opcode::TEXT, "a"), (true, Opcode::PING, "BLOCKME")],
        &[(false, Opcode::TEXT, "a BLO"), (true, Opcode::PING, "x"), (true, Opcode::CONTINUATION, "CKME")],
        &[
            (false, Opcode::BINARY, ""),
            (false, Opcode::CONTINUATION, "BLOC"),
            (false, Opcode::CONTINUATION, ""),
            (true, Opcode::CONTINUATION, "KME"),
        ],
    ];
    for frames in cases {
        let rig = rig();
        run(async {
            let mut stream = open(&rig).await;
            for (fin, opcode, text) in frames {
                say(&mut stream, *fin, *opcode, text).await;
            }
            let mut closed = false;
            while let Ok(Some(head)) = read_head(&mut stream).await {
                let mut payload = vec![0; head.length as usize];
                stream.read_exact(&mut payload).await.unwrap();
                closed |= head.opcode == Opcode::CLOSE && payload.ends_with(b"aisandbox: dlp");
                assert!(!String::from_utf8_lossy(&payload).contains("ME"), "{frames:?}");
            }
            assert!(closed, "{frames:?}");
        });
    }
}

#[test]
fn a_token_is_turned_back_in_messages_and_each_message_is_asked_about() {
    let rig = rig();
    run(async {
        let mut stream = open(&rig).await;
        say(&mut stream, true, Opcode::TEXT, "x TOKENME y").await;
        assert_eq!(message(&mut stream).await.as_deref(), Some("x TOKENME y"), "echoed as a token");
        say(&mut stream, false, Opcode::TEXT, "an ASKME").await;
        say(&mut stream, true, Opcode::CONTINUATION, " and on, for longer than what is held").await;
        assert!(message(&mut stream).await.unwrap().starts_with("an ASKME and on"));
        say(&mut stream, true, Opcode::TEXT, "ASKME again").await;
        assert_eq!(message(&mut stream).await.as_deref(), Some("ASKME again"));
    });
    let asked = rig.way.asked.lock().unwrap();
    let told: Vec<_> = asked.iter().map(|one| (&*one.request, one.bytes, one.found[0].count)).collect();
    assert_eq!(told, [("GET /ws", None, 1), ("GET /ws", Some(11), 1)]);
}

#[test]
fn a_placeholder_is_known_however_it_is_cut_into_frames() {
    let (front, back) = FAKE.split_at(11);
    let mine = scanned(
        rule(),
        Setup {
            credentials: vec![credential(NAME, &[Place::Body])],
            answer: Arc::new(upgrading),
            ..Setup::default()
        },
    );
    run(async {
        let mut stream = open(&mine).await;
        say(&mut stream, false, Opcode::TEXT, &format!("key {front}")).await;
        say(&mut stream, true, Opcode::PING, "x").await;
        say(&mut stream, true, Opcode::CONTINUATION, back).await;
        loop {
            let (head, part) = frame(&mut stream).await;
            if head.opcode == Opcode::TEXT {
                assert_eq!(
                    String::from_utf8(part).unwrap(),
                    format!("key {FAKE}"),
                    "echoed as a placeholder"
                );
                break;
            }
        }
    });
    let other = scanned(
        rule(),
        Setup {
            credentials: vec![credential("b.example", &[Place::Body])],
            answer: Arc::new(upgrading),
            ..Setup::default()
        },
    );
    run(async {
        let mut stream = open(&other).await;
        say(&mut stream, false, Opcode::TEXT, front).await;
        say(&mut stream, true, Opcode::CONTINUATION, back).await;
        let (mut told, mut text) = (false, Vec::new());
        while let Ok(Some(head)) = read_head(&mut stream).await {
            let mut payload = vec![0; head.length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            told |= head.opcode == Opcode::CLOSE && payload.ends_with(b"aisandbox: placeholder");
            text.extend(payload);
        }
        assert!(told && !String::from_utf8_lossy(&text).contains(back));
    });
    let alert = |told: &Told| told.kind == Kind::Alert && told.reason == Some("placeholder");
    assert!(other.way.events.lock().unwrap().iter().any(alert));
}
