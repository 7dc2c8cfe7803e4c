//! A stand-in for role `dlp`, which knows four words, and what becomes of content that it reads.

use super::super::scan::Scanner;
use super::hostile::raw;
use super::rig::{FAKE, NAME, REAL, Rig, Setup, credential, rule};
use crate::sys::socket::{message_pair, receive, send};
use crate::wire::codec;
use crate::wire::dlp::{Act, Edit, Finding, FromDlp, ToDlp, content};
use crate::wire::egress::{Limits, Place, Rule, Unscannable};
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// What the stand-in gives for `TOKENME`.
const TOKEN: &str = "qwkzpvnmxyhtrbsl";
/// Bytes that the stand-in holds back.
const WINDOW: usize = 16;

fn finding(start: usize, end: usize, act: Act, critical: bool) -> Finding {
    Finding {
        kind: "credential".into(),
        rule: "test".into(),
        value_hash: "00".into(),
        start: start as u64,
        end: end as u64,
        decoded_from: vec![],
        act,
        critical,
    }
}

/// Serves one socket: `BLOCKME` is blocked, `EDITME` replaced, `ASKME` asked about, `TOKENME` tokenized, `CANARY` critical, `UNREADABLE` unscannable, and after
/// `SILENCE` nothing is answered; `QUIT` ends it.
fn stand_in(socket: &OwnedFd) {
    let mut streams: HashMap<u64, (Vec<u8>, usize)> = HashMap::new();
    let mut buffer = vec![0; codec::MOST_BYTES];
    while let Ok((count, _)) = receive(socket.as_fd(), &mut buffer, true) {
        if count == 0 {
            return;
        }
        let Some(part) = content(&buffer[..count]) else {
            match codec::decode(&buffer[..count]).unwrap() {
                ToDlp::Open { stream, host, .. } => {
                    assert_eq!(host, NAME);
                    assert!(streams.insert(stream, (vec![], 0)).is_none());
                }
                ToDlp::Close { stream } => drop(streams.remove(&stream)),
                other => panic!("{other:?}"),
            }
            continue;
        };
        let (text, done) = streams.get_mut(&part.stream).unwrap();
        text.extend_from_slice(part.bytes);
        assert!(!String::from_utf8_lossy(part.bytes).contains("ghp_"), "placeholders and secrets are masked");
        let release = if part.last { text.len() } else { text.len().saturating_sub(WINDOW).max(*done) };
        let (mut edits, mut findings, mut unscannable) = (vec![], vec![], None);
        for (word, act, critical) in [
            ("BLOCKME", Act::Block, false),
            ("EDITME", Act::Redact, false),
            ("CANARY", Act::Log, true),
            ("ASKME", Act::Ask, false),
            ("TOKENME", Act::Tokenize, false),
        ] {
            for at in (*done..release).filter(|at| text[*at..].starts_with(word.as_bytes())) {
                findings.push(finding(at, at + word.len(), act, critical));
                if matches!(act, Act::Redact | Act::Tokenize) {
                    edits.push(Edit {
                        start: at as u64,
                        end: (at + word.len()) as u64,
                        with: if act == Act::Redact { "[gone]".into() } else { TOKEN.into() },
                        token: act == Act::Tokenize,
                    });
                }
            }
        }
        let fresh = &text[text.len().saturating_sub(part.bytes.len() + WINDOW)..];
        let holds = |word: &[u8]| fresh.windows(word.len()).any(|window| window == word);
        if holds(b"UNREADABLE") {
            unscannable = Some("too-deep".to_owned());
        }
        if holds(b"QUIT") {
            return;
        }
        let ends = edits.last().map_or(0, |edit| edit.end as usize);
        *done = release.max(ends);
        let silent = holds(b"SILENCE");
        let (stream, release_to) = (part.stream, *done as u64);
        let step = FromDlp::Step { stream, release_to, edits, findings, unscannable };
        if !silent {
            send(socket.as_fd(), &codec::encode(&step).unwrap(), None, true).unwrap();
        }
    }
}

