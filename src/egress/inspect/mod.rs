//! Inspect: reads what a rule wants read. TLS ends here and begins anew; each request is judged by name, method and
//! path, its content is read by role `dlp`, and secrets are put in and taken out.
//!
//! Never passes on what it cannot read, never sends anything to a host that was not verified, and never lets a key or a
//! secret out of memory but to the host that it is for.

mod ahead;
mod asking;
mod authority;
mod body;
mod bounds;
mod coding;
mod credential;
mod encode;
mod exchange;
mod frames;
#[doc(hidden)]
pub mod fuzz;
mod head;
mod head_scan;
mod heads;
mod judge;
mod login;
mod name;
mod needle;
pub mod path;
mod pending;
mod receive;
mod refuse;
mod scan;
mod send;
mod serve;
mod signed;
mod splice;
mod tls;
mod tokens;
mod upload;
mod upstream;
mod way;
mod websocket;

use super::client::Client;
use super::flow::Flow;
use super::hello::Hello;
use super::peek::Seen;
use super::reason::{self, Denied};
use super::session::Session;
use super::tell::{Shown, Teller};
use crate::wire::egress::{Credential, Kind, Rule};
use authority::Authority;
use credential::Vault;
use exchange::Exchange;
use refuse::Refusal;
use scan::Scanner;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tls::{Spoken, Tls};
use tokens::Tokens;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use upstream::Upstream;
use way::{Told, Way};

/// The most bytes of the host's bundle.
const MOST_BUNDLE: u64 = 16 << 20;
/// A fatal TLS alert, `access_denied` (RFC 8446 6.2), as a record.
const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];
/// How HTTP/2 begins without TLS.
const PREFACE: &[u8] = b"PRI * HTTP/2";

/// What the session brought for inspection.
#[derive(Debug, Default)]
pub(super) struct Materials {
    /// The host's bundle of certificate authorities, PEM.
    pub roots: Option<OwnedFd>,
    /// The socket of role `dlp`.
    pub dlp: Option<OwnedFd>,
    /// Secrets that stay outside.
    pub credentials: Vec<Credential>,
}

/// What inspected connections share.
#[derive(Debug, Default)]
pub(super) struct Engine {
    authority: Option<Arc<Authority>>,
    tls: Option<Arc<Tls>>,
    vault: Arc<Vault>,
    scanner: Mutex<Reader>,
    tokens: Arc<Tokens>,
    names: name::Said,
}

/// Role `dlp`: a socket until the runtime is there.
#[derive(Debug, Default)]
enum Reader {
    #[default]
    None,
    Socket(OwnedFd),
    Serving(Arc<Scanner>),
}

impl Engine {
    /// Makes the session's authority for these names: its certificate, PEM. Before [`Engine::start`]. `until` is seconds
    /// since 1970.
    /// # Errors
    /// Why it cannot be made, for people; then the launch stops.
    pub(super) fn authority(&mut self, names: &[String], until: u64) -> Result<String, String> {
        let authority = Authority::new(names, SystemTime::now(), until)?;
        let pem = authority.pem();
        self.authority = Some(Arc::new(authority));
        Ok(pem)
    }

    /// Takes what the session brought. No runtime runs yet; what needs one is made at the first connection.
    /// # Errors
    /// Why it cannot be used, for people; then the launch stops.
    pub(super) fn start(&mut self, materials: Materials) -> Result<(), String> {
        if let Some(roots) = materials.roots {
            let mut bundle = Vec::new();
            let read = File::from(roots).take(MOST_BUNDLE).read_to_end(&mut bundle);
            read.map_err(|error| format!("the bundle of certificate authorities cannot be read: {error}"))?;
            let tls = Tls::new(&bundle);
            if tls.is_empty() {
                return Err("the bundle of certificate authorities holds none".into());
            }
            self.tls = Some(Arc::new(tls));
        }
        self.vault = Arc::new(Vault::new(materials.credentials)?);
        self.scanner = Mutex::new(materials.dlp.map_or(Reader::None, Reader::Socket));
        Ok(())
    }

    fn scanner(&self) -> Option<Arc<Scanner>> {
        let mut reader = self.scanner.lock().unwrap_or_else(PoisonError::into_inner);
        let serving = match std::mem::take(&mut *reader) {
            Reader::None => None,
            Reader::Socket(socket) => Scanner::start(socket).ok(),
            Reader::Serving(scanner) => Some(scanner),
        };
        *reader = serving.clone().map_or(Reader::None, Reader::Serving);
        serving
    }
}

/// Serves a connection whose hello was read and not taken away: it is still in front of `client`.
/// # Errors
/// Why it was refused, when no event told it yet. The agent was told.
pub(super) async fn tls(flow: Flow, client: Client, hello: Hello) -> Result<(), Denied> {
    let engine = flow.engine().clone();
    read_tls(&engine, Arc::new(flow), client, hello).await
}

/// Lets the name of a host below a wildcard be read, for a connection that is passed on unread.
/// # Errors
/// Why it must not be looked up; no event told it yet.
pub(super) async fn name(flow: &Flow) -> Result<(), Denied> {
    let engine = flow.engine();
    let read = name::read(flow, engine.scanner().as_ref(), &engine.names).await;
    read.map_err(|refusal| refusal.denied())
}

