//! Tests of tokens: each way to use one where, when or for what it was not made is refused.

use super::*;
use crate::wire::subject::{Action, Resource};
use proptest::prelude::*;

const NOW: u64 = 10_000;
const HERE: ChannelId = ChannelId([1; 16]);
const THERE: ChannelId = ChannelId([2; 16]);

fn pair(action: Action, path: &str) -> Allowed {
    Allowed { action, resource: Resource::File { path: path.into() } }
}

fn some() -> Vec<Allowed> {
    let host = Resource::Host { host: "example.org".into(), port: 443 };
    vec![
        pair(Action::Read, "/home/u/Documents"),
        pair(Action::Append, "/home/u/notes.txt"),
        Allowed { action: Action::Connect, resource: host },
        Allowed { action: Action::Execute, resource: Resource::Program { path: "/usr/bin/git".into() } },
        Allowed { action: Action::Use, resource: Resource::Device { name: "clipboard".into() } },
    ]
}

fn tokens() -> Tokens {
    Tokens::new("RUN").unwrap()
}

#[test]
fn a_token_says_what_it_was_made_to_say() {
    let tokens = tokens();
    let minted = tokens.mint(HERE, some(), 300, NOW).unwrap();
    let claims = tokens.check(HERE, &minted.text, NOW).unwrap();
    assert_eq!(claims, minted.claims);
    assert_eq!((claims.allowed.clone(), claims.run.as_str(), claims.depth), (some(), "RUN", 0));
    assert_eq!((claims.issued, claims.expires, claims.root), (NOW, NOW + 300, claims.id));
    assert!(claims.allows(Action::Read, &Resource::File { path: "/home/u/Documents/a/b".into() }));
    assert!(!claims.allows(Action::Append, &Resource::File { path: "/home/u/Documents/a".into() }));
    assert!(!claims.allows(Action::Read, &Resource::File { path: "/home/u/DocumentsX".into() }));
    assert_eq!(format!("{:?}", minted.text), "Hidden");
}

#[test]
fn its_life_is_sixty_to_three_hundred_seconds_and_then_over() {
    let tokens = tokens();
    for (wanted, given) in [(0, 60), (60, 60), (120, 120), (300, 300), (u64::MAX, 300)] {
        let minted = tokens.mint(HERE, some(), wanted, NOW).unwrap();
        assert!(tokens.check(HERE, &minted.text, NOW + given - 1).is_ok(), "{wanted}");
        assert_eq!(tokens.check(HERE, &minted.text, NOW + given), Err(TokenError::Expired), "{wanted}");
        assert_eq!(tokens.check(HERE, &minted.text, NOW - 1), Err(TokenError::Time), "{wanted}");
    }
}

#[test]
fn it_holds_on_one_channel_of_one_run() {
    let (one, other) = (tokens(), tokens());
    let text = one.mint(HERE, some(), 300, NOW).unwrap().text;
    assert_eq!(one.check(THERE, &text, NOW), Err(TokenError::Forged));
    assert_eq!(other.check(HERE, &text, NOW), Err(TokenError::Forged), "the same name of a run, another key");
    // The channel is in the code and in the claims: even our own key over other claims does not help.
    let mut claims = one.check(HERE, &text, NOW).unwrap();
    claims.bound = Bound::Channel { channel: THERE, epoch: 0 };
    let bytes = cose::seal(&claims, &[0; 4], &one.aad(HERE), &one.key).unwrap();
    assert_eq!(one.check(HERE, &URL_SAFE_NO_PAD.encode(bytes), NOW), Err(TokenError::Forged));
    claims.bound = Bound::Channel { channel: HERE, epoch: 0 };
    claims.run = "OTHER".into();
    let bytes = cose::seal(&claims, &[0; 4], &one.aad(HERE), &one.key).unwrap();
    assert_eq!(one.check(HERE, &URL_SAFE_NO_PAD.encode(bytes), NOW), Err(TokenError::Forged));
}

