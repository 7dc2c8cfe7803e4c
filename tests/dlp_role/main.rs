//! Role `dlp` as its own process, confined: it finds, blocks and edits in streams, and ends at what makes no sense.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;
mod teach;

use aisandbox::crypto::Secret;
use aisandbox::dlp::canary::Decoys;
use aisandbox::sys::socket;
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::dlp::{Act, Edit, Finding, FromDlp, MOST_CONTENT, ToDlp, head};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use support::run::{PATIENCE, Started, comes_true};
use support::{Home, for_each_user};

const CARD: &str = "4556 7375 8689 9855";
const MAIL: &str = "anna.berg@posteo.net";

/// A token of GitHub with a right sum, put together so that no file of ours holds one.
fn token() -> String {
    ["ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat()
}

struct Role {
    process: Started,
    socket: OwnedFd,
}

/// What one piece brought.
#[derive(Debug)]
struct Step {
    release_to: u64,
    edits: Vec<Edit>,
    findings: Vec<Finding>,
    unscannable: Option<String>,
}

impl Role {
    fn new(home: &Home) -> Self {
        let (socket, theirs) = socket::message_pair().unwrap();
        Self { process: home.aisandbox(&["__role", "dlp"]).descriptor(3, theirs).start(), socket }
    }

    /// A role that serves.
    fn serving(home: &Home, told: &[ToDlp]) -> Self {
        let mut role = Self::new(home);
        told.iter().for_each(|message| role.tell(message, None));
        assert_eq!(role.begin(), FromDlp::Ready {});
        role
    }

    /// A role that serves, and the socket by which it is taught.
    fn taught(home: &Home) -> (Self, OwnedFd) {
        let mut role = Self::new(home);
        let (ours, theirs) = socket::message_pair().unwrap();
        role.tell(&ToDlp::Teacher {}, Some(&File::from(theirs)));
        assert_eq!(role.begin(), FromDlp::Ready {});
        (role, ours)
    }

    fn begin(&mut self) -> FromDlp {
        self.tell(&ToDlp::Start {}, None);
        self.hear().unwrap_or_else(|| panic!("{:?}", self.process.finish()))
    }

    fn tell(&self, message: &ToDlp, file: Option<&File>) {
        self.send(&encode(message).unwrap(), file);
    }

    fn send(&self, bytes: &[u8], file: Option<&File>) {
        socket::send(self.socket.as_fd(), bytes, file.map(AsFd::as_fd), true).unwrap();
    }

    fn hear(&self) -> Option<FromDlp> {
        let mut buffer = vec![0; 65_536];
        match socket::receive(self.socket.as_fd(), &mut buffer, true) {
            Ok((0, _)) | Err(_) => None,
            Ok((length, _)) => Some(decode(&buffer[..length]).unwrap()),
        }
    }

    fn open(&self, stream: u64) {
        self.open_as(stream, false);
    }

    fn open_as(&self, stream: u64, redact: bool) {
        self.tell(&ToDlp::Open { stream, host: "a.example".into(), media: String::new(), redact }, None);
    }

    fn feed(&self, number: u64, bytes: &[u8], last: bool) -> Step {
        self.send(&[&head(number, last)[..], bytes].concat(), None);
        let Some(FromDlp::Step { stream, release_to, edits, findings, unscannable }) = self.hear() else {
            panic!("no answer");
        };
        assert_eq!(stream, number);
        Step { release_to, edits, findings, unscannable }
    }

    /// A whole text as one stream.
    fn whole(&self, stream: u64, text: &[u8]) -> Step {
        self.whole_as(stream, text, false)
    }

    fn whole_as(&self, stream: u64, text: &[u8], redact: bool) -> Step {
        self.open_as(stream, redact);
        let step = self.feed(stream, text, true);
        self.tell(&ToDlp::Close { stream }, None);
        step
    }
}

fn file(home: &Home, name: &str, bytes: &[u8]) -> File {
    let mut file = File::create_new(home.path().join(name)).unwrap();
    file.write_all(bytes).unwrap();
    drop(file);
    let mut file = File::open(home.path().join(name)).unwrap();
    file.rewind().unwrap();
    file
}

fn action(kind: &str, act: Act) -> ToDlp {
    ToDlp::Action { kind: kind.into(), act }
}

fn kinds(step: &Step) -> Vec<(&str, Act, bool)> {
    step.findings.iter().map(|found| (&*found.kind, found.act, found.critical)).collect()
}

#[test]
fn what_is_found_is_told_with_what_becomes_of_it() {
    for_each_user(|home| {
        let role = Role::serving(&home, &[]);
        let text = format!("to {MAIL}: card {CARD}, token = {}\n", token());
        let step = role.whole(1, text.as_bytes());
        assert_eq!(
            kinds(&step),
            [
                ("email", Act::Log, false),
                ("credit-card", Act::Block, false),
                ("github-token", Act::Block, false)
            ]
        );
        assert_eq!((step.release_to, step.edits.len(), step.unscannable), (text.len() as u64, 0, None));
        let step = role.whole(2, b"nothing to see\n");
        assert_eq!((step.release_to, step.findings.len()), (15, 0));
    });
}

#[test]
fn an_action_of_the_profile_wins_and_its_edits_cover_the_value() {
    for_each_user(|home| {
        let told = [action("email", Act::Redact), action("*", Act::Log), action("iban", Act::Hash)];
        let role = Role::serving(&home, &told);
        let text = format!("{{\"to\": \"{MAIL}\", \"card\": \"{CARD}\"}}");
        let step = role.whole(1, text.as_bytes());
        assert_eq!(kinds(&step), [("email", Act::Redact, false), ("credit-card", Act::Log, false)]);
        let [edit] = &step.edits[..] else { panic!("{step:?}") };
        let at = text.find(MAIL).unwrap();
        assert_eq!((edit.start, edit.end), (at as u64, (at + MAIL.len()) as u64));
        assert!(edit.with.starts_with("[AIS:email:"), "{edit:?}");
    });
}

#[test]
fn streams_that_are_mixed_keep_their_own_bytes_and_release_none_too_early() {
    let home = Home::of(support::users().remove(0));
    let role = Role::serving(&home, &[]);
    let value = token();
    let text = format!("{}token = {value}\n{}", "a b ".repeat(300), "c d ".repeat(700));
    let at = text.find(&value).unwrap() as u64;
    for stream in [1, 2] {
        role.open(stream);
    }
    let mut found = [0, 0];
    // The second stream has nothing where the first has its token.
    let other = text.replace(&value, &"x".repeat(value.len()));
    let count = text.len().div_ceil(97);
    let pieces = text.as_bytes().chunks(97).zip(other.as_bytes().chunks(97)).enumerate();
    for (place, (piece, other)) in pieces {
        for ((stream, piece), found) in [(1, piece), (2, other)].into_iter().zip(&mut found) {
            let step = role.feed(stream, piece, place + 1 == count);
            let tokens = step.findings.iter().filter(|finding| finding.kind == "github-token");
            *found += tokens.count();
            assert!(*found > 0 || stream == 2 || step.release_to <= at, "released before it was told");
        }
    }
    assert_eq!(found, [1, 0]);
}

#[test]
fn what_is_known_is_critical_in_every_form_and_no_word_for_all_hides_it() {
    for_each_user(|home| {
        let mut role = Role::new(&home);
        let secret = "correct-horse-7731-battery";
        role.tell(&action("*", Act::Allow), None);
        role.tell(&ToDlp::Known { label: "api".into(), secret: secret.into(), canary: false }, None);
        role.tell(&ToDlp::Decoys { key_hex: "05".repeat(32) }, None);
        let letter = letter();
        let file = file(&home, "plan.txt", letter.as_bytes());
        role.tell(&ToDlp::File { label: "plan".into() }, Some(&file));
        assert_eq!(role.begin(), FromDlp::Ready {});
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for (stream, text) in [secret.to_owned(), hex, secret.chars().rev().collect()].iter().enumerate() {
            let step = role.whole(stream as u64, format!("x {text} y").as_bytes());
            assert_eq!(kinds(&step), [("known-secret", Act::Block, true)], "{text}");
        }
        let decoys = Decoys::new(&Secret::take(&mut [5; 32]).unwrap());
        for (stream, decoy) in decoys.files().iter().filter(|decoy| decoy.mode == 0o600).enumerate() {
            let step = role.whole(100 + stream as u64, decoy.content.as_bytes());
            assert!(kinds(&step).contains(&("canary", Act::Block, true)), "{}", decoy.path);
        }
        let step = role.whole(200, &letter.as_bytes()[2000..8000]);
        assert!(kinds(&step).contains(&("known-file", Act::Block, true)), "{step:?}");
        let step = role.whole(201, format!("{MAIL} {CARD} {}", token()).as_bytes());
        assert_eq!(kinds(&step), [], "the profile allows all else");
    });
}

fn letter() -> String {
    (0..400).map(|word| format!("sentence {} of the plan. ", word * 7919)).collect()
}

#[test]
fn a_token_stands_for_its_value_and_is_marked_as_one() {
    let home = Home::of(support::users().remove(0));
    let role = Role::serving(&home, &[action("*", Act::Tokenize)]);
    let text = format!("{{\"to\": \"{MAIL}\", \"card\": \"{CARD}\", \"n\": 4556737586899855}}");
    let (one, two) = (role.whole(1, text.as_bytes()), role.whole(2, text.as_bytes()));
    let tokens = |step: &Step| step.edits.iter().map(|edit| edit.with.clone()).collect::<Vec<_>>();
    assert_eq!(tokens(&one), tokens(&two), "the same value has the same token");
    assert!(one.edits.iter().all(|edit| edit.token), "{one:?}");
    let [mail, card, number] = &tokens(&one)[..] else { panic!("{one:?}") };
    assert!(mail.ends_with("@token.invalid"), "{mail}");
    assert_eq!((card.len(), card.matches(' ').count()), (CARD.len(), 3), "{card}");
    assert!(number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
}

#[test]
fn an_answer_has_bounds_and_what_cannot_be_edited_whole_is_blocked() {
    let home = Home::of(support::users().remove(0));
    let mails: String = (0..2400).map(|at| format!("p{at}@posteo.net\n")).collect();
    assert!(mails.len() < MOST_CONTENT);
    let role = Role::serving(&home, &[]);
    let step = role.whole(1, mails.as_bytes());
    assert_eq!((step.release_to, step.findings.len()), (mails.len() as u64, 64));
    let role = Role::serving(&home, &[action("email", Act::Redact)]);
    let step = role.whole(1, mails.as_bytes());
    assert_eq!((step.release_to, step.edits.len()), (0, 0));
    assert_eq!(step.unscannable.as_deref(), Some("too-many"));
    assert!(kinds(&step).contains(&("unedited", Act::Block, false)));
    let few: String = mails.lines().take(300).map(|line| format!("{line}\n")).collect();
    let step = role.whole(2, few.as_bytes());
    assert_eq!((step.release_to, step.edits.len()), (few.len() as u64, 300));
}

#[test]
fn rules_of_a_file_count_and_what_cannot_be_used_is_refused() {
    for_each_user(|home| {
        let rule = "[[rule]]\nid = \"acme\"\nabout = \"a\"\nstart = [\"acme_\"]\nregex = 'acme_[a-z]{8}'\n";
        let mut role = Role::new(&home);
        role.tell(&ToDlp::Rules { name: "acme.toml".into() }, Some(&file(&home, "r", rule.as_bytes())));
        assert_eq!(role.begin(), FromDlp::Ready {});
        assert_eq!(kinds(&role.whole(1, b"x acme_qhzkwrtb y")), [("acme", Act::Block, false)]);

        let broken = file(&home, "b", b"[[rule]]\nid = 7\n");
        let folder = File::open(home.path()).unwrap();
        let known = |secret: &str| ToDlp::Known { label: "s".into(), secret: secret.into(), canary: false };
        for (message, carried, said) in [
            (ToDlp::Rules { name: "b\u{1b}".into() }, Some(&broken), "rules b\\x1b: line"),
            (ToDlp::Rules { name: "f".into() }, Some(&folder), "is no plain file"),
            (ToDlp::File { label: "f".into() }, Some(&folder), "is no plain file"),
            (known("short"), None, "too short"),
            (action("no-such", Act::Log), None, "no-such"),
            (ToDlp::Decoys { key_hex: "00".into() }, None, "the key is none"),
        ] {
            let mut role = Role::new(&home);
            role.tell(&message, carried);
            let FromDlp::Refused { why } = role.begin() else { panic!("{message:?}") };
            assert!(why.contains(said), "{why}");
            role.process.finish().expect_code(0);
        }
    });
}

#[test]
fn what_makes_no_sense_ends_the_role() {
    let home = Home::of(support::users().remove(0));
    let pipe = File::from(OwnedFd::from(std::io::pipe().unwrap().0));
    let open =
        encode(&ToDlp::Open { stream: 1, host: "a".into(), media: String::new(), redact: false }).unwrap();
    let start = encode(&ToDlp::Start {}).unwrap();
    let content = |stream, last| head(stream, last).to_vec();
    let flagged = [&[0, 2][..], &[0; 14]].concat();
    let rules = encode(&ToDlp::Rules { name: "r".into() }).unwrap();
    type Case<'a> = (&'a str, &'a [&'a [u8]], Option<&'a File>);
    let cases: [Case<'_>; 12] = [
        ("no message", &[b"{}"], None),
        ("content before the start", &[&content(1, false)], None),
        ("a stream before the start", &[&open], None),
        ("rules without a file", &[&rules], None),
        ("a start with a file", &[&start], Some(&pipe)),
        ("a second start", &[&start, &start], None),
        ("rules after the start", &[&start, &rules], Some(&pipe)),
        ("an unknown stream", &[&start, &content(1, false)], None),
        ("a stream twice", &[&start, &open, &open], None),
        ("an unknown flag", &[&start, &open, &flagged], None),
        ("half a head", &[&start, &open, &flagged[..8]], None),
        ("content behind the last", &[&start, &open, &content(1, true), &content(1, false)], None),
    ];
    for (name, messages, carried) in cases {
        let mut role = Role::new(&home);
        let (last, before) = messages.split_last().unwrap();
        before.iter().for_each(|bytes| role.send(bytes, None));
        role.send(last, carried);
        let mut answers = 0;
        while role.hear().is_some() {
            answers += 1;
        }
        assert!(answers < messages.len(), "{name}");
        assert_eq!(role.process.finish().code, 125, "{name}");
    }
}

#[test]
fn it_is_confined_has_a_limit_of_memory_and_ends_with_its_socket() {
    for_each_user(|home| {
        let Role { mut process, socket } = Role::serving(&home, &[]);
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
        for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
            assert!(status.contains(line), "{line} in {status}");
        }
        let limits = nix::unistd::geteuid().is_root().then(|| format!("/proc/{}/limits", process.pid()));
        if let Some(limits) = limits.map(|path| fs::read_to_string(path).unwrap()) {
            let line = limits.lines().find(|line| line.starts_with("Max data size")).unwrap();
            assert!(line.split_whitespace().filter(|word| *word == "536870912").count() == 2, "{line}");
        }
        drop(socket);
        process.finish().expect_code(0);
    });
}

