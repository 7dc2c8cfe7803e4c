//! Whether a filtered network would let a host be reached, and by which line: for `why`.
//!
//! Never resolves a name; what it leads to is found out when something connects.

use super::{rules, secrets, treatment};
use crate::cli::why::Answer;
use crate::profile::{Destination, Network, TlsUse};

/// The answer about `HOST` or `HOST:PORT`; port 443 where none is said.
pub(in crate::cli) fn about(network: &Network, subject: &str) -> Answer {
    let (host, port) = parts(subject);
    let holds = |destination: &Destination| rules::host(destination).holds(&host);
    let denied =
        network.deny.iter().find(|rule| holds(&rule.host) && rule.port.is_none_or(|only| only == port));
    if let Some(rule) = denied {
        return Answer { allowed: false, lines: vec![format!("{} is denied ({})", rule.host, rule.asked)] };
    }
    let here = network.allow.iter().filter(|rule| holds(&rule.host) && rule.ports.contains(&port));
    let mut lines: Vec<String> = Vec::new();
    for rule in here {
        let ask = if rule.ask { ", after a person said yes" } else { "" };
        let unread = if rule.tls == TlsUse::Splice { ", passed on unread" } else { "" };
        let how = treatment(rule);
        lines.push(format!("{} port {port}{ask}{unread}{how} ({})", rule.host, rule.asked));
        for one in network.credentials.iter().filter(|one| rule.own_login && one.hosts.contains(&rule.host)) {
            lines.push(format!("login {}: {} ({})", one.name, secrets::about(&one.source), one.asked));
        }
    }
    let allowed = !lines.is_empty();
    if !allowed {
        lines.push(format!("no rule of network.allow names this host and port {port} ({})", network.asked));
    }
    Answer { allowed, lines }
}

fn parts(subject: &str) -> (String, u16) {
    let split = subject.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = match split {
        // More colons are an address of IPv6, unless it stands in brackets.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => (subject, 443),
    };
    let bare = host.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(host);
    (bare.trim_end_matches('.').to_ascii_lowercase(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_host_and_a_port() {
        for (subject, host, port) in [
            ("A.Example.", "a.example", 443),
            ("a.example:80", "a.example", 80),
            ("::1", "::1", 443),
            ("[::1]:5432", "::1", 5432),
            ("192.0.2.1:22", "192.0.2.1", 22),
            ("a.example:x", "a.example:x", 443),
        ] {
            assert_eq!(parts(subject), (host.to_owned(), port), "{subject}");
        }
    }
}