pub(super) fn scanned(rule: Rule, setup: Setup) -> Rig {
    let (ours, theirs) = message_pair().unwrap();
    std::thread::spawn(move || stand_in(&theirs));
    Rig::new(Setup { rule: Rule { dlp: true, ..rule }, scanner: Some(ours), ..setup })
}

pub(super) fn post(rig: &Rig, target: &str, headers: &str, body: &[u8], enough: &str) -> String {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    raw(rig, &[head.as_bytes(), body].concat(), enough)
}

#[test]
fn what_must_not_leave_is_refused_wherever_it_stands() {
    let rig = scanned(rule(), Setup::default());
    let long = [&vec![b'a'; 3 << 20][..], b"BLOCKME", &vec![b'b'; 1 << 20]].concat();
    let cases: [(&str, &str, &[u8]); 8] = [
        ("/BLOCKME", "", b""),
        ("/?BLOCKME", "", b""),
        ("/", "X: BLOCKME\r\n", b""),
        ("/", "Referer: https://b.example/?BLOCKME\r\n", b""),
        ("/", "Cookie: CANARY\r\n", b""),
        ("/", "", b"{\"a\":\"BLOCKME\"}"),
        ("/", "", b"--x\r\nContent-Disposition: form-data; name=\"BLOCKME\"\r\n\r\n1\r\n--x--\r\n"),
        ("/", "", &long),
    ];
    for (target, headers, body) in cases {
        let told = post(&rig, target, headers, body, "}");
        assert!(
            told.starts_with("HTTP/1.1 403") && told.contains("\"reason\":\"dlp\""),
            "{target} {headers}: {told}"
        );
        assert!(!told.contains("BLOCKME"), "the answer does not repeat it");
    }
    assert!(rig.requests().iter().all(|seen| !seen.whole && !seen.body.ends_with(b"BLOCKME")));
    let told = post(&rig, "/fine", "", b"fine", "got 4");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    rig.wait("all are told", |rig| rig.way.events.lock().unwrap().len() == 9);
    let events = rig.way.events.lock().unwrap();
    let counted = events.iter().filter(|told| told.findings.iter().any(|found| found.kind == "credential"));
    assert_eq!(counted.count(), 8);
}

#[test]
fn edits_change_the_text_and_its_length_and_nothing_else() {
    let rig =
        scanned(rule(), Setup { credentials: vec![credential(NAME, &[Place::Body])], ..Setup::default() });
    for times in [1, 1200] {
        let filler = "-".repeat(if times == 1 { 0 } else { 1013 });
        let text =
            format!("{{\"a\":\"EDITME\",\"b\":\"{FAKE}\",\"c\":\"EDITMEEDITME\"}}{filler}").repeat(times);
        let told = post(&rig, "/?a=EDITME&b=1", "X: EDITME\r\n", text.as_bytes(), "got");
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        let seen = rig.requests().pop().unwrap();
        assert!(
            seen.whole && seen.body == text.replace("EDITME", "[gone]").replace(FAKE, REAL).as_bytes(),
            "{times}"
        );
        assert_eq!(seen.line, "POST /?a=%5Bgone%5D&b=1");
        assert_eq!(seen.headers["x"], "[gone]");
        assert_eq!(seen.headers.contains_key("content-length"), times == 1);
    }
}

#[test]
fn a_decoy_is_an_alert_even_among_logins() {
    let rig = scanned(rule(), Setup::default());
    let told = post(&rig, "/", "Authorization: Bearer BLOCKME\r\n", b"", "got 0");
    assert!(told.starts_with("HTTP/1.1 200"), "a login may look like a secret: {told}");
    let told = post(&rig, "/", "Authorization: Bearer CANARY\r\n", b"", "}");
    assert!(told.starts_with("HTTP/1.1 403"), "{told}");
    rig.wait("it is an alert", |rig| {
        rig.way.events.lock().unwrap().iter().any(|told| told.kind == crate::wire::egress::Kind::Alert)
    });
}

