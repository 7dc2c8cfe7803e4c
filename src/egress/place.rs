//! Where a connection wants to go, before anything is resolved.

use std::fmt;
use std::net::IpAddr;

/// The most bytes of a name.
const MOST_NAME: usize = 253;
/// The most bytes of one label of a name.
const MOST_LABEL: usize = 63;

/// Where a connection wants to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A name: lower-case, without a dot at the end.
    Name(String),
    /// A literal address. Never loopback, never an IPv4 address in the form of IPv6.
    Address(IpAddr),
    /// The loopback of the host.
    Here,
}

impl Place {
    /// What an address means.
    pub(super) fn of_ip(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        if ip.is_loopback() { Self::Here } else { Self::Address(ip) }
    }

    /// What a host of a request or of a proxy's client means. `None` when it is no host.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse() {
            return Some(Self::of_ip(ip));
        }
        let name = plain_name(text)?;
        // 2130706433, 0x7f.1 and 127.1 are addresses to inet_aton(3), and so to many programs.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let here = name == "localhost" || name.ends_with(".localhost");
        Some(if here { Self::Here } else { Self::Name(name) })
    }
}

/// A host name as rules have it: lower-case, no dot at the end. `None` when it is none.
pub(super) fn plain_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let label = |label: &str| !label.is_empty() && label.len() <= MOST_LABEL && label.bytes().all(letter);
    (name.len() <= MOST_NAME && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::Address(ip) => ip.fmt(out),
            Self::Here => out.write_str("localhost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_means_one_place_however_it_is_written() {
        let name = |text: &str| Some(Place::Name(text.to_owned()));
        assert_eq!(Place::of_text("API.Example.org."), name("api.example.org"));
        assert_eq!(Place::of_text("[2001:db8::1]"), Some(Place::Address("2001:db8::1".parse().unwrap())));
        assert_eq!(Place::of_text("::ffff:1.2.3.4"), Some(Place::Address("1.2.3.4".parse().unwrap())));
        for here in ["localhost", "LOCALHOST.", "a.localhost", "127.9.9.9", "[::1]", "::ffff:127.0.0.1"] {
            assert_eq!(Place::of_text(here), Some(Place::Here), "{here}");
        }
        for none in
            ["", ".", "a..b", "127.1", "2130706433", "0x7f.1", "a b", "ex\u{e4}mple.org", "a/b", "a:1"]
        {
            assert_eq!(Place::of_text(none), None, "{none}");
        }
        assert_eq!(Place::of_text(&"a".repeat(64)), None);
        assert_eq!(Place::of_text(&format!("{}a", "a.".repeat(127))), None);
    }
}
