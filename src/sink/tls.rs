//! TLS to the other side, verified, with a certificate of our own where there is one.
//!
//! Never speaks with a side whose certificate does not hold for its name, and knows no way to leave that out.

use super::config::Tls;
use super::secret::{read_file, read_private};
use crate::host::bundles::BUNDLES;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, ErrorKind, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a look at the queue of a socket rests.
const LOOK: Duration = Duration::from_micros(500);

/// Who is spoken with, and as whom.
pub(super) struct Peer {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    host: String,
    port: u16,
    timeout: Duration,
}

/// A connection.
pub(super) struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    timeout: Duration,
    /// The other side said that it takes our certificate, or it had time to say no.
    is_settled: bool,
}

/// How long the other side has to refuse our certificate, before it counts as taken.
const SETTLED: Duration = Duration::from_secs(1);

/// The authorities: of a file, or of this machine. PEM.
/// # Errors
/// In words.
pub(super) fn authorities(tls: &Tls) -> Result<Vec<u8>, String> {
    match &tls.ca {
        Some(path) => read_file(path),
        None => {
            let there = BUNDLES.iter().map(Path::new).find(|path| path.exists());
            read_file(there.ok_or("this machine has no bundle of authorities: name one by `tls.ca`")?)
        }
    }
}

impl Peer {
    /// Reads the certificates; nothing is sent.
    /// # Errors
    /// In words, which hold nothing of a key.
    pub(super) fn new(tls: &Tls, host: &str, port: u16, timeout: Duration) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let bundle = authorities(tls)?;
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bundle).flatten());
        if roots.is_empty() {
            return Err("the file of authorities has none".to_owned());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?
            .with_root_certificates(roots);
        let config = match &tls.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = read_file(certificate)?;
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
                let chain = chain.map_err(|error| format!("{}: {error}", certificate.display()))?;
                let pem = read_private(key)?;
                let pem = PrivateKeyDer::from_pem_slice(&pem);
                let pem = pem.map_err(|_| format!("{}: no private key in PEM", key.display()))?;
                builder.with_client_auth_cert(chain, pem).map_err(|error| {
                    format!("the certificate {} with its key: {error}", certificate.display())
                })?
            }
        };
        let name = tls.name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|_| format!("no name for a certificate: {host}"))?;
        Ok(Self { config: Arc::new(config), name, host: host.to_owned(), port, timeout })
    }

    /// Connects, shakes hands and verifies.
    /// # Errors
    /// In words.
    pub(super) fn connect(&self) -> Result<Connection, String> {
        let at = format!("{}:{}", self.host, self.port);
        let failed = |error: io::Error| format!("connect to {at}: {}", why(&error));
        let mut socket = self.socket().map_err(failed)?;
        let mut session = ClientConnection::new(self.config.clone(), self.name.clone())
            .map_err(|error| format!("connect to {at}: {error}"))?;
        let end = Instant::now() + self.timeout;
        while session.is_handshaking() {
            session.complete_io(&mut socket).map_err(failed)?;
            if Instant::now() > end {
                return Err(format!("connect to {at}: the TLS handshake took too long"));
            }
        }
        let stream = StreamOwned::new(session, socket);
        Ok(Connection { stream, timeout: self.timeout, is_settled: false })
    }

    fn socket(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.timeout) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    socket.set_read_timeout(Some(self.timeout))?;
                    socket.set_write_timeout(Some(self.timeout))?;
                    return Ok(socket);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Connection {
    /// Writes all of it.
    /// # Errors
    /// In words.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).map_err(|error| why(&error))
    }

    /// Waits until the other side's kernel has all that was written, and looks whether it said that it is over. On a new
    /// connection it has a moment to refuse our certificate: TLS 1.3 tells that after the first data.
    /// # Errors
    /// In words.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let end = Instant::now() + self.timeout;
        loop {
            let unsent =
                crate::sys::net::unsent(&self.stream.sock).map_err(|errno| errno.desc().to_owned())?;
            if unsent == 0 {
                break;
            }
            if Instant::now() > end {
                return Err(format!("{unsent} bytes were not confirmed in time"));
            }
            self.is_settled |= self.hear()?;
            std::thread::sleep(LOOK);
        }
        let first = Instant::now();
        while !self.hear()? && !self.is_settled && first.elapsed() < SETTLED {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.is_settled = true;
        Ok(())
    }

    /// Takes what came, without waiting; whether anything did.
    fn hear(&mut self) -> Result<bool, String> {
        let (session, socket) = (&mut self.stream.conn, &mut self.stream.sock);
        socket.set_nonblocking(true).map_err(|error| why(&error))?;
        let read = session.read_tls(socket);
        socket.set_nonblocking(false).map_err(|error| why(&error))?;
        match read {
            Ok(0) => Err("the other side closed the connection".to_owned()),
            Ok(_) => {
                let state = session.process_new_packets().map_err(|error| tls_why(&error))?;
                if state.peer_has_closed() {
                    return Err("the other side ended the connection".to_owned());
                }
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(why(&error)),
        }
    }
}

/// What an error says, without anything that the other side wrote.
pub(super) fn why(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => tls_why(error),
        None if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            "it took too long".to_owned()
        }
        None => error.to_string(),
    }
}

fn tls_why(error: &rustls::Error) -> String {
    use rustls::CertificateError as Cert;
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            let reason = match reason {
                Cert::Expired | Cert::ExpiredContext { .. } => "it has expired",
                Cert::NotValidYet | Cert::NotValidYetContext { .. } => "it is not valid yet",
                Cert::UnknownIssuer => "no authority that is trusted stands for it",
                Cert::NotValidForName | Cert::NotValidForNameContext { .. } => "it is for another name",
                Cert::Revoked => "it was revoked",
                _ => "it does not hold",
            };
            format!("the certificate of the other side is not valid: {reason}")
        }
        rustls::Error::AlertReceived(alert) => format!("the other side refused: {alert:?}"),
        other => format!("TLS: {other}"),
    }
}
