//! Where a rule of `network` leads: a name, every name below one, addresses, or the host's own loopback.
//!
//! Never takes a wildcard that spans what different people can register (`*.co.uk`), and never resolves a name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a rule leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Exactly this name, in lower case.
    Name(String),
    /// Every name below this one, not the name itself.
    Below(String),
    /// Addresses: a literal, or what a name resolves to.
    Network {
        /// The first address.
        address: IpAddr,
        /// Bits of the network.
        bits: u8,
    },
    /// The host's own loopback, by the name `localhost` inside.
    Loopback,
}

impl Destination {
    /// What this text names.
    /// # Errors
    /// Why it names nothing, as the hint of a profile's error.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "localhost" {
            return Ok(Self::Loopback);
        }
        if let Some(network) = network(text) {
            return network;
        }
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let label =
            |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
        if name.len() > 253 || !name.bytes().all(fit) || !name.split('.').all(label) {
            return Err("write a name in lower case, an address, 10.0.0.0/8, or `*.example.org`");
        }
        // 127.1 and 0x7f.1 are addresses to inet_aton(3), and so to many programs.
        let last = name.rsplit('.').next().unwrap_or(name);
        if last.starts_with(|first: char| first.is_ascii_digit()) {
            return Err("an address is written in full: 192.0.2.1");
        }
        if below && spans_registrations(name) {
            return Err("anybody can register a name below it: name the domain too");
        }
        Ok(if below { Self::Below(name.into()) } else { Self::Name(name.into()) })
    }
}

/// The text as addresses, if it looks like them.
fn network(text: &str) -> Option<Result<Destination, &'static str>> {
    let (literal, bits) = text.split_once('/').map_or((text, None), |(literal, bits)| (literal, Some(bits)));
    let address: IpAddr = literal.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits.map(str::parse::<u8>) {
        None => most,
        Some(Ok(bits)) if bits <= most => bits,
        Some(_) => return Some(Err("bits of a network are 0 to 32, or 128 for IPv6")),
    };
    if first_of(address, bits) != address {
        return Some(Err("a network begins with its first address: 10.0.0.0/8"));
    }
    Some(Ok(Destination::Network { address, bits }))
}

/// The first address of the network that this one is in.
fn first_of(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

/// The name is a public suffix of registries (`com`, `co.uk`), so names below it belong to different people. Suffixes of
/// companies (`github.io`) are not meant: their owner answers for all of them.
fn spans_registrations(name: &str) -> bool {
    let suffix = psl::suffix(name.as_bytes());
    suffix.is_some_and(|suffix| {
        suffix.as_bytes() == name.as_bytes() && suffix.typ() != Some(psl::Type::Private)
    })
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::Below(name) => write!(out, "*.{name}"),
            Self::Network { address, bits } => {
                let whole = *bits == if address.is_ipv4() { 32 } else { 128 };
                if whole { write!(out, "{address}") } else { write!(out, "{address}/{bits}") }
            }
            Self::Loopback => out.write_str("localhost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_names_one_thing_or_nothing() {
        for text in [
            "api.example.com",
            "*.example.com",
            "*.githubusercontent.com",
            "localhost",
            "192.0.2.1",
            "10.0.0.0/8",
            "2001:db8::/32",
            "0.0.0.0/0",
            "::1",
            "xn--bcher-kva.example",
            "_dmarc.example.org",
        ] {
            let found = Destination::parse(text);
            assert_eq!(found.map(|found| found.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "*.co.uk",
            "Example.org",
            "a..b",
            "a.b.",
            ".a",
            "a_b!",
            "127.1",
            "0x7f.1",
            "2130706433",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "-a.example",
            "*.*.example.org",
            "ex ample",
            "a/b",
        ] {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
    }
}