#[test]
fn a_role_that_is_killed_answers_nothing() {
    let home = Home::of(support::users().remove(0));
    let role = Role::serving(&home, &[]);
    role.open(1);
    role.process.signal(9);
    assert!(role.hear().is_none());
    let sent = || socket::send(role.socket.as_fd(), &head(1, true), None, false).is_ok();
    assert!(comes_true(PATIENCE, || !sent()), "nobody takes it");
}

#[test]
fn where_a_rule_wants_marks_what_would_stop_a_stream_is_replaced_and_what_is_known_still_stops_it() {
    let home = Home::of(support::users().remove(0));
    let known = ToDlp::Known { label: "k".into(), secret: "a-secret-that-is-known".into(), canary: false };
    let role = Role::serving(&home, &[known, action("email", Act::Ask)]);
    let card = format!("card {CARD}, mail {MAIL}");
    let card = card.as_bytes();
    let blocked = role.whole(1, card);
    assert!(kinds(&blocked).iter().any(|(_, act, _)| *act == Act::Block), "the control: {blocked:?}");
    let step = role.whole_as(2, card, true);
    assert!(!step.edits.is_empty() && step.release_to == card.len() as u64, "{step:?}");
    assert!(kinds(&step).iter().all(|(_, act, critical)| *act == Act::Redact && !critical), "{step:?}");
    let step = role.whole_as(3, b"and a-secret-that-is-known too", true);
    assert!(kinds(&step).iter().any(|(_, act, critical)| *act == Act::Block && *critical), "{step:?}");
}
