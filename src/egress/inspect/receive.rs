//! A body of the host, part by part, to the agent: counted, and without the secrets that it may show.

use super::body::{Aborted, Came, Parts, read};
use super::coding::{Coding, Inflate};
use super::credential::Keys;
use super::head::strip_response;
use super::needle::Finder;
use super::refuse::Refusal;
use super::send::PAUSE;
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
    keys: Arc<Keys>,
    finder: Finder,
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
        keys: Arc<Keys>,
        coding: Coding,
    ) -> Result<Self, Refusal> {
        let inflate = if keys.any() { Inflate::new(coding) } else { None };
        if keys.any() && coding == Coding::Other {
            let why = "the host's answer may show a secret, and is coded in a way that is not opened here";
            return Err(Refusal::new(502, "undecodable", why));
        }
        Ok(Self { incoming: Some(incoming), way, keys, finder: Finder::default(), inflate, trailers: None })
    }

    /// Whether the coding is taken away.
    pub(super) fn opens(&self) -> bool {
        self.inflate.is_some()
    }

    /// Whether what was said of the length is no longer true.
    pub(super) fn changes_length(&self) -> bool {
        self.opens() || self.keys.any() && !self.keys.keeps_length()
    }

    async fn part(&mut self) -> Result<Option<Frame<Bytes>>, Aborted> {
        if let Some(trailers) = self.trailers.take() {
            return Ok(Some(Frame::trailers(trailers)));
        }
        while let Some(incoming) = &mut self.incoming {
            let came = if self.finder.is_holding() {
                match timeout(PAUSE, read(incoming)).await {
                    Ok(came) => came?,
                    Err(_) => Came::Data(Bytes::new()),
                }
            } else {
                read(incoming).await?
            };
            let out = match came {
                Came::Data(data) if data.is_empty() => self.keys.scrub(&mut self.finder, b"", true).into(),
                Came::Data(data) if !self.keys.any() => data,
                Came::Data(data) => self.open(&data, false)?.into(),
                came => {
                    self.incoming = None;
                    if let Came::Trailers(mut trailers) = came {
                        strip_response(&mut trailers);
                        self.keys.scrub_headers(&mut trailers);
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
            return Ok(self.keys.scrub(&mut self.finder, bytes, last));
        };
        let mut out = Vec::new();
        let mut input = bytes;
        while !input.is_empty() {
            let text = inflate.block(&mut input).map_err(|_| Aborted)?;
            out.extend(self.keys.scrub(&mut self.finder, &text, false));
        }
        if last {
            let text = inflate.finish().map_err(|_| Aborted)?;
            out.extend(self.keys.scrub(&mut self.finder, &text, true));
        }
        Ok(out)
    }
}

impl Parts for Receiving {
    async fn next(&mut self) -> Result<Option<Frame<Bytes>>, Aborted> {
        self.part().await
    }
}
