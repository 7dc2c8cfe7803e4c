//! How many bytes an event takes once its log is packed, leaf and what opens it; and how long it takes to withhold all that
//! is personal in a million.

use crate::place::{Place, event};
use crate::turns;
use aisandbox::audit::Event;
use aisandbox::audit::access::{Seen, Transfer};
use aisandbox::audit::log::{Packed, SharedLog, State, Why, pack, verify};
use aisandbox::audit::network::Network;
use aisandbox::audit::withhold::{Became, Chosen, redact};
use aisandbox::base::thread_time;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Makes the event with this number.
type Make = fn(usize) -> Event;

pub(crate) fn run() {
    let kinds: [(&str, Make); 3] =
        [("files through a lease", transfer), ("connections", connection), ("refusals", event)];
    for (words, make) in kinds {
        let events = turns(200_000, 2_000);
        let place = Place::new();
        let folder = written(&place, events, make);
        let Packed::Done { before, .. } = pack(&folder).unwrap() else { panic!("it is sealed") };
        let (leaves, openings) = (size(&folder, ".seg.zst"), size(&folder, ".openings.zst"));
        let each = |bytes: u64| bytes as f64 / events as f64;
        println!(
            "{words}: {:.1} bytes an event packed (120 must, 91 aim): {:.1} of leaves, {:.1} of openings; {:.0} plain",
            each(leaves + openings),
            each(leaves),
            each(openings),
            each(before)
        );
    }
}

pub(crate) fn redaction() {
    let events = turns(1_000_000, 5_000);
    let place = Place::new();
    let folder = written(&place, events, transfer);
    for form in ["plain", "packed"] {
        let folder = if form == "plain" {
            folder.clone()
        } else {
            let folder = written(&place, events, transfer);
            pack(&folder).unwrap();
            folder
        };
        let why = Why { reason: "a bench".into(), by: "bench".into(), uid: 0 };
        let (begun, before) = (Instant::now(), thread_time());
        let done = redact(place.path(), std::slice::from_ref(&folder), &Chosen::everything(), (&why, false))
            .unwrap();
        let (took, used) = (begun.elapsed(), thread_time() - before);
        assert_eq!((done[0].became, done[0].leaves), (Became::Redacted, events as u64));
        let begun = Instant::now();
        let verdict = verify(&folder).unwrap();
        assert_eq!((verdict.state, verdict.openings.withheld), (State::Sealed, events as u64));
        println!(
            "{form}: personal fields of {events} events withheld in {took:.2?}, {used:.2?} of CPU (1 s aim); verified after in {:.2?}",
            begun.elapsed()
        );
    }
}

fn written(place: &Place, events: usize, make: Make) -> PathBuf {
    let (folder, log) = place.begin();
    let log = SharedLog::new(log);
    log.start_thread(false).unwrap();
    (0..events).for_each(|number| log.note(&make(number)).unwrap());
    log.seal().unwrap();
    folder
}

fn size(folder: &Path, end: &str) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let meant = files.filter(|file| file.file_name().to_str().unwrap().ends_with(end));
    meant.map(|file| file.metadata().unwrap().len()).sum()
}

/// Numbers that look like chance, the same each time.
fn mixed(number: usize) -> usize {
    let mut mixed = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as usize
}

/// One of 5,000 files in 200 folders, through one of 40 leases.
fn transfer(number: usize) -> Event {
    let (chance, lease) = (mixed(number), number / 5_000);
    let (folder, file) = (chance % 200, chance / 200 % 25);
    Event::Transfer(Transfer {
        grant: format!("01KB{:022X}", mixed(lease)),
        path: Some(format!("/home/alice/Projects/app/src/module{folder:03}/part{file:02}.rs")),
        action: "read".into(),
        read: (chance % 60_000) as u64,
        written: 0,
        redacted: 0,
        request: Some(format!("01KA{:022X}", mixed(lease + 1))),
        token: None,
    })
}

/// A connection to one of 60 hosts, as it ends.
fn connection(number: usize) -> Event {
    let chance = mixed(number);
    let host = format!("api{}.example{}.com", chance % 12, chance / 12 % 5);
    Event::Network(Box::new(Network {
        what: "close".into(),
        flow: number as u64 + 1,
        sni: Some(host.clone()),
        host,
        port: 443,
        address: Some(format!("203.0.113.{}", chance % 60)),
        protocol: "tls".into(),
        alpn: vec!["h2".into(), "http/1.1".into()],
        process: Some(Seen { pid: 4711, program: "/usr/bin/python3.12".into(), sha256: None }),
        rule: Some("cowork.yaml:31".into()),
        sent: (chance % 9_000) as u64,
        received: (chance / 7 % 90_000) as u64,
        requests: (chance % 9) as u64,
        took_ms: (chance % 4_000) as u64,
        ..Network::default()
    }))
}