/// The same for a name by these rules, before a person is asked whether it may be connected to.
/// # Errors
/// As [`name`].
pub(super) async fn name_before(
    engine: &Engine,
    host: &str,
    rules: &[Arc<Rule>],
    tell: &Teller,
) -> Result<(), Denied> {
    let read = name::read_of(host, rules, engine.scanner().as_ref(), &engine.names).await;
    read.map_err(|name::Unsaid { refusal, hide }| {
        hide.iter().for_each(|rule| tell.note(|event| event.host = rule.to_string()));
        refusal.denied()
    })
}

/// What is told in place of a name that no rule allows, where it holds what must not be told either. `None`: it is told as it
/// is.
pub(super) async fn shown(session: &Session, host: &str) -> Option<Shown> {
    let scanner = session.engine.scanner()?;
    name::shown(host, &scanner).await
}

/// Takes the name of a hello that is refused out of what is told, where it holds what must not be told. Whether that is a
/// secret or a decoy.
pub(super) async fn hide_sni(session: &Session, tell: &Teller, seen: &Seen, denied: &Denied) -> bool {
    let Seen::Tls(Hello { sni: Some(name), .. }) = seen else { return false };
    let shown = shown(session, name).await;
    if shown.is_some() || denied.reason == reason::DLP {
        tell.note(|event| event.sni = None);
    }
    shown.is_some_and(|shown| shown.alert)
}

/// Serves a connection that begins as HTTP/1 or as the preface of HTTP/2, without TLS.
/// # Errors
/// As [`tls`].
pub(super) async fn plain(flow: Flow, client: Client) -> Result<(), Denied> {
    let spoken = if client.front().starts_with(PREFACE) { Spoken::Two } else { Spoken::One };
    let engine = flow.engine().clone();
    read_plain(&engine, Arc::new(flow), client, spoken).await
}

async fn read_tls<C>(engine: &Engine, way: Arc<dyn Way>, mut client: C, hello: Hello) -> Result<(), Denied>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let refused = match (&hello.sni, &engine.authority, &engine.tls) {
        (None, _, _) => Err(reason::NO_SNI),
        (Some(name), _, _) if name != way.host() => Err(reason::MISMATCH),
        (Some(_), Some(authority), Some(tls)) => Ok((authority.clone(), tls.clone())),
        _ => Err(reason::NOT_AVAILABLE),
    };
    let (authority, tls) = match refused {
        Ok(both) => both,
        Err(reason) => {
            // An agent that went away hears nothing.
            drop(client.write_all(&ACCESS_DENIED).await);
            drop(client.shutdown().await);
            return Err(Denied::because(reason));
        }
    };
    let offer = Spoken::offer(&hello.alpn);
    let made = make(engine, way.clone(), Some((tls.clone(), offer.clone())), Spoken::Unnamed).await;
    let spoken = match &made {
        Ok(exchange) => exchange.upstream.spoken(),
        Err(_) if offer.is_empty() => Spoken::Unnamed,
        Err(_) if offer.iter().any(|name| name == b"http/1.1") => Spoken::One,
        Err(_) => Spoken::Two,
    };
    let accepted = tls.accept(&authority, way.host(), spoken, client).await;
    match (made, accepted) {
        (Ok(exchange), Ok(client)) => serve::serve(exchange, spoken, client).await,
        (Err(refusal), Ok(client)) => {
            tell(&*way, &refusal);
            serve::refuse(way.host().to_owned(), refusal, spoken, client).await;
        }
        (Err(refusal), Err(_)) => tell(&*way, &refusal),
        (Ok(_), Err(_)) => return Err(Denied::because(HANDSHAKE)),
    }
    Ok(())
}

/// The agent did not take the certificate, or ended the handshake.
const HANDSHAKE: &str = "tls-handshake";

async fn read_plain<C>(engine: &Engine, way: Arc<dyn Way>, client: C, spoken: Spoken) -> Result<(), Denied>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match make(engine, way.clone(), None, spoken).await {
        Ok(exchange) => serve::serve(exchange, spoken, client).await,
        Err(refusal) => {
            tell(&*way, &refusal);
            serve::refuse(way.host().to_owned(), refusal, spoken, client).await;
        }
    }
    Ok(())
}

async fn make(
    engine: &Engine,
    way: Arc<dyn Way>,
    tls: Option<(Arc<Tls>, Vec<Vec<u8>>)>,
    spoken: Spoken,
) -> Result<Arc<Exchange>, Refusal> {
    let is_tls = tls.is_some();
    let keys = Arc::new(engine.vault.keys(way.host(), is_tls)?);
    let scanner = engine.scanner();
    name::read(&*way, scanner.as_ref(), &engine.names).await?;
    let upstream = Upstream::connect(way.clone(), tls, spoken).await?;
    let tokens = engine.tokens.clone();
    Ok(Arc::new(Exchange { way, tls: is_tls, upstream, keys, scanner, tokens }))
}

fn tell(way: &dyn Way, refusal: &Refusal) {
    way.tell(Told {
        kind: Kind::Denied,
        request: None,
        status: Some(refusal.status),
        rule: refusal.rule.clone(),
        grant: None,
        reason: Some(refusal.reason),
        findings: Vec::new(),
    });
}

#[cfg(test)]
mod tests;
