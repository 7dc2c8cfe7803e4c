//! A body of an agent, part by part, to the host.

use super::body::{Aborted, Came, Parts, read};
use super::head::{size, strip_request};
use super::head_scan::read_head;
use super::judge::{Judge, drain};
use super::refuse::Refusal;
use super::upload::Upload;
use super::way::Told;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, header};
use http_body::Frame;
use hyper::body::Incoming;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How long an agent may be silent within a body.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// An agent that is silent for so long waits for an answer to what it sent.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// What is still read of a body that was refused, so that the agent hears why before the connection ends.
const MOST_DRAINED: usize = 4 << 20;
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);

/// Why a body was not sent to its end.
pub(super) type Refused = Arc<Mutex<Option<Refusal>>>;

/// A body that is on its way.
pub(super) struct Sending {
    incoming: Option<Incoming>,
    upload: Upload,
    judge: Judge,
    refused: Refused,
    told: Told,
    trailers: Option<HeaderMap>,
}

impl Sending {
    /// Sends this body. A refusal is put into `refused`, and told as `told`.
    pub(super) fn new(
        incoming: Incoming,
        upload: Upload,
        judge: Judge,
        refused: Refused,
        told: Told,
    ) -> Self {
        Self { incoming: Some(incoming), upload, judge, refused, told, trailers: None }
    }

    async fn part(&mut self) -> Result<Option<Frame<Bytes>>, Option<Refusal>> {
        if let Some(trailers) = self.trailers.take() {
            return Ok(Some(Frame::trailers(trailers)));
        }
        while let Some(incoming) = &mut self.incoming {
            let came = if self.upload.is_holding() {
                match timeout(PAUSE, read(incoming)).await {
                    Ok(came) => came,
                    Err(_) => {
                        let out = self.upload.pause().await?;
                        if out.is_empty() {
                            timeout(PATIENCE, read(incoming)).await.map_err(|_| None)?
                        } else {
                            self.judge.way.sent(out.len() as u64).await?;
                            return Ok(Some(Frame::data(out.into())));
                        }
                    }
                }
            } else {
                timeout(PATIENCE, read(incoming)).await.map_err(|_| None)?
            };
            let came = came.map_err(|_| None)?;
            let out = match came {
                Came::Data(data) => {
                    self.upload.count(data.len()).await?;
                    if self.upload.is_plain() { data } else { self.upload.feed(&data, false).await?.into() }
                }
                Came::Trailers(trailers) => {
                    let out = self.upload.feed(b"", true).await?;
                    self.trailers = Some(next_trailers(&self.judge, trailers).await?);
                    self.incoming = None;
                    out.into()
                }
                Came::End => {
                    let out = self.upload.feed(b"", true).await?;
                    self.incoming = None;
                    out.into()
                }
            };
            if !out.is_empty() {
                self.judge.way.sent(out.len() as u64).await?;
                return Ok(Some(Frame::data(out)));
            }
        }
        Ok(self.trailers.take().map(Frame::trailers))
    }

    fn refuse(&mut self, refusal: Refusal) {
        let mut told = self.told.clone();
        told.kind = refusal.kind();
        told.status = Some(refusal.status);
        told.reason = Some(refusal.reason);
        told.findings = drain(&self.judge.findings);
        self.judge.way.tell(told);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        if let Some(incoming) = self.incoming.take() {
            // Its own end is its time.
            tokio::spawn(async move { drop(timeout(DRAIN_PATIENCE, swallow(incoming)).await) });
        }
    }
}

impl Parts for Sending {
    async fn next(&mut self) -> Result<Option<Frame<Bytes>>, Aborted> {
        match self.part().await {
            Ok(part) => Ok(part),
            Err(refusal) => {
                if let Some(refusal) = refusal {
                    self.refuse(refusal);
                }
                Err(Aborted)
            }
        }
    }
}

async fn swallow(mut incoming: Incoming) {
    let mut left = MOST_DRAINED;
    while let Ok(Came::Data(data)) = read(&mut incoming).await {
        left = match left.checked_sub(data.len()) {
            Some(left) => left,
            None => return,
        };
    }
}

/// Trailers are judged and counted as headers are.
/// # Errors
/// As for a head.
pub(super) async fn next_trailers(judge: &Judge, mut trailers: HeaderMap) -> Result<HeaderMap, Refusal> {
    strip_request(&judge.rule, &mut trailers);
    let mut target = PathAndQuery::from_static("/");
    read_head(judge, &Method::POST, &mut target, &mut trailers).await?;
    judge.keys.swap_head(&mut target, &mut trailers)?;
    judge.way.sent(size(&trailers)).await?;
    Ok(trailers)
}

/// The media type, for role `dlp`.
pub(super) fn media(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.chars().take(128).collect()
}
