//! The connection to the host, made again when the host ended it between two requests.
//!
//! Never sends a request twice: only one that hyper gives back unsent is tried once more.

use super::ahead::Gathered;
use super::body::Body;
use super::bounds::{self, MOST_BUFFER, MOST_HEADERS};
use super::refuse::Refusal;
use super::tls::{Spoken, Tls};
use super::way::Way;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a host may think before it answers.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The host's side of one connection.
#[derive(Debug)]
pub(super) struct Upstream {
    way: Arc<dyn Way>,
    tls: Option<(Arc<Tls>, Vec<Vec<u8>>)>,
    spoken: Spoken,
    link: Mutex<Option<Link>>,
}

#[derive(Debug)]
enum Link {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

impl Upstream {
    /// Connects and, with TLS, verifies. `plain` is what the agent speaks without TLS.
    /// # Errors
    /// [`Refusal`], with which every request is then answered.
    pub(super) async fn connect(
        way: Arc<dyn Way>,
        tls: Option<(Arc<Tls>, Vec<Vec<u8>>)>,
        plain: Spoken,
    ) -> Result<Self, Refusal> {
        let mut this = Self { way, tls, spoken: plain, link: Mutex::new(None) };
        let (link, spoken) = this.make().await?;
        this.spoken = spoken;
        this.link = Mutex::new(Some(link));
        Ok(this)
    }

    /// What both sides speak.
    pub(super) fn spoken(&self) -> Spoken {
        self.spoken
    }

    async fn make(&self) -> Result<(Link, Spoken), Refusal> {
        let stream = self.way.connect().await.map_err(|denied| {
            let mut refusal = Refusal::new(502, denied.reason, denied.to_string());
            refusal.rule = denied.rule;
            refusal
        })?;
        // A delay costs time only.
        drop(stream.set_nodelay(true));
        match &self.tls {
            None => Ok((self.shake(stream, self.spoken).await?, self.spoken)),
            Some((tls, offer)) => {
                let connected = tls.connect(self.way.host(), offer, stream).await;
                let (stream, spoken) = connected.map_err(|why| Refusal::new(502, "certificate", why))?;
                Ok((self.shake(stream, spoken).await?, spoken))
            }
        }
    }

    async fn shake<S>(&self, stream: S, spoken: Spoken) -> Result<Link, Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |_: hyper::Error| unreachable("the host does not speak the protocol that it agreed on");
        let io = TokioIo::new(Gathered::new(stream));
        let way = self.way.clone();
        if spoken != Spoken::Two {
            let mut builder = http1::Builder::new();
            // Names as the agent wrote them could say more than what was read of them.
            builder.title_case_headers(true).max_headers(MOST_HEADERS).max_buf_size(MOST_BUFFER);
            let (sender, connection) = builder.handshake(io).await.map_err(failed)?;
            tokio::spawn(until_over(way, async move { drop(connection.with_upgrades().await) }));
            return Ok(Link::One(sender));
        }
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        bounds::of_host(&mut builder);
        let (sender, connection) = builder.handshake(io).await.map_err(failed)?;
        tokio::spawn(until_over(way, async move { drop(connection.await) }));
        Ok(Link::Two(sender))
    }

    /// Sends a request, and waits for the head of its answer.
    /// # Errors
    /// 502 or 504.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Refusal> {
        let mut unsent = Some(request);
        for _ in 0..2 {
            let Some(request) = unsent.take() else { break };
            let mut link = self.link().await?;
            let answer = match &mut link {
                Link::One(sender) => timeout(PATIENCE, sender.try_send_request(request)).await,
                Link::Two(sender) => timeout(PATIENCE, sender.try_send_request(request)).await,
            };
            match answer.map_err(|_| Refusal::new(504, "host-slow", "the host did not answer in time"))? {
                Ok(response) => {
                    if let Link::One(_) = link {
                        *self.link.lock().await = Some(link);
                    }
                    return Ok(response);
                }
                Err(error) => unsent = take_back(error),
            }
        }
        Err(unreachable("the host ended the connection before it answered"))
    }

    /// A connection that is ready. That of HTTP/1 is taken away until its request has an answer.
    async fn link(&self) -> Result<Link, Refusal> {
        let mut held = self.link.lock().await;
        if let Some(mut link) = held.take() {
            let ready = match &mut link {
                Link::One(sender) => sender.ready().await,
                Link::Two(sender) => sender.ready().await,
            };
            if ready.is_ok() {
                if let Link::Two(sender) = &link {
                    *held = Some(Link::Two(sender.clone()));
                }
                return Ok(link);
            }
        }
        let (link, spoken) = self.make().await?;
        if spoken != self.spoken && (spoken == Spoken::Two || self.spoken == Spoken::Two) {
            return Err(unreachable("the host speaks another protocol than before"));
        }
        if let Link::Two(sender) = &link {
            *held = Some(Link::Two(sender.clone()));
        }
        Ok(link)
    }
}

fn take_back(mut error: TrySendError<Request<Body>>) -> Option<Request<Body>> {
    error.take_message()
}

fn unreachable(why: &str) -> Refusal {
    Refusal::new(502, "unreachable", why)
}

/// Drives a connection until it or the flow ends.
pub(super) async fn until_over(way: Arc<dyn Way>, work: impl Future<Output = ()>) {
    let mut work = pin!(work);
    let mut over = pin!(way.over());
    std::future::poll_fn(|context| {
        if work.as_mut().poll(context).is_ready() || over.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}
