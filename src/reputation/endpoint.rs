//! An HTTPS endpoint that knows programs: one POST for a question, one small JSON object as the answer.
//!
//! Never follows a redirect, never takes a proxy from the environment, and never trusts a certificate that does not lead
//! to those it was given, or to the usual ones when none were.

use super::Question;
use super::answer::{self, MOST_BYTES};
use crate::wire::reputation::Standing;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The most bytes of certificates.
const MOST_CERTIFICATES: u64 = 1 << 20;

/// The endpoint.
pub(super) struct Endpoint {
    agent: ureq::Agent,
    url: String,
}

impl Endpoint {
    /// Makes what is needed to ask; nothing is sent.
    /// # Errors
    /// In words, when the certificates are none.
    pub(super) fn new(url: String, ca: Option<OwnedFd>, timeout: Duration) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(file) = ca {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(file)?));
        }
        let config = ureq::Agent::config_builder()
            .https_only(true)
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .user_agent("aisandbox")
            .timeout_global(Some(timeout))
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: config.new_agent(), url })
    }

    /// Asks it.
    /// # Errors
    /// In words, when there is no answer.
    pub(super) fn ask(&self, question: &Question<'_>) -> Result<(Standing, String), String> {
        let body = serde_json::json!({
            "sha256": question.sha256, "path": question.path, "size": question.size,
        });
        let failed = |error: ureq::Error| format!("ask {}: {error}", self.url);
        let request = self.agent.post(&self.url).header("content-type", "application/json");
        let mut response = request.send(body.to_string()).map_err(failed)?;
        if response.status() != 200 {
            return Err(format!("{} answered with status {}", self.url, response.status().as_u16()));
        }
        let limit = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let bytes = response.body_mut().with_config().limit(limit).read_to_vec().map_err(failed)?;
        answer::read(&bytes)
    }
}

fn certificates(file: OwnedFd) -> Result<Vec<Certificate<'static>>, String> {
    let mut bytes = Vec::new();
    let read = File::from(file).take(MOST_CERTIFICATES).read_to_end(&mut bytes);
    read.map_err(|error| format!("read the certificates: {error}"))?;
    let found: Result<Vec<PemItem<'static>>, _> = parse_pem(&bytes).collect();
    let found = found.map_err(|error| format!("the certificates: {error}"))?;
    let certificates: Vec<_> = found
        .into_iter()
        .filter_map(|item| if let PemItem::Certificate(one) = item { Some(one) } else { None })
        .collect();
    if certificates.is_empty() {
        Err("the file of certificates has none".to_owned())
    } else {
        Ok(certificates)
    }
}
