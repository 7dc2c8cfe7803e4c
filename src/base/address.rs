//! Which internet addresses belong to a machine itself, to its network, or to a metadata service, in every form.
//!
//! Never resolves a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why nobody connects to this address unasked. One that carries an IPv4 address (mapped, compatible, NAT64, 6to4) is
/// judged by that too.
pub fn reserved(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => four(ip),
        IpAddr::V6(ip) => six(ip).or_else(|| carried(ip).and_then(four)),
    }
}

/// Whether a name is by its form one of a machine's or network's own: a single word, or below a domain that no registry
/// gives away (RFC 6761, 6762, 8375, ICANN's `internal`, and those that routers use).
pub fn is_private_name(name: &str) -> bool {
    const OWN: [&str; 9] =
        ["localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "localdomain"];
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or(&name);
    !name.contains('.') || OWN.contains(&last) || name.ends_with(".home.arpa")
}

/// Whether this address stands for an IPv4 address, or for a tunnel to one: mapped, compatible, translated, NAT64, 6to4,
/// Teredo.
pub fn stands_for_another(ip: Ipv6Addr) -> bool {
    carried(ip).is_some() || matches!(ip.segments(), [0x2001, 0, ..] | [0x64, 0xff9b, ..])
}

/// Whether this address is in the network of so many bits that begins there. Never across the two families.
pub fn is_within(ip: IpAddr, first: IpAddr, bits: u8) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let Some(rest) = width.checked_sub(bits.into()) else { return false };
        a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
    };
    match (ip, first) {
        (IpAddr::V4(ip), IpAddr::V4(first)) => same(u32::from(ip).into(), u32::from(first).into(), 32),
        (IpAddr::V6(ip), IpAddr::V6(first)) => same(ip.into(), first.into(), 128),
        _ => false,
    }
}

fn four(ip: Ipv4Addr) -> Option<&'static str> {
    let [first, second, third, last] = ip.octets();
    match (first, second, third) {
        (0, ..) => Some("an address of this network"),
        (127, ..) => Some("an address of this machine"),
        (169, 254, _) => Some("a link-local address, where metadata services are"),
        (168, 63, 129) if last == 16 => Some("an address of a metadata service"),
        (100, 64..=127, _) => Some("an address of a carrier's or cloud's inside"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("an address of a private network"),
        (192, 0, 0) | (198, 18..=19, _) => Some("an address of a reserved network"),
        (224.., ..) => Some("no address of one host"),
        _ => None,
    }
}

fn six(ip: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = ip.segments();
    match (first, second) {
        _ if ip.is_unspecified() || ip.is_loopback() => Some("an address of this machine"),
        (0xfe80..=0xfebf, _) => Some("a link-local address"),
        (0xfc00..=0xfdff, _) | (0xfec0..=0xfeff, _) => Some("an address of a private network"),
        (0xff00.., _) => Some("no address of one host"),
        (0x0064, 0xff9b) if ip.segments().get(2) == Some(&1) => Some("an address of a private network"),
        _ => None,
    }
}

/// The IPv4 address inside, where the form has one.
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let words = ip.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match words {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(of(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(of(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_own_addresses_and_no_others() {
        let within =
            |ip: &str, first: &str, bits| is_within(ip.parse().unwrap(), first.parse().unwrap(), bits);
        assert!(within("10.1.2.3", "10.0.0.0", 8) && !within("11.0.0.0", "10.0.0.0", 8));
        assert!(within("1.2.3.4", "1.2.3.4", 32) && !within("1.2.3.5", "1.2.3.4", 32));
        assert!(within("255.1.1.1", "0.0.0.0", 0) && within("::1", "::", 0));
        assert!(within("fd00::9", "fd00::", 8) && !within("fe00::9", "fd00::", 8));
        assert!(!within("::ffff:10.0.0.1", "10.0.0.0", 8), "never across the families");
        assert!(!within("1.2.3.4", "1.2.3.4", 33), "no such network");
    }

    #[test]
    fn a_name_without_a_registry_is_private() {
        for name in ["intranet", "nas.local", "metadata.google.internal", "x.home.arpa.", "A.LAN", "a.b.corp"]
        {
            assert!(is_private_name(name), "{name}");
        }
        for name in ["example.org", "local.example.org", "internal.example", "home.arpa", "a.co.uk"] {
            assert!(!is_private_name(name), "{name}");
        }
    }

    #[test]
    fn forms_that_stand_for_another_address_are_known() {
        let known =
            ["::ffff:1.1.1.1", "::1.1.1.1", "64:ff9b::101:101", "64:ff9b:1::1", "2002:101:101::", "2001::1"];
        for ip in known {
            assert!(stands_for_another(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["2606:4700::1111", "2001:db8::1", "fd00::1"] {
            assert!(!stands_for_another(ip.parse().unwrap()), "{ip}");
        }
        assert!(reserved("168.63.129.16".parse().unwrap()).is_some());
        assert!(reserved("168.63.129.17".parse().unwrap()).is_none());
    }
}
