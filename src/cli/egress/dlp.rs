//! Role `dlp` for a run whose traffic is read: decoys before the plan, the role and all it is told before role `egress`
//! serves.
//!
//! Never lets a run start whose rules, actions or secrets the role could not use.

use crate::audit::beside::PolicyLoaded;
use crate::base::to_hex;
use crate::cli::roles::failed;
use crate::crypto::{Secret, sha256_file};
use crate::dlp::canary::{Decoy, Decoys};
use crate::guardian::introduce;
use crate::profile::{Allowed, Destination, Network, NetworkMode, TlsUse};
use crate::role::{self, Role, Started};
use crate::sys::socket;
use crate::wire::dlp::{Act, FromDlp, ToDlp};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// How long the role may take to be ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Decoys of a session.
pub(super) struct Canaries {
    key: Secret,
    decoys: Decoys,
}

impl Canaries {
    /// The files that belong into the home, if nothing is there.
    pub(super) fn files(&self) -> impl Iterator<Item = &Decoy> {
        self.decoys.files().iter().filter(|decoy| !SENT_UNASKED.contains(&decoy.path))
    }
}

/// Says whether something is read and scanned. What is no TLS is read on every port, and a name that an agent makes up
/// whatever follows it.
pub(super) fn is_wanted(network: &Network) -> bool {
    let read = |port: &u16| !matches!(port, 22 | 443);
    let wants = |rule: &Allowed| {
        rule.tls == TlsUse::Inspect
            || rule.ports.iter().any(read)
            || matches!(rule.host, Destination::Below(_))
    };
    network.mode == NetworkMode::Filtered && network.allow.iter().any(|rule| rule.scan && wants(rule))
}

/// Files whose content honest programs send by themselves: a decoy there would stop npm, git and gh.
const SENT_UNASKED: [&str; 3] = [".npmrc", ".netrc", ".config/gh/hosts.yml"];

/// The decoys of a new session; `None` where nobody would look for them, or the profile wants none.
/// # Errors
/// In words.
pub(super) fn canaries(network: &Network) -> Result<Option<Canaries>, String> {
    if !is_wanted(network) || !network.dlp.canaries {
        return Ok(None);
    }
    let key = Secret::random().map_err(|errno| format!("make a key for decoys: {}", errno.desc()))?;
    let decoys = Decoys::new(&key);
    Ok(Some(Canaries { key, decoys }))
}

/// The role, which has been told everything and makes itself ready.
pub(super) struct Starting(Started, OwnedFd, Vec<PolicyLoaded>);

/// Starts the role and tells it everything. `secrets` are the real credentials, by name. `None` where nothing is scanned.
/// # Errors
/// In words; then the agent must not start.
pub(super) fn start<'a>(
    network: &Network,
    canaries: Option<&Canaries>,
    secrets: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Option<Starting>, String> {
    if !is_wanted(network) {
        return Ok(None);
    }
    let role = role::start(Role::Dlp).map_err(failed("start role dlp"))?;
    let (ours, theirs) = socket::message_pair().map_err(failed("make a socket pair"))?;
    let done = introduce::tell(role.socket.as_fd(), &ToDlp::Teacher {}, Some(theirs.as_fd()))
        .and_then(|()| tell_all(role.socket.as_fd(), network, canaries, secrets));
    if done.is_err() {
        role.end(Duration::ZERO);
    }
    done.map(|loaded| Some(Starting(role, ours, loaded)))
}

impl Starting {
    /// Rules of the profile's own that it was told.
    pub(super) fn loaded(&self) -> &[PolicyLoaded] {
        &self.2
    }

