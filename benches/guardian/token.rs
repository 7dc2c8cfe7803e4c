//! Token: making and checking one, and looking again at one that was checked before.

use crate::timing::report;
use aisandbox::guardian::token::{Signer, Statement, Tokens, check_signed};
use aisandbox::wire::broker::Allowed;
use aisandbox::wire::frame::ChannelId;
use aisandbox::wire::subject::{Action, Resource};
use std::hint::black_box;

/// Three pairs, as a run with a few `ask` entries has them.
pub(crate) fn allowed() -> Vec<Allowed> {
    let file = |path: &str| Resource::File { path: path.to_owned() };
    vec![
        Allowed { action: Action::Read, resource: file("/home/user/Documents") },
        Allowed { action: Action::Append, resource: file("/home/user/Documents/journal.md") },
        Allowed {
            action: Action::Connect,
            resource: Resource::Host { host: "api.example.org".to_owned(), port: 443 },
        },
    ]
}

pub(crate) fn run() {
    let tokens = Tokens::new("01KB0000000000000000000000").unwrap();
    let channel = ChannelId::random().unwrap();
    let minted = tokens.mint(channel, allowed(), 300, 1000).unwrap();
    println!("three pairs, {} characters", minted.text.len());
    report("check", Some((15.0, 7.0)), || {
        black_box(tokens.check(channel, black_box(&minted.text), 1001).unwrap());
    });
    report("check one that was checked before", None, || {
        tokens.check_standing(black_box(&minted.claims), 0, 1001).unwrap();
    });
    report("mint", None, || {
        black_box(tokens.mint(channel, allowed(), 300, 1000).unwrap());
    });
    let signer = Signer::new().unwrap();
    let statement = || Statement {
        grant: "8F3K-g1".to_owned(),
        approved_by: "approve".to_owned(),
        allowed: allowed(),
        until: None,
        audience: "backend:a".to_owned(),
    };
    let (signed, _) = signer.sign("RUN", statement(), 1).unwrap();
    report("sign a statement of a lease", None, || {
        black_box(signer.sign("RUN", statement(), 1).unwrap());
    });
    report("check a signed one with the public key", None, || {
        black_box(check_signed(black_box(&signed), signer.public()).unwrap());
    });
}
