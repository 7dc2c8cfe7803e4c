//! Samples of the way out.

use super::{digest, some, text, who};
use crate::audit::event::Event;
use crate::audit::network::{Network, NetworkStart};

fn network(what: &str) -> Network {
    Network {
        what: text(what),
        flow: 7,
        host: text("api.example.com"),
        port: 443,
        address: some("192.0.2.10"),
        protocol: text("tls"),
        sni: some("api.example.com"),
        alpn: vec![text("h2"), text("http/1.1")],
        ech: true,
        process: Some(who().process),
        rule: some("cowork.yaml:31"),
        grant: some("8F3K-g2"),
        approval: some("8F3K"),
        token: some(super::access::TOKEN),
        reason: None,
        sent: 2_048,
        received: 51_200,
        requests: 1,
        request: None,
        status: None,
        findings: Vec::new(),
        delay_ms: 3,
        took_ms: 240,
        count: 0,
    }
}

pub(super) fn all() -> Vec<(&'static str, Event)> {
    let of = |network: Network| Event::Network(Box::new(network));
    let request = Network { request: some("POST /v1/messages"), status: Some(200), ..network("request") };
    let denied = Network { reason: some("not-listed"), sent: 0, received: 0, ..network("denied") };
    let dns = Network { flow: 0, port: 0, protocol: text("dns"), sni: None, address: None, ..denied.clone() };
    let alert = Network {
        findings: vec![(text("aws-access-key"), 2)],
        reason: some("credential"),
        ..request.clone()
    };
    let start = NetworkStart {
        way: text("redirect"),
        rules: vec![text("allow api.example.com:443")],
        credentials: vec![text("anthropic")],
        authority: Some(digest("authority")),
    };
    vec![
        ("network_start", Event::NetworkStart(start)),
        ("network", of(network("open"))),
        ("network.request", of(Network { what: text("request"), ..request })),
        ("network.denied", of(denied)),
        ("network.dns", of(dns)),
        ("network.volume", of(network("volume"))),
        ("network.close", of(network("close"))),
        ("network.alert", of(Network { what: text("alert"), ..alert })),
        ("network.omitted", of(Network { count: 40, ..network("omitted") })),
        ("network.lost", of(network("lost"))),
    ]
}