#[test]
fn what_is_not_read_does_not_leave() {
    for (word, allow, code) in [
        ("UNREADABLE", Unscannable::Block, "403"),
        ("UNREADABLE", Unscannable::Allow, "200"),
        ("SILENCE", Unscannable::Allow, "403"),
        ("QUIT", Unscannable::Allow, "403"),
    ] {
        let rig = scanned(Rule { unscannable: allow, ..rule() }, Setup::default());
        let told = post(&rig, "/", "", word.as_bytes(), if code == "200" { "got" } else { "}" });
        assert!(told.starts_with(&format!("HTTP/1.1 {code}")), "{word}: {told}");
        assert!(code == "200" || told.contains("dlp-unscannable"), "{told}");
        assert_eq!(rig.requests().len(), usize::from(code == "200"), "{word}");
    }
    let rig = Rig::new(Setup { rule: Rule { dlp: true, ..rule() }, ..Setup::default() });
    assert!(post(&rig, "/", "", b"x", "}").contains("dlp-unscannable"), "nobody is there");
}

#[test]
fn what_is_coded_in_a_way_that_nobody_opens_does_not_leave() {
    let rig = scanned(rule(), Setup::default());
    for coding in ["br", "compress", "dcz", "x-own", "gzip, br"] {
        let told = post(&rig, "/", &format!("Content-Encoding: {coding}\r\n"), b"anything", "}");
        assert!(told.starts_with("HTTP/1.1 403") && told.contains("\"dlp-unscannable\""), "{coding}: {told}");
    }
    assert!(rig.requests().iter().all(|seen| seen.body.is_empty()));
    let told = post(&rig, "/", "Content-Encoding: zstd\r\n", b"anything", "got 8");
    assert!(told.starts_with("HTTP/1.1 200"), "what role dlp knows by itself is its to judge: {told}");
    let lax = scanned(Rule { unscannable: Unscannable::Allow, ..rule() }, Setup::default());
    let told = post(&lax, "/", "Content-Encoding: br\r\n", b"anything", "got 8");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert_eq!(lax.way.events.lock().unwrap()[0].findings[0].kind, "unscannable");
}

#[test]
fn a_pause_releases_what_waits_and_hides_nothing() {
    use super::super::coding::Coding;
    use super::super::judge::{Findings, Judge};
    use super::super::upload::Upload;
    let (ours, theirs) = message_pair().unwrap();
    std::thread::spawn(move || stand_in(&theirs));
    let rig = Rig::new(Setup::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let vault = std::sync::Arc::new(super::super::credential::Vault::default());
        let judge = Judge {
            way: rig.way.clone(),
            rule: std::sync::Arc::new(rule()),
            keys: std::sync::Arc::new(vault.keys(NAME, true).unwrap()),
            scanner: Some(Scanner::start(ours).unwrap()),
            findings: Findings::default(),
            tokens: std::sync::Arc::default(),
            fresh: std::sync::Arc::default(),
            asking: super::super::asking::Asking::new(&http::Method::POST, "/"),
        };
        let mut upload = Upload::new(judge, Coding::Identity, "").await.unwrap();
        assert_eq!(upload.feed(b"ping", false).await.unwrap(), b"");
        assert!(upload.is_holding());
        assert_eq!(upload.pause().await.unwrap(), b"ping");
        assert!(!upload.is_holding());
        assert_eq!(upload.feed(b"EDITME and more than the window", false).await.unwrap(), b"[gone] and more");
        assert_eq!(upload.pause().await.unwrap(), b" than the window");
        upload.feed(b"EDI", false).await.unwrap();
        assert_eq!(upload.pause().await.unwrap(), b"EDI");
        let refusal = upload.feed(b"TME and more than the window", false).await.unwrap_err();
        assert_eq!(refusal.reason, "dlp", "a part of it went out before the pause");
    });
    std::thread::sleep(Duration::from_millis(1));
}

