//! Connections and HTTP/1.1: what a client may send, how long it may take, and how many there may be.
//!
//! Never reads a body that is longer than whom it is for allows, and never lets more requests work at one time than there
//! are hands: the others wait, with an end.

use super::asked::{Answer, Asked, BadTarget, Peer};
use super::patient::Patient;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections at one time.
pub(super) const MOST_CONNECTIONS: usize = 64;
/// Requests that are worked on at one time.
pub(super) const HANDS: usize = 4;
/// How long a head may take, from the end of the request before it.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// How long a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(120);
/// How long a request waits for a hand.
const HAND_PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection may last.
const LIFE: Duration = Duration::from_secs(900);
/// Bytes and number of the headers of a request.
const MOST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

/// What answers requests.
pub(super) trait Service: Send + Sync + 'static {
    /// The most bytes of a body that is taken with this head.
    fn most_body(&self, head: &http::request::Parts) -> usize;
    /// Answers; may take its time.
    fn answer(&self, asked: Asked) -> Answer;
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Hall<S> {
    service: Arc<S>,
    hands: Arc<Semaphore>,
    seats: Arc<Semaphore>,
    doors: Arc<Semaphore>,
}

impl<S: Service> Hall<S> {
    pub(super) fn new(service: S) -> Arc<Self> {
        Arc::new(Self {
            service: Arc::new(service),
            hands: Arc::new(Semaphore::new(HANDS)),
            seats: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            doors: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
        })
    }

    /// A seat for a connection; waits until one is free, and so leaves further clients in the kernel's queue.
    pub(super) async fn seat(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        self.seats.clone().acquire_owned().await.ok()
    }

    /// The same for a handshake.
    pub(super) async fn door(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        self.doors.clone().acquire_owned().await.ok()
    }

    /// Serves one connection to its end.
    pub(super) async fn serve<C>(self: Arc<Self>, peer: Peer, connection: C)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request: Request<Incoming>| {
            let (hall, peer) = (self.clone(), peer.clone());
            async move { Ok::<_, Infallible>(response(hall.handle(peer, request).await)) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_headers(MOST_HEADERS)
            .max_buf_size(MOST_HEAD)
            .serve_connection(TokioIo::new(Patient::new(connection)), service);
        // A client that went away is no error of ours.
        drop(timeout(LIFE, served).await);
    }

    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("", |target| target.as_str());
        let (path, query) = match Asked::target(target) {
            Ok(read) => read,
            Err(BadTarget(why)) => return Answer::refusal(StatusCode::BAD_REQUEST, why),
        };
        let body = match timeout(BODY_PATIENCE, whole(body, self.service.most_body(&head))).await {
            Ok(Ok(body)) => body,
            Ok(Err(status)) => return Answer::refusal(status, "the body is too long, or was cut off"),
            Err(_) => return Answer::refusal(StatusCode::REQUEST_TIMEOUT, "the body takes too long"),
        };
        let unless = head.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let unless = unless.map(str::to_owned);
        let asked = Asked { peer, method: head.method, path, query, unless, body };
        let Ok(Ok(hand)) = timeout(HAND_PATIENCE, self.hands.clone().acquire_owned()).await else {
            let busy = Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "too many questions at one time");
            return busy.with(header::RETRY_AFTER, HeaderValue::from_static("5"));
        };
        let service = self.service.clone();
        // The hand is let go with the work, also when the client went away meanwhile.
        let worked = tokio::task::spawn_blocking(move || {
            let answer = service.answer(asked);
            drop(hand);
            answer
        });
        worked.await.unwrap_or_else(|_| Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "it failed"))
    }
}

/// All of a body, up to `most` bytes.
async fn whole(mut body: Incoming, most: usize) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > most as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        if let Ok(data) = frame.into_data() {
            if all.len() + data.len() > most {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all.freeze())
}

fn response(answer: Answer) -> Response<Whole> {
    let mut response = Response::new(Whole::of(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.extend(answer.headers);
    response
}

/// What every answer says to a browser: ask again, guess nothing, be framed by nobody, tell nobody where from.
const FIXED: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "private, no-cache"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// A body that is there.
#[derive(Debug)]
pub(super) struct Whole(Option<Bytes>);

impl Whole {
    pub(super) fn of(bytes: Bytes) -> Self {
        Self(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}
