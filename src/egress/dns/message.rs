//! Messages of DNS (RFC 1035, 6891), as far as a server for a few names and a stub resolver need them.
//!
//! Never follows a name forward or for ever: a pointer leads back, and a name has at most 255 bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The type of an IPv4 address.
pub const A: u16 = 1;
/// The type of an alias.
pub const CNAME: u16 = 5;
/// The type of an IPv6 address.
pub const AAAA: u16 = 28;
/// No error.
pub const NOERROR: u8 = 0;
/// A malformed question.
pub const FORMERR: u8 = 1;
/// There is no such name.
pub const NXDOMAIN: u8 = 3;
/// A kind of question that is not known.
pub const NOTIMP: u8 = 4;
/// The most bytes of a datagram of ours.
pub const MOST_DATAGRAM: usize = 1232;

const HEAD: usize = 12;
const OPT: u16 = 41;
const INTERNET: u16 = 1;
const MOST_NAME: usize = 255;
/// The most records of an answer that are looked at.
const MOST_RECORDS: usize = 64;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    id: [u8; 2],
    /// Recursion was desired; told back.
    recursion: bool,
    /// The question as it came, to be told back letter by letter.
    question: Vec<u8>,
    /// The name, lower-case; `None` when it has bytes that no host name has.
    pub name: Option<String>,
    /// The type asked for.
    pub kind: u16,
    /// The class is that of the internet.
    pub internet: bool,
    /// The question has EDNS.
    edns: bool,
}

/// What the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// One question.
    Query(Query),
    /// No question that can be answered: this answer instead.
    Refused(Vec<u8>),
    /// Nothing that is answered.
    Nothing,
}

/// Reads a question.
pub fn query(bytes: &[u8]) -> Asked {
    let Some((head, _)) = bytes.split_first_chunk::<HEAD>() else { return Asked::Nothing };
    let [id0, id1, flags, _, questions @ ..] = *head;
    if flags & 0x80 != 0 {
        return Asked::Nothing;
    }
    let refuse = |code| Asked::Refused(bare([id0, id1], flags, code));
    if flags & 0x78 != 0 {
        return refuse(NOTIMP);
    }
    let ([0, 1, 0, 0, 0, 0, 0, more], false) = (questions, flags & 0x02 != 0) else { return refuse(FORMERR) };
    read_question(bytes, [id0, id1], flags & 1 != 0, more).map_or_else(|| refuse(FORMERR), Asked::Query)
}

fn read_question(bytes: &[u8], id: [u8; 2], recursion: bool, more: u8) -> Option<Query> {
    let mut reader = Reader { bytes, at: HEAD };
    let name = reader.name(false)?;
    let (kind, class) = (reader.number16()?, reader.number16()?);
    let question = bytes.get(HEAD..reader.at)?.to_vec();
    let mut edns = false;
    for _ in 0..more {
        reader.name(false)?;
        let kind = reader.number16()?;
        reader.take(2 + 4)?;
        let length = reader.number16()?;
        reader.take(usize::from(length))?;
        edns |= kind == OPT;
    }
    (reader.at == bytes.len()).then_some(Query {
        id,
        recursion,
        question,
        name: text(&name),
        kind,
        internet: class == INTERNET,
        edns,
    })
}

fn bare(id: [u8; 2], flags: u8, code: u8) -> Vec<u8> {
    let mut answer = vec![0; HEAD];
    for (place, byte) in answer.iter_mut().zip([id[0], id[1], 0x80 | (flags & 0x79), 0x80 | code]) {
        *place = byte;
    }
    answer
}

