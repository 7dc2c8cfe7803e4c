//! What is known is found in every form, and nothing else is.

use super::*;
use std::time::Instant;

const SECRET: &[u8] = b"xK9$mQ2/vL+7pR=w";

fn known() -> Known {
    Known::new(Secret::take(&mut [7; 32]).unwrap())
}

fn with_secret() -> Known {
    let mut known = known();
    known.add_secret("db", SECRET).unwrap();
    known
}

/// Numbers that look random and are the same every time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn base64(bytes: &[u8], alphabet: &[u8]) -> Vec<u8> {
    let letter = |held: u32, place: u32| alphabet[(held >> (18 - 6 * place) & 63) as usize];
    let mut out = Vec::new();
    for chunk in bytes.chunks(3) {
        let held =
            chunk.iter().enumerate().fold(0, |held, (at, byte)| held | u32::from(*byte) << (16 - 8 * at));
        out.extend((0..=chunk.len() as u32).map(|place| letter(held, place)));
    }
    out
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}

#[test]
fn a_secret_is_found_in_the_middle_of_every_encoding() {
    let known = with_secret();
    let standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let url = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut written: Vec<Vec<u8>> = vec![SECRET.to_vec(), SECRET.iter().rev().copied().collect()];
    for before in ["", "u", "us", "usr", "user"] {
        let around = [before.as_bytes(), SECRET, b":more"].concat();
        written.push(base64(&around, standard));
        written.push(base64(&around, url));
    }
    for between in ["", " ", ":", "%", "\\x", ", 0x"] {
        written.push(hex(SECRET, between).into_bytes());
        written
            .push(hex(SECRET, between).to_uppercase().replace("\\X", "\\x").replace("0X", "0x").into_bytes());
    }
    written.push(b"xK9%24mQ2%2FvL%2B7pR%3Dw".to_vec());
    written.push(b"xK9%24mQ2%2fvL%2b7pR%3dw".to_vec());
    written.push(SECRET.iter().flat_map(|byte| [*byte, 0]).collect());
    written.push(SECRET.iter().flat_map(|byte| [0, *byte]).collect());
    written.push(b"kX9$zD2/iY+7cE=j".to_vec());
    for form in written {
        let text = [&b"<before "[..], &form, b" behind>"].concat();
        let hits = known.find(&text);
        assert_eq!(hits.len(), 1, "{}", form.escape_ascii());
        let hit = &hits[0];
        assert_eq!((&*hit.label, hit.what, hit.shared), ("db", What::Secret, 1));
        assert!(hit.start >= 8 && hit.end <= text.len() - 8, "{hit:?} in {}", text.escape_ascii());
        let mut other = text.clone();
        other[usize::midpoint(hit.start, hit.end)] ^= 1;
        assert_eq!(known.find(&other), [], "{}", other.escape_ascii());
    }
}

#[test]
fn a_secret_is_found_at_the_first_and_at_the_last_byte() {
    let known = with_secret();
    let places = |text: &[u8]| known.find(text).iter().map(|hit| (hit.start, hit.end)).collect::<Vec<_>>();
    assert_eq!(places(SECRET), [(0, 16)]);
    assert_eq!(places(&[SECRET, SECRET].concat()), [(0, 16), (16, 32)]);
    assert_eq!(places(&SECRET[1..]), []);
    assert_eq!(places(b""), []);
}

#[test]
fn a_secret_that_begins_as_many_others_do_has_an_anchor_of_its_own() {
    let (at, anchor) = rarest(b"https://user:pass@example.org/aZ4!kQ9_tR2?vW7+page").unwrap();
    assert!(at >= 28, "{at} {}", anchor.escape_ascii());
}

#[test]
fn what_is_too_short_too_long_or_too_much_is_refused() {
    let mut known = known();
    assert_eq!(known.add_secret("a", b"seven77"), Err(NotAdded::TooShort));
    assert_eq!(known.add_secret("a", &[b'x'; 40]), Err(NotAdded::TooShort));
    assert_eq!(known.add_secret("a", &noise(1, MOST_SECRET + 1)), Err(NotAdded::TooLong));
    assert!(known.is_empty());
    let full = (0..10_000).find_map(|count: u64| known.add_secret("a", &noise(count, 12)).err());
    assert_eq!(full, Some(NotAdded::Full));
    assert!(known.needles.len() <= MOST_NEEDLES && known.sieve.bits.len() <= MOST_NEEDLES);
}

#[test]
fn files_beyond_the_bound_are_refused_and_a_large_one_is_thinned() {
    let mut known = known();
    let letters =
        |seed: u64, length| noise(seed, length).iter().map(|byte| b'a' + byte % 26).collect::<Vec<u8>>();
    let large = letters(1, 1_300_000);
    known.add_file("large", &large).unwrap();
    let hits = known.find(&large[1_000_000..1_020_000]);
    assert_eq!(hits.iter().map(|hit| &*hit.label).collect::<Vec<_>>(), ["large"]);
    let full = (2..60).find_map(|seed| known.add_file("more", &letters(seed, 600_000)).err());
    assert_eq!(full, Some(NotAdded::Full));
}

