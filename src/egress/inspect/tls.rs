//! TLS on both sides of a connection that is read. The only file that names rustls.
//!
//! Never speaks with a host whose certificate does not hold for its name, and never asks whether it may.

use super::ahead::Ahead;
use super::authority::Authority;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Certificates that are kept.
const MOST_LEAVES: usize = 256;
/// How long one is used before another is made; it holds for a day.
const LEAF_LIFE: Duration = Duration::from_secs(12 * 3600);

/// A connection to the host.
pub(super) type Outward = tokio_rustls::client::TlsStream<Ahead<TcpStream>>;
/// A connection of the agent.
pub(super) type Inward<C> = tokio_rustls::server::TlsStream<Ahead<C>>;

/// The protocol that a handshake agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Spoken {
    /// None was named: HTTP/1.1.
    Unnamed,
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

impl Spoken {
    fn names(self) -> Vec<Vec<u8>> {
        match self {
            Self::Unnamed => vec![],
            Self::One => vec![b"http/1.1".to_vec()],
            Self::Two => vec![b"h2".to_vec()],
        }
    }

    /// What an agent's offer is forwarded as: only what is read here.
    pub(super) fn offer(alpn: &[Vec<u8>]) -> Vec<Vec<u8>> {
        alpn.iter().filter(|name| matches!(name.as_slice(), b"h2" | b"http/1.1")).cloned().collect()
    }
}

/// What the session's connections share.
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    resumption: Resumption,
    leaves: Mutex<HashMap<String, (Arc<CertifiedKey>, SystemTime)>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tls {{ {} roots }}", self.roots.len())
    }
}

impl Tls {
    /// Trusts the authorities of this bundle, PEM, for hosts.
    pub(super) fn new(bundle: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(bundle).flatten());
        Self {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            roots: Arc::new(roots),
            resumption: Resumption::in_memory_sessions(256),
            leaves: Mutex::default(),
        }
    }

    /// Whether no host can be verified.
    pub(super) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Shakes hands with the host and verifies it, before anything is sent.
    /// # Errors
    /// For people; holds no bytes of the host.
    pub(super) async fn connect(
        &self,
        host: &str,
        offer: &[Vec<u8>],
        stream: TcpStream,
    ) -> Result<(Outward, Spoken), String> {
        let verifier = WebPkiServerVerifier::builder_with_provider(self.roots.clone(), self.provider.clone())
            .build()
            .map_err(|_| "no authority to verify the host by")?;
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|_| "no version of TLS")?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = offer.to_vec();
        config.resumption = self.resumption.clone();
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "no name for a certificate")?;
        let shaken =
            timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, Ahead::new(stream))).await;
        let stream =
            shaken.map_err(|_| "the host's TLS handshake took too long")?.map_err(|error| why(&error))?;
        let spoken = match stream.get_ref().1.alpn_protocol() {
            None => Spoken::Unnamed,
            Some(b"http/1.1") => Spoken::One,
            Some(b"h2") => Spoken::Two,
            Some(_) => return Err("the host chose a protocol that was not offered".into()),
        };
        Ok((stream, spoken))
    }

    /// Shakes hands with the agent as this host.
    /// # Errors
    /// For people.
    pub(super) async fn accept<C: AsyncRead + AsyncWrite + Unpin>(
        &self,
        authority: &Authority,
        host: &str,
        spoken: Spoken,
        client: C,
    ) -> Result<Inward<C>, String> {
        self.accept_as(authority, host, host, spoken, client).await
    }

    /// The same for a hello that names `named`, with the certificate of `host`: a test's way to lie.
    pub(super) async fn accept_as<C: AsyncRead + AsyncWrite + Unpin>(
        &self,
        authority: &Authority,
        host: &str,
        named: &str,
        spoken: Spoken,
        client: C,
    ) -> Result<Inward<C>, String> {
        let resolver = Arc::new(Only { host: named.to_owned(), key: self.leaf(authority, host)? });
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|_| "no version of TLS")?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = spoken.names();
        // Each connection is one host's; a ticket would be a second way to one.
        config.send_tls13_tickets = 0;
        let shaken = timeout(PATIENCE, TlsAcceptor::from(Arc::new(config)).accept(Ahead::new(client))).await;
        shaken.map_err(|_| "the agent's TLS handshake took too long")?.map_err(|error| why(&error))
    }

    fn leaf(&self, authority: &Authority, host: &str) -> Result<Arc<CertifiedKey>, String> {
        let now = SystemTime::now();
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((leaf, made)) = leaves.get(host)
            && now.duration_since(*made).is_ok_and(|age| age < LEAF_LIFE)
        {
            return Ok(leaf.clone());
        }
        let leaf = authority.leaf(host, now)?;
        let key = PrivateKeyDer::Pkcs8(leaf.key.to_vec().into());
        let key =
            self.provider.key_provider.load_private_key(key).map_err(|_| "a key that cannot be used")?;
        let chain = leaf.chain.into_iter().map(CertificateDer::from).collect();
        let leaf = Arc::new(CertifiedKey::new(chain, key));
        if leaves.len() >= MOST_LEAVES {
            leaves.clear();
        }
        leaves.insert(host.to_owned(), (leaf.clone(), now));
        Ok(leaf)
    }
}

/// One certificate, for a hello that names its host.
#[derive(Debug)]
struct Only {
    host: String,
    key: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Only {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name()?;
        let named = named.strip_suffix('.').unwrap_or(named);
        named.eq_ignore_ascii_case(&self.host).then(|| self.key.clone())
    }
}

/// What rustls says of a failure, without anything that the peer wrote.
fn why(error: &io::Error) -> String {
    use rustls::Error;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(reason)) => {
            use rustls::CertificateError as Cert;
            let reason = match reason {
                Cert::Expired | Cert::ExpiredContext { .. } => "it has expired",
                Cert::NotValidYet | Cert::NotValidYetContext { .. } => "it is not valid yet",
                Cert::UnknownIssuer => "no authority of this machine's bundle stands for it",
                Cert::NotValidForName | Cert::NotValidForNameContext { .. } => "it is for another name",
                Cert::Revoked => "it was revoked",
                _ => "it does not hold",
            };
            format!("the host's certificate is not valid: {reason}")
        }
        Some(Error::AlertReceived(alert)) => format!("the peer ended the TLS handshake: {alert:?}"),
        Some(Error::NoApplicationProtocol) => "the peer speaks none of the protocols".into(),
        Some(_) => "the TLS handshake failed".into(),
        None => "the connection ended during the TLS handshake".into(),
    }
}
