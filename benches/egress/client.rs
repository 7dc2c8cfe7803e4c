//! The client of the bench: HTTP/1.1 over TLS, on threads that wait.

use crate::server::{BLOCK, send};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// Where to connect to, and whom to trust there.
#[derive(Clone)]
pub(crate) struct Client {
    at: SocketAddr,
    config: Arc<ClientConfig>,
}

/// A connection.
pub(crate) struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    /// `roots` is PEM.
    pub(crate) fn new(at: SocketAddr, roots: &str) -> Self {
        let mut store = RootCertStore::empty();
        store.add(CertificateDer::from_pem_slice(roots.as_bytes()).unwrap()).unwrap();
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(store)
                .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { at, config: Arc::new(config) }
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Connection(StreamOwned::new(ClientConnection::new(self.config.clone(), name).unwrap(), stream))
    }
}

impl Connection {
    /// Gets so many bytes.
    pub(crate) fn get(&mut self, size: usize) {
        write!(self.0, "GET /{size} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        self.answer(size);
    }

    /// Sends so many bytes of this text.
    pub(crate) fn post(&mut self, text: &[u8], size: usize) {
        write!(
            self.0,
            "POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
        )
        .unwrap();
        send(&mut self.0, text, size).unwrap();
        self.answer(2);
    }

    /// Reads an answer whose body has this length.
    fn answer(&mut self, size: usize) {
        let mut buffer = vec![0; BLOCK.min(size + 4096)];
        let (mut length, mut end) = (0, None);
        while end.is_none() {
            let count = self.0.read(&mut buffer[length..]).unwrap();
            assert!(count > 0, "an answer without an end");
            length += count;
            end = memchr::memmem::find(&buffer[..length], b"\r\n\r\n");
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", buffer[..length].escape_ascii());
        let mut body = length - (end.unwrap() + 4);
        while body < size {
            let count = self.0.read(&mut buffer).unwrap();
            assert!(count > 0, "a body without an end");
            body += count;
        }
    }
}
