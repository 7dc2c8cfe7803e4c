//! Placeholders and secrets, in heads and in answers.

use super::*;

const REAL: &str = "ghp_real0123456789abcdefREAL";
const FAKE: &str = "ghp_fake9876543210zyxwvuFAKE";

fn vault(places: &[Place]) -> Arc<Vault> {
    let hosts = vec![Host::Name { name: "api.example".into() }, Host::Below { name: "own.example".into() }];
    Arc::new(
        Vault::new(vec![Credential {
            name: "github".into(),
            placeholder: FAKE.into(),
            secret: REAL.into(),
            hosts,
            places: places.to_vec(),
        }])
        .unwrap(),
    )
}

fn swapped(keys: &Keys, target: &str, value: &str) -> Result<(String, String), Refusal> {
    let mut target = PathAndQuery::try_from(target).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(value).unwrap());
    keys.swap_head(&mut target, &mut headers)?;
    Ok((target.to_string(), headers["authorization"].to_str().unwrap().to_owned()))
}

#[test]
fn the_own_host_gets_the_secret_and_another_host_is_an_alert() {
    let vault = vault(&[Place::Header, Place::Query]);
    let own = vault.keys("api.example", true).unwrap();
    assert_eq!(swapped(&own, "/", &format!("Bearer {FAKE}")).unwrap().1, format!("Bearer {REAL}"));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("user:{FAKE}")));
    let wanted = format!("Basic {}", BASE64_STANDARD.encode(format!("user:{REAL}")));
    assert_eq!(swapped(&own, "/", &basic).unwrap().1, wanted);
    assert_eq!(swapped(&own, &format!("/x?a=1&key={FAKE}&b"), "").unwrap().0, format!("/x?a=1&key={REAL}&b"));
    assert!(vault.keys("x.own.example", true).unwrap().any());
    for (host, tls) in [("other.example", true), ("api.example", false), ("own.example", true)] {
        let keys = vault.keys(host, tls).unwrap();
        assert!(!keys.any());
        let hidden = FAKE.replace('g', "%67");
        for (target, value) in [
            ("/", format!("Bearer {FAKE}")),
            ("/", basic.clone()),
            (&*format!("/?q={FAKE}"), String::new()),
            (&*format!("/{FAKE}"), String::new()),
            (&*format!("/?q={hidden}"), String::new()),
        ] {
            let refusal = swapped(&keys, target, &value).unwrap_err();
            assert_eq!((refusal.reason, refusal.alert), ("placeholder", true), "{host} {target} {value}");
        }
    }
}

#[test]
fn a_placeholder_in_a_place_that_was_not_named_stays() {
    let keys = vault(&[Place::Query]).keys("api.example", true).unwrap();
    assert_eq!(swapped(&keys, "/", FAKE).unwrap().1, FAKE);
    assert!(matches!(keys.judge(Found { word: 0, form: Form::Plain }, Place::Body), Ok(Swap::Stays)));
}

#[test]
fn a_value_with_a_secret_is_sensitive_and_nothing_prints_it() {
    let vault = vault(&[Place::Header]);
    let keys = vault.keys("api.example", true).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-key", HeaderValue::from_static(FAKE));
    keys.swap_head(&mut PathAndQuery::from_static("/"), &mut headers).unwrap();
    assert!(headers["x-key"].is_sensitive());
    let shown = format!(
        "{vault:?} {keys:?} {headers:?} {:?}",
        keys.judge(Found { word: 0, form: Form::Plain }, Place::Header)
    );
    assert!(!shown.contains("real0123"), "{shown}");
}

#[test]
fn an_echo_shows_the_placeholder_in_every_form() {
    let keys = vault(&[Place::Header]).keys("api.example", true).unwrap();
    let text = format!("a {REAL} {} end", BASE64_STANDARD.encode(format!("user:{REAL}!")));
    for step in [1, 3, 7, text.len()] {
        let mut finder = Finder::default();
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(step) {
            out.extend(keys.scrub(&mut finder, chunk, false));
        }
        out.extend(keys.scrub(&mut finder, b"", true));
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with(&format!("a {FAKE} ")), "{out}");
        let encoded = out.split(' ').nth(2).unwrap();
        let decoded = BASE64_STANDARD.decode(encoded).unwrap();
        assert!(!String::from_utf8_lossy(&decoded).contains("real0123456789"), "{decoded:?}");
        assert_eq!(out.len(), text.len());
    }
    assert!(keys.keeps_length());
    assert_eq!(
        keys.mask(format!("a {FAKE} b").as_bytes()),
        format!("a {} b", "x".repeat(FAKE.len())).into_bytes()
    );
}

#[test]
fn a_network_holds_its_addresses() {
    let network = Host::Network { address: "10.1.0.0".into(), bits: 16 };
    for (host, is) in
        [("10.1.2.3", true), ("10.2.0.1", false), ("a.example", false), ("::ffff:10.1.2.3", false)]
    {
        assert_eq!(covers(&network, host), is, "{host}");
    }
    assert!(covers(&Host::Network { address: "::".into(), bits: 0 }, "::1"));
    assert!(covers(&Host::Loopback {}, "localhost") && !covers(&Host::Loopback {}, "localhost.example"));
}
