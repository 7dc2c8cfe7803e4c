//! Any bytes as what an agent supplies to a question: no line leaves its place, and nothing reaches a terminal.
#![no_main]

use aisandbox::base::misleads;
use aisandbox::consent::text::{Kind, lines};
use aisandbox::wire::consent::{Object, Question};
use aisandbox::wire::subject::{Action, Asker, Process, Resource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&str, &str, &str, u8)| {
    let (why, path, program, width) = parts;
    let question = Question {
        id: "8F3K-1".into(),
        run: "8F3K".into(),
        profile: "cowork".into(),
        chain: Vec::new(),
        asker: Asker {
            process: Process { pid: 1, program: program.into(), sha256: None },
            parents: Vec::new(),
        },
        actions: vec![Action::Read],
        resource: Resource::File { path: path.into() },
        object: Some(Object {
            path: path.into(),
            kind: "file".into(),
            size: None,
            label: program.into(),
            sha256: None,
        }),
        why: Some(why.into()),
        upload: None,
        lease_s: None,
        asked_at: 0,
        until: 300,
        policy: None,
    };
    for line in lines(&question, usize::from(width), 0) {
        assert!(!line.text.chars().any(|letter| letter.is_control() || misleads(letter)), "{:?}", line.text);
        assert_eq!(line.kind == Kind::Agent, line.text.starts_with(" agent > "), "{:?}", line.text);
    }
});
