//! The first message of TLS, as far as it decides something: the name, the protocols, whether it hides another name.
//!
//! Never guesses: what is no whole and well-formed hello gives no [`Hello`].

/// The most bytes of a hello with its records.
pub const MOST_BYTES: usize = 16 << 10;

const RECORD_HEAD: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const VERSIONS: u16 = 43;
const ECH: u16 = 0xfe0d;
const HOST_NAME: u8 = 0;
/// The most protocols that are kept.
const MOST_PROTOCOLS: usize = 16;

/// What a ClientHello says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The host it names, in lower case and without a dot at the end.
    pub sni: Option<String>,
    /// The protocols it offers, in its order.
    pub alpn: Vec<Vec<u8>>,
    /// It has Encrypted Client Hello, or GREASE that looks like it.
    pub ech: bool,
    /// Versions of TLS it offers, where it lists them.
    pub versions: Vec<u16>,
}

/// What the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a hello.
    More,
    /// Not TLS.
    Other,
    /// TLS, but no hello that makes sense.
    Malformed,
    /// A hello, whole.
    Hello(Hello),
}

/// Reads the beginning of a connection.
pub fn parse(bytes: &[u8]) -> Parsed {
    if bytes.first().is_some_and(|first| *first != HANDSHAKE) || bytes.get(1).is_some_and(|major| *major != 3)
    {
        return Parsed::Other;
    }
    match message(bytes) {
        Ok(Some(body)) => read(&body).map_or(Parsed::Malformed, Parsed::Hello),
        Ok(None) if bytes.len() < MOST_BYTES => Parsed::More,
        Ok(None) | Err(Broken) => Parsed::Malformed,
    }
}

/// It makes no sense.
struct Broken;

/// The body of the hello, put together from its records; `None` while there is more to come.
fn message(bytes: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
    let (mut rest, mut joined) = (bytes, Vec::new());
    loop {
        if let [kind, high, middle, low, body @ ..] = joined.as_slice() {
            let length =
                usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).map_err(|_| Broken)?;
            if *kind != CLIENT_HELLO || length > MOST_BYTES {
                return Err(Broken);
            }
            if let Some(body) = body.get(..length) {
                return Ok(Some(body.to_vec()));
            }
        } else if joined.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Err(Broken);
        }
        let Some((head, behind)) = rest.split_first_chunk::<RECORD_HEAD>() else { return Ok(None) };
        let [kind, major, _minor, high, low] = *head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if kind != HANDSHAKE || major != 3 || length == 0 || length > MOST_BYTES {
            return Err(Broken);
        }
        let part = behind.get(..length);
        joined.extend_from_slice(part.unwrap_or(behind));
        rest = behind.get(length..).unwrap_or_default();
        // What came of a record that is not whole can be all that is missing only when the record is larger.
        if part.is_none() && joined.len() < 4 {
            return Ok(None);
        }
    }
}

fn read(body: &[u8]) -> Option<Hello> {
    let mut body = Reader(body);
    body.take(2 + 32)?;
    body.counted8()?;
    body.counted16()?;
    body.counted8()?;
    let mut hello = Hello::default();
    if body.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Reader(body.counted16()?);
    if !body.0.is_empty() {
        return None;
    }
    let mut seen = Vec::new();
    while !extensions.0.is_empty() {
        let kind = extensions.number16()?;
        let content = Reader(extensions.counted16()?);
        if seen.contains(&kind) {
            return None;
        }
        seen.push(kind);
        match kind {
            SERVER_NAME => hello.sni = Some(name(content)?),
            ALPN => hello.alpn = protocols(content)?,
            VERSIONS => hello.versions = versions(content)?,
            ECH => hello.ech = true,
            _ => {}
        }
    }
    Some(hello)
}

