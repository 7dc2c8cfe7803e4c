//! A strict HTTPS receiver on loopback: it reads requests to the letter, and a test answers them.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it was read; its body is unpacked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What it is answered with.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(status: u16, body: impl ToString) -> Self {
        Self { status, headers: vec![("content-type", "application/json".into())], body: body.to_string() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Handler = Box<dyn FnMut(&Request) -> Answer + Send>;

/// The receiver; it ends with the test.
pub(crate) struct Mock {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
}

impl Mock {
    /// Speaks TLS with `server.pem` of the folder, and demands a certificate of `ca.pem`.
    pub(crate) fn start(
        certificates: &Path,
        handler: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, config) = (listener.local_addr().unwrap().port(), Arc::new(config(certificates)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(Box::new(handler)));
        let over = Arc::new(AtomicBool::new(false));
        let (kept, ended) = (requests.clone(), over.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (config, kept, handler) = (config.clone(), kept.clone(), handler.clone());
                let socket = socket.unwrap();
                std::thread::spawn(move || serve(socket, config, &kept, &handler));
            }
        });
        Self { port, requests, over }
    }

    /// All that was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn config(folder: &Path) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(folder.join("server.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap(),
        )
        .unwrap()
}

fn serve(socket: TcpStream, config: Arc<ServerConfig>, kept: &Mutex<Vec<Request>>, handler: &Mutex<Handler>) {
    let session = ServerConnection::new(config).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(session, socket));
    // A client whose certificate is refused gets no further than this.
    while let Some(request) = read(&mut stream) {
        kept.lock().unwrap().push(request.clone());
        let answer = (handler.lock().unwrap())(&request);
        let mut text = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        answer.headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        let text = format!("{text}\r\n{}", answer.body);
        if stream.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.trim_end().split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    assert_eq!(words.next(), Some("HTTP/1.1"), "{line}");
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line}"));
        let before = headers.insert(name.to_ascii_lowercase(), value.to_owned());
        assert!(before.is_none(), "{name} comes twice");
    }
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    let body = String::from_utf8(body).expect("a body is UTF-8");
    Some(Request { method, path, headers, body })
}
