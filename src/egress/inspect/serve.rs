//! The agent's side of a connection that is read: requests come in one by one, or as streams.

use super::ahead::Gathered;
use super::body::{Aborted, Body};
use super::bounds::{self, MOST_BUFFER, MOST_HEAD, MOST_HEADERS};
use super::exchange::Exchange;
use super::refuse::Refusal;
use super::tls::Spoken;
use crate::egress::refuse::phrase;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a head may take, from the end of the request before it.
const HEAD_PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 60 });
/// How long a connection of HTTP/2 may be without a stream.
const IDLE: Duration = Duration::from_secs(300);
/// How long an agent may take to hear that nothing goes.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(20);

/// Serves requests until the agent or the host ends it.
pub(super) async fn serve<C>(exchange: Arc<Exchange>, spoken: Spoken, client: C)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let keep = !exchange.is_for_one();
    let busy = Arc::new(Busy::default());
    let counted = busy.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let exchange = exchange.clone();
        let seat = counted.enter();
        async move {
            let answer = exchange.answer(request).await;
            drop(seat);
            answer
        }
    });
    drive(spoken, keep, client, service, &busy).await;
}

/// Answers every request with this refusal, for a short time.
pub(super) async fn refuse<C>(host: String, refusal: Refusal, spoken: Spoken, client: C)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |_: Request<Incoming>| {
        let answer = response(&refusal, &host);
        async move { Ok::<_, Aborted>(answer) }
    });
    let busy = Busy::default();
    // What did not hear it in time hears the end.
    drop(tokio::time::timeout(REFUSAL_PATIENCE, drive(spoken, false, client, service, &busy)).await);
}

/// The answer to a request that is refused.
pub(super) fn response(refusal: &Refusal, host: &str) -> Response<Body> {
    let mut response = Response::new(Body::whole(refusal.json(host)));
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN);
    *response.status_mut() = status;
    let words = phrase(status.canonical_reason().unwrap_or("Refused"), refusal.reason);
    if let Ok(words) = ReasonPhrase::try_from(words) {
        response.extensions_mut().insert(words); // HTTP/2 has none
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    if let Some(again_in) = refusal.again_in {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from(again_in.as_secs() + 1));
    }
    response
}

/// Reads requests until the end, and answers each by `service`.
pub(super) async fn drive<C, S, F>(spoken: Spoken, keep: bool, client: C, service: S, busy: &Busy)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response<Body>, Error = Aborted, Future = F>,
    F: Future<Output = Result<Response<Body>, Aborted>> + Send + 'static,
{
    let io = TokioIo::new(Gathered::new(client));
    if spoken != Spoken::Two {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_headers(MOST_HEADERS)
            .max_header_size(MOST_HEAD)
            .max_buf_size(MOST_BUFFER)
            .auto_date_header(false)
            .half_close(true)
            .keep_alive(keep)
            .serve_connection(io, service)
            .with_upgrades();
        // An agent that went away is no error of ours.
        return drop(connection.await);
    }
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).auto_date_header(false);
    bounds::of_agent(&mut builder);
    let connection = builder.serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut idle = pin!(busy.idle(keep));
    let mut ending = false;
    // An agent that went away is no error of ours.
    drop(
        std::future::poll_fn(|context| {
            if !ending && idle.as_mut().poll(context).is_ready() {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            connection.as_mut().poll(context)
        })
        .await,
    );
}

/// Counts requests that are served.
#[derive(Debug, Default)]
pub(super) struct Busy {
    now: AtomicU64,
    ever: AtomicU64,
}

struct Seat(Arc<Busy>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Busy {
    fn enter(self: &Arc<Self>) -> Seat {
        self.now.fetch_add(1, Ordering::Relaxed);
        self.ever.fetch_add(1, Ordering::Relaxed);
        Seat(self.clone())
    }

    /// Waits until nothing was asked for a while; with `keep` false, until one request was.
    async fn idle(&self, keep: bool) {
        let mut seen = (0, 0);
        let mut quiet = Duration::ZERO;
        let tick = if keep { IDLE / 10 } else { Duration::from_millis(50) };
        loop {
            tokio::time::sleep(tick).await;
            let now = (self.now.load(Ordering::Relaxed), self.ever.load(Ordering::Relaxed));
            if !keep && now.1 > 0 {
                return;
            }
            quiet = if now.0 == 0 && now == seen { quiet + tick } else { Duration::ZERO };
            if quiet >= IDLE {
                return;
            }
            seen = now;
        }
    }
}
