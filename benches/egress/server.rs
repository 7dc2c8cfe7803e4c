//! Servers of the bench, plain and with TLS.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Threads of the plain server, each of which serves one connection after the other: starting one costs as much as a
/// connection.
const THREADS: usize = 24;
/// Bytes moved at once.
pub(crate) const BLOCK: usize = 256 << 10;

/// A server without TLS: the first ten bytes say whether it echoes, sends, takes and confirms, or holds.
pub(crate) fn plain() -> u16 {
    let held = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    for _ in 0..THREADS {
        let (listener, held) = (listener.clone(), held.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if let Ok(Some(stream)) = serve_plain(stream.unwrap()) {
                    held.lock().unwrap().push(stream);
                }
            }
        });
    }
    port
}

fn serve_plain(mut stream: TcpStream) -> io::Result<Option<TcpStream>> {
    let mut word = [0; 10];
    stream.read_exact(&mut word)?;
    let mut buffer = Vec::new();
    match word[1] {
        b'D' => {
            buffer.resize(BLOCK, 0);
            send(&mut stream, &buffer, usize::from_le_bytes(word[2..].try_into().unwrap()))?;
        }
        b'U' => {
            buffer.resize(BLOCK, 0);
            while stream.read(&mut buffer)? > 0 {}
            stream.write_all(b"!")?;
        }
        b'H' => {
            stream.write_all(&word)?;
            return Ok(Some(stream));
        }
        _ => stream.write_all(&word)?,
    }
    Ok(None)
}

/// So many bytes, from this text over and over.
pub(crate) fn send(to: &mut impl Write, text: &[u8], mut left: usize) -> io::Result<()> {
    let mut at = 0;
    while left > 0 {
        let end = text.len().min(at + BLOCK.min(left));
        let part = text.get(at..end).unwrap_or_default();
        to.write_all(part)?;
        left -= part.len();
        at = if end == text.len() { 0 } else { end };
    }
    to.flush()
}

/// The certificate of a TLS server for `localhost`.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self { certificate: made.cert.der().clone(), key: made.signing_key.serialize_der() }
    }

    /// It stands for itself.
    pub(crate) fn pem(&self) -> String {
        use base64::Engine as _;
        let text = base64::prelude::BASE64_STANDARD.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }
}

/// A server of HTTP/1.1 over TLS: `GET /NUMBER` gives so many bytes of `text`, anything else takes the body.
pub(crate) fn tls(identity: &Identity, text: Arc<Vec<u8>>) -> u16 {
    let key = PrivateKeyDer::Pkcs8(identity.key.clone().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, text) = (stream.unwrap(), text.clone());
            stream.set_nodelay(true).unwrap();
            let connection = ServerConnection::new(config.clone()).unwrap();
            // A client that went away is no error of ours.
            thread::spawn(move || drop(serve_http(&mut StreamOwned::new(connection, stream), &text)));
        }
    });
    port
}

fn serve_http(stream: &mut (impl Read + Write), text: &[u8]) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK];
    loop {
        let (mut length, mut end) = (0, None);
        while end.is_none() {
            match stream.read(&mut buffer[length..])? {
                0 => return Ok(()),
                count => length += count,
            }
            end = memchr::memmem::find(&buffer[..length], b"\r\n\r\n").map(|at| at + 4);
        }
        let end = end.unwrap();
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        if let Some(rest) = head.strip_prefix("get /") {
            let size: usize = rest.split(' ').next().unwrap().parse().unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")?;
            send(stream, text, size)?;
            continue;
        }
        let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let wanted: Option<usize> = wanted.map(|number| number.trim().parse().unwrap());
        let mut body = length - end;
        // A body in chunks ends with an empty one; the text of this bench never looks like that.
        while wanted.map_or(!buffer[..length].ends_with(b"\r\n0\r\n\r\n"), |wanted| body < wanted) {
            let kept = length.min(8);
            buffer.copy_within(length - kept..length, 0);
            let count = stream.read(&mut buffer[kept..])?;
            if count == 0 {
                return Ok(());
            }
            (length, body) = (kept + count, body + count);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        stream.flush()?;
    }
}
