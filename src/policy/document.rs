//! The input document: a typed question as the value that rules read.
//!
//! Never holds what the types do not: a rule sees every field, and `null` where there is nothing. Built without JSON in
//! between, since a question is asked while a program waits; a test compares it with the JSON of the types.

use super::engine::Document;
use crate::wire::policy::{Held, Input};
use crate::wire::subject::{Action, Asker, Process, Resource};
use crate::wire::upload::{Found, Upload};

/// The document of a question.
pub(super) fn of(input: &Input) -> Document {
    let number = |number: u32| Document::number(u64::from(number));
    Document::object([
        ("version", number(input.version)),
        ("actions", actions(&input.actions)),
        ("resource", resource(&input.resource)),
        ("path", Document::option(input.path.as_deref().map(Document::text))),
        ("label", Document::text(&input.label)),
        ("kind", Document::option(input.kind.as_deref().map(Document::text))),
        ("size", Document::option(input.size.map(Document::number))),
        ("upload", Document::option(input.upload.as_ref().map(upload))),
        ("asker", asker(&input.asker)),
        ("profile", Document::text(&input.profile)),
        ("run", Document::text(&input.run)),
        ("depth", number(input.depth)),
        ("uid", number(input.uid)),
        ("now", Document::number(input.now)),
        ("grants", Document::list(input.grants.iter().map(held))),
    ])
}

fn actions(actions: &[Action]) -> Document {
    Document::list(actions.iter().map(|action| Document::text(action.word())))
}

fn resource(resource: &Resource) -> Document {
    let path = |path: &str| Document::object([("path", Document::text(path))]);
    match resource {
        Resource::File { path: file } => Document::object([("file", path(file))]),
        Resource::Program { path: file } => Document::object([("program", path(file))]),
        Resource::Device { name } => {
            Document::object([("device", Document::object([("name", Document::text(name))]))])
        }
        Resource::Host { host, port } => Document::object([("host", place(host, *port))]),
        Resource::Upload { host, port } => Document::object([("upload", place(host, *port))]),
    }
}

fn place(host: &str, port: u16) -> Document {
    Document::object([("host", Document::text(host)), ("port", Document::number(u64::from(port)))])
}

fn upload(upload: &Upload) -> Document {
    let found = |found: &Found| {
        Document::object([("kind", Document::text(&found.kind)), ("count", Document::number(found.count))])
    };
    Document::object([
        ("request", Document::text(&upload.request)),
        ("bytes", Document::option(upload.bytes.map(Document::number))),
        ("large", Document::truth(upload.large)),
        ("found", Document::list(upload.found.iter().map(found))),
    ])
}

fn asker(asker: &Asker) -> Document {
    let parents = Document::list(asker.parents.iter().map(process));
    Document::object([("process", process(&asker.process)), ("parents", parents)])
}

fn process(process: &Process) -> Document {
    Document::object([
        ("pid", Document::number(u64::try_from(process.pid).unwrap_or(0))),
        ("program", Document::text(&process.program)),
        ("sha256", Document::option(process.sha256.as_deref().map(Document::text))),
    ])
}

fn held(held: &Held) -> Document {
    Document::object([("actions", actions(&held.actions)), ("resource", resource(&held.resource))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;
    use serde_json::to_value;

    #[test]
    fn the_document_is_the_json_of_the_question() {
        let held = |resource| Held { actions: vec![Action::Read, Action::Use], resource };
        let path = || "/x".to_owned();
        let resources = [
            Resource::File { path: path() },
            Resource::Program { path: path() },
            Resource::Device { name: "camera".into() },
            Resource::Host { host: "example.org".into(), port: 443 },
            Resource::Upload { host: "example.org".into(), port: 443 },
        ];
        for resource in resources {
            let mut input = sample::read("/home/u/a.pdf");
            input.grants = vec![held(resource.clone())];
            input.resource = resource;
            assert_eq!(of(&input), Document::json(&to_value(&input).unwrap()));
            input.size = Some(u64::MAX);
            input.path = None;
            let found = vec![Found { kind: "email".into(), count: 3 }];
            input.upload = Some(Upload { request: "POST /v1/*".into(), bytes: None, large: true, found });
            input.asker.parents.push(Process { pid: 7, program: "sh".into(), sha256: Some("ab".into()) });
            assert_eq!(of(&input), Document::json(&to_value(&input).unwrap()));
        }
    }
}
