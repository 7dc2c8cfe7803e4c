//! `network`, `credentials` and `dlp` of a profile: what is written becomes rules, and what makes no sense is refused
//! with its line.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::profile::{
    ByProgram, Context, Destination, Profile, ProfileError, SecretSource, TlsUse, load_str, to_json, to_text,
};

use std::collections::BTreeMap;

fn person() -> Context {
    Context {
        home: "/home/u".into(),
        user: "u".into(),
        uid: nix::unistd::getuid().as_raw(),
        pwd: "/home/u/work".into(),
        env: BTreeMap::new(),
        search: Vec::new(),
    }
}

fn read(text: &str) -> Result<Profile, Vec<ProfileError>> {
    load_str("x.yaml", &format!("version: 1\n{text}"), &person())
}

fn refused(text: &str) -> String {
    let errors = read(text).unwrap_err();
    let lines: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}: {}", error.asked, error.message, error.hint.as_deref().unwrap_or("")))
        .collect();
    lines.join("\n")
}

const WHOLE: &str = "network:\n  mode: filtered\n  allow:\n    - { host: api.example.com }\n    \
    - { host: '*.example.org', ports: [443, 8443], tls: inspect, methods: [GET], paths: [/v1/, /x], access: ask,\n        \
    scan: false, unscannable: allow, limits: { upload_rate: 1M, connections: 3 } }\n    \
    - { host: localhost, port: 5432, programs: [/usr/bin/psql, \
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef] }\n    \
    - { host: git.example.net, port: 22, tls: deny, networks: [10.0.0.0/8] }\n    - { host: 192.0.2.0/24, port: 80 }\n  \
    deny: [{ host: '*.paste.example' }, { host: bad.example, port: 80 }]\n  \
    limits: { upload_total: 512M, request_body: 2M, ask_above: 1M }\n  publish: [{ inside: 3000 }, { inside: 80, port: 8080 }]\n  \
    parent_proxy: http://proxy.example:3128\ncredentials:\n  \
    - { name: api, source: { environment: API_KEY }, hosts: ['*.example.org'], places: [header, body], variable: API_KEY }\n  \
    - { name: c, source: { command: [/usr/bin/pass, show, x] }, hosts: ['*.example.org'] }\n  \
    - { name: k, source: { keyring: { service: x } }, hosts: ['*.example.org'] }\n  \
    - { name: f, source: { file: ~/key }, hosts: ['*.example.org'] }\n\
    dlp: { actions: { card: redact, '*': block }, rules: [/etc/x.toml], canaries: false }\n";

#[test]
fn what_is_written_becomes_rules_and_means_the_same_when_shown() {
    let profile = read(WHOLE).unwrap();
    let network = &profile.network;
    let ports: Vec<&[u16]> = network.allow.iter().map(|rule| rule.ports.as_slice()).collect();
    assert_eq!(ports, [&[443][..], &[443, 8443], &[5432], &[22], &[80]]);
    let second = &network.allow[1];
    assert_eq!(
        (second.tls, second.ask, second.scan, second.unscannable),
        (TlsUse::Inspect, true, false, true)
    );
    assert_eq!((second.limits.upload_rate, second.limits.connections), (Some(1 << 20), Some(3)));
    assert_eq!(network.allow[2].host, Destination::Loopback);
    assert!(matches!(network.allow[2].programs[..], [ByProgram::Path(_), ByProgram::Digest(_)]));
    assert_eq!(network.parent_proxy.as_ref().unwrap().0, "proxy.example:3128");
    assert_eq!((network.publish[0].port, network.publish[1].port), (3000, 8080));
    assert!(
        matches!(&network.credentials[3].source, SecretSource::File(path) if path.to_string() == "/home/u/key")
    );
    assert!(network.inspects());
    let again = load_str("again.yaml", &to_text(&profile), &person()).unwrap();
    assert_eq!(to_json(&again), to_json(&profile));
}