/// The answer to a question: a code, and addresses that live so many seconds.
pub fn answer(query: &Query, code: u8, addresses: &[IpAddr], seconds: u32) -> Vec<u8> {
    // Authoritative, so that a stub takes an answer without records for what it says.
    let flags = [0x84 | u8::from(query.recursion), 0x80 | code];
    let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    let counts = [0, 1, 0, count, 0, 0, 0, u8::from(query.edns)];
    let mut bytes = [&query.id[..], &flags, &counts, &query.question].concat();
    for address in addresses.iter().take(usize::from(count)) {
        let (kind, raw) = match address {
            IpAddr::V4(ip) => (A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
        };
        bytes.extend([0xc0, 12]);
        bytes.extend([kind, INTERNET].map(u16::to_be_bytes).concat());
        bytes.extend(seconds.to_be_bytes());
        bytes.extend(u16::try_from(raw.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(raw);
    }
    if query.edns {
        bytes.extend(opt());
    }
    bytes
}

/// The record by which both sides say how long a datagram may be.
fn opt() -> Vec<u8> {
    let size = u16::try_from(MOST_DATAGRAM).unwrap_or(512);
    [&[0][..], &OPT.to_be_bytes(), &size.to_be_bytes(), &[0; 6]].concat()
}

/// A question of ours. `None` when the name is none.
pub fn ask(id: [u8; 2], name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut bytes = [&id[..], &[1, 0], &[0, 1, 0, 0, 0, 0, 0, 1]].concat();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend([kind, INTERNET].map(u16::to_be_bytes).concat());
    bytes.extend(opt());
    (name.len() < MOST_NAME - 1).then_some(bytes)
}

/// What a name server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its code.
    pub code: u8,
    /// It was cut: to be asked again over TCP.
    pub cut: bool,
    /// Addresses that the name leads to, through its aliases.
    pub addresses: Vec<IpAddr>,
    /// The last alias, when no address was told for it.
    pub alias: Option<String>,
    /// The least life of what led there, seconds.
    pub seconds: u32,
}

enum Data {
    Address(IpAddr),
    Alias(String),
}

/// Reads the answer to our question. `None` when it is not that, or malformed.
pub fn read_answer(bytes: &[u8], id: [u8; 2], name: &str, kind: u16) -> Option<Answer> {
    let (head, _) = bytes.split_first_chunk::<HEAD>()?;
    let [id0, id1, flags, code, 0, 1, count0, count1, ..] = *head else { return None };
    if [id0, id1] != id || flags & 0xf8 != 0x80 {
        return None;
    }
    let mut reader = Reader { bytes, at: HEAD };
    let asked = text(&reader.name(true)?)?;
    if asked != name || (reader.number16()?, reader.number16()?) != (kind, INTERNET) {
        return None;
    }
    let (code, cut) = (code & 15, flags & 2 != 0);
    let mut records = Vec::new();
    let count = usize::from(u16::from_be_bytes([count0, count1]));
    for _ in 0..if cut { 0 } else { count.min(MOST_RECORDS) } {
        records.extend(record(&mut reader, kind)?);
    }
    let (addresses, alias, seconds) = follow(name, &records);
    Some(Answer { code, cut, addresses, alias, seconds })
}

type Record = (String, Data, u32);

/// The next record, when it says something for us; the outer `None` when it is malformed.
#[expect(clippy::option_option, reason = "the outer one: malformed")]
fn record(reader: &mut Reader<'_>, wanted: u16) -> Option<Option<Record>> {
    let owner = text(&reader.name(true)?);
    let (kind, class) = (reader.number16()?, reader.number16()?);
    let seconds = u32::from_be_bytes(reader.take(4)?.try_into().ok()?);
    let length = usize::from(reader.number16()?);
    let end = reader.at.checked_add(length).filter(|end| *end <= reader.bytes.len())?;
    let data = match kind {
        _ if class != INTERNET => None,
        A if wanted == A => <[u8; 4]>::try_from(reader.bytes.get(reader.at..end)?)
            .ok()
            .map(|raw| Data::Address(Ipv4Addr::from(raw).into())),
        AAAA if wanted == AAAA => <[u8; 16]>::try_from(reader.bytes.get(reader.at..end)?)
            .ok()
            .map(|raw| Data::Address(Ipv6Addr::from(raw).into())),
        CNAME => text(&reader.name(true)?).map(Data::Alias),
        _ => None,
    };
    reader.at = end;
    Some(owner.zip(data).map(|(owner, data)| (owner, data, seconds)))
}

/// Where a name leads, through at most as many aliases as there are records.
fn follow(name: &str, records: &[Record]) -> (Vec<IpAddr>, Option<String>, u32) {
    let (mut at, mut least) = (name.to_owned(), u32::MAX);
    for _ in 0..=records.len() {
        let here = || records.iter().filter(|(owner, ..)| *owner == at);
        let address = |(_, data, _): &Record| match data {
            Data::Address(ip) => Some(*ip),
            Data::Alias(_) => None,
        };
        let addresses: Vec<IpAddr> = here().filter_map(address).collect();
        least = here().map(|(_, _, seconds)| *seconds).fold(least, u32::min);
        if !addresses.is_empty() {
            return (addresses, None, least);
        }
        let alias = |(_, data, _): &Record| match data {
            Data::Alias(name) => Some(name.clone()),
            Data::Address(_) => None,
        };
        match here().find_map(alias) {
            Some(next) => at = next,
            None => return (Vec::new(), Some(at).filter(|at| at != name), least),
        }
    }
    (Vec::new(), None, 0)
}

/// Labels as a host name, lower-case.
fn text(labels: &[&[u8]]) -> Option<String> {
    let name: Vec<&str> =
        labels.iter().map(|label| std::str::from_utf8(label)).collect::<Result<_, _>>().ok()?;
    super::super::place::plain_name(&name.join("."))
        .filter(|_| !labels.iter().any(|label| label.contains(&b'.')))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn number16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// The labels of a name, and behind it. A pointer, where one may be, leads to a place before the name's own.
    fn name(&mut self, pointers: bool) -> Option<Vec<&'a [u8]>> {
        let (mut labels, mut total, mut before) = (Vec::new(), 0, self.at);
        let mut after = None;
        loop {
            let length = *self.take(1)?.first()?;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.take(usize::from(length))?;
                    total += label.len() + 1;
                    labels.push(label);
                }
                0xc0.. if pointers => {
                    let low = *self.take(1)?.first()?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    after = after.or(Some(self.at));
                    if target >= before {
                        return None;
                    }
                    (self.at, before) = (target, target);
                }
                _ => return None,
            }
            if total >= MOST_NAME {
                return None;
            }
        }
        self.at = after.unwrap_or(self.at);
        Some(labels)
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
