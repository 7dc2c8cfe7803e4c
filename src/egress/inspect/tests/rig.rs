//! A host with a certificate of its own, the engine in front of it, and what both saw.

use super::super::authority::Authority;
use super::super::body::{Body, Came, read};
use super::super::tls::{Spoken, Tls};
use super::super::way::{Told, Waiting, Way};
use super::super::{Engine, Materials, read_plain, read_tls};
use crate::egress::client::Client;
use crate::egress::hello::{self, Parsed};
use crate::egress::inspect::refuse::Refusal;
use crate::egress::reason::{self, Denied};
use crate::wire::egress::{Credential, Host, Place, Rule, Tls as RuleTls};
use crate::wire::upload::Upload;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(super) const NAME: &str = "a.example";
pub(super) const REAL: &str = "ghp_real0123456789abcdefREAL";
pub(super) const FAKE: &str = "ghp_fake9876543210zyxwvuFAKE";

/// A request as the host saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    /// It came to its end.
    pub whole: bool,
}

pub(super) type Answer = Arc<dyn Fn(&Seen) -> Response<Body> + Send + Sync>;

/// What a test wants.
pub(super) struct Setup {
    pub rule: Rule,
    pub credentials: Vec<Credential>,
    pub scanner: Option<OwnedFd>,
    pub two: bool,
    pub tls: bool,
    pub answer: Answer,
    /// What the host's certificate is for.
    pub certificate: &'static str,
    /// Answers a person's question.
    pub yes: bool,
}

pub(super) fn rule() -> Rule {
    Rule { tls: RuleTls::Inspect, ..Rule::plain("p.yaml:7", Host::Name { name: NAME.into() }, &[443]) }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            rule: rule(),
            credentials: vec![],
            scanner: None,
            two: false,
            tls: true,
            answer: Arc::new(|seen| Response::new(Body::whole(format!("got {}\n", seen.body.len())))),
            certificate: NAME,
            yes: true,
        }
    }
}

pub(super) fn credential(host: &str, places: &[Place]) -> Credential {
    Credential {
        name: "github".into(),
        placeholder: FAKE.into(),
        secret: REAL.into(),
        hosts: vec![Host::Name { name: host.into() }],
        places: places.to_vec(),
    }
}

/// A connection that leads to the test's host.
#[derive(Debug)]
pub(super) struct Stand {
    rule: Arc<Rule>,
    host: SocketAddr,
    yes: bool,
    pub events: Mutex<Vec<Told>>,
    pub asked: Mutex<Vec<Upload>>,
    pub sent: AtomicU64,
    pub received: AtomicU64,
}

impl Way for Stand {
    fn host(&self) -> &str {
        NAME
    }
    fn port(&self) -> u16 {
        443
    }
    fn rules(&self) -> Vec<Arc<Rule>> {
        vec![self.rule.clone()]
    }
    fn proxied(&self) -> bool {
        false
    }
    fn connect(&self) -> Waiting<'_, Result<TcpStream, Denied>> {
        Box::pin(async {
            TcpStream::connect(self.host).await.map_err(|_| Denied::because(reason::UNREACHABLE))
        })
    }
    fn ask_upload(&self, upload: Upload) -> Waiting<'_, Result<String, Denied>> {
        self.asked.lock().unwrap().push(upload);
        Box::pin(async { if self.yes { Ok("g1".to_owned()) } else { Err(Denied::because(reason::REFUSED)) } })
    }
    fn sent(&self, bytes: u64) -> Waiting<'_, Result<(), Refusal>> {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }
    fn received(&self, bytes: u64) -> Waiting<'_, Result<(), Refusal>> {
        self.received.fetch_add(bytes, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }
    fn request(&self) -> Result<(), Refusal> {
        Ok(())
    }
    fn tell(&self, told: Told) {
        self.events.lock().unwrap().push(told);
    }
    fn hide_name(&self, _: &Host) {}
    fn over(&self) -> Waiting<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Everything, running in a thread of its own until it is dropped.
pub(super) struct Rig {
    /// Where agents connect to.
    pub address: SocketAddr,
    /// The session's authority.
    pub pem: String,
    pub file: PathBuf,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    pub way: Arc<Stand>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        std::fs::remove_file(&self.file).unwrap();
    }
}

pub(super) fn soon() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 3600
}

impl Rig {
    pub(super) fn new(setup: Setup) -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tell.send(start(setup).await).unwrap();
                drop(stopped.await);
            });
        });
        let (address, pem, seen, way) = told.recv().unwrap();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("aisandbox-inspect-{}-{}.pem", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let file = std::env::temp_dir().join(name);
        std::fs::File::create(&file).unwrap().write_all(pem.as_bytes()).unwrap();
        Self { address, pem, file, seen, way, stop: Some(stop), thread: Some(thread) }
    }

    /// Waits until this holds.
    pub(super) fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{what}: {:?}",
                self.way.events.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn reasons(&self) -> Vec<&'static str> {
        self.way.events.lock().unwrap().iter().filter_map(|told| told.reason).collect()
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

