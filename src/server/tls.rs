//! TLS of what serves and of who calls it: version 1.3, and on both sides a certificate that an authority stands for.
//!
//! The only file of the module that names rustls. Never asks a network whether a certificate holds.

use super::asked::Peer;
use crate::base::to_hex;
use crate::crypto::sha256;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// What begins the name of a client that is known by the digest of its certificate.
const DIGEST: &str = "sha256:";

/// The listening side.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    known: Arc<Vec<String>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tls({} names)", self.known.len())
    }
}

impl Tls {
    /// From the bytes of PEM files: our certificates, our key, the authorities of clients; and the names that clients are
    /// known by.
    /// # Errors
    /// What is wrong with which.
    pub(super) fn new(
        chain: &[u8],
        key: &[u8],
        authorities: &[u8],
        known: Vec<String>,
    ) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, key) = own(chain, key)?;
        let roots = roots(authorities)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|_| "there is no authority of clients")?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| "no version of TLS")?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| format!("the certificate and the key do not fit: {error}"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // No ticket: every connection shows its certificate.
        config.send_tls13_tickets = 0;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), known: Arc::new(known) })
    }

    /// Shakes hands with a client, and says who it is.
    /// # Errors
    /// When it has no certificate that holds, or takes too long.
    pub(super) async fn accept(
        &self,
        connection: TcpStream,
    ) -> io::Result<(Peer, server::TlsStream<TcpStream>)> {
        let shaken = timeout(PATIENCE, self.acceptor.accept(connection)).await;
        let stream = shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let certificates = stream.get_ref().1.peer_certificates();
        let shown = certificates.and_then(<[_]>::first).ok_or(io::ErrorKind::PermissionDenied)?;
        let name = name_of(shown, &self.known);
        Ok((Peer::Certified { name }, stream))
    }
}

/// The calling side, which shows a certificate and takes only what an authority of its own stands for.
pub(super) struct Connector(TlsConnector);

impl Connector {
    /// From the bytes of PEM files: the authorities of servers, our certificates, our key.
    /// # Errors
    /// What is wrong with which.
    pub(super) fn new(authorities: &[u8], chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, key) = own(chain, key)?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| "no version of TLS")?
            .with_root_certificates(roots(authorities)?)
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("the certificate and the key do not fit: {error}"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands with a server, which must be the one of this name or address.
    /// # Errors
    /// For people.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<client::TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "no name for a certificate")?;
        self.0.connect(name, stream).await.map_err(|error| format!("the TLS handshake with {host}: {error}"))
    }
}

fn own(chain: &[u8], key: &[u8]) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain: Result<_, _> = CertificateDer::pem_slice_iter(chain).collect();
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "the key is no PEM of a private key")?;
    Ok((chain.map_err(|_| "the certificate is no PEM")?, key))
}

fn roots(authorities: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        let authority = authority.map_err(|_| "the authorities are no PEM")?;
        roots.add(authority).map_err(|_| "an authority cannot be used")?;
    }
    if roots.is_empty() { Err("there is no authority".to_owned()) } else { Ok(roots) }
}

/// The first name by which this certificate is known; of one that is not, its digest.
fn name_of(certificate: &CertificateDer<'_>, known: &[String]) -> String {
    let digest = format!("{DIGEST}{}", to_hex(sha256(certificate).bytes()));
    let parsed = ParsedCertificate::try_from(certificate).ok();
    let is_its = |name: &String| match name.strip_prefix(DIGEST) {
        Some(_) => *name == digest,
        None => parsed.as_ref().is_some_and(|parsed| {
            ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(parsed, &name).is_ok())
        }),
    };
    known.iter().find(|name| is_its(name)).cloned().unwrap_or(digest)
}
