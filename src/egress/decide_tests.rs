//! Rules against questions, as a table.

use super::*;
use crate::wire::egress::Tls;

fn name(name: &str) -> Host {
    Host::Name { name: name.to_owned() }
}

fn below(name: &str) -> Host {
    Host::Below { name: name.to_owned() }
}

fn net(address: &str, bits: u8) -> Host {
    Host::Network { address: address.to_owned(), bits }
}

fn deny(id: &str, host: Host, port: Option<u16>) -> Deny {
    Deny { id: id.to_owned(), host, port }
}

fn rules(allow: Vec<Rule>, deny: Vec<Deny>) -> Rules {
    let mut rules = Rules::default();
    allow.into_iter().for_each(|rule| rules.allow(rule).unwrap());
    deny.into_iter().for_each(|rule| rules.deny(rule).unwrap());
    rules
}

/// The verdict as one word: `+id` allowed, `?id` asked, `who`, or the reason and rule of a denial.
fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allow(chosen) => format!("+{}", chosen.rule.id),
        Verdict::Ask(chosen) => format!("?{}", chosen.rule.id),
        Verdict::Who => "who".to_owned(),
        Verdict::Deny(Denied { reason, rule, .. }) => {
            format!("-{reason} {}", rule.as_deref().unwrap_or("none"))
        }
    }
}

fn sample() -> Rules {
    let mut program = Rule::plain("program", name("api.a.org"), &[443]);
    program.programs = vec!["ab".to_owned()];
    let mut asked = Rule::plain("asked", name("ask.org"), &[443]);
    asked.ask = true;
    let mut only = Rule::plain("only", name("only.org"), &[443]);
    only.programs = vec!["ab".to_owned()];
    rules(
        vec![
            Rule::plain("wide", below("org"), &[443, 80]),
            Rule::plain("wild", below("a.org"), &[443]),
            Rule::plain("exact", name("api.a.org"), &[443, 22]),
            program,
            asked,
            only,
            Rule::plain("net", net("203.0.113.0", 24), &[443]),
            Rule::plain("one", net("203.0.113.9", 32), &[443]),
            Rule::plain("six", net("2001:db8::", 32), &[443]),
            Rule::plain("here", Host::Loopback {}, &[5432]),
        ],
        vec![
            deny("no-evil", name("evil.a.org"), None),
            deny("no-ssh", below("a.org"), Some(22)),
            deny("no-net", net("203.0.113.128", 25), None),
        ],
    )
}

#[test]
fn the_most_exact_rule_decides_and_a_denial_beats_it() {
    let rules = sample();
    for (host, port, program, wanted) in [
        ("x.a.org", 443, Program::Unasked, "+wild"),
        ("x.y.a.org", 443, Program::Unasked, "+wild"),
        ("a.org", 443, Program::Unasked, "+wide"),
        ("a.org", 80, Program::Unasked, "+wide"),
        ("a.org", 8080, Program::Unasked, "-not-listed none"),
        ("org", 443, Program::Unasked, "-not-listed none"),
        ("nota.org", 443, Program::Unasked, "+wide"),
        ("a.org.evil.net", 443, Program::Unasked, "-not-listed none"),
        ("api.a.org", 443, Program::Unasked, "who"),
        ("api.a.org", 443, Program::Digest("ab"), "+program"),
        ("api.a.org", 443, Program::Digest("cd"), "+exact"),
        ("api.a.org", 443, Program::Unknown, "+exact"),
        ("api.a.org", 22, Program::Unasked, "-denied no-ssh"),
        ("evil.a.org", 443, Program::Unasked, "-denied no-evil"),
        ("ask.org", 443, Program::Unasked, "?asked"),
        ("only.org", 443, Program::Unknown, "+wide"),
        ("203.0.113.5", 443, Program::Unasked, "+net"),
        ("203.0.113.9", 443, Program::Unasked, "+one"),
        ("203.0.113.200", 443, Program::Unasked, "-denied no-net"),
        ("203.0.114.5", 443, Program::Unasked, "-not-listed none"),
        ("::ffff:203.0.113.5", 443, Program::Unasked, "+net"),
        ("2001:db8::5", 443, Program::Unasked, "+six"),
        ("169.254.169.254", 80, Program::Unasked, "-not-listed none"),
        ("localhost", 5432, Program::Unasked, "+here"),
        ("127.0.0.1", 5432, Program::Unasked, "+here"),
        ("localhost", 443, Program::Unasked, "-not-listed none"),
    ] {
        let place = Place::of_text(host).unwrap();
        assert_eq!(word(&rules.decide(&place, port, program)), wanted, "{host}:{port} {program:?}");
    }
}

#[test]
fn a_rule_for_programs_is_not_for_an_unknown_one() {
    let mut only = Rule::plain("only", name("only.org"), &[443]);
    only.programs = vec!["ab".to_owned()];
    let rules = rules(vec![only], vec![]);
    let place = Place::of_text("only.org").unwrap();
    for (program, wanted) in [
        (Program::Unasked, "who"),
        (Program::Unknown, "-program only"),
        (Program::Digest("cd"), "-program only"),
        (Program::Digest("AB"), "-program only"),
        (Program::Digest("ab"), "+only"),
    ] {
        assert_eq!(word(&rules.decide(&place, 443, program)), wanted, "{program:?}");
    }
}

