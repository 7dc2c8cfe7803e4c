//! Egress: how the network namespace of a filtered run is connected to the proxy outside it.
//!
//! Decides and lays out bytes; never makes a socket. The namespace has no interface but `lo`, so nothing leaves it: what
//! is here only brings connections to sockets that the proxy holds. A lower rung catches fewer programs and lets
//! nothing more out.

mod files;
mod message;
mod route;
mod table;

pub(super) use files::{LOOKUPS, WHY_HIDDEN, prepare_view};

use crate::profile::{Destination, Network, NetworkMode, NetworkWay};
use std::net::Ipv4Addr;

/// The sandbox's own address; the proxy answers lookups there and has its endpoints there (RFC 2544: no real network).
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Where connections arrive that the packet filter redirects: above the ports that programs are given by themselves.
pub const REDIRECTED_PORT: u16 = 61_443;
/// An HTTP proxy for programs that are set up for one.
pub const CONNECT_PORT: u16 = 3128;
/// A SOCKS5 proxy for the same.
pub const SOCKS_PORT: u16 = 1080;
/// Names are asked for here.
pub const NAME_PORT: u16 = 53;
/// The most ports that are listened on where the packet filter cannot be had.
pub const MOST_PORTS: usize = 64;

/// Connections into a sandbox that publishes a port, all together.
const INWARD: u16 = 64;

/// How connections reach the proxy, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// The packet filter (nftables) redirects every TCP connection to one listener.
    Redirect,
    /// Every address is local, and each port of the policy has a listener.
    AnyIp,
    /// Programs must be told of a proxy on loopback; nothing else is caught.
    Proxy,
}

impl Rung {
    /// Every rung, best first.
    pub const ALL: [Self; 3] = [Self::Redirect, Self::AnyIp, Self::Proxy];

    /// Its name in profiles, messages and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::AnyIp => "anyip",
            Self::Proxy => "proxy",
        }
    }

    /// What it means, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Redirect => "every TCP connection is redirected to the proxy (nftables)",
            Self::AnyIp => "connections reach the proxy on the ports of the policy alone: no nftables here",
            Self::Proxy => {
                "only programs that use a proxy reach anything: no nftables and no local routes here"
            }
        }
    }
}

/// What the child does for a filtered network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What is tried, in order; the first that holds is kept.
    pub rungs: Vec<Rung>,
    /// Ports with a listener of their own on [`Rung::AnyIp`]; at most [`MOST_PORTS`] are used.
    pub ports: Vec<u16>,
    /// Ports of the loopback inside that lead to the host's; at most [`MOST_PORTS`] are used.
    pub local: Vec<u16>,
    /// Unconnected TCP sockets of the namespace that are handed out, each for one connection into it.
    pub inward: u16,
}

/// The way out of a run with this network; `None` where the network is not filtered.
pub fn way(network: &Network) -> Option<Way> {
    let rungs = match network.way {
        NetworkWay::Auto => Rung::ALL.to_vec(),
        NetworkWay::Redirect => vec![Rung::Redirect],
        NetworkWay::AnyIp => vec![Rung::AnyIp],
        NetworkWay::Proxy => vec![Rung::Proxy],
    };
    // The first three are taken even where no rule names them: who comes there can be told why not.
    let ports =
        [NAME_PORT, 80, 443].into_iter().chain(network.allow.iter().flat_map(|rule| rule.ports.clone()));
    let inward = if network.publish.is_empty() { 0 } else { INWARD };
    let here = network.allow.iter().filter(|rule| rule.host == Destination::Loopback);
    let local = here.flat_map(|rule| rule.ports.clone()).collect();
    let way = Way { rungs, ports: ports.collect(), local, inward };
    (network.mode == NetworkMode::Filtered).then_some(way)
}

impl Way {
    /// What is tried, for people.
    pub fn text(&self) -> String {
        let names: Vec<&str> = self.rungs.iter().map(|rung| rung.name()).collect();
        format!("connections are brought to our proxy by {}", names.join(", else "))
    }
}

/// What the kernel is asked for, as netlink batches.
#[derive(Debug, Clone)]
pub struct Batches {
    /// [`ADDRESS`] on `lo`.
    pub address: Vec<u8>,
    /// Every IPv4 address is local.
    pub everything: Vec<u8>,
    /// Every IPv6 address is local.
    pub everything_of_ipv6: Vec<u8>,
    /// The packet filter's table.
    pub table: Vec<u8>,
}

impl Batches {
    /// Writes them.
    pub fn new() -> Self {
        Self {
            address: route::address(),
            everything: route::everything(),
            everything_of_ipv6: route::everything_of_ipv6(),
            table: table::table(),
        }
    }
}

impl Default for Batches {
    fn default() -> Self {
        Self::new()
    }
}

/// Variables that tell programs of the proxy, on [`Rung::Proxy`] alone: where connections are caught they would only
/// keep a program from using its own names and ports.
pub fn proxy_variables() -> Vec<(&'static str, String)> {
    let http = format!("http://127.0.0.1:{CONNECT_PORT}");
    let socks = format!("socks5h://127.0.0.1:{SOCKS_PORT}");
    let none = "localhost,127.0.0.1,::1".to_owned();
    vec![
        ("HTTP_PROXY", http.clone()),
        ("http_proxy", http.clone()),
        ("HTTPS_PROXY", http.clone()),
        ("https_proxy", http),
        ("ALL_PROXY", socks.clone()),
        ("all_proxy", socks),
        ("NO_PROXY", none.clone()),
        ("no_proxy", none),
    ]
}