#[test]
fn any_changed_byte_or_length_is_refused() {
    let tokens = tokens();
    let text = tokens.mint(HERE, some(), 300, NOW).unwrap().text;
    let good = URL_SAFE_NO_PAD.decode(&*text).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(tokens.check(HERE, &URL_SAFE_NO_PAD.encode(&bad), NOW).is_err(), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(tokens.check(HERE, &URL_SAFE_NO_PAD.encode(&good[..length]), NOW).is_err(), "{length} bytes");
    }
    let longer = [&good[..], &[0]].concat();
    assert!(tokens.check(HERE, &URL_SAFE_NO_PAD.encode(longer), NOW).is_err(), "a byte behind");
    for bad in [format!("{}=", &*text), format!("{} ", &*text), text.replace(['-', '_'], "+"), String::new()]
    {
        if bad != *text {
            assert_eq!(tokens.check(HERE, &bad, NOW).map(|claims| claims.depth).ok(), None, "{bad}");
        }
    }
    assert_eq!(tokens.check(HERE, &"A".repeat(MOST_TEXT + 1), NOW), Err(TokenError::Text));
}

#[test]
fn a_rotation_leaves_what_a_channel_may_still_use_and_taking_all_back_leaves_nothing() {
    let mut tokens = tokens();
    let old = tokens.mint(HERE, some(), 300, NOW).unwrap();
    for _ in 0..3 {
        tokens.rotate().unwrap();
    }
    for since in [0, 1] {
        let checked = tokens.check_since(HERE, &old.text, since, NOW);
        assert_eq!(checked.is_ok(), since == 0);
        assert_eq!(tokens.check_standing(&old.claims, since, NOW).is_ok(), since == 0);
    }
    assert_eq!(tokens.check(HERE, &old.text, NOW), Err(TokenError::OtherEpoch));
    let new = tokens.mint(HERE, some(), 300, NOW).unwrap().text;
    tokens.revoke_all().unwrap();
    assert_eq!(tokens.check_since(HERE, &new, 0, NOW), Err(TokenError::OtherEpoch));
    assert!(tokens.check(HERE, &tokens.mint(HERE, some(), 60, NOW).unwrap().text, NOW).is_ok());
}

#[test]
fn an_attenuated_token_follows_a_rotation_by_renewal_and_ends_no_later_for_it() {
    let mut tokens = tokens();
    let whole = tokens.mint(HERE, some(), 300, NOW).unwrap().claims;
    let less = vec![pair(Action::Read, "/home/u/Documents/a")];
    let narrow = tokens.attenuate(&whole, HERE, less.clone(), 100, NOW).unwrap();
    tokens.rotate().unwrap();
    tokens.rotate().unwrap();
    let held = tokens.check_since(HERE, &narrow.text, 0, NOW + 50).unwrap();
    let again = tokens.renew(&held, HERE, NOW + 50).unwrap();
    let claims = tokens.check(HERE, &again.text, NOW + 50).unwrap();
    assert_eq!((claims.allowed, claims.expires, claims.root, claims.depth), (less, NOW + 100, whole.id, 1));
    assert_eq!(tokens.renew(&held, HERE, NOW + 100).unwrap_err(), TokenError::Expired);
    tokens.revoke_all().unwrap();
    assert_eq!(tokens.check_since(HERE, &again.text, 0, NOW + 50), Err(TokenError::OtherEpoch));
}

#[test]
fn taking_back_a_root_takes_back_all_that_goes_back_to_it() {
    let mut tokens = tokens();
    let (root, other) =
        (tokens.mint(HERE, some(), 300, NOW).unwrap(), tokens.mint(HERE, some(), 300, NOW).unwrap());
    let renewed = tokens.renew(&root.claims, HERE, NOW + 100).unwrap();
    let child = tokens.attenuate(&renewed.claims, THERE, some(), 300, NOW + 100).unwrap();
    assert_eq!((child.claims.root, child.claims.depth), (root.claims.id, 1));
    tokens.revoke(child.claims.id, NOW + 100);
    assert_eq!(tokens.check(THERE, &child.text, NOW + 100), Err(TokenError::Revoked));
    assert!(tokens.check(HERE, &renewed.text, NOW + 100).is_ok(), "a child does not take its parent with it");
    tokens.revoke(root.claims.id, NOW + 100);
    assert_eq!(tokens.check(HERE, &renewed.text, NOW + 100), Err(TokenError::Revoked));
    assert_eq!(tokens.check(HERE, &root.text, NOW + 100), Err(TokenError::Revoked));
    assert!(tokens.check(HERE, &other.text, NOW + 100).is_ok());
    tokens.revoke(other.claims.id, NOW + 100 + LONGEST_S);
    assert_eq!(tokens.revoked.len(), 1, "what can hold no more is forgotten");
}