/// The one host name of the list; any other number of them is no hello.
fn name(mut content: Reader<'_>) -> Option<String> {
    let mut list = Reader(content.counted16()?);
    let kind = list.number8()?;
    let name = list.counted16()?;
    if kind != HOST_NAME || !list.0.is_empty() || !content.0.is_empty() {
        return None;
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let text = std::str::from_utf8(name).ok().filter(|text| text.bytes().all(|byte| plain(&byte)))?;
    let text = text.strip_suffix('.').unwrap_or(text);
    (!text.is_empty() && text.len() <= 253).then(|| text.to_ascii_lowercase())
}

fn protocols(mut content: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = Reader(content.counted16()?);
    let mut found = Vec::new();
    while !list.0.is_empty() {
        let protocol = list.counted8()?;
        if found.len() < MOST_PROTOCOLS {
            found.push(protocol.to_vec());
        }
    }
    content.0.is_empty().then_some(found)
}

fn versions(mut content: Reader<'_>) -> Option<Vec<u16>> {
    let mut list = Reader(content.counted8()?);
    let mut found = Vec::new();
    while !list.0.is_empty() {
        found.push(list.number16()?);
    }
    content.0.is_empty().then_some(found)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn counted8(&mut self) -> Option<&'a [u8]> {
        let count = self.number8()?;
        self.take(usize::from(count))
    }

    fn counted16(&mut self) -> Option<&'a [u8]> {
        let count = self.number16()?;
        self.take(usize::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &counted(content)].concat()
    }

    fn sni(name: &str) -> Vec<u8> {
        extension(SERVER_NAME, &counted(&[&[HOST_NAME][..], &counted(name.as_bytes())].concat()))
    }

    fn handshake(extensions: &[u8]) -> Vec<u8> {
        let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0], &counted(extensions)].concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[CLIENT_HELLO][..], &length[1..], &body].concat()
    }

    fn records(message: &[u8], each: usize) -> Vec<u8> {
        message.chunks(each).flat_map(|part| [&[HANDSHAKE, 3, 1][..], &counted(part)].concat()).collect()
    }

    #[test]
    fn a_hello_says_its_name_and_protocols_however_its_records_are_cut() {
        let extensions = [
            extension(0x0a0a, &[]),
            sni("API.Example.org"),
            extension(ALPN, &counted(b"\x02h2\x08http/1.1")),
            extension(ECH, &[1, 2, 3]),
            extension(VERSIONS, &[4, 3, 4, 3, 3]),
        ];
        let message = handshake(&extensions.concat());
        let wanted = Hello {
            sni: Some("api.example.org".to_owned()),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ech: true,
            versions: vec![0x0304, 0x0303],
        };
        for each in [1, 3, 64, 4096] {
            let bytes = records(&message, each);
            assert_eq!(parse(&bytes), Parsed::Hello(wanted.clone()), "records of {each}");
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Parsed::More, "{end} bytes of records of {each}");
            }
        }
    }

    #[test]
    fn a_hello_without_a_name_has_none() {
        let bytes = records(&handshake(&extension(ALPN, &counted(b"\x02h2"))), 4096);
        assert!(matches!(parse(&bytes), Parsed::Hello(Hello { sni: None, .. })));
    }

    #[test]
    fn a_hello_that_could_be_read_in_two_ways_is_none() {
        let two = [&[HOST_NAME][..], &counted(b"a.org"), &[HOST_NAME], &counted(b"b.org")].concat();
        for extensions in [
            [sni("a.org"), sni("b.org")].concat(),
            extension(SERVER_NAME, &counted(&two)),
            extension(SERVER_NAME, &[]),
            sni(""),
            sni("a\0b"),
            sni("a b"),
            sni(&"a".repeat(254)),
            [sni("a.org"), vec![0]].concat(),
        ] {
            assert_eq!(parse(&records(&handshake(&extensions), 4096)), Parsed::Malformed, "{extensions:?}");
        }
    }

    #[test]
    fn other_protocols_are_not_taken_for_tls_and_broken_records_are_not_waited_for() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-x\r\n", b"\x16\x01", b"\x17\x03\x03"] {
            assert_eq!(parse(bytes), Parsed::Other, "{bytes:?}");
        }
        for bytes in
            [&b"\x16\x03\x01\x00\x00"[..], b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x04\x02\0\0\0"]
        {
            assert_eq!(parse(bytes), Parsed::Malformed, "{bytes:?}");
        }
        assert_eq!(parse(b""), Parsed::More);
        let endless = records(&[&[CLIENT_HELLO, 0, 0x3f, 0xff][..], &vec![0; MOST_BYTES]].concat(), 64);
        assert_eq!(parse(&endless[..MOST_BYTES]), Parsed::Malformed);
    }
}
