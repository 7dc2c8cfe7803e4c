//! What the session's authority can stand for, as others judge it.

use super::*;
use crate::egress::inspect::tls::{Spoken, Tls};
use std::io::Write;
use std::process::Command;

fn authority(names: &[&str]) -> Authority {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let until = SystemTime::now() + Duration::from_secs(3600);
    Authority::new(&names, SystemTime::now(), since_1970(until).as_secs()).unwrap()
}

/// Whether a client that trusts the authority takes its certificate for this name.
fn takes(authority: &Authority, name: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let tls = Tls::new(authority.pem().as_bytes());
        let serving = async { tls.accept(authority, name, Spoken::Unnamed, server).await.map(drop) };
        let client = Tls::new(authority.pem().as_bytes());
        let asking = async { client.connect(name, &[], stream).await.map(drop) };
        let (mut serving, mut asking) = (std::pin::pin!(serving), std::pin::pin!(asking));
        std::future::poll_fn(|context| {
            // The server's side is driven until the client has judged.
            let _ = serving.as_mut().poll(context).is_ready();
            asking.as_mut().poll(context)
        })
        .await
    })
}

#[test]
fn a_name_and_all_below_it_hold_and_nothing_else_is_signed() {
    let own = authority(&["a.example", "b.example"]);
    for name in ["a.example", "x.a.example", "b.example"] {
        assert_eq!(takes(&own, name), Ok(()), "{name}");
    }
    for name in ["c.example", "example", "xa.example", "a.example.c", "10.0.0.1", ""] {
        assert!(own.leaf(name, SystemTime::now()).is_err(), "{name}");
    }
}

#[test]
fn a_certificate_beyond_the_constraints_fails_even_when_it_is_signed() {
    for (names, stolen) in
        [(&["a.example"][..], "b.example"), (&["a.example"], "10.0.0.1"), (&[], "b.example"), (&[], "::1")]
    {
        let mut own = authority(names);
        // As if someone had the key.
        own.names.push(stolen.to_owned());
        let why = if stolen.contains("example") { takes(&own, stolen).unwrap_err() } else { String::new() };
        assert!(why.is_empty() || why.contains("does not hold"), "{stolen}: {why}");
        let (ca, leaf) = (
            file("ca", &own.pem()),
            file("leaf", &pem(&own.leaf(stolen, SystemTime::now()).unwrap().chain[0])),
        );
        let output = Command::new("openssl").arg("verify").arg("-CAfile").arg(&ca).arg(&leaf).output();
        let Ok(output) = output else {
            assert!(std::env::var_os("AISANDBOX_MUST_RUN").is_none(), "openssl is not there");
            println!("skipped: openssl is not there");
            continue;
        };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(!output.status.success() && text.contains("subtree violation"), "{stolen}: {text}");
        for path in [ca, leaf] {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn openssl_takes_what_is_within_the_constraints() {
    let own = authority(&["a.example", "192.0.2.7"]);
    for name in ["a.example", "192.0.2.7"] {
        let (ca, leaf) = (
            file("ca", &own.pem()),
            file("leaf", &pem(&own.leaf(name, SystemTime::now()).unwrap().chain[0])),
        );
        let output =
            Command::new("openssl").args(["verify", "-x509_strict", "-CAfile"]).arg(&ca).arg(&leaf).output();
        let Ok(output) = output else {
            assert!(std::env::var_os("AISANDBOX_MUST_RUN").is_none(), "openssl is not there");
            println!("skipped: openssl is not there");
            return;
        };
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&text));
        for path in [ca, leaf] {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn nothing_shows_a_key() {
    let own = authority(&["a.example"]);
    let leaf = own.leaf("a.example", SystemTime::now()).unwrap();
    assert_eq!(format!("{own:?} {leaf:?}"), "Authority { names: [\"a.example\"], .. } Leaf");
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64_STANDARD.encode(der))
}

fn file(kind: &str, text: &str) -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("aisandbox-{kind}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path
}
