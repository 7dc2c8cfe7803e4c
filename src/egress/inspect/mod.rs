//! Inspect: reads what a rule wants read. Until it is there, every such connection is refused.

use super::client::Client;
use super::flow::Flow;
use super::hello::Hello;
use super::reason::{self, Denied};
use crate::wire::egress::Credential;
use std::os::fd::OwnedFd;

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
pub(super) struct Engine {}

impl Engine {
    /// Makes the session's authority for these names: its certificate, PEM. Before [`Engine::start`]. `until` is seconds
    /// since 1970.
    /// # Errors
    /// Why it cannot be made, for people; then the launch stops.
    pub(super) fn authority(&mut self, names: &[String], until: u64) -> Result<String, String> {
        let _ = (names, until);
        Err("connections cannot be inspected".to_owned())
    }

    /// Takes what the session brought. No runtime runs yet; what needs one is made at the first connection.
    /// # Errors
    /// Why it cannot be used, for people; then the launch stops.
    pub(super) fn start(&mut self, materials: Materials) -> Result<(), String> {
        let _ = materials;
        Ok(())
    }
}

/// Serves a connection whose hello was read and not taken away: it is still in front of `client`.
/// # Errors
/// Why it was refused, when no event told it yet. The agent was told.
pub(super) async fn tls(flow: Flow, client: Client, hello: Hello) -> Result<(), Denied> {
    let _ = (flow, client, hello);
    Err(Denied::because(reason::NOT_AVAILABLE))
}

/// Serves a connection that begins as HTTP/1 or as the preface of HTTP/2, without TLS.
/// # Errors
/// As [`tls`].
pub(super) async fn plain(flow: Flow, client: Client) -> Result<(), Denied> {
    let _ = (flow, client);
    Err(Denied::because(reason::NOT_AVAILABLE))
}
