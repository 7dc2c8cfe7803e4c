//! The two proxies inside, for tools that are configured for one: HTTP (CONNECT and absolute requests) and SOCKS5. They
//! ask the same decision as every other way.

use super::client::Client;
use super::connection::{Arrived, Wanted};
use super::peek::{MOST_BYTES, WHOLE};
use super::place::Place;
use super::reason::{self, Denied};
use super::refuse::{finish, http};
use super::session::Session;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const CONNECTED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
/// Replies of SOCKS5 (RFC 1928, 6), with an address that says nothing.
const SOCKS_OK: [u8; 10] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const SOCKS_REFUSED: [u8; 10] = [5, 2, 0, 1, 0, 0, 0, 0, 0, 0];
const SOCKS_UNSUPPORTED: [u8; 10] = [5, 7, 0, 1, 0, 0, 0, 0, 0, 0];

/// Both addresses of the agent's socket.
type Ends = Option<(SocketAddr, SocketAddr)>;

/// What a request to the HTTP proxy wants.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// A tunnel; its head is so long.
    Tunnel(String, u16, usize),
    /// A request that is passed on.
    Absolute(String, u16),
}

/// Serves a connection to the HTTP proxy.
pub(super) async fn serve_http(session: Arc<Session>, stream: TcpStream, ends: Ends) {
    let mut client = Client::new(stream);
    let request = match timeout(WHOLE, head(&mut client)).await {
        Ok(Ok(Some(request))) => request,
        Ok(Ok(None)) => {
            let denied = Denied::because(reason::MALFORMED);
            return finish(client.into_parts().1, &http(400, "Bad Request", "", &denied)).await;
        }
        Ok(Err(_)) | Err(_) => return,
    };
    let (host, port, tunnel) = match request {
        Request::Tunnel(host, port, length) => {
            client.consume(length);
            (host, port, true)
        }
        Request::Absolute(host, port) => (host, port, false),
    };
    let arrived = Arrived::new(Arc::clone(&session), wanted(&session, host, port, ends, !tunnel));
    match arrived.admit().await {
        Ok(admitted) => {
            if tunnel && client.write_all(CONNECTED).await.is_err() {
                return;
            }
            admitted.serve(client).await;
        }
        Err((arrived, denied)) => {
            arrived.denied(&denied).await;
            let answer = http(403, "Forbidden", arrived.said(), &denied);
            finish(client.into_parts().1, &answer).await;
        }
    }
}

fn wanted(session: &Session, host: String, port: u16, ends: Ends, proxied: bool) -> Wanted {
    let place = match Place::of_text(&host) {
        Some(Place::Address(ip)) => session.place_of(ip),
        // It counts as a name that was looked up.
        Some(Place::Name(name)) => session.address_of(&name).map(|_| Place::Name(name)),
        Some(place) => Ok(place),
        None => Err(Denied::because(reason::NOT_LISTED)),
    };
    let said = place.as_ref().map_or(host, Place::to_string);
    Wanted { place, said, port, ends, proxied }
}

/// Reads the head of the first request; it stays in front. `None` when it makes no sense.
async fn head(client: &mut Client) -> io::Result<Option<Request>> {
    loop {
        let front = client.front();
        if let Some(end) = front.windows(4).position(|part| part == b"\r\n\r\n") {
            let line = front.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return Ok(request(line, end + 4));
        }
        if client.look(MOST_BYTES).await? == 0 {
            return if client.front().len() >= MOST_BYTES {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    }
}

fn request(line: &[u8], length: usize) -> Option<Request> {
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return None;
    }
    if method == "CONNECT" {
        let (host, port) = authority(target)?;
        return Some(Request::Tunnel(host, port?, length));
    }
    let rest =
        target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://")).and(target.get(7..))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, port) = authority(rest.get(..end)?)?;
    Some(Request::Absolute(host, port.unwrap_or(80)))
}

/// Host and port; user names are not taken.
fn authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bare = host.starts_with('[') == host.ends_with(']') && (host.starts_with('[') || !host.contains(':'));
    let port = match port {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse::<u16>().ok()?),
        Some(_) => return None,
        None => None,
    };
    (bare && !host.is_empty() && !host.contains('@')).then(|| (host.to_owned(), port))
}

/// Serves a connection to the SOCKS5 proxy.
pub(super) async fn serve_socks(session: Arc<Session>, mut stream: TcpStream, ends: Ends) {
    let (host, port) = match timeout(WHOLE, socks(&mut stream)).await {
        Ok(Ok(Some(target))) => target,
        Ok(Ok(None)) => return finish(stream, &SOCKS_UNSUPPORTED).await,
        Ok(Err(_)) | Err(_) => return,
    };
    let arrived = Arrived::new(Arc::clone(&session), wanted(&session, host, port, ends, false));
    match arrived.admit().await {
        Ok(admitted) => {
            if stream.write_all(&SOCKS_OK).await.is_ok() {
                admitted.serve(Client::new(stream)).await;
            }
        }
        Err((arrived, denied)) => {
            arrived.denied(&denied).await;
            finish(stream, &SOCKS_REFUSED).await;
        }
    }
}

/// The greeting and the request (RFC 1928, 3 and 4). `None` for anything but a connection.
async fn socks(stream: &mut TcpStream) -> io::Result<Option<(String, u16)>> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    if stream.read_u8().await? != 5 {
        return Err(broken());
    }
    let mut methods = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut methods).await?;
    if !methods.contains(&0) {
        stream.write_all(&[5, 0xff]).await?;
        return Err(broken());
    }
    stream.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let [5, command, 0, kind] = request else { return Err(broken()) };
    let host = match kind {
        1 => {
            let mut raw = [0; 4];
            stream.read_exact(&mut raw).await?;
            IpAddr::from(Ipv4Addr::from(raw)).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| broken())?
        }
        4 => {
            let mut raw = [0; 16];
            stream.read_exact(&mut raw).await?;
            IpAddr::from(Ipv6Addr::from(raw)).to_string()
        }
        _ => return Err(broken()),
    };
    let port = stream.read_u16().await?;
    Ok((command == 1).then_some((host, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_a_proxy_names_its_host_in_one_way() {
        let tunnel = |host: &str, port| Some(Request::Tunnel(host.to_owned(), port, 9));
        let absolute = |host: &str, port| Some(Request::Absolute(host.to_owned(), port));
        for (line, wanted) in [
            ("CONNECT a.org:443 HTTP/1.1\r", tunnel("a.org", 443)),
            ("CONNECT [2001:db8::1]:443 HTTP/1.0", tunnel("[2001:db8::1]", 443)),
            ("GET http://a.org/path HTTP/1.1", absolute("a.org", 80)),
            ("GET HTTP://a.org:8080?q HTTP/1.1", absolute("a.org", 8080)),
            ("CONNECT a.org HTTP/1.1", None),
            ("CONNECT a.org:+443 HTTP/1.1", None),
            ("CONNECT a.org:99999 HTTP/1.1", None),
            ("CONNECT user@a.org:443 HTTP/1.1", None),
            ("CONNECT 2001:db8::1:443 HTTP/1.1", None),
            ("CONNECT a.org:443  HTTP/1.1", None),
            ("CONNECT a.org:443 HTTP/2", None),
            ("GET / HTTP/1.1", None),
            ("GET https://a.org/ HTTP/1.1", None),
            ("GET http://user:pass@a.org/ HTTP/1.1", None),
            ("GET http:///x HTTP/1.1", None),
        ] {
            assert_eq!(request(line.as_bytes(), 9), wanted, "{line}");
        }
    }
}