#[test]
fn a_run_below_another_goes_back_to_the_same_root() {
    let parent = tokens().mint(HERE, some(), 300, NOW).unwrap().claims;
    let below = Tokens::below("CHILD", (parent.root, parent.depth)).unwrap();
    let claims = below.mint(THERE, some(), 300, NOW).unwrap().claims;
    assert_eq!((claims.root, claims.depth), (parent.id, 1));
    let mut below = below;
    below.revoke(TokenId([9; 16]), NOW);
    assert!(below.check_standing(&claims, 0, NOW).is_ok(), "the control");
    below.revoke(parent.root, NOW);
    assert_eq!(below.check_standing(&claims, 0, NOW), Err(TokenError::Revoked));
    below.revoke(TokenId([9; 16]), NOW + 10 * LONGEST_S);
    let later = below.mint(THERE, some(), 300, NOW + 10 * LONGEST_S).unwrap();
    let seen = below.check(THERE, &later.text, NOW + 10 * LONGEST_S);
    assert_eq!(seen, Err(TokenError::Revoked), "for good");
    let deep = Claims { depth: MOST_DEPTH, ..parent };
    assert_eq!(Tokens::below("CHILD", (deep.root, deep.depth)).map(|_| ()), Err(TokenError::TooDeep));
}

#[test]
fn an_attenuated_token_is_never_wider_longer_or_too_deep() {
    let tokens = tokens();
    let parent = tokens.mint(HERE, some(), 300, NOW).unwrap().claims;
    let narrow = |allowed: Vec<Allowed>| tokens.attenuate(&parent, HERE, allowed, 1000, NOW + 290);
    let less = narrow(vec![pair(Action::Read, "/home/u/Documents/a")]).unwrap();
    assert_eq!(less.claims.expires, parent.expires);
    assert_eq!(tokens.check(HERE, &less.text, NOW + 291).unwrap(), less.claims);
    for wider in [
        pair(Action::Read, "/home/u"),
        pair(Action::Overwrite, "/home/u/Documents"),
        pair(Action::Read, "/home/u/DocumentsX"),
        Allowed {
            action: Action::Connect,
            resource: Resource::Host { host: "example.org".into(), port: 80 },
        },
        Allowed { action: Action::Execute, resource: Resource::File { path: "/usr/bin/git".into() } },
    ] {
        assert_eq!(narrow(vec![wider.clone()]).unwrap_err(), TokenError::Wider, "{wider:?}");
    }
    assert!(matches!(narrow(vec![pair(Action::Read, "/home/u/Documents/..")]), Err(TokenError::Listed(_))));
    assert_eq!(tokens.attenuate(&parent, HERE, some(), 60, NOW + 300).unwrap_err(), TokenError::Expired);
    let mut claims = parent;
    for _ in 0..MOST_DEPTH {
        claims = tokens.attenuate(&claims, HERE, some(), 60, NOW).unwrap().claims;
    }
    assert_eq!(tokens.attenuate(&claims, HERE, some(), 60, NOW).unwrap_err(), TokenError::TooDeep);
}

fn statement(until: Option<u64>) -> Statement {
    Statement {
        grant: "8F3K-g1".into(),
        approved_by: "approve".into(),
        allowed: some(),
        until,
        audience: "backend:mail".into(),
    }
}

