//! The resolver outside: the host's own lines, then its name servers, each asked for both kinds of addresses.
//!
//! Never judges an address: whoever connects does.

use super::super::place::plain_name;
use super::super::race::{First, race};
use super::super::reason::{self, Denied};
use super::message::{A, AAAA, Answer, NOERROR, NXDOMAIN, ask, read_answer};
use crate::sys::random::random_bytes;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long one server is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often each server is asked.
const ROUNDS: usize = 2;
/// How long the second kind of addresses may come after the first.
const SECOND_KIND: Duration = Duration::from_millis(200);
/// Aliases that are followed by a question of their own.
const MOST_ALIASES: usize = 4;
/// An answer is used again for so long at most.
const MOST_KEPT: Duration = Duration::from_secs(30);
/// Names that are kept.
const MOST_NAMES: usize = 256;
/// Name servers that are used.
const MOST_SERVERS: usize = 3;

/// How names are resolved.
#[derive(Debug, Default)]
pub(in super::super) struct Resolver {
    servers: Vec<SocketAddr>,
    hosts: HashMap<String, Vec<IpAddr>>,
    kept: Mutex<HashMap<String, (Vec<IpAddr>, Instant)>>,
}

impl Resolver {
    /// With these servers, and lines as hosts(5) has them.
    /// # Errors
    /// When a server is no address, for people.
    pub(in super::super) fn new(servers: &[String], lines: &str) -> Result<Self, String> {
        let read = |text: &String| {
            let bare = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
            bare.or_else(|_| text.parse()).map_err(|_| format!("name server {text:?}: not an address"))
        };
        let servers = servers.iter().take(MOST_SERVERS).map(read).collect::<Result<_, _>>()?;
        Ok(Self { servers, hosts: hosts(lines), kept: Mutex::default() })
    }

    /// The addresses of a name.
    /// # Errors
    /// When it has none.
    pub(in super::super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Denied> {
        if let Some(found) = self.hosts.get(name) {
            return Ok(found.clone());
        }
        if let Some(found) = self.kept(name, Instant::now()) {
            return Ok(found);
        }
        let (mut four, mut six) = (pin!(self.look_up(name, A)), pin!(self.look_up(name, AAAA)));
        let (first, second) = match race(&mut four, &mut six).await {
            First::Left(four) if four.0.is_empty() => (four, six.await),
            First::Left(four) => (four, timeout(SECOND_KIND, six).await.unwrap_or_default()),
            First::Right(six) => (four.await, six),
        };
        let found: Vec<IpAddr> = [first.0, second.0].concat();
        if found.is_empty() {
            return Err(Denied::because(reason::UNRESOLVED));
        }
        self.keep(name, &found, Duration::from_secs(first.1.min(second.1).into()));
        Ok(found)
    }

    fn kept(&self, name: &str, now: Instant) -> Option<Vec<IpAddr>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).filter(|(_, until)| now < *until).map(|(found, _)| found.clone())
    }

    fn keep(&self, name: &str, found: &[IpAddr], life: Duration) {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (_, until)| now < *until);
        if kept.len() < MOST_NAMES && !life.is_zero() {
            kept.insert(name.to_owned(), (found.to_vec(), now + life.min(MOST_KEPT)));
        }
    }

    /// Addresses of one kind, and how long they live; none when no server knows any.
    async fn look_up(&self, name: &str, kind: u16) -> (Vec<IpAddr>, u32) {
        let (mut at, mut least) = (name.to_owned(), u32::MAX);
        for _ in 0..=MOST_ALIASES {
            let Some(answer) = self.ask_all(&at, kind).await else { break };
            least = least.min(answer.seconds);
            match answer.alias {
                Some(alias) if answer.addresses.is_empty() => at = alias,
                _ => return (answer.addresses, least),
            }
        }
        (Vec::new(), u32::MAX)
    }

    async fn ask_all(&self, name: &str, kind: u16) -> Option<Answer> {
        for server in self.servers.iter().cycle().take(self.servers.len() * ROUNDS) {
            match timeout(PATIENCE, ask_one(*server, name, kind)).await {
                Ok(Ok(answer)) if matches!(answer.code, NOERROR | NXDOMAIN) => return Some(answer),
                Ok(Ok(answer)) => tracing::debug!("name server {server}: code {}", answer.code),
                Ok(Err(error)) => tracing::debug!("name server {server}: {error}"),
                Err(_) => tracing::debug!("name server {server}: no answer"),
            }
        }
        None
    }
}

/// One question by UDP from a port of its own, again by TCP when the answer was cut.
async fn ask_one(server: SocketAddr, name: &str, kind: u16) -> io::Result<Answer> {
    let id: [u8; 2] = random_bytes()?;
    let question = ask(id, name, kind).ok_or(io::ErrorKind::InvalidInput)?;
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&question).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let told = read_answer(buffer.get(..length).unwrap_or_default(), id, name, kind);
        match told {
            Some(answer) if answer.cut => return ask_whole(server, id, &question, name, kind).await,
            Some(answer) => return Ok(answer),
            // Not the answer to this question: a forged one, or one that came too late.
            None => {}
        }
    }
}

async fn ask_whole(
    server: SocketAddr,
    id: [u8; 2],
    question: &[u8],
    name: &str,
    kind: u16,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes()[..], question].concat()).await?;
    let mut told = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut told).await?;
    read_answer(&told, id, name, kind).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The lines of hosts(5): an address, then its names.
fn hosts(lines: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut found: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in lines.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let Some(ip) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for name in words.filter_map(plain_name) {
            found.entry(name).or_default().push(ip);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_hosts_are_read_as_the_host_reads_them() {
        let found =
            hosts("# none\n10.0.0.1 Build.internal build # b.org\n::1 build\nnot an address\n1.2.3.4");
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found.get("build.internal"), Some(&vec![ip("10.0.0.1")]));
        assert_eq!(found.get("build"), Some(&vec![ip("10.0.0.1"), ip("::1")]));
    }

    #[test]
    fn a_server_is_an_address_with_or_without_a_port() {
        let servers = ["1.1.1.1", "1.1.1.1:5353", "2001:db8::1", "[2001:db8::1]:54"].map(str::to_owned);
        let ports: Vec<u16> = servers
            .iter()
            .map(|one| Resolver::new(std::slice::from_ref(one), "").unwrap().servers.first().unwrap().port())
            .collect();
        assert_eq!(ports, [53, 5353, 53, 54]);
        assert!(Resolver::new(&["dns.example.org".to_owned()], "").is_err());
    }
}
