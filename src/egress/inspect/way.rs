//! What reading a connection needs of it: where it leads, how to get there, its counts and its events.

use super::super::flow::Flow;
use super::super::reason::{self, Denied};
use super::refuse::Refusal;
use crate::wire::egress::{Found, Host, Kind, Rule};
use crate::wire::upload::Upload;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// A request that would wait longer for its turn is told when to come again.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// Something that is waited for.
pub(super) type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is told of one request.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// What happened.
    pub kind: Kind,
    /// Method and path without its query.
    pub request: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The lease that what was sent went out by, where a person was asked about it.
    pub grant: Option<String>,
    /// Why it was refused.
    pub reason: Option<&'static str>,
    /// What role `dlp` found.
    pub findings: Vec<Found>,
}

/// One connection that a rule lets out.
pub(super) trait Way: Debug + Send + Sync + 'static {
    /// The name it is for.
    fn host(&self) -> &str;
    /// The port.
    fn port(&self) -> u16;
    /// The rules that let it out; never empty.
    fn rules(&self) -> Vec<Arc<Rule>>;
    /// Whether it ends after one request.
    fn proxied(&self) -> bool;
    /// Connects to the host.
    fn connect(&self) -> Waiting<'_, Result<TcpStream, Denied>>;
    /// Asks a person before this is sent; gives the lease of a yes.
    fn ask_upload(&self, upload: Upload) -> Waiting<'_, Result<String, Denied>>;
    /// Bytes are about to go to the host.
    fn sent(&self, bytes: u64) -> Waiting<'_, Result<(), Refusal>>;
    /// Bytes are about to go to the agent.
    fn received(&self, bytes: u64) -> Waiting<'_, Result<(), Refusal>>;
    /// Counts a request.
    /// # Errors
    /// 429 `limit-rate`, when it would wait too long.
    fn request(&self) -> Result<(), Refusal>;
    /// Tells an event.
    fn tell(&self, told: Told);
    /// From here on events name the rule's host instead of the name it is for.
    fn hide_name(&self, host: &Host);
    /// Waits until the connection must end at once.
    fn over(&self) -> Waiting<'_, ()>;
}

impl Way for Flow {
    fn host(&self) -> &str {
        &self.host
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn rules(&self) -> Vec<Arc<Rule>> {
        std::iter::once(&self.rule).chain(&self.also).cloned().collect()
    }

    fn proxied(&self) -> bool {
        self.proxied
    }

    fn connect(&self) -> Waiting<'_, Result<TcpStream, Denied>> {
        Box::pin(Flow::connect(self))
    }

    fn ask_upload(&self, upload: Upload) -> Waiting<'_, Result<String, Denied>> {
        Box::pin(Flow::ask_upload(self, upload))
    }

    fn sent(&self, bytes: u64) -> Waiting<'_, Result<(), Refusal>> {
        Box::pin(async move { self.meter.sent(bytes).await.map_err(|cut| limit(cut.0)) })
    }

    fn received(&self, bytes: u64) -> Waiting<'_, Result<(), Refusal>> {
        Box::pin(async move { self.meter.received(bytes).await.map_err(|cut| limit(cut.0)) })
    }

    fn request(&self) -> Result<(), Refusal> {
        self.meter.request();
        let wait = self.meter.backlog();
        if wait <= MOST_WAIT {
            return Ok(());
        }
        let refused = Refusal::new(429, reason::RATE, reason::text(reason::RATE)).by(&self.rule);
        Err(Refusal { again_in: Some(wait), ..refused })
    }

    fn tell(&self, told: Told) {
        self.tell.event(told.kind, |event| {
            event.request = told.request;
            event.status = told.status;
            event.findings = told.findings;
            event.rule = told.rule.or(event.rule.take());
            event.grant = told.grant.or(event.grant.take());
            event.reason = told.reason.map(str::to_owned);
        });
    }

    fn hide_name(&self, host: &Host) {
        self.tell.note(|event| {
            event.host = host.to_string();
            event.sni = None;
        });
    }

    fn over(&self) -> Waiting<'_, ()> {
        Box::pin(Flow::over(self))
    }
}

fn limit(reason: &'static str) -> Refusal {
    Refusal::new(429, reason, "the bytes of this host or session are used up")
}
