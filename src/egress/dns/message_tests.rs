//! Questions and answers of DNS, whole and broken.

use super::*;

fn asked(bytes: &[u8]) -> Query {
    match query(bytes) {
        Asked::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_tells_the_question_back_letter_by_letter() {
    let mut bytes = ask([7, 9], "API.ExAmple.org", A).unwrap();
    let query = asked(&bytes);
    assert_eq!((query.name.as_deref(), query.kind, query.internet), (Some("api.example.org"), A, true));
    let answer = answer(&query, NOERROR, &["198.18.0.2".parse().unwrap()], 5);
    assert!(answer.windows(12).any(|part| part == b"\x03API\x07ExAmple"), "the letters are as they were");
    let read = read_answer(&answer, [7, 9], "api.example.org", A).unwrap();
    assert_eq!(read.addresses, ["198.18.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!((read.code, read.cut, read.seconds), (NOERROR, false, 5));
    assert_eq!(answer[11], 1, "EDNS was asked for and is answered");
    // Without EDNS there is none in the answer.
    bytes.truncate(bytes.len() - 11);
    bytes[11] = 0;
    assert_eq!(super::answer(&asked(&bytes), NXDOMAIN, &[], 5)[11], 0);
}

#[test]
fn what_is_no_question_is_refused_or_not_answered() {
    let good = ask([0, 1], "a.org", A).unwrap();
    assert_eq!(query(&good[..11]), Asked::Nothing);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        query(&bytes)
    };
    assert_eq!(changed(2, 0x81), Asked::Nothing, "an answer");
    let code = |asked: Asked| match asked {
        Asked::Refused(answer) => answer[3] & 15,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(changed(2, 0x28)), NOTIMP, "an update");
    assert_eq!(code(changed(5, 2)), FORMERR, "two questions");
    assert_eq!(code(changed(5, 0)), FORMERR, "no question");
    assert_eq!(code(changed(7, 1)), FORMERR, "a question with an answer");
    assert_eq!(code(changed(12, 0xc0)), FORMERR, "a pointer in a question");
    assert_eq!(code(changed(12, 60)), FORMERR, "a label that goes on behind the end");
    for end in 12..good.len() {
        assert_eq!(code(query(&good[..end])), FORMERR, "{end} bytes of it");
    }
    assert_eq!(code(query(&[&good[..], b"x"].concat())), FORMERR, "bytes behind the end");
    let mut odd = good.clone();
    odd[13] = b' ';
    assert_eq!(asked(&odd).name, None);
    odd[13] = b'.';
    assert_eq!(asked(&odd).name, None, "a dot inside a label is no border");
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = text
        .split('.')
        .flat_map(|label| [&[u8::try_from(label.len()).unwrap()][..], label.as_bytes()].concat())
        .collect();
    bytes.push(0);
    bytes
}

fn record(owner: &[u8], kind: u16, seconds: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [owner, &kind.to_be_bytes(), &[0, 1], &seconds.to_be_bytes(), &length, data].concat()
}

fn told(records: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(records.len()).unwrap();
    let head = [1, 2, 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
    [&head[..], &name("a.org"), &[0, 1, 0, 1], &records.concat()].concat()
}

#[test]
fn aliases_are_followed_and_what_nobody_asked_about_is_not_taken() {
    let pointer = [0xc0, 12];
    let bytes = told(&[
        record(&pointer, CNAME, 60, &name("b.net")),
        record(&name("evil.org"), A, 9, &[6, 6, 6, 6]),
        record(&name("B.net"), A, 30, &[1, 2, 3, 4]),
        record(&name("b.net"), A, 40, &[1, 2, 3, 5]),
        record(&name("b.net"), AAAA, 1, &[0; 16]),
    ]);
    let answer = read_answer(&bytes, [1, 2], "a.org", A).unwrap();
    assert_eq!(answer.addresses, ["1.2.3.4", "1.2.3.5"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    assert_eq!((answer.seconds, answer.alias), (30, None));
    let unresolved = read_answer(&told(&[record(&pointer, CNAME, 60, &name("b.net"))]), [1, 2], "a.org", A);
    assert_eq!(unresolved.unwrap().alias.as_deref(), Some("b.net"));
    let ring = [record(&pointer, CNAME, 1, &name("b.net")), record(&name("b.net"), CNAME, 1, &name("a.org"))];
    let answer = read_answer(&told(&ring), [1, 2], "a.org", A).unwrap();
    assert_eq!((answer.addresses, answer.alias), (vec![], None));
}

#[test]
fn an_answer_to_another_question_or_a_broken_one_is_none() {
    let good = told(&[record(&[0xc0, 12], A, 60, &[1, 2, 3, 4])]);
    assert!(read_answer(&good, [1, 2], "a.org", A).is_some());
    assert_eq!(read_answer(&good, [1, 3], "a.org", A), None);
    assert_eq!(read_answer(&good, [1, 2], "b.org", A), None);
    assert_eq!(read_answer(&good, [1, 2], "a.org", AAAA), None);
    for end in 0..good.len() {
        assert_eq!(read_answer(&good[..end], [1, 2], "a.org", A), None, "{end} bytes of it");
    }
    let at = u8::try_from(good.len() - 16).unwrap();
    for pointer in [[0xc0, at], [0xff, 0xff]] {
        let bytes = told(&[record(&pointer, A, 60, &[1, 2, 3, 4])]);
        assert_eq!(read_answer(&bytes, [1, 2], "a.org", A), None, "a pointer to itself or onward");
    }
}