#[test]
fn rules_beside_the_chosen_one_are_of_its_rank_and_treatment() {
    let mut inspected = Rule::plain("inspected", name("a.org"), &[443]);
    inspected.tls = Tls::Inspect;
    let mut asked = Rule::plain("asked", name("a.org"), &[443]);
    asked.ask = true;
    let same = Rule::plain("same", name("a.org"), &[443]);
    let rules = rules(
        vec![
            Rule::plain("first", name("a.org"), &[443]),
            inspected,
            asked,
            same,
            Rule::plain("wide", below("org"), &[443]),
        ],
        vec![],
    );
    let Verdict::Allow(chosen) = rules.decide(&Place::of_text("a.org").unwrap(), 443, Program::Unknown)
    else {
        panic!("it is allowed")
    };
    let also: Vec<&str> = chosen.also.iter().map(|rule| &*rule.id).collect();
    assert_eq!((&*chosen.rule.id, also), ("first", vec!["same"]));
}

#[test]
fn a_name_is_known_inside_when_a_rule_names_it_and_none_denies_it_whole() {
    let rules = sample();
    assert_eq!(rules.may_be_known("api.a.org"), Ok(false));
    assert_eq!(rules.may_be_known("x.a.org"), Ok(true));
    assert_eq!(rules.may_be_known("ask.org"), Ok(false));
    assert_eq!(rules.may_be_known("evil.a.org"), Err(Denied::by(reason::DENIED, "no-evil")));
    for name in ["org", "example.net", "203.0.113.5"] {
        assert_eq!(rules.may_be_known(name), Err(Denied::because(reason::NOT_LISTED)), "{name}");
    }
}

#[test]
fn a_name_leads_to_public_addresses_alone_unless_its_own_rule_names_the_network() {
    let mut inner = Rule::plain("inner", name("inner.org"), &[443]);
    inner.networks = vec![Network { address: "10.1.0.0".to_owned(), bits: 16 }];
    let rules = rules(
        vec![Rule::plain("a", name("a.org"), &[443]), inner, Rule::plain("net", net("10.9.0.0", 16), &[443])],
        vec![deny("bad", net("198.51.100.0", 24), None)],
    );
    let rule_of = |host: &str| match rules.decide(&Place::of_text(host).unwrap(), 443, Program::Unknown) {
        Verdict::Allow(chosen) => chosen.rule,
        other => panic!("{other:?}"),
    };
    let own: Vec<IpAddr> = vec!["8.7.6.5".parse().unwrap()];
    let check = |host: &str, ip: &str| {
        let checked = rules.check_address(&rule_of(host), ip.parse().unwrap(), 443, &own);
        checked.map_err(|denied| denied.reason)
    };
    for ip in ["1.1.1.1", "2606:4700::1111"] {
        assert_eq!(check("a.org", ip), Ok(()), "{ip}");
    }
    for ip in [
        "127.0.0.1",
        "10.1.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "0.0.0.0",
        "198.18.0.5",
        "8.7.6.5",
        "::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "::ffff:1.1.1.1",
        "::1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
        "2001::1",
    ] {
        assert_eq!(check("a.org", ip), Err(reason::ADDRESS), "{ip}");
    }
    assert_eq!(check("inner.org", "10.1.2.3"), Ok(()));
    assert_eq!(check("inner.org", "10.2.2.3"), Err(reason::ADDRESS));
    assert_eq!(check("a.org", "10.9.0.1"), Err(reason::ADDRESS), "another rule's network is not its own");
    assert_eq!(check("10.9.0.1", "10.9.0.1"), Ok(()));
    for ip in ["198.51.100.7", "::ffff:198.51.100.7"] {
        assert_eq!(check("a.org", ip), Err(reason::DENIED), "{ip}");
    }
}

#[test]
fn a_grant_is_for_what_a_rule_asks_about() {
    let rules = sample();
    for (host, port, wanted) in [("ask.org", 443, true), ("ask.org", 80, false), ("a.org", 443, false)] {
        assert_eq!(rules.may_be_granted(&Place::of_text(host).unwrap(), port), wanted, "{host}:{port}");
    }
}

#[test]
fn a_rule_that_makes_no_sense_is_refused() {
    let mut all = Rules::default();
    for host in [name("A.org"), name("a.org."), name(""), below("*.org"), net("10.0.0.0", 33), net("ten", 8)]
    {
        assert!(all.allow(Rule::plain("r", host.clone(), &[443])).is_err(), "{host:?}");
        assert!(all.deny(deny("d", host.clone(), None)).is_err(), "{host:?}");
    }
    assert!(all.allow(Rule::plain("r", name("a.org"), &[])).is_err());
}
