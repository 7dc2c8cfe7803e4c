//! The ways from a network namespace to a proxy outside it, tried: a connection brought to a listener, a datagram refused.
//!
//! Never touches a network outside its child's own. What the kernel is asked for comes from the caller, who lays out
//! launches too.

use super::{State, Verdict, told};
use crate::host::userns::{errno_of, map_ids_to};
use crate::sys::netlink::{self, Part};
use crate::sys::probe::{self, StepFailure, Trial};
use crate::sys::{Errno, Sys, net, process};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

/// What a launch asks the kernel for, as netlink batches.
#[derive(Debug, Clone, Copy, Default)]
pub struct WaysOut<'a> {
    /// The sandbox's own address.
    pub address: &'a [u8],
    /// Every address is local.
    pub everything: &'a [u8],
    /// The packet filter's table.
    pub table: &'a [u8],
    /// Where the table redirects to.
    pub redirected_port: u16,
}

const STEPS: &[(u8, &str)] = &[
    (1, "write the id maps"),
    (2, "bring loopback up"),
    (3, "make every address local"),
    (4, "make a table of nftables"),
    (5, "receive a connection to another address"),
    (6, "have a datagram to another address refused"),
];

/// An address for documentation (RFC 5737): nobody has it.
const ELSEWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), 443);

pub(super) fn egress(ways: WaysOut<'_>) -> Verdict {
    const LAYER: &str = "egress";
    let redirect = tried(|| by_redirect(ways));
    if matches!(redirect, Ok(Trial::Held)) {
        let why = "redirected a connection to a listener and refused a datagram (nftables)";
        return Verdict::enforced(LAYER, why);
    }
    let fix = "modprobe -a nf_tables nft_chain_nat nft_redir nft_reject_inet nft_ct; in a container, let it use nftables";
    let why = format!("redirect: {}", told(&redirect, STEPS));
    let anyip = tried(|| by_local_addresses(ways));
    if matches!(anyip, Ok(Trial::Held)) {
        let why = format!("{why}; anyip: it held, for the ports of the policy");
        return Verdict::lacking(LAYER, State::Degraded, why, fix);
    }
    let why = format!("{why}; anyip: {}", told(&anyip, STEPS));
    let proxy = tried(by_loopback);
    let why = format!("{why}; proxy: {}", told(&proxy, STEPS));
    let state = if matches!(proxy, Ok(Trial::Held)) { State::Degraded } else { State::Missing };
    Verdict::lacking(
        LAYER,
        state,
        why,
        if state == State::Missing { "what the layer namespaces needs" } else { fix },
    )
}

fn tried(work: impl FnOnce() -> Result<(), StepFailure>) -> Sys<Trial> {
    const FLAGS: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
    let ids = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    probe::in_child(u64::from(FLAGS.unsigned_abs()), None, || {
        process::set_dumpable(true).map_err(at(1))?;
        map_ids_to(ids, (0, 0)).map_err(at(1))?;
        net::loopback_up().map_err(at(2))?;
        work()
    })
}

fn at(step: u8) -> impl Fn(Errno) -> StepFailure {
    move |errno| (step, errno)
}

fn make_local(ways: WaysOut<'_>) -> Result<(), StepFailure> {
    netlink::carry_out(Part::Route, ways.address).map_err(at(3))?;
    netlink::carry_out(Part::Route, ways.everything).map_err(at(3))
}

fn by_redirect(ways: WaysOut<'_>) -> Result<(), StepFailure> {
    make_local(ways)?;
    netlink::carry_out(Part::Netfilter, ways.table).map_err(at(4))?;
    arrives(ways.redirected_port, net::original_destination)?;
    let datagrams = UdpSocket::bind("0.0.0.0:0").map_err(|error| (6, errno_of(&error)))?;
    match datagrams.send_to(b"x", ELSEWHERE) {
        Err(_) => Ok(()),
        Ok(_) => Err((6, Errno::EALREADY)),
    }
}

fn by_local_addresses(ways: WaysOut<'_>) -> Result<(), StepFailure> {
    make_local(ways)?;
    arrives(ELSEWHERE.port(), net::local_address)
}

/// A connection to another address comes to a listener at this port, and says where it wanted to go.
fn arrives(port: u16, wanted: impl Fn(BorrowedFd<'_>) -> Sys<SocketAddr>) -> Result<(), StepFailure> {
    let step = |error: &std::io::Error| (5, errno_of(error));
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map_err(|error| step(&error))?;
    let _client = TcpStream::connect(ELSEWHERE).map_err(|error| step(&error))?;
    listener.set_nonblocking(true).map_err(|error| step(&error))?;
    let (came, _) = listener.accept().map_err(|error| step(&error))?;
    match wanted(came.as_fd()).map_err(at(5))? {
        found if found == ELSEWHERE => Ok(()),
        _ => Err((5, Errno::EALREADY)),
    }
}

fn by_loopback() -> Result<(), StepFailure> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(drop).map_err(|error| (5, errno_of(&error)))
}
