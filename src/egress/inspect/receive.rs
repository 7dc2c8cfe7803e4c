//! A body of the host, part by part, to the agent: counted, without the secrets that it may show, and with
//! values in place of tokens.

use super::body::{Aborted, Came, Parts, read};
use super::coding::{Coding, Inflate};
use super::head::{size, strip_response};
use super::refuse::Refusal;
use super::send::PAUSE;
use super::tokens::Back;
use super::way::Way;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::time::timeout;

/// A body that is on its way to the agent.
pub(super) struct Receiving {
    incoming: Option<Incoming>,
    way: Arc<dyn Way>,
    back: Back,
    inflate: Option<Inflate>,
    trailers: Option<HeaderMap>,
}

impl Receiving {
    /// A body of this coding.
    /// # Errors
    /// 502 `undecodable`, when it may show a secret and cannot be opened.
    pub(super) fn new(
        incoming: Incoming,
        way: Arc<dyn Way>,
        back: Back,
        coding: Coding,
    ) -> Result<Self, Refusal> {
        let inflate = if back.changes() { Inflate::new(coding) } else { None };
        if back.hides() && coding.is_opaque() {
            let why = "the host's answer may show a secret, and is coded in a way that is not opened here";
            return Err(Refusal::new(502, "undecodable", why));
        }
        Ok(Self { incoming: Some(incoming), way, back, inflate, trailers: None })
    }

    /// Whether the coding is taken away.
    pub(super) fn opens(&self) -> bool {
        self.inflate.is_some()
    }

    /// Whether what was said of the length is no longer true.
    pub(super) fn changes_length(&self) -> bool {
        self.opens() || self.back.changes_length()
    }

    async fn part(&mut self) -> Result<Option<Frame<Bytes>>, Aborted> {
        if let Some(trailers) = self.trailers.take() {
            return Ok(Some(Frame::trailers(trailers)));
        }
        while let Some(incoming) = &mut self.incoming {
            let came = if self.back.is_holding() {
                match timeout(PAUSE, read(incoming)).await {
                    Ok(came) => came?,
                    Err(_) => Came::Data(Bytes::new()),
                }
            } else {
                read(incoming).await?
            };
            let out = match came {
                Came::Data(data) if data.is_empty() => self.back.feed(b"", true).into(),
                Came::Data(data) if !self.back.changes() => data,
                Came::Data(data) => self.open(&data, false)?.into(),
                came => {
                    self.incoming = None;
                    if let Came::Trailers(mut trailers) = came {
                        strip_response(&mut trailers);
                        self.back.headers(&mut trailers);
                        self.way.received(size(&trailers)).await.map_err(|_| Aborted)?;
                        self.trailers = Some(trailers);
                    }
                    self.open(b"", true)?.into()
                }
            };
            if !out.is_empty() {
                self.way.received(out.len() as u64).await.map_err(|_| Aborted)?;
                return Ok(Some(Frame::data(out)));
            }
        }
        Ok(self.trailers.take().map(Frame::trailers))
    }

    fn open(&mut self, bytes: &[u8], last: bool) -> Result<Vec<u8>, Aborted> {
        let Some(inflate) = &mut self.inflate else {
            return Ok(self.back.feed(bytes, last));
        };
        let mut out = Vec::new();
        let mut input = bytes;
        while !input.is_empty() {
            let text = inflate.block(&mut input).map_err(|_| Aborted)?;
            out.extend(self.back.feed(&text, false));
        }
        if last {
            let text = inflate.finish().map_err(|_| Aborted)?;
            out.extend(self.back.feed(&text, true));
        }
        Ok(out)
    }
}

impl Parts for Receiving {
    async fn next(&mut self) -> Result<Option<Frame<Bytes>>, Aborted> {
        self.part().await
    }
}
