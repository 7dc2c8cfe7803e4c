//! One request and its answer: judged, changed, sent, and what comes back handed on as it comes.
//!
//! Never sends a byte of a request that was not judged, and never ends a body as whole that was cut off.

use super::asking::{Asking, check_size};
use super::body::{Aborted, Body, Came, read};
use super::coding::Coding;
use super::credential::Keys;
use super::head::{Target, admit, size, strip_request, strip_response};
use super::head_scan::read_head;
use super::judge::{Findings, Judge, drain};
use super::login;
use super::receive::Receiving;
use super::refuse::Refusal;
use super::scan::Scanner;
use super::send::{Refused, Sending, media, next_trailers};
use super::serve;
use super::signed;
use super::tls::Spoken;
use super::tokens::{Back, Tokens};
use super::upload::Upload;
use super::upstream::Upstream;
use super::way::{Told, Way};
use super::websocket;
use crate::wire::egress::{Kind, Rule};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Bodies up to this length are read whole before anything is sent, when their length may change.
const WHOLE: u64 = 1 << 20;
/// Bytes of a refused body that are still read, and for how long.
const MOST_UNWANTED: usize = 64 << 10;
const UNWANTED_PATIENCE: Duration = Duration::from_millis(250);
/// The most letters of a request line that are told.
const MOST_LINE: usize = 256;

/// What all requests of one connection share.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The connection.
    pub way: Arc<dyn Way>,
    /// Whether it is TLS.
    pub tls: bool,
    /// The host's side.
    pub upstream: Upstream,
    /// Secrets for this host.
    pub keys: Arc<Keys>,
    /// Role `dlp`.
    pub scanner: Option<Arc<Scanner>>,
    /// What tokens stand for.
    pub tokens: Arc<Tokens>,
}

/// A refusal, and whether it was told already.
struct Failed {
    refusal: Refusal,
    told: bool,
}

/// A request that was answered by its host.
struct Answered {
    response: Response<Body>,
    rule: Arc<Rule>,
    /// The lease that its upload went out by.
    grant: Option<String>,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, told: false }
    }
}

impl Exchange {
    /// Whether the connection ends after one request.
    pub(super) fn is_for_one(&self) -> bool {
        self.way.proxied()
    }