#[test]
fn a_person_is_asked_once_about_all_that_is_found_before_anything_goes_out() {
    for yes in [true, false] {
        let rule = Rule { limits: Limits { ask_above: Some(4000), ..Limits::default() }, ..rule() };
        let rig = scanned(rule, Setup { yes, ..Setup::default() });
        let body = format!("ASKME{}ASKME", " ".repeat(20_000));
        let told = post(&rig, "/v1/files/7?x=ASKME", "", body.as_bytes(), if yes { "got" } else { "}" });
        assert_eq!(told.starts_with("HTTP/1.1 200"), yes, "{told}");
        let asked = std::mem::take(&mut *rig.way.asked.lock().unwrap());
        let [one] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!((&*one.request, one.bytes, one.large), ("POST /v1/files/*", Some(20_010), true));
        let [found] = one.found.as_slice() else { panic!("{one:?}") };
        assert_eq!((&*found.kind, found.count), ("credential", 3));
        assert_eq!(rig.requests().len(), usize::from(yes), "nothing goes out before the answer");
    }
}

#[test]
fn what_comes_up_on_the_way_is_asked_at_once_and_again_when_it_is_many_more() {
    let rig = scanned(rule(), Setup::default());
    let part = format!("{}ASKME", " ".repeat(60_000));
    let chunk = format!("{:x}\r\n{part}\r\n", part.len());
    let head = "POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    let told = raw(&rig, format!("{head}{}0\r\n\r\n", chunk.repeat(6)).as_bytes(), "got");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    let asked = rig.way.asked.lock().unwrap();
    let counts: Vec<u64> = asked.iter().map(|one| one.found[0].count).collect();
    assert_eq!(counts, [1, 3], "not once for each");
    assert!(asked.iter().all(|one| one.bytes.is_none() && !one.large));
}

/// Answers with the body, as it came.
fn echo(headers: &'static [(&'static str, &'static str)]) -> super::rig::Answer {
    std::sync::Arc::new(move |seen: &super::rig::Seen| {
        let mut response = http::Response::builder();
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response =
            response.header("x-token", seen.headers.get("x").cloned().unwrap_or(TOKEN.parse().unwrap()));
        response.body(super::super::body::Body::whole(seen.body.clone())).unwrap()
    })
}

#[test]
fn a_token_goes_out_and_its_value_comes_back_from_the_same_host() {
    let stream: &[(&str, &str)] = &[("content-type", "text/event-stream")];
    for headers in [&[][..], stream] {
        let rig = scanned(rule(), Setup { answer: echo(headers), ..Setup::default() });
        let told = post(&rig, "/", "X: TOKENME\r\n", b"data: TOKENME\n\n", "data: TOKENME");
        assert!(told.contains("x-token: TOKENME"), "{told}");
        let seen = rig.requests().pop().unwrap();
        assert_eq!(seen.body, format!("data: {TOKEN}\n\n").as_bytes());
        assert_eq!(seen.headers["x"], TOKEN);
        let told = post(&rig, "/", "", b"only asks", "only asks");
        assert!(told.contains("x-token: TOKENME"), "another connection of the session knows it: {told}");
    }
}

#[test]
fn trailers_are_read_and_what_stands_beside_chunks_does_not_go_on() {
    let rig = scanned(rule(), Setup::default());
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n";
    let told = raw(&rig, format!("{head}2\r\nhi\r\n0\r\nx: BLOCKME\r\n\r\n").as_bytes(), "}");
    assert!(told.starts_with("HTTP/1.1 403") && told.contains("\"reason\":\"dlp\""), "{told}");
    assert!(rig.requests().iter().all(|seen| !seen.whole && seen.trailers.is_none()));
    let told = raw(&rig, format!("{head}2;BLOCKME=BLOCKME\r\nhi\r\n0\r\n\r\n").as_bytes(), "got 2");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert_eq!(rig.requests().pop().unwrap().body, b"hi", "the frame is made anew");
}

#[test]
fn a_header_name_says_no_more_than_what_was_read_of_it() {
    let rig = scanned(rule(), Setup::default());
    let told = post(&rig, "/", "X-BlOcKmE: 1\r\n", b"", "got 0");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert!(rig.requests().pop().unwrap().headers.contains_key("x-blockme"), "and no case of the agent's");
}