#[test]
fn several_hosts_share_one_rule_and_each_keeps_its_own_line() {
    let text = "network:\n  mode: filtered\n  allow:\n    - hosts:\n        - a.example\n        - b.example\n      \
                tls: inspect\n      login: own\n      findings: redact\n      trace: keep\n      paths: [\"/*/x\"]\n\
                credentials:\n  - { name: k, source: { environment: K }, hosts: [a.example, b.example], optional: true }\n";
    let profile = read(text).unwrap();
    let rules: Vec<(String, String)> =
        profile.network.allow.iter().map(|rule| (rule.host.to_string(), rule.asked.to_string())).collect();
    assert_eq!(
        rules,
        [("a.example".to_owned(), "x.yaml:6".to_owned()), ("b.example".to_owned(), "x.yaml:7".to_owned())]
    );
    assert!(
        profile
            .network
            .allow
            .iter()
            .all(|rule| rule.own_login && rule.redact && rule.trace && rule.ports == [443])
    );
    assert!(profile.network.credentials[0].optional);
    let again = load_str("again.yaml", &to_text(&profile), &person()).unwrap();
    assert_eq!(to_json(&again), to_json(&profile));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line() {
    for (text, words) in [
        (
            "network:\n  allow: [{ host: '*.co.uk' }]\n",
            "x.yaml:3: not a host: `*.co.uk`: anybody can register",
        ),
        ("network:\n  allow: [{ host: localhost }]\n", "x.yaml:3: localhost without a port"),
        ("network:\n  allow: [{ host: a.example, port: 1, ports: [2] }]\n", "either `port` or `ports`"),
        ("network:\n  allow: [{ host: a.example, port: 0 }]\n", "port 0"),
        ("network:\n  allow: [{ host: a.example, methods: [GET] }]\n", "add tls: inspect"),
        (
            "network:\n  allow: [{ host: a.example, tls: inspect, methods: [get] }]\n",
            "not an HTTP method: `get`",
        ),
        (
            "network:\n  allow: [{ host: a.example, tls: inspect, paths: [/a/../b] }]\n",
            "not the beginning of a path",
        ),
        (
            "network:\n  allow: [{ host: a.example, tls: inspect, paths: [x] }]\n",
            "not the beginning of a path",
        ),
        (
            "network:\n  allow: [{ host: a.example, tls: inspect, paths: ['/a%2e'] }]\n",
            "not the beginning of a path",
        ),
        ("network:\n  allow: [{ host: a.example, networks: [b.example] }]\n", "not a network: `b.example`"),
        ("network:\n  allow: [{ host: 10.0.0.1/8 }]\n", "its first address"),
        ("network:\n  publish: [{ inside: 80 }]\n", "port 80 cannot be published"),
        ("network:\n  publish: [{ inside: 2000 }, { inside: 2001, port: 2000 }]\n", "published twice"),
        ("network:\n  parent_proxy: https://x\n", "not a proxy"),
        ("credentials: [{ name: a, source: {}, hosts: [a.example] }]\n", "a secret has one source"),
        (
            "credentials: [{ name: a, source: { environment: A, file: /x }, hosts: [a.example] }]\n",
            "a secret has one source",
        ),
        ("credentials: [{ name: a, source: { command: [pass] }, hosts: [a.example] }]\n", "an absolute path"),
        ("credentials: [{ name: a, source: { environment: A }, hosts: [] }]\n", "`a` has no host"),
        (
            "network: { mode: filtered, allow: [{ host: a.example }] }\ncredentials:\n  \
             - { name: a, source: { environment: A }, hosts: [a.example] }\n",
            "x.yaml:4: `a` for a.example, which is not read",
        ),
        ("network:\n  allow: [{ port: 1 }]\n", "needs either `host` or `hosts`"),
        ("network:\n  allow: [{ host: a.example, hosts: [b.example] }]\n", "needs either `host` or `hosts`"),
        ("network:\n  allow: [{ hosts: [a.example, localhost] }]\n", "localhost without a port"),
        ("network:\n  allow: [{ host: a.example, login: own }]\n", "add tls: inspect"),
        (
            "network: { mode: filtered, allow: [{ host: a.example, tls: inspect, login: own }] }\n",
            "x.yaml:2: `login: own` for a.example, which no credential is for",
        ),
        (
            "network:\n  allow: [{ host: a.example, tls: inspect, paths: ['/a*'] }]\n",
            "not the beginning of a path: `/a*`: it begins with",
        ),
        ("dlp: { actions: { card: shred } }\n", "unknown action `shred`"),
        ("dlp: { actions: { CARD: block } }\n", "not a kind: `CARD`"),
    ] {
        let told = refused(text);
        assert!(told.contains(words), "{text}\nwants {words}\n{told}");
    }
}

#[test]
fn lists_of_several_profiles_add_up_and_single_limits_are_the_childs() {
    let folder = std::env::temp_dir().join(format!("aisandbox-network-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let parent = folder.join("parent.yaml");
    std::fs::write(
        &parent,
        "version: 1\nnetwork: { mode: filtered, allow: [{ host: a.example, tls: inspect }], limits: { upload_total: 1M, request_body: 1K }, \
         publish: [{ inside: 3000 }] }\ncredentials: [{ name: k, source: { environment: A }, hosts: [a.example] }]\n\
         dlp: { actions: { card: block, email: log } }\n",
    )
    .unwrap();
    let child = format!(
        "extends: [{}]\nnetwork: {{ allow: [{{ host: b.example }}], limits: {{ upload_total: 2M }} }}\n\
         credentials: [{{ name: k, source: {{ environment: B }}, hosts: [a.example] }}]\ndlp: {{ actions: {{ email: block }} }}\n",
        parent.display()
    );
    let profile = read(&child).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let hosts: Vec<String> = profile.network.allow.iter().map(|rule| rule.host.to_string()).collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
    assert_eq!(profile.network.limits.upload_total, Some(2 << 20));
    assert_eq!(profile.network.limits.request_body, Some(1 << 10));
    assert_eq!(profile.network.credentials.len(), 1);
    assert_eq!(profile.network.credentials[0].source, SecretSource::Environment("B".into()));
    assert_eq!(profile.network.dlp.actions, [("card".to_owned(), "block"), ("email".to_owned(), "block")]);
}

#[test]
fn a_childs_rule_for_a_host_takes_the_place_of_its_parents_and_another_mode_forgets_them_all() {
    let cowork = |text: &str| read(&format!("extends: [cowork]\n{text}")).unwrap();
    let rules = |profile: &Profile, host: &str| {
        let here = profile.network.allow.iter().filter(|rule| rule.host.to_string() == host);
        here.map(|rule| (rule.tls, rule.asked.to_string())).collect::<Vec<_>>()
    };
    let shipped = cowork("");
    assert_eq!(rules(&shipped, "github.com").len(), 2);
    let child = cowork("network: { allow: [{ host: github.com }, { host: github.com, port: 22 }] }\n");
    let mine = (TlsUse::Splice, "x.yaml:3".to_owned());
    assert_eq!(rules(&child, "github.com"), [mine.clone(), mine]);
    let other = cowork("network: { allow: [{ host: github.com, port: 22 }] }\n");
    assert_eq!(rules(&other, "github.com").len(), 3, "another port is another place");
    let none = cowork("network: { mode: none }\n");
    assert!(none.network.allow.is_empty() && none.network.credentials.is_empty());
    let offline =
        read("extends: [offline]\nnetwork: { mode: filtered, allow: [{ host: a.example }] }\n").unwrap();
    let hosts: Vec<String> = offline.network.allow.iter().map(|rule| rule.host.to_string()).collect();
    assert_eq!(hosts, ["a.example"], "nothing of cowork comes back");
    assert!(offline.network.credentials.is_empty());
}