type Started = (SocketAddr, String, Arc<Mutex<Vec<Seen>>>, Arc<Stand>);

async fn start(setup: Setup) -> Started {
    let outside = Authority::new(&[setup.certificate.to_owned()], SystemTime::now(), soon()).unwrap();
    let mut engine = Engine::default();
    let pem = engine.authority(&[NAME.to_owned()], soon()).unwrap();
    let roots = bundle(&outside.pem());
    let materials = Materials { roots: Some(roots), dlp: setup.scanner, credentials: setup.credentials };
    engine.start(materials).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let host = listener.local_addr().unwrap();
    let (two, tls, answer) = (setup.two, setup.tls, setup.answer);
    tokio::spawn(serve_host(listener, outside, setup.certificate, two, tls, answer, seen.clone()));
    let way = Arc::new(Stand {
        rule: Arc::new(setup.rule),
        host,
        yes: setup.yes,
        events: Mutex::default(),
        asked: Mutex::default(),
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(accept(listener, Arc::new(engine), way.clone(), tls));
    (address, pem, seen, way)
}

/// PEM by descriptor.
fn bundle(pem: &str) -> OwnedFd {
    let (from, mut to) = std::io::pipe().unwrap();
    to.write_all(pem.as_bytes()).unwrap();
    from.into()
}

async fn accept(listener: TcpListener, engine: Arc<Engine>, way: Arc<Stand>, tls: bool) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (engine, way) = (engine.clone(), way.clone());
        tokio::spawn(async move {
            let mut client = Client::new(stream);
            if !tls {
                client.look(64).await.unwrap();
                let two = client.front().starts_with(super::super::PREFACE);
                let spoken = if two { Spoken::Two } else { Spoken::One };
                return read_plain(&engine, way, client, spoken).await.unwrap();
            }
            let hello = loop {
                match hello::parse(client.front()) {
                    Parsed::Hello(hello) => break hello,
                    _ if client.look(hello::MOST_BYTES).await.unwrap_or(0) == 0 => return,
                    _ => {}
                }
            };
            let events = way.clone();
            if let Err(denied) = read_tls(&engine, way, client, hello).await {
                let told = Told {
                    kind: crate::wire::egress::Kind::Denied,
                    request: None,
                    status: None,
                    rule: denied.rule,
                    grant: None,
                    reason: Some(denied.reason),
                    findings: vec![],
                };
                events.events.lock().unwrap().push(told);
            }
        });
    }
}

async fn serve_host(
    listener: TcpListener,
    authority: Authority,
    certificate: &'static str,
    two: bool,
    tls: bool,
    answer: Answer,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let acceptor = Arc::new(Tls::new(b""));
    let authority = Arc::new(authority);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, authority, answer, seen) =
            (acceptor.clone(), authority.clone(), answer.clone(), seen.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (answer, seen) = (answer.clone(), seen.clone());
                async move { Ok::<_, std::convert::Infallible>(take(request, &answer, &seen).await) }
            });
            let spoken = if two { Spoken::Two } else { Spoken::One };
            if !tls {
                let io = TokioIo::new(stream);
                let served = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
                return drop(served.with_upgrades().await);
            }
            let Ok(stream) = acceptor.accept_as(&authority, certificate, NAME, spoken, stream).await else {
                return;
            };
            let io = TokioIo::new(stream);
            if two {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(io, service).await);
            } else {
                let served = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
                drop(served.with_upgrades().await);
            }
        });
    }
}

async fn take(
    mut request: Request<Incoming>,
    answer: &Answer,
    seen: &Arc<Mutex<Vec<Seen>>>,
) -> Response<Body> {
    let upgrade = request.headers().contains_key("upgrade").then(|| hyper::upgrade::on(&mut request));
    let (parts, mut incoming) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri);
    let mut one = Seen { line, headers: parts.headers, body: vec![], trailers: None, whole: false };
    let early = one.headers.contains_key("x-early").then(|| answer(&one));
    let place = {
        let mut seen = seen.lock().unwrap();
        seen.push(one.clone());
        seen.len() - 1
    };
    let all = seen.clone();
    let work = async move {
        loop {
            match read(&mut incoming).await {
                Ok(Came::Data(data)) => one.body.extend_from_slice(&data),
                Ok(came) => {
                    if let Came::Trailers(trailers) = came {
                        one.trailers = Some(trailers);
                    }
                    one.whole = true;
                    break;
                }
                Err(_) => break,
            }
            all.lock().unwrap()[place] = one.clone();
        }
        all.lock().unwrap()[place] = one.clone();
        one
    };
    if let Some(response) = early {
        tokio::spawn(work);
        return response;
    }
    let one = work.await;
    if let Some(upgrade) = upgrade {
        super::streams::speak(upgrade);
    }
    answer(&one)
}
