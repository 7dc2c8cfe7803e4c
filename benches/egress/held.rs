//! Connections that are held at one time: how many, and what one takes of role `egress`'s memory.

use crate::client::Client;
use crate::role::{Role, Way};
use crate::server::{self, Identity};
use crate::table::{Wanted, add};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// More than are aimed at.
const MOST: usize = 5_200;
/// Connections that are inspected, for their memory.
const INSPECTED: usize = 400;

pub(crate) fn run() {
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    // The bench itself holds both ends.
    let most = crate::turns(MOST, 600).min(usize::try_from(hard).unwrap_or(MOST).saturating_sub(200) / 2);
    let port = server::plain();
    let role = Role::start(Way::Spliced, port, "");
    let empty = role.memory();
    let held: Vec<TcpStream> = (0..most).map_while(|_| hold(role.at)).collect();
    report("spliced", held.len(), empty, &role);
    add("connections held", held.len() as f64, Wanted::Least(512.0, 5_000.0));
    drop((held, role));
    let identity = Identity::new();
    let port = server::tls(&identity, Arc::new(vec![b'x'; 4096]));
    let role = Role::start(Way::Inspected, port, &identity.pem());
    let client = Client::new(role.at, &role.authority);
    let empty = role.memory();
    let count = INSPECTED / crate::turns(1, 20);
    let held: Vec<_> = (0..count)
        .map(|_| {
            let mut connection = client.connect();
            connection.get(100);
            connection
        })
        .collect();
    report("inspected", held.len(), empty, &role);
}

/// A connection that had its echo and stays; `None` when it was refused.
fn hold(at: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.write_all(b"\0H12345678").ok()?;
    stream.read_exact(&mut [0; 10]).ok()?;
    Some(stream)
}

fn report(name: &str, count: usize, empty: Option<u64>, role: &Role) {
    match (empty, role.memory()) {
        (Some(before), Some(now)) => {
            let each = (now.saturating_sub(before)) as f64 / count as f64 / 1024.0;
            println!(
                "{count} connections held, {name}: {:.1} MiB, {each:.1} KiB each",
                now as f64 / f64::from(1 << 20)
            );
        }
        _ => println!("{count} connections held, {name}; only root may know the memory of the role"),
    }
}
