//! Heads that are refused, and what is left of those that are not.

use super::*;
use crate::wire::egress::{Host, Tls};

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn rule(id: &str, methods: &[&str], paths: &[&str]) -> Arc<Rule> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let host = Host::Name { name: "a.example".into() };
    Arc::new(Rule {
        tls: Tls::Inspect,
        methods: owned(methods),
        paths: owned(paths),
        ..Rule::plain(id, host, &[443])
    })
}

fn names(uri: &str, lines: &[(&str, &str)], version: Version) -> Result<(), u16> {
    let target = Target { name: "a.example", port: 443, tls: true };
    check_names(version, &uri.parse().unwrap(), &headers(lines), target).map_err(|refusal| refusal.status)
}

#[test]
fn framing_that_two_servers_could_read_differently_is_refused() {
    let refused: [&[(&str, &str)]; 10] = [
        &[("content-length", "1"), ("transfer-encoding", "chunked")],
        &[("content-length", "1"), ("content-length", "1")],
        &[("content-length", "1, 1")],
        &[("content-length", "+1")],
        &[("content-length", "0x1")],
        &[("content-length", "")],
        &[("transfer-encoding", "gzip, chunked")],
        &[("transfer-encoding", "chunked"), ("transfer-encoding", "identity")],
        &[("transfer-encoding", "xchunked")],
        &[("host", "a.example"), ("host", "a.example")],
    ];
    for lines in refused {
        assert_eq!(
            check_framing(Version::HTTP_11, &headers(lines)).unwrap_err().reason,
            "framing",
            "{lines:?}"
        );
    }
    let taken: [&[(&str, &str)]; 4] =
        [&[], &[("content-length", "0")], &[("transfer-encoding", "Chunked")], &[("host", "b")]];
    for lines in taken {
        assert_eq!(check_framing(Version::HTTP_11, &headers(lines)), Ok(()), "{lines:?}");
    }
    assert!(check_framing(Version::HTTP_10, &headers(&[("transfer-encoding", "chunked")])).is_err());
}

#[test]
fn every_name_in_a_request_is_the_connections_name() {
    for host in ["a.example", "A.Example", "a.example.", "a.example:443"] {
        assert_eq!(names("/", &[("host", host)], Version::HTTP_11), Ok(()), "{host}");
    }
    for host in [
        "b.example",
        "a.example:8443",
        "a.example:+443",
        "x@a.example",
        "a.example.b",
        "",
        "a.example:",
        "a.example..",
    ] {
        assert_eq!(names("/", &[("host", host)], Version::HTTP_11), Err(421), "{host}");
    }
    assert_eq!(names("/", &[], Version::HTTP_11), Err(400));
    assert_eq!(names("https://a.example/", &[("host", "b.example")], Version::HTTP_11), Err(421));
    assert_eq!(names("https://b.example/", &[("host", "a.example")], Version::HTTP_2), Err(421));
    assert_eq!(names("https://a.example/", &[], Version::HTTP_2), Ok(()));
    assert_eq!(names("http://a.example/", &[], Version::HTTP_2), Err(400));
    assert_eq!(names("ftp://a.example/", &[("host", "a.example")], Version::HTTP_11), Err(400));
}

#[test]
fn an_address_is_compared_as_an_address() {
    let target = Target { name: "::1", port: 8080, tls: false };
    for (host, same) in [("[::1]:8080", true), ("[0:0::1]", true), ("[::2]:8080", false), ("[::1]:80", false)]
    {
        assert_eq!(is_target(host.as_bytes(), target), same, "{host}");
    }
}

#[test]
fn the_first_rule_that_allows_method_and_path_decides() {
    let rules = [rule("p:1", &["GET"], &["/api"]), rule("p:2", &["POST"], &[])];
    let none = HeaderMap::new();
    assert_eq!(permit(&rules, &Method::GET, "/api/x", &none).unwrap().id, "p:1");
    assert_eq!(permit(&rules, &Method::POST, "/other", &none).unwrap().id, "p:2");
    let reason = |method, path| permit(&rules[..1], method, path, &none).unwrap_err();
    assert_eq!(reason(&Method::GET, "/other").reason, "path");
    assert_eq!(reason(&Method::GET, "/api/../other").reason, "odd-path");
    assert_eq!(reason(&Method::HEAD, "/api").reason, "method");
    assert_eq!(reason(&Method::HEAD, "/api").rule.as_deref(), Some("p:1"));
    assert_eq!(permit(&rules, &Method::CONNECT, "", &none).unwrap_err().status, 405);
}

#[test]
fn a_header_overrides_neither_method_nor_path() {
    let rules = [rule("p:1", &["GET", "POST"], &["/api"])];
    let judge = |lines: &[(&str, &str)]| {
        permit(&rules, &Method::POST, "/api", &headers(lines)).map(|_| ()).map_err(|refusal| refusal.reason)
    };
    assert_eq!(judge(&[("x-http-method-override", "GET")]), Ok(()));
    assert_eq!(judge(&[("x-http-method-override", "DELETE")]), Err("method-override"));
    assert_eq!(judge(&[("x-method-override", "GET"), ("x-method-override", "PUT")]), Err("method-override"));
    assert_eq!(judge(&[("x-original-url", "/admin")]), Err("path-override"));
}

#[test]
fn what_is_about_one_connection_stays_on_it() {
    let mut map = headers(&[
        ("connection", "x-own, Close, content-length, host"),
        ("x-own", "1"),
        ("keep-alive", "5"),
        ("te", "trailers, deflate"),
        ("host", "a.example"),
        ("content-length", "3"),
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("proxy-authorization", "x"),
        ("x-forwarded-host", "b"),
        ("accept", "*/*"),
    ]);
    strip_request(&rule("p", &[], &[]), &mut map);
    let mut left: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["accept", "content-length", "host", "te"]);
    assert_eq!(map["te"], "trailers");
    let mut back = headers(&[("alt-svc", "h3=\":443\""), ("connection", "close"), ("server", "x")]);
    strip_response(&mut back);
    assert_eq!(back.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["server"]);
}

#[test]
fn ids_of_a_trace_stay_inside_unless_the_rule_keeps_them() {
    let lines = [
        ("traceparent", "00-1-2-01"),
        ("tracestate", "x=1"),
        ("baggage", "user=me"),
        ("b3", "1-2"),
        ("accept", "*/*"),
    ];
    let strict = rule("p", &[], &[]);
    for (rule, left) in [(Rule { trace: true, ..(*strict).clone() }, 5), ((*strict).clone(), 1)] {
        let mut map = headers(&lines);
        strip_request(&rule, &mut map);
        assert_eq!(map.len(), left, "{map:?}");
    }
}