    /// Answers one request: with what the host says, or with a refusal.
    /// # Errors
    /// When the agent must see its end instead.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Aborted> {
        let admitted = self.way.request();
        let path: String = request.uri().path().chars().take(MOST_LINE).collect();
        let line = format!("{} {path}", request.method());
        let findings = Findings::default();
        // Who waits for `100 Continue` sends nothing before it, and reading would ask for it.
        let waits = request.headers().contains_key(header::EXPECT);
        let (parts, incoming) = request.into_parts();
        let mut incoming = Some(incoming);
        let told = |kind, status, rule, reason| Told {
            kind,
            grant: None,
            request: Some(line.clone()),
            status: Some(status),
            rule,
            reason,
            findings: drain(&findings),
        };
        let exchanged = match admitted {
            Ok(()) => self.exchange(Request::from_parts(parts, ()), &mut incoming, &findings, &line).await,
            Err(refusal) => Err(refusal.into()),
        };
        match exchanged {
            Ok(Answered { response, rule, grant }) => {
                let status = response.status().as_u16();
                let told = told(Kind::Request, status, Some(rule.id.clone()), None);
                self.way.tell(Told { grant, ..told });
                Ok(response)
            }
            Err(Failed { refusal, told: already }) => {
                if !already {
                    let mut told =
                        told(refusal.kind(), refusal.status, refusal.rule.clone(), Some(refusal.reason));
                    told.request = told.request.filter(|_| !refusal.hides());
                    self.way.tell(told);
                }
                if let Some(unwanted) = incoming.take().filter(|_| !waits) {
                    let_finish(unwanted).await;
                }
                Ok(serve::response(&refusal, self.way.host()))
            }
        }
    }

    async fn exchange(
        &self,
        mut request: Request<()>,
        incoming: &mut Option<Incoming>,
        findings: &Findings,
        line: &str,
    ) -> Result<Answered, Failed> {
        let rules = self.way.rules();
        let (judge, length) = self.judge(&request, &rules, findings)?;
        let empty = incoming.as_ref().is_none_or(hyper::body::Body::is_end_stream);
        judge.asking.announced(if empty { Some(0) } else { length });
        if let Some(length) = length {
            check_size(&judge, length)?;
        }
        let upgrade = websocket::is_wanted(&request).then(|| hyper::upgrade::on(&mut request));
        let (mut parts, ()) = request.into_parts();
        self.prepare(&judge, &mut parts, upgrade.is_some()).await?;
        let method = parts.method.clone();
        let refused = Refused::default();
        let body = self.body(&judge, &mut parts, incoming, length, line, &refused).await?;
        let sent = self.upstream.send(Request::from_parts(parts, body)).await;
        let response =
            sent.map_err(|refusal| match refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(refusal) => Failed { refusal, told: true },
                None => Failed::from(refusal),
            })?;
        let (rule, grant) = (judge.rule.clone(), judge.asking.grant());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let upgrade =
                upgrade.ok_or_else(|| odd("the host changed to a protocol that nobody asked for"))?;
            let response = self.switch(judge, response, upgrade, line)?;
            return Ok(Answered { response, rule, grant });
        }
        let response = self.hand_on(&judge, &method, response).await?;
        Ok(Answered { response, rule, grant })
    }

    /// What the head says, before anything is done.
    fn judge(
        &self,
        request: &Request<()>,
        rules: &[Arc<Rule>],
        findings: &Findings,
    ) -> Result<(Judge, Option<u64>), Refusal> {
        let headers = request.headers();
        let target = Target { name: self.way.host(), port: self.way.port(), tls: self.tls };
        let rule = admit(request, target, rules)?;
        login::check(rule, &self.keys, request.method(), request.uri(), headers)?;
        let expects = headers.get(header::EXPECT).map(|value| value.as_bytes().to_ascii_lowercase());
        if expects.is_some_and(|value| value != b"100-continue") {
            return Err(Refusal::new(417, "expectation", "only 100-continue can be expected"));
        }
        let scanner = if rule.dlp { self.scanner.clone() } else { None };
        if rule.dlp && scanner.is_none() {
            return Err(
                Refusal::new(403, "dlp-unscannable", "nobody is there to read what would be sent").by(rule)
            );
        }
        let length = match headers.get(header::CONTENT_LENGTH).map(|value| value.to_str().map(str::parse)) {
            None => None,
            Some(Ok(Ok(length))) => Some(length),
            Some(_) => return Err(Refusal::new(400, "framing", "a Content-Length beyond all measure")),
        };
        let (way, rule, keys) = (self.way.clone(), rule.clone(), self.keys.clone());
        let asking = Asking::new(request.method(), request.uri().path());
        let tokens = self.tokens.of(&rule.host);
        let (findings, fresh) = (findings.clone(), Arc::default());
        Ok((Judge { way, rule, keys, scanner, findings, asking, tokens, fresh }, length))
    }

    /// Makes the head that goes to the host.
    async fn prepare(&self, judge: &Judge, parts: &mut Parts, upgrade: bool) -> Result<(), Refusal> {
        let mut target = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let host = parts.headers.get(header::HOST).map(|value| value.as_bytes().to_vec());
        let authority: Authority = match (parts.uri.authority(), host) {
            (Some(authority), _) => authority.clone(),
            (None, host) => {
                let host = host.unwrap_or_else(|| self.way.host().as_bytes().to_vec());
                Authority::try_from(host.as_slice())
                    .map_err(|_| Refusal::new(400, "no-host", "the request does not name its host"))?
            }
        };
        strip_request(&judge.rule, &mut parts.headers);
        login::strip(&judge.rule, &mut parts.headers);
        read_head(judge, &parts.method, &mut target, &mut parts.headers).await?;
        self.keys.swap_head(&mut target, &mut parts.headers)?;
        if self.keys.any() || judge.tokens.any() {
            // So that an echo of a secret and a token can be seen.
            parts.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if upgrade {
            websocket::ask(&mut parts.headers);
        }
        self.way.sent(target.as_str().len() as u64 + size(&parts.headers)).await?;
        let host = HeaderValue::from_str(authority.as_str());
        if self.upstream.spoken() == Spoken::Two {
            parts.headers.remove(header::HOST);
            let scheme = if self.tls { "https" } else { "http" };
            let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build();
            parts.uri = uri.map_err(|_| Refusal::new(400, "malformed", "the target is malformed"))?;
            parts.version = Version::HTTP_2;
        } else {
            let host =
                host.map_err(|_| Refusal::new(400, "no-host", "the request does not name its host"))?;
            parts.headers.insert(header::HOST, host);
            parts.uri = Uri::from(target);
            parts.version = Version::HTTP_11;
        }
        Ok(())
    }

    async fn body(
        &self,
        judge: &Judge,
        parts: &mut Parts,
        incoming: &mut Option<Incoming>,
        length: Option<u64>,
        line: &str,
        refused: &Refused,
    ) -> Result<Body, Refusal> {
        // Until it is handed on it stays with the caller, who lets it come to its end when it is refused.
        let coming = match incoming {
            Some(coming) if !hyper::body::Body::is_end_stream(coming) => coming,
            _ => {
                judge.asking.begin(judge).await?;
                return Ok(Body::empty());
            }
        };
        let codings = parts.headers.get_all(header::CONTENT_ENCODING);
        let coding = Coding::of(codings.iter().map(HeaderValue::as_bytes));
        let mut upload = Upload::new(judge.clone(), coding, &media(&parts.headers)).await?;
        if signed::is_body(&parts.headers) {
            upload.must_stay();
        }
        if upload.is_plain() || length.is_none_or(|length| length > WHOLE) {
            judge.asking.begin(judge).await?;
            if upload.changes_length() {
                parts.headers.remove(header::CONTENT_LENGTH);
            }
            let told = Told {
                kind: Kind::Denied,
                request: Some(line.to_owned()),
                status: None,
                rule: Some(judge.rule.id.clone()),
                grant: None,
                reason: None,
                findings: Vec::new(),
            };
            let Some(coming) = incoming.take() else { return Ok(Body::empty()) };
            return Ok(Body::parts(Sending::new(coming, upload, judge.clone(), refused.clone(), told)));
        }
        let mut whole = Vec::new();
        loop {
            let cut = |_: Aborted| Refusal::new(400, "cut-off", "the body was cut off");
            match read(coming).await.map_err(cut)? {
                Came::Data(data) => {
                    upload.count(data.len()).await?;
                    whole.extend(upload.feed(&data, false).await?);
                }
                Came::Trailers(trailers) => drop(next_trailers(judge, trailers).await?),
                Came::End => break,
            }
        }
        whole.extend(upload.feed(b"", true).await?);
        judge.asking.begin(judge).await?;
        self.way.sent(whole.len() as u64).await?;
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
        Ok(Body::whole(whole))
    }

    /// Hands the answer on.
    async fn hand_on(
        &self,
        judge: &Judge,
        method: &Method,
        response: Response<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let (mut parts, incoming) = response.into_parts();
        strip_response(&mut parts.headers);
        let back = Back::new(self.keys.clone(), judge.tokens.clone());
        back.headers(&mut parts.headers);
        self.way.received(size(&parts.headers)).await?;
        parts.version = Version::HTTP_11;
        if hyper::body::Body::is_end_stream(&incoming) || *method == Method::HEAD {
            return Ok(Response::from_parts(parts, Body::empty()));
        }
        let codings = parts.headers.get_all(header::CONTENT_ENCODING);
        let coding = Coding::of(codings.iter().map(HeaderValue::as_bytes));
        let receiving = Receiving::new(incoming, self.way.clone(), back, coding)?;
        if receiving.opens() {
            parts.headers.remove(header::CONTENT_ENCODING);
        }
        if receiving.changes_length() {
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        Ok(Response::from_parts(parts, Body::parts(receiving)))
    }

    /// Hands on that both sides speak WebSocket from here on, and relays that.
    fn switch(
        &self,
        judge: Judge,
        mut response: Response<Incoming>,
        agent: OnUpgrade,
        line: &str,
    ) -> Result<Response<Body>, Refusal> {
        let host = hyper::upgrade::on(&mut response);
        let (mut parts, _) = response.into_parts();
        strip_response(&mut parts.headers);
        Back::new(self.keys.clone(), judge.tokens.clone()).headers(&mut parts.headers);
        websocket::agree(&mut parts.headers)?;
        let relay = websocket::relay(judge, agent, host, line.to_owned());
        tokio::spawn(super::upstream::until_over(self.way.clone(), relay));
        Ok(Response::from_parts(parts, Body::empty()))
    }
}

fn odd(why: &str) -> Refusal {
    Refusal::new(502, "upgrade", why)
}

/// Reads the rest of what was refused, when it is short: an agent that is still sending may never read the answer, and takes
/// the end of its stream for a failure.
async fn let_finish(mut unwanted: Incoming) {
    let rest = async {
        let mut left = MOST_UNWANTED;
        while let Ok(Came::Data(data)) = read(&mut unwanted).await {
            left = left.saturating_sub(data.len());
            if left == 0 {
                break;
            }
        }
    };
    // What takes longer is cut.
    drop(tokio::time::timeout(UNWANTED_PATIENCE, rest).await);
}
