//! How the host resolves names, and the addresses it has itself: what role `egress`, which opens no file, is told.

use crate::wire::egress::ToEgress;
use nix::ifaddrs::getifaddrs;
use std::net::{IpAddr, Ipv4Addr};

/// The most name servers that are asked, as resolv.conf(5) has it.
const MOST_SERVERS: usize = 3;
/// The most bytes of the hosts file that are told: what fits a message beside the rest.
const MOST_HOSTS: usize = 32 * 1024;
/// The most addresses of our own.
const MOST_OWN: usize = 256;

/// The message.
/// # Errors
/// In words, when the host's own addresses cannot be read: then they could not be refused.
pub(super) fn resolver(parent: Option<&str>) -> Result<ToEgress, String> {
    let read = |path: &str| std::fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
    let servers = servers(&read("/etc/resolv.conf").unwrap_or_default());
    let hosts = hosts(&read("/etc/hosts").unwrap_or_default());
    let own = own_addresses()?;
    Ok(ToEgress::Resolver { servers, hosts, own, parent: parent.map(|place| format!("http://{place}")) })
}

/// The name servers of a resolv.conf(5); the host's own when it names none.
fn servers(text: &str) -> Vec<String> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let server = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        // A zone such as %eth0 cannot be told; such a server is a neighbour's.
        server.parse::<IpAddr>().ok().map(|address| address.to_string())
    });
    let servers: Vec<String> = named.take(MOST_SERVERS).collect();
    if servers.is_empty() { vec![Ipv4Addr::LOCALHOST.to_string()] } else { servers }
}

/// Lines of a hosts(5) without comments, as many as fit.
fn hosts(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or(line).trim();
        if line.is_empty() || kept.len() + line.len() >= MOST_HOSTS {
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

fn own_addresses() -> Result<Vec<String>, String> {
    let all = getifaddrs().map_err(|errno| format!("read the host's own addresses: {errno}"))?;
    let addresses = all.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    let own: Vec<String> = addresses.map(|address| address.to_string()).collect();
    if own.len() > MOST_OWN {
        return Err(format!("the host has {} addresses; {MOST_OWN} is the most", own.len()));
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_hosts_are_read_as_their_manuals_say() {
        let text = "# c\nsearch a.example\nnameserver 192.0.2.53\nnameserver\t2001:db8::53 # x\nnameserver fe80::1%eth0\n\
                    options edns0\nnameserver 192.0.2.54\nnameserver 192.0.2.55\n";
        assert_eq!(servers(text), ["192.0.2.53", "2001:db8::53", "192.0.2.54"]);
        assert_eq!(servers(""), ["127.0.0.1"]);
        assert_eq!(
            hosts("127.0.0.1 localhost\n# no\n\n 192.0.2.1  a b # c\n"),
            "127.0.0.1 localhost\n192.0.2.1  a b\n"
        );
        assert!(hosts(&"192.0.2.1 a\n".repeat(10_000)).len() <= MOST_HOSTS);
    }
}
