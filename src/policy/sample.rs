//! Questions as tests ask them.

use crate::wire::policy::Input;
use crate::wire::subject::{Action, Asker, Resource};

/// May this file be read.
pub(crate) fn read(path: &str) -> Input {
    Input {
        version: 1,
        actions: vec![Action::Read],
        resource: Resource::File { path: path.into() },
        path: Some(path.into()),
        label: String::new(),
        kind: Some("file".into()),
        size: Some(1000),
        upload: None,
        asker: Asker::default(),
        profile: "cowork".into(),
        run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
        depth: 0,
        uid: 1000,
        now: 1_700_000_000,
        grants: Vec::new(),
    }
}

/// May this host be reached.
pub(crate) fn connect(host: &str, port: u16) -> Input {
    let resource = Resource::Host { host: host.into(), port };
    Input { actions: vec![Action::Connect], resource, path: None, kind: None, size: None, ..read("/") }
}
