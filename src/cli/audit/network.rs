//! Records of the way out as text for people. Every string is escaped: agents wrote most of them.

use crate::audit::network::{Network, NetworkStart};
use crate::base::Escaped;

/// How the way out began.
pub(super) fn start(start: &NetworkStart) -> Vec<String> {
    let mut lines = vec![format!("way out: {}", shown(&start.way))];
    lines.extend(start.rules.iter().map(|rule| format!("rule: {}", shown(rule))));
    lines.extend(start.credentials.iter().map(|name| format!("credential outside: {}", shown(name))));
    lines.extend(start.authority.iter().map(|digest| format!("authority: sha256 {}", shown(digest))));
    lines
}

/// One event.
pub(super) fn event(event: &Network) -> Vec<String> {
    if event.what == "omitted" {
        return vec![format!("{} more events were not recorded one by one", event.count)];
    }
    let port = if event.port == 0 { String::new() } else { format!(":{}", event.port) };
    let mut line = format!("{} {}{port}", shown(&event.what), shown(&event.host));
    if let Some(address) = &event.address {
        line.push_str(&format!(" ({})", shown(address)));
    }
    line.push_str(&format!(", {}", shown(&event.protocol)));
    if let Some(sni) = event.sni.as_ref().filter(|sni| **sni != event.host) {
        line.push_str(&format!(", SNI {}", shown(sni)));
    }
    if let Some(reason) = &event.reason {
        line.push_str(&format!(", refused: {}", shown(reason)));
    }
    let mut lines = vec![line];
    if let Some(request) = &event.request {
        let status = event.status.map(|status| format!(" → {status}")).unwrap_or_default();
        lines.push(format!("{}{status}", shown(request)));
    }
    if event.sent + event.received > 0 {
        lines.push(format!("{} bytes out, {} bytes in", event.sent, event.received));
    }
    if let Some(process) = &event.process {
        lines.push(format!("by {} (process {})", shown(&process.program), process.pid));
    }
    lines.extend(event.rule.iter().map(|rule| format!("rule {}", shown(rule))));
    lines.extend(event.findings.iter().map(|(kind, count)| format!("found {count} × {}", shown(kind))));
    lines
}

fn shown(text: &str) -> Escaped<'_> {
    Escaped(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_named_is_escaped_and_nothing_is_left_out() {
        let denied = Network {
            what: "denied".into(),
            host: "evil\u{1b}[2J.example".into(),
            port: 443,
            protocol: "tls".into(),
            sni: Some("other.example".into()),
            reason: Some("sni-mismatch".into()),
            sent: 5,
            findings: vec![("card".into(), 2)],
            ..Network::default()
        };
        let lines = event(&denied).join("\n");
        assert!(!lines.contains('\u{1b}'), "{lines}");
        for part in [":443", "SNI other.example", "refused: sni-mismatch", "5 bytes out", "found 2 × card"] {
            assert!(lines.contains(part), "{part}: {lines}");
        }
    }
}
