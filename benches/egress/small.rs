//! Small requests a second, with role `egress` on one processor and its client and server on another: requests on
//! connections that stay, and connections of one request each.

use crate::client::Client;
use crate::role::{self, Role, Way};
use crate::server::{self, Identity};
use crate::table::{Wanted, add, median};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// Clients at one time.
const CLIENTS: usize = 16;
/// One request.
type Act = Box<dyn FnMut() + Send>;

/// How long each is counted.
const WHILE: Duration = Duration::from_secs(1);
/// Processors that the role, and everyone else, is kept on.
const ROLE: usize = 0;
const OTHERS: usize = 1;

pub(crate) fn run() {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // What is started from here on stays where it is.
    thread::spawn(move || {
        if cores > 1 {
            role::pin(Pid::from_raw(0), &[OTHERS]);
        } else {
            println!("there is one processor, which all share");
        }
        measure(cores > 1);
    })
    .join()
    .unwrap();
}

fn measure(pinned: bool) {
    let port = server::plain();
    let role = Role::start(Way::Spliced, port, "");
    let at = role.at;
    let straight = || -> Act { Box::new(move || echo(direct(port))) };
    let through = || -> Act { Box::new(move || echo(at)) };
    rates("connections of one echo, spliced", pinned, &role, &straight, &through);
    drop(role);
    let identity = Identity::new();
    let port = server::tls(&identity, Arc::new(vec![b'x'; 4096]));
    let near = Client::new(direct(port), &identity.pem());
    for (way, name) in
        [(Way::Inspected, "requests, inspected"), (Way::Scanned, "requests, inspected with DLP")]
    {
        let role = Role::start(way, port, &identity.pem());
        let far = Client::new(role.at, &role.authority);
        let kept = |client: &Client| -> Act {
            let mut connection = client.connect();
            Box::new(move || connection.get(100))
        };
        rates(name, pinned, &role, &|| kept(&near), &|| kept(&far));
    }
}

fn direct(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn echo(at: SocketAddr) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(b"\0E12345678").unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
}

/// Counts both in turns.
fn rates(
    name: &str,
    pinned: bool,
    role: &Role,
    near: &(dyn Fn() -> Act + Sync),
    far: &(dyn Fn() -> Act + Sync),
) {
    if pinned {
        role.pin(ROLE);
    }
    let (mut straight, mut through, mut own) = (vec![], vec![], vec![]);
    for _ in 0..crate::turns(7, 1) {
        straight.push(rate(near).0);
        let before = role.time();
        let (rate, count) = rate(far);
        own.push(count / (role.time() - before).as_secs_f64());
        through.push(rate);
    }
    let (straight, through, own) = (median(&mut straight), median(&mut through), median(&mut own));
    println!(
        "{name}: direct {straight:.0} a second, through {through:.0}; {own:.0} in a second of role egress's own time"
    );
    add(format!("{name}, a second"), through, Wanted::Least(5_000.0, 15_000.0));
    add(format!("{name}, a second of its own time"), own, Wanted::Least(5_000.0, 15_000.0));
}

/// What is done by all clients for a while: how often in a second, and how often at all.
fn rate(make: &(dyn Fn() -> Act + Sync)) -> (f64, f64) {
    let (ready, over) = (Barrier::new(CLIENTS + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut act = make();
                    act();
                    ready.wait();
                    let mut count = 0;
                    while !over.load(Ordering::Relaxed) {
                        act();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        ready.wait();
        let began = Instant::now();
        thread::sleep(WHILE / crate::turns(1, 10) as u32);
        over.store(true, Ordering::Relaxed);
        let took = began.elapsed().as_secs_f64();
        let count: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        (f64::from(count) / took, f64::from(count))
    })
}