#[test]
fn a_signed_token_needs_only_the_public_key_and_is_no_token_of_a_channel() {
    let (signer, stranger) = (Signer::new().unwrap(), Signer::new().unwrap());
    let (text, signed) = signer.sign("RUN", statement(None), NOW).unwrap();
    let claims = check_signed(&text, signer.public()).unwrap();
    assert_eq!(claims, signed);
    assert_eq!((claims.allowed.clone(), claims.expires), (some(), NOW + LONGEST_S));
    let (name, grant, approved_by) = ("backend:mail".into(), "8F3K-g1".into(), "approve".into());
    assert_eq!(claims.bound, Bound::Audience { name, grant, approved_by });
    assert_eq!(check_signed(&text, stranger.public()), Err(TokenError::Forged));
    let good = URL_SAFE_NO_PAD.decode(&*text).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(check_signed(&URL_SAFE_NO_PAD.encode(&bad), signer.public()).is_err(), "bit {bit}");
    }
    let tokens = tokens();
    assert!(tokens.check(HERE, &text, NOW).is_err());
    let mac = tokens.mint(HERE, some(), 300, NOW).unwrap().text;
    assert!(check_signed(&mac, signer.public()).is_err());
    assert_eq!(peek(&text), Ok(claims));
    assert!(peek(&mac).is_ok() && peek("AAAA").is_err());
}

#[test]
fn a_statement_never_outlives_its_lease() {
    let signer = Signer::new().unwrap();
    let expires = |until| signer.sign("RUN", statement(until), NOW).map(|(_, claims)| claims.expires);
    assert_eq!(expires(Some(NOW + 20)), Ok(NOW + 20));
    assert_eq!(expires(Some(NOW + 10 * LONGEST_S)), Ok(NOW + LONGEST_S));
    assert_eq!(expires(Some(NOW)), Err(TokenError::Expired));
}

#[test]
fn ten_thousand_mutations_of_a_token_are_refused() {
    let tokens = tokens();
    let text = tokens.mint(HERE, some(), 300, NOW).unwrap().text;
    let good = text.as_bytes();
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for turn in 0..10_000 {
        let mut bad = good.to_vec();
        for _ in 0..=random(3) {
            let at = random(bad.len());
            match random(3) {
                0 => bad[at] = letters[random(letters.len())],
                1 => bad.insert(at, letters[random(letters.len())]),
                _ => drop(bad.remove(at)),
            }
        }
        let bad = String::from_utf8(bad).unwrap();
        let seen = tokens.check(HERE, &bad, NOW);
        assert!(bad == *text || seen.is_err(), "turn {turn}: {bad}");
        drop(peek(&bad)); // no panic, whatever is in it
    }
}

fn any_pair() -> impl Strategy<Value = Allowed> {
    let part = prop::sample::select(vec!["a", "b", "aa", "..", ""]);
    let path = prop::collection::vec(part, 0..4).prop_map(|parts| format!("/{}", parts.join("/")));
    let action = prop::sample::select(vec![Action::Read, Action::Append, Action::Execute]);
    (action, path, any::<bool>()).prop_map(|(action, path, program)| Allowed {
        action,
        resource: if program { Resource::Program { path } } else { Resource::File { path } },
    })
}

proptest! {
    #[test]
    fn whatever_a_child_allows_its_parent_allows(
        parent in prop::collection::vec(any_pair(), 0..6),
        child in prop::collection::vec(any_pair(), 0..4),
        probes in prop::collection::vec(any_pair(), 16),
    ) {
        let tokens = tokens();
        let Ok(parent) = tokens.mint(HERE, parent, 300, NOW) else { return Ok(()) };
        if let Ok(child) = tokens.attenuate(&parent.claims, THERE, child, 300, NOW + 1) {
            prop_assert!(child.claims.expires <= parent.claims.expires);
            for probe in probes {
                let allowed = child.claims.allows(probe.action, &probe.resource);
                prop_assert!(!allowed || parent.claims.allows(probe.action, &probe.resource), "{probe:?}");
            }
        }
    }
}
