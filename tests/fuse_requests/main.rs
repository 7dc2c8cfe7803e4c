//! Role `files` under requests that no honest kernel sends: cut short, too long, of unknown kinds, in any order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

#[path = "../support/dice.rs"]
mod dice;
mod kernel;

use dice::Dice;
use kernel::{Answered, cut, request, send};

const NAMES: &[&str] =
    &["log\0", "link\0", "new\0", "..\0", ".\0", "\0", "a/../../secret\0", "/etc\0", "log", "a\0b\0"];
/// LOOKUP, SETATTR, READLINK, SYMLINK, MKNOD, MKDIR, UNLINK, RENAME, LINK, OPEN, READ, WRITE, OPENDIR, READDIR, ACCESS,
/// CREATE, INTERRUPT, RENAME2, LSEEK, COPY_FILE_RANGE, and what is none.
const KINDS: &[u32] =
    &[1, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 16, 27, 28, 34, 35, 36, 45, 46, 47, 99, u32::MAX];

/// A request that begins well: numbers that are small as nodes and handles are, then names.
fn likely(dice: &mut Dice, unique: u64) -> Vec<u8> {
    let kind = KINDS[dice.roll(KINDS.len())];
    let words = dice.roll(12);
    let mut body: Vec<u8> = (0..words).flat_map(|_| (dice.roll(6) as u64).to_ne_bytes()).collect();
    for _ in 0..dice.roll(3) {
        body.extend_from_slice(NAMES[dice.roll(NAMES.len())].as_bytes());
    }
    let mut message = request(kind, unique, dice.roll(6) as u64, &body);
    match dice.roll(8) {
        0 => message.truncate(dice.roll(message.len())),
        1 => {
            let at = dice.roll(message.len());
            message[at] = message[at].wrapping_add(1 + dice.next() as u8 % 255);
        }
        _ => {}
    }
    message
}

#[test]
fn whatever_the_kernel_sends_the_role_goes_on_and_nothing_outside_changes() {
    let mut all = Answered::default();
    for seed in 1..=60 {
        let mut dice = Dice(seed);
        let requests: Vec<Vec<u8>> = (0..80).map(|number| likely(&mut dice, 10 + 2 * number)).collect();
        let answered = send(&requests);
        all.done += answered.done;
        all.failed += answered.failed;
    }
    // How many are answered before a session ends by what it was sent is a matter of time.
    assert!(all.done > 0 && all.failed > 0, "the control: requests were carried out, and refused: {all:?}");
}

#[test]
fn bytes_without_any_meaning_are_no_request() {
    for seed in 1..=40 {
        let mut dice = Dice(seed);
        let bytes: Vec<u8> = (0..2000).map(|_| dice.next() as u8).collect();
        send(&cut(&bytes));
        send(&[bytes]);
    }
}

#[test]
fn a_lookup_an_open_and_a_read_are_answered() {
    let open = [&0u32.to_ne_bytes()[..], &0u32.to_ne_bytes()].concat();
    let answered =
        send(&[request(1, 10, 1, b"log\0"), request(14, 12, 2, &open), request(1, 14, 1, b"none\0")]);
    assert_eq!(answered, Answered { done: 3, failed: 1 }, "the first is the greeting; the last is not there");
}
