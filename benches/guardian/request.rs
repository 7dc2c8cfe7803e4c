//! Request: all that the Guardian's side of one does without a system call: the frame's code, its JSON, the token, the
//! limits, what the token lists, and the answer as a frame.

use crate::timing::{report, supply};
use crate::token::allowed;
use aisandbox::guardian::token::{Claims, Tokens};
use aisandbox::wire::agent::{AgentEnd, Welcomed};
use aisandbox::wire::broker::{Call, Op, Outcome};
use aisandbox::wire::channel::{GuardianEnd, Received};
use aisandbox::wire::frame::ChannelId;
use aisandbox::wire::limit;
use aisandbox::wire::session::Given;
use aisandbox::wire::subject::{Action, Resource};
use std::hint::black_box;

const RUN: &str = "01KB0000000000000000000000";
const NOW: u64 = 1000;

pub(crate) fn run() {
    let tokens = Tokens::new(RUN).unwrap();
    let (mut guardian, mut frames) = ends(&tokens);
    report("whole request, token checked anew", Some((20.0, 7.0)), || {
        serve(&mut guardian, &frames.next().unwrap(), |id, call| tokens.check(id, &call.token, NOW).unwrap());
    });
    let (mut guardian, mut frames) = ends(&tokens);
    let mut known: Option<(String, Claims)> = None;
    report("whole request, token known", Some((20.0, 7.0)), || {
        serve(&mut guardian, &frames.next().unwrap(), |id, call| {
            let same = known.take().filter(|(text, _)| **text == *call.token);
            let (text, claims) = same
                .unwrap_or_else(|| ((*call.token).to_owned(), tokens.check(id, &call.token, NOW).unwrap()));
            tokens.check_standing(&claims, 0, NOW).unwrap();
            known = Some((text, claims.clone()));
            claims
        });
    });
}

/// A Guardian's end, and the requests of its agent.
fn ends(tokens: &Tokens) -> (GuardianEnd, impl Iterator<Item = Vec<u8>> + use<>) {
    let id = ChannelId::random().unwrap();
    let token = tokens.mint(id, allowed(), 300, NOW).unwrap().text;
    let (guardian, welcome) = GuardianEnd::open(id, RUN, &token, 300).unwrap();
    let Welcomed::Open(mut agent) = AgentEnd::open(&welcome).unwrap() else { panic!("a channel is free") };
    let path = "/home/user/Documents/accounts/2026/november.xlsx".to_owned();
    let wish = Op::Request {
        actions: vec![Action::Read],
        resource: Resource::File { path },
        why: "the totals of the month are needed for the report you asked for".to_owned(),
        traceparent: None,
    };
    println!("a frame of {} bytes", agent.call(wish.clone()).unwrap().1.len());
    let Welcomed::Open(mut agent) = AgentEnd::open(&welcome).unwrap() else { panic!("a channel is free") };
    (guardian, supply(move || agent.call(wish.clone()).unwrap().1))
}

fn serve(guardian: &mut GuardianEnd, frame: &[u8], mut check: impl FnMut(ChannelId, &Call) -> Claims) {
    let Received::Call(call) = guardian.receive(frame).unwrap() else { panic!("few calls wait") };
    let claims = check(guardian.id(), &call);
    limit::check(&call.op).unwrap();
    let Op::Request { actions, resource, .. } = &call.op else { panic!("a request was sent") };
    assert!(actions.iter().all(|action| claims.allows(*action, resource)));
    let granted = Outcome::Granted { grant: "8F3K-g1".to_owned(), seconds: Some(60), how: Given::Mount };
    black_box(guardian.answer(call.id, granted).unwrap());
}