#[test]
fn nothing_holds_a_value() {
    let known = with_secret();
    let held: Vec<u8> = known
        .needles
        .iter()
        .flat_map(|needle| {
            [&needle.anchor.to_le_bytes()[..], &needle.tail.to_le_bytes(), &needle.code].concat()
        })
        .collect();
    assert!(!held.windows(4).any(|held| SECRET.windows(4).any(|part| part == held)));
    assert!(!format!("{known:?}").contains("xK9"));
}

const REPORT: &str = "Salaries of the third quarter. Anna Berger, head of sales, earns 104,200 a year and leaves in June. \
    Tomasz Nowak, engineer, earns 88,450 and is to get a raise of 6 percent. The works council was not told yet. \
    Liu Wei, finance, has a bonus of 12,000 that depends on the sale of the Graz plant, which is planned for May.";

#[test]
fn a_part_of_a_file_is_found_whatever_its_lines_and_signs_became() {
    let mut known = known();
    known.add_file("hr/salaries.txt", REPORT.as_bytes()).unwrap();
    let part = &REPORT[31..280];
    let rewritten = [
        part.to_owned(),
        part.to_uppercase(),
        part.replace(' ', "\n> "),
        part.replace(", ", " | "),
        part.replace(' ', "&nbsp;").replace("&nbsp;", "  "),
    ];
    for text in rewritten {
        let whole = format!("{{\"prompt\": \"please sum this up: {text}\"}}");
        let hits = known.find(whole.as_bytes());
        assert_eq!(hits.len(), 1, "{whole}");
        assert_eq!((&*hits[0].label, hits[0].what), ("hr/salaries.txt", What::File));
        assert!(hits[0].shared >= 8 && hits[0].start >= 30 && hits[0].end < whole.len(), "{hits:?}");
    }
}

#[test]
fn fewer_than_eight_pieces_are_not_a_file() {
    let mut known = known();
    known.add_file("report", REPORT.as_bytes()).unwrap();
    let least =
        (40..REPORT.len()).find(|length| !known.find(&REPORT.as_bytes()[..*length]).is_empty()).unwrap();
    assert!((70..220).contains(&least), "{least}");
    let hits = known.find(&REPORT.as_bytes()[..least]);
    assert_eq!(hits[0].shared, 8);
    assert_eq!(known.find(REPORT[..60].repeat(20).as_bytes()), [], "the same piece counts once");
}

#[test]
fn parts_of_a_file_that_are_far_apart_are_two_places() {
    let mut known = known();
    known.add_file("report", REPORT.as_bytes()).unwrap();
    let (one, other) = REPORT.split_at(160);
    let text = format!("{one}{}{other}", "- unrelated words -\n".repeat(100));
    let hits = known.find(text.as_bytes());
    assert_eq!(hits.len(), 2, "{hits:?}");
    assert!(hits[0].end <= 161 && hits[1].start > 2000, "{hits:?}");
}

#[test]
fn a_file_of_lines_and_blanks_matches_no_lines_and_blanks() {
    let mut known = known();
    known
        .add_file(
            "table",
            "0000000000 0000000000 | -------- | aaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(50).as_bytes(),
        )
        .unwrap();
    assert_eq!(known.find("0".repeat(10_000).as_bytes()), []);
    assert_eq!(known.find("-".repeat(10_000).as_bytes()), []);
}

#[test]
fn other_text_and_noise_have_no_hit_and_are_read_fast() {
    let mut known = with_secret();
    for count in 0..100 {
        known.add_secret("more", &noise(count + 1000, 24)).unwrap();
    }
    known.add_file("report", REPORT.as_bytes()).unwrap();
    let sources = [include_str!("exact.rs"), include_str!("exact/shingle.rs"), include_str!("layer.rs")];
    let text = sources.concat().repeat(10 * (1 << 20) / sources.concat().len());
    let random = noise(42, 10 << 20);
    let start = Instant::now();
    assert_eq!(known.find(text.as_bytes()), []);
    assert_eq!(known.find(&random), []);
    println!("{:.0} MB/s", (text.len() + random.len()) as f64 / 1e6 / start.elapsed().as_secs_f64());
}

#[test]
fn hits_have_a_bound() {
    let known = with_secret();
    let hits = known.find(&SECRET.repeat(5000));
    assert_eq!(hits.len(), MOST_HITS);
}

#[test]
fn a_canary_is_told_from_a_secret() {
    let mut known = known();
    known.add_canary("decoy", SECRET).unwrap();
    assert_eq!(known.find(SECRET)[0].what, What::Canary);
}
