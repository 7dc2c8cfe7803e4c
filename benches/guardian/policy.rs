//! Policy: a decision of each shipped policy, the reading of the question included.

use crate::timing::report;
use aisandbox::policy::{Bundle, Level, PolicySet, Trust, shipped};
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::policy::{Held, Input, Outcome};
use aisandbox::wire::subject::{Action, Asker, Resource};
use std::hint::black_box;

pub(crate) fn run() {
    let file = |path: &str| Resource::File { path: path.into() };
    let host = |name: &str| Resource::Host { host: name.into(), port: 443 };
    let (pdf, csv) = ("/home/u/Documents/report.pdf", "/home/u/Documents/table.csv");
    for (policy, wanted, action, resource) in [
        ("readonly-docs", Outcome::Allow, Action::Read, file(pdf)),
        ("readonly-docs", Outcome::Deny, Action::Overwrite, file(pdf)),
        ("spreadsheet-write", Outcome::Prompt, Action::Overwrite, file(csv)),
        ("network-allowlist", Outcome::Allow, Action::Connect, host("docs.python.org")),
        ("network-allowlist", Outcome::Deny, Action::Connect, host("example.org")),
    ] {
        let bundle = Bundle::read(policy, &shipped(policy).unwrap(), &Trust::default(), false).unwrap();
        let mut set = PolicySet::default();
        set.put(Level::Project, bundle);
        let bytes = encode(&input(action, resource)).unwrap();
        report(&format!("{policy}, {wanted:?}").to_lowercase(), Some((150.0, 60.0)), || {
            let input: Input = decode(black_box(&bytes)).unwrap();
            let decision = set.decide(&input);
            assert_eq!(decision.outcome, wanted, "{decision:?}");
        });
    }
    report("reading a folder of rules", None, || {
        let members = shipped("readonly-docs").unwrap();
        black_box(Bundle::read("readonly-docs", &members, &Trust::default(), false).unwrap());
    });
}

fn input(action: Action, resource: Resource) -> Input {
    let path = match &resource {
        Resource::File { path } => Some(path.clone()),
        _ => None,
    };
    let held =
        Held { actions: vec![Action::Read], resource: Resource::File { path: "/home/u/notes".into() } };
    Input {
        version: 1,
        actions: vec![action],
        resource,
        path,
        label: String::new(),
        kind: Some("file".into()),
        upload: None,
        size: Some(48_213),
        asker: Asker::default(),
        profile: "cowork".into(),
        run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
        depth: 0,
        uid: 1000,
        now: 1_700_000_000,
        grants: vec![held.clone(), held],
    }
}
