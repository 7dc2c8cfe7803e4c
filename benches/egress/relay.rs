//! Role `egress` between a client and a server on loopback, beside the same without it: connect and echo, and throughput
//! spliced.

use crate::role::{Role, Way};
use crate::server::{self, BLOCK, send};
use crate::table::{Wanted, add, median};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

/// Bytes of one transfer.
const TRANSFER: usize = 512 << 20;

pub(crate) fn run() {
    let port = server::plain();
    let role = Role::start(Way::Spliced, port, "");
    let direct = SocketAddr::from(([127, 0, 0, 1], port));
    let through = role.at;
    let (mut near, mut far) = (vec![], vec![]);
    for _ in 0..crate::turns(3000, 30) {
        near.push(echo(direct));
        far.push(echo(through));
    }
    let (near, far) = (median(&mut near), median(&mut far));
    println!("connect + echo, p50: direct {near:.0} µs, through {far:.0} µs");
    add("connect + echo, against direct", far / near, Wanted::Most(5.0, 3.0));
    let size = TRANSFER / crate::turns(1, 64);
    for (way, letter) in [("down", b'D'), ("up", b'U')] {
        let (mut near, mut far, mut shares) = (vec![], vec![], vec![]);
        for _ in 0..crate::turns(9, 1) {
            let (straight, spliced) = (transfer(direct, letter, size), transfer(through, letter, size));
            near.push(straight);
            far.push(spliced);
            shares.push(spliced / straight);
        }
        let (near, far, share) = (median(&mut near), median(&mut far), median(&mut shares));
        println!("{way}: direct {near:.1} Gbit/s, spliced {far:.1}");
        add(format!("throughput spliced, {way}, against direct"), share, Wanted::Least(0.40, 0.60));
    }
}

/// Microseconds of a connection with one echo.
fn echo(at: SocketAddr) -> f64 {
    let began = Instant::now();
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(b"\0E12345678").unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    began.elapsed().as_secs_f64() * 1e6
}

/// Gbit/s of one transfer.
fn transfer(at: SocketAddr, letter: u8, size: usize) -> f64 {
    let mut stream = TcpStream::connect(at).unwrap();
    let mut buffer = vec![0; BLOCK];
    let began = Instant::now();
    stream.write_all(&[&[0, letter][..], &size.to_le_bytes()].concat()).unwrap();
    if letter == b'U' {
        send(&mut stream, &buffer, size).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    }
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
    size as f64 * 8.0 / began.elapsed().as_secs_f64() / 1e9
}
