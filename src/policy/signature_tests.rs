//! Signatures that another program made (tests/policy/signed.json says how), and every way in which one does not hold.

use super::*;
use crate::policy::Bundle;
use crate::wire::policy::VerifyKey;

struct Signed {
    members: Vec<Member>,
    tokens: Vec<(String, String, VerifyKey)>,
}

fn signed() -> Signed {
    let text = include_str!("../../tests/policy/signed.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let member =
        |(name, text): (&String, &Value)| Member { name: name.clone(), bytes: word(text).into_bytes() };
    let token = |value: &Value| {
        let key = VerifyKey { id: word(&value["key"]), pem: word(&value["pem"]) };
        (word(&value["alg"]), word(&value["token"]), key)
    };
    Signed {
        members: all["members"].as_object().unwrap().iter().map(member).collect(),
        tokens: all["tokens"].as_array().unwrap().iter().map(token).collect(),
    }
}

fn with(members: &[Member], token: &str) -> Vec<Member> {
    let text = serde_json::json!({ "signatures": [token] }).to_string();
    let mut all = members.to_vec();
    all.push(Member { name: FILE.into(), bytes: text.into_bytes() });
    all
}

fn trust(key: &VerifyKey) -> Trust {
    Trust { required: true, keys: vec![key.clone()] }
}

#[test]
fn a_signature_by_each_kind_of_key_holds() {
    let Signed { members, tokens } = signed();
    assert_eq!(tokens.iter().map(|token| token.0.as_str()).collect::<Vec<_>>(), ["EdDSA", "ES256", "RS256"]);
    for (alg, token, key) in &tokens {
        assert_eq!(check(&with(&members, token), &trust(key)), Ok(Some(key.id.clone())), "{alg}");
        let bundle = Bundle::read("b", &with(&members, token), &trust(key), false);
        assert_eq!(bundle.map(|bundle| bundle.signed_by), Ok(Some(key.id.clone())));
    }
}

#[test]
fn a_file_that_was_changed_added_or_left_out_breaks_it() {
    let Signed { members, tokens } = signed();
    for (_, token, key) in &tokens {
        for place in 0..members.len() {
            let mut changed = with(&members, token);
            let text = String::from_utf8(changed[place].bytes.clone()).unwrap();
            changed[place].bytes = text.replace('r', "q").into_bytes();
            assert!(check(&changed, &trust(key)).is_err(), "{} changed", changed[place].name);
            changed.remove(place);
            assert!(check(&changed, &trust(key)).is_err(), "{place} left out");
        }
        let mut added = with(&members, token);
        added.push(Member { name: "q.rego".into(), bytes: Vec::new() });
        assert!(check(&added, &trust(key)).unwrap_err().contains("does not list q.rego"));
    }
}

#[test]
fn space_in_data_does_not_break_it_and_space_in_a_rule_does() {
    let Signed { members, tokens } = signed();
    let (_, token, key) = &tokens[0];
    for (name, holds) in [("data.json", true), (".manifest", true), ("p.rego", false)] {
        let mut spaced = with(&members, token);
        spaced.iter_mut().find(|member| member.name == name).unwrap().bytes.push(b'\n');
        assert_eq!(check(&spaced, &trust(key)).is_ok(), holds, "{name}");
    }
}

#[test]
fn a_key_is_for_one_algorithm_and_the_signature_does_not_choose() {
    let Signed { members, tokens } = signed();
    for (_, token, _) in &tokens {
        for (_, _, other) in tokens.iter().filter(|(_, known, _)| known != token) {
            let named = token.split('.').nth(1).and_then(base64url).unwrap();
            let id = serde_json::from_slice::<Value>(&named).unwrap()["keyid"].as_str().unwrap().to_owned();
            let renamed = VerifyKey { id, pem: other.pem.clone() };
            assert!(check(&with(&members, token), &trust(&renamed)).unwrap_err().contains("is for"));
        }
    }
    let (_, token, key) = &tokens[0];
    let none = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
    assert!(check(&with(&members, &none), &trust(key)).unwrap_err().contains("is for"));
}

#[test]
fn what_is_needed_and_missing_is_a_failure() {
    let Signed { members, tokens } = signed();
    let (_, token, key) = &tokens[0];
    let keyless = Trust::default();
    assert_eq!(check(&members, &keyless), Ok(None));
    assert!(check(&with(&members, token), &keyless).unwrap_err().contains("no key"));
    assert!(check(&members, &trust(key)).unwrap_err().contains("required"));
    assert!(check(&with(&members, token), &trust(&tokens[1].2)).unwrap_err().contains("not named here"));
    let cut = token.get(..token.len() - 4).unwrap();
    assert!(check(&with(&members, cut), &trust(key)).is_err());
    let (signed, other) = (token.rsplit_once('.').unwrap().0, tokens[1].1.rsplit_once('.').unwrap().1);
    let foreign = format!("{signed}.{other}");
    assert!(check(&with(&members, &foreign), &trust(key)).unwrap_err().contains("did not make it"));
    for wrong in ["{}", "[]", "{\"signatures\": []}", "[[\"x\"]]", "{\"signatures\": [\"x\", \"y\"]}"] {
        let mut all = members.clone();
        all.push(Member { name: FILE.into(), bytes: wrong.as_bytes().to_vec() });
        assert!(check(&all, &trust(key)).is_err(), "{wrong}");
    }
    for pem in ["", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "ssh-ed25519 AAAA"] {
        let broken = VerifyKey { id: key.id.clone(), pem: pem.into() };
        assert!(check(&with(&members, token), &trust(&broken)).is_err(), "{pem}");
    }
}

#[test]
fn the_canonical_form_is_that_of_go() {
    let mut text = String::new();
    canonical(
        &serde_json::json!({ "b": [1, -2, true, null], "a": "<\u{e9}\u{2028}\n>", "B": {} }),
        &mut text,
    );
    assert_eq!(text, "{\"B\":{},\"a\":\"<\u{e9}\\u2028\\n>\",\"b\":[1,-2,true,null]}");
}
