//! A client of HTTPS with a certificate of its own: one connection, one request after the other.
//!
//! Never reads an answer that is longer than it may be, and never waits without an end.

use super::http::Whole;
use super::tls::Connector;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may take, and an answer.
const CONNECT: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(150);
/// The most bytes of an answer.
const MOST_ANSWER: usize = 1 << 20;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Reads `https://HOST[:PORT]`, with nothing behind it but a slash.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("https://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (rest, 443),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let plain = bare.unwrap_or(host);
        let is = |letter: char| {
            letter.is_ascii_alphanumeric() || "-._".contains(letter) || (bare.is_some() && letter == ':')
        };
        (!plain.is_empty() && plain.chars().all(is)).then(|| Self { host: plain.to_owned(), port })
    }
}

/// The client.
pub(super) struct Client {
    address: Address,
    connector: Connector,
    open: Option<SendRequest<Whole>>,
}

impl Client {
    pub(super) fn new(address: Address, connector: Connector) -> Self {
        Self { address, connector, open: None }
    }

    async fn connect(&self) -> Result<SendRequest<Whole>, String> {
        let Address { host, port } = &self.address;
        let connecting = timeout(CONNECT, TcpStream::connect((host.as_str(), *port))).await;
        let stream = connecting.map_err(|_| format!("connect to {host}: it takes too long"))?;
        let stream = stream.map_err(|error| format!("connect to {host}: {error}"))?;
        let stream = timeout(CONNECT, self.connector.connect(host, stream)).await;
        let stream = stream.map_err(|_| format!("the TLS handshake with {host} takes too long"))??;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("speak with {host}: {error}"))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("the connection ended: {error}");
            }
        });
        Ok(sender)
    }

    /// One request. A connection that went meanwhile is made anew once.
    /// # Errors
    /// For people.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), String> {
        let mut fresh = self.open.is_none();
        loop {
            let mut sender = match self.open.take() {
                Some(sender) => sender,
                None => self.connect().await?,
            };
            match timeout(ANSWER, self.exchange(&mut sender, &method, path, body.clone())).await {
                Ok(Ok(answer)) => {
                    self.open = Some(sender);
                    return Ok(answer);
                }
                Ok(Err(_)) if !fresh => fresh = true,
                Ok(Err(why)) => return Err(why),
                Err(_) => return Err(format!("{} takes too long to answer", self.address.host)),
            }
        }
    }

    async fn exchange(
        &self,
        sender: &mut SendRequest<Whole>,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), String> {
        let host = &self.address.host;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .body(Whole::of(body))
            .map_err(|error| format!("ask {host}: {error}"))?;
        let failed = |error: hyper::Error| format!("ask {host}: {error}");
        sender.ready().await.map_err(failed)?;
        let (head, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
        Ok((head.status, whole(body).await.map_err(|why| format!("{host}: {why}"))?))
    }
}

async fn whole(mut body: Incoming) -> Result<Bytes, &'static str> {
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| "the answer was cut off")?;
        if let Ok(data) = frame.into_data() {
            if all.len() + data.len() > MOST_ANSWER {
                return Err("the answer is too long");
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_by_https_and_nothing_else() {
        let of = |url: &str| Address::parse(url).map(|address| (address.host, address.port));
        assert_eq!(of("https://a.example"), Some(("a.example".into(), 443)));
        assert_eq!(of("https://127.0.0.1:8443/"), Some(("127.0.0.1".into(), 8443)));
        assert_eq!(of("https://[::1]:8443"), Some(("::1".into(), 8443)));
        for bad in
            ["http://a", "https://", "https://a:b", "https://a/x", "https://u@a", "https://a:70000", "a"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