    /// Waits until its rules are made ready; gives the socket that role `egress` gets as `Carried::Dlp`. What stays is the
    /// one by which the role is taught files.
    /// # Errors
    /// In words; then the agent must not start.
    pub(super) fn ready(self) -> Result<(Started, OwnedFd), String> {
        let Self(mut role, teaches, _) = self;
        let said = match introduce::answer(role.socket.as_fd(), "dlp", PATIENCE) {
            Ok(FromDlp::Ready {}) => Ok(()),
            Ok(FromDlp::Refused { why }) => Err(format!("role dlp: {why}")),
            Ok(FromDlp::Step { .. } | FromDlp::Learned { .. }) => {
                Err("role dlp says what it was not asked".to_owned())
            }
            Err(why) => Err(why),
        };
        if let Err(why) = said {
            role.end(Duration::ZERO);
            return Err(why);
        }
        // The role ends when its last holder lets go of the socket, so that is not kept here.
        let socket = std::mem::replace(&mut role.socket, teaches);
        Ok((role, socket))
    }
}

fn tell_all<'a>(
    role: BorrowedFd<'_>,
    network: &Network,
    canaries: Option<&Canaries>,
    secrets: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<PolicyLoaded>, String> {
    let mut loaded = Vec::new();
    for (path, asked) in &network.dlp.rules {
        let file = File::open(path.as_path())
            .map_err(|error| format!("read the rules {path} for dlp: {error} ({asked})"))?;
        let name = path.as_path().to_string_lossy().into_owned();
        let digest = sha256_file(file.as_fd());
        let sha256 = digest.map_err(|error| format!("read the rules {path} for dlp: {error}"))?.to_string();
        let (kind, level, revision) = ("dlp-rules".to_owned(), None, None);
        loaded.push(PolicyLoaded { kind, name: name.clone(), sha256, level, revision });
        introduce::tell(role, &ToDlp::Rules { name }, Some(file.as_fd()))?;
    }
    for (kind, word) in &network.dlp.actions {
        let act = Act::of_word(word).ok_or_else(|| format!("dlp: `{word}` is no action"))?;
        introduce::tell(role, &ToDlp::Action { kind: kind.clone(), act }, None)?;
    }
    if let Some(canaries) = canaries {
        introduce::tell(role, &ToDlp::Decoys { key_hex: to_hex(canaries.key.expose()) }, None)?;
    }
    for (label, secret) in secrets {
        let (label, secret) = (label.to_owned(), secret.to_owned());
        introduce::tell(role, &ToDlp::Known { label, secret, canary: false }, None)?;
    }
    introduce::tell(role, &ToDlp::Start {}, None).map(|()| loaded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Context, load_str};

    fn network(text: &str) -> Network {
        let context = Context {
            home: "/home/u".into(),
            user: "u".into(),
            uid: 1000,
            pwd: "/home/u".into(),
            env: std::collections::BTreeMap::new(),
            search: Vec::new(),
        };
        load_str("x.yaml", &format!("version: 1\nnetwork:\n  mode: {text}\n"), &context).unwrap().network
    }

    #[test]
    fn what_is_read_and_scanned_wants_the_role_and_nothing_else_does() {
        for (text, wanted) in [
            ("none", false),
            ("filtered\n  allow: [{ host: a.example }]", false),
            ("filtered\n  allow: [{ host: a.example, tls: inspect }]", true),
            ("filtered\n  allow: [{ host: a.example, tls: inspect, scan: false }]", false),
            ("filtered\n  allow: [{ host: a.example, port: 80 }]", true),
            ("filtered\n  allow: [{ host: a.example, port: 22 }]", false),
            ("filtered\n  allow: [{ host: '*.a.example' }]", true),
            ("filtered\n  allow: [{ host: '*.a.example', scan: false }]", false),
        ] {
            let network = network(text);
            assert_eq!(is_wanted(&network), wanted, "{text}");
            assert_eq!(canaries(&network).unwrap().is_some(), wanted, "{text}");
        }
        let none = network("filtered\n  allow: [{ host: a.example, port: 80 }]\ndlp: { canaries: false }");
        assert!(canaries(&none).unwrap().is_none());
    }
}
