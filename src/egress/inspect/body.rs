//! Bodies that we send: nothing, bytes that are there, or parts made one by one when the peer can take them.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body ends before it is whole; the peer must see that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the body was cut off")
    }
}

impl std::error::Error for Aborted {}

/// What makes the parts of a body.
pub(super) trait Parts: Send + Sized + 'static {
    /// The next part; `None` at the whole end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Frame<Bytes>>, Aborted>> + Send;
}

/// A body that we send.
pub(super) struct Body(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Parts(Pin<Box<dyn Future<Output = Step> + Send>>),
    Over,
}

enum Step {
    Part(Frame<Bytes>, Pin<Box<dyn Future<Output = Step> + Send>>),
    End,
    Abort,
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Body")
    }
}

impl Body {
    /// No bytes.
    pub(super) fn empty() -> Self {
        Self(Kind::Over)
    }

    /// These bytes.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { Kind::Over } else { Kind::Whole(Some(bytes)) })
    }

    /// Parts, each made when the one before was taken.
    pub(super) fn parts(parts: impl Parts) -> Self {
        Self(Kind::Parts(step(parts)))
    }
}

fn step<P: Parts>(mut parts: P) -> Pin<Box<dyn Future<Output = Step> + Send>> {
    Box::pin(async move {
        match parts.next().await {
            Ok(Some(frame)) => Step::Part(frame, step(parts)),
            Ok(None) => Step::End,
            Err(Aborted) => Step::Abort,
        }
    })
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let (next, result) = match &mut self.0 {
            Kind::Over => return Poll::Ready(None),
            Kind::Whole(bytes) => (Kind::Over, bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Parts(future) => match future.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Step::Part(frame, rest)) => (Kind::Parts(rest), Some(Ok(frame))),
                Poll::Ready(Step::End) => (Kind::Over, None),
                Poll::Ready(Step::Abort) => (Kind::Over, Some(Err(Aborted))),
            },
        };
        self.0 = next;
        Poll::Ready(result)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Over)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Over => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Parts(_) => SizeHint::default(),
        }
    }
}

/// What comes in next.
#[derive(Debug)]
pub(super) enum Came {
    /// Bytes.
    Data(Bytes),
    /// Trailers, and the end.
    Trailers(HeaderMap),
    /// The end.
    End,
}

/// Reads a body that comes in.
/// # Errors
/// When it was cut off.
pub(super) async fn read(incoming: &mut Incoming) -> Result<Came, Aborted> {
    loop {
        let frame = poll_fn(|context| http_body::Body::poll_frame(Pin::new(&mut *incoming), context)).await;
        let frame = match frame {
            None => return Ok(Came::End),
            Some(Err(_)) => return Err(Aborted),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => return Ok(Came::Data(data)),
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return Ok(Came::Trailers(trailers));
                }
            }
        }
    }
}
