//! Throughput of TLS that ends in role `egress` and begins anew, with and without role `dlp`, beside TLS straight to the
//! same server.
//!
//! What is sent is source code, which costs role `dlp` more than other text.

use crate::client::Client;
use crate::role::{Role, Way};
use crate::server::{self, Identity};
use crate::table::{Wanted, add, median};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of one transfer, and of one that role `dlp` reads.
const TRANSFER: usize = 256 << 20;
const SCANNED: usize = 96 << 20;

pub(crate) fn run() {
    let text = Arc::new(super::dlp::readable_source());
    let identity = Identity::new();
    let port = server::tls(&identity, text.clone());
    let direct = Client::new(SocketAddr::from(([127, 0, 0, 1], port)), &identity.pem());
    // Each has the same address, so one runs at a time.
    for (way, name, wanted) in
        [(Way::Inspected, "inspected", (0.25, 0.35)), (Way::Scanned, "inspected with DLP", (0.12, 0.2))]
    {
        let role = Role::start(way, port, &identity.pem());
        let through = Client::new(role.at, &role.authority);
        for up in [false, true] {
            let size = if up && way == Way::Scanned { SCANNED } else { TRANSFER } / crate::turns(1, 32);
            let word = if up { "up" } else { "down" };
            let (mut near, mut far, mut shares, mut costs) = (vec![], vec![], vec![], vec![]);
            for _ in 0..crate::turns(9, 1) {
                let straight = transfer(&direct, &text, up, TRANSFER / crate::turns(1, 32));
                let before = role.time();
                let read = transfer(&through, &text, up, size);
                costs.push((role.time() - before).as_secs_f64() * 1e9 / size as f64);
                near.push(straight);
                far.push(read);
                shares.push(read / straight);
            }
            let (near, far, share) = (median(&mut near), median(&mut far), median(&mut shares));
            let cost = median(&mut costs);
            println!(
                "{name}, {word}: direct {near:.2} Gbit/s, through {far:.2}, {share:.2} of it; role egress {cost:.2} ns a byte"
            );
            add(
                format!("throughput {name}, {word}, against direct TLS"),
                share,
                Wanted::Least(wanted.0, wanted.1),
            );
        }
    }
}

/// Gbit/s of one transfer, without its handshake.
fn transfer(client: &Client, text: &[u8], up: bool, size: usize) -> f64 {
    let mut connection = client.connect();
    connection.get(1);
    let began = Instant::now();
    if up {
        connection.post(text, size);
    } else {
        connection.get(size);
    }
    size as f64 * 8.0 / began.elapsed().as_secs_f64() / 1e9
}
