//! The first bytes of a connection: what protocol they begin. They stay where they are.
//!
//! Never takes silence for anything but silence.

use super::hello::{self, Hello, Parsed};
use super::race::{First, race};
use super::reason::{self, Denied};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// The most bytes that are looked at.
pub(super) const MOST_BYTES: usize = 16 << 10;
/// How long the beginning may take, once it began.
pub(super) const WHOLE: Duration = Duration::from_secs(10);
/// Silence after which a text that could become HTTP, and has not, is something else.
const PAUSE: Duration = Duration::from_millis(300);
/// The longest word that can be a method of HTTP.
const MOST_METHOD: usize = 24;

/// Methods whose first letters are waited for until the whole time is over.
const METHODS: [&[u8]; 16] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
    b"PRI ",
    b"PROPFIND ",
    b"REPORT ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"SEARCH ",
];

/// What a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A hello of TLS.
    Tls(Hello),
    /// A request of HTTP/1, or the preface of HTTP/2.
    Http {
        /// It is the preface.
        two: bool,
    },
    /// The banner of SSH.
    Ssh,
    /// Something else.
    Other,
    /// Nothing came in time.
    Silent,
    /// Its end came before anything.
    Closed,
}

impl Seen {
    /// Its name in events.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Tls(_) => "tls",
            Self::Http { two: false } => "http",
            Self::Http { two: true } => "h2",
            Self::Ssh => "ssh",
            Self::Other | Self::Silent | Self::Closed => "other",
        }
    }
}

/// Reads into `front` until it is clear what begins. `first` is how long the first byte is waited for.
/// # Errors
/// When what began is too long, too slow or malformed, or the connection broke.
pub(super) async fn look(stream: &TcpStream, front: &mut Vec<u8>, first: Duration) -> Result<Seen, Denied> {
    let mut end = Instant::now() + first;
    let mut began = false;
    loop {
        if !began && !front.is_empty() {
            (began, end) = (true, Instant::now() + WHOLE);
        }
        match judge(front) {
            Judged::Clear(seen) => return Ok(seen),
            Judged::Malformed => return Err(Denied::because(reason::MALFORMED)),
            Judged::More { text } => {
                let pause = Instant::now() + PAUSE;
                let until = if began && text { end.min(pause) } else { end };
                match race(read(stream, front), sleep_until(until)).await {
                    First::Left(Ok(true)) => {}
                    First::Left(Ok(false)) if began => return Ok(ended(front)),
                    First::Left(Ok(false)) => return Ok(Seen::Closed),
                    First::Left(Err(_)) => return Ok(Seen::Closed),
                    First::Right(()) if !began => return Ok(Seen::Silent),
                    First::Right(()) if text => return Ok(Seen::Other),
                    First::Right(()) => return Err(Denied::because(reason::TOO_SLOW)),
                }
                if front.len() >= MOST_BYTES && !matches!(judge(front), Judged::Clear(_)) {
                    return Err(Denied::because(reason::TOO_LARGE));
                }
            }
        }
    }
}

/// What began and ended at once: half a hello is none.
fn ended(front: &[u8]) -> Seen {
    match hello::parse(front) {
        Parsed::Other => Seen::Other,
        _ => Seen::Closed,
    }
}

/// Reads what is there; false at the end.
async fn read(stream: &TcpStream, front: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        stream.readable().await?;
        // Here and no sooner, so that a connection that waits does not hold it.
        let mut buffer = [0; 4096];
        let room = MOST_BYTES.saturating_sub(front.len()).min(buffer.len());
        match stream.try_read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(count) => {
                front.extend_from_slice(buffer.get(..count).unwrap_or_default());
                return Ok(count > 0);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Clear(Seen),
    Malformed,
    /// Not clear yet; `text` when it need not become anything that is known.
    More {
        text: bool,
    },
}

fn judge(bytes: &[u8]) -> Judged {
    if bytes.is_empty() {
        return Judged::More { text: false };
    }
    match hello::parse(bytes) {
        Parsed::Hello(hello) => return Judged::Clear(Seen::Tls(hello)),
        Parsed::Malformed => return Judged::Malformed,
        Parsed::More => return Judged::More { text: false },
        Parsed::Other => {}
    }
    if bytes.starts_with(b"SSH-") {
        return Judged::Clear(Seen::Ssh);
    }
    if b"SSH-".starts_with(bytes) {
        return Judged::More { text: true };
    }
    // Servers of HTTP overlook empty lines in front.
    let blank = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let line = bytes.get(blank..).unwrap_or_default();
    request_line(line)
}

fn request_line(line: &[u8]) -> Judged {
    let tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let method = line.iter().take_while(|byte| tchar(byte)).count();
    let known = METHODS.iter().any(|method| line.starts_with(method) || method.starts_with(line));
    match line.get(method) {
        _ if method > MOST_METHOD => Judged::Clear(Seen::Other),
        None => Judged::More { text: !known },
        Some(b' ') if method > 0 => match line.iter().position(|byte| *byte == b'\n') {
            None => Judged::More { text: !known },
            Some(end) => {
                let whole = line.get(..end).unwrap_or_default().trim_ascii_end();
                let version = whole.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
                let http = version.starts_with(b"HTTP/");
                let two = whole.starts_with(b"PRI * HTTP/2");
                Judged::Clear(if http { Seen::Http { two } } else { Seen::Other })
            }
        },
        Some(_) => Judged::Clear(Seen::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_begins() {
        let http = |two| Judged::Clear(Seen::Http { two });
        for (bytes, wanted) in [
            (&b""[..], Judged::More { text: false }),
            (b"GET / HTTP/1.1\r\n", http(false)),
            (b"\r\n\r\nGET / HTTP/1.1\n", http(false)),
            (b"BREW /pot HTTP/1.0\r\n", http(false)),
            (b"get / HTTP/1.1\r\n", http(false)),
            (b"PRI * HTTP/2.0\r\n", http(true)),
            (b"G", Judged::More { text: false }),
            (b"GET /long", Judged::More { text: false }),
            (b"BREW /pot", Judged::More { text: true }),
            (b"hello", Judged::More { text: true }),
            (b"SS", Judged::More { text: true }),
            (b"SSH-2.0-x\r\n", Judged::Clear(Seen::Ssh)),
            (b"EHLO me\r\n", Judged::Clear(Seen::Other)),
            (b"*1\r\n", Judged::Clear(Seen::Other)),
            (b"\0\0\0\x08", Judged::Clear(Seen::Other)),
            (b"\x16\x03", Judged::More { text: false }),
            (b"\x16\x03\x01\0\0", Judged::Malformed),
            (b"averyveryverylongwordindeed", Judged::Clear(Seen::Other)),
        ] {
            assert_eq!(judge(bytes), wanted, "{:?}", bytes.escape_ascii().to_string());
        }
    }
}
