//! Starting role `reputation` for a profile, and asking it before a run starts.
//!
//! Never waits longer than the profile says and a little more. An answer of `good` is kept; every other is asked for anew.

use crate::audit::{KnownGood, reputation_dir};
use crate::guardian::introduce;
use crate::launch::ruleset;
use crate::profile::Reputation;
use crate::role::{self, Role, Started};
use crate::wire::reputation::{By, FromReputation, Standing, ToReputation};
use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

/// What the role itself may take beside the profile's time.
pub(super) const BESIDE: Duration = Duration::from_secs(2);

/// The answer about one program.
pub(super) struct Answered {
    /// Who gave it.
    pub(super) by: String,
    pub(super) standing: Standing,
    /// In the words of who gave it.
    pub(super) reason: String,
}

/// A role that is asked; it ends with this.
pub(super) struct Asking {
    role: Started,
    known: Option<KnownGood>,
    by: String,
    patience: Duration,
    last: u64,
}

impl Asking {
    /// Starts it.
    /// # Errors
    /// In words.
    pub(super) fn start(reputation: &Reputation) -> Result<Self, String> {
        Ok(Self {
            role: start(reputation)?,
            known: known(reputation),
            by: by(reputation),
            patience: reputation.timeout + BESIDE,
            last: 0,
        })
    }

    /// Asks about one program.
    pub(super) fn ask(&mut self, sha256: &str, path: &str, size: u64) -> Answered {
        if self.known.as_ref().is_some_and(|known| known.has(sha256)) {
            return Answered { by: "cache".to_owned(), standing: Standing::Good, reason: String::new() };
        }
        let answer = self.question(sha256, path, size);
        let (standing, reason) = answer.unwrap_or_else(|why| (Standing::Failed, why));
        if standing == Standing::Good {
            self.known.iter().for_each(|known| known.add(sha256));
        }
        Answered { by: self.by.clone(), standing, reason }
    }

    fn question(&mut self, sha256: &str, path: &str, size: u64) -> Result<(Standing, String), String> {
        self.last += 1;
        let ask = ToReputation::Ask { id: self.last, sha256: sha256.into(), path: path.into(), size };
        match introduce::ask(self.role.socket.as_fd(), "reputation", &ask, None, self.patience)? {
            FromReputation::Answered { id, standing, reason } if id == self.last => Ok((standing, reason)),
            FromReputation::Answered { .. } => Err("role reputation said what it was not asked".to_owned()),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.role.end(Duration::ZERO);
    }
}

/// The role, which knows whom to ask.
/// # Errors
/// In words.
pub(super) fn start(reputation: &Reputation) -> Result<Started, String> {
    let (by, ca) = match (&reputation.command, &reputation.url) {
        (Some(argv), _) => (By::Command { argv: argv.clone() }, None),
        (None, url) => {
            let ca = reputation.ca.as_ref().map(|path| {
                File::open(path.as_path()).map_err(|error| format!("open the certificates {path}: {error}"))
            });
            let ca = ca.transpose()?;
            (By::Url { url: url.clone().unwrap_or_default(), ca: ca.is_some() }, ca)
        }
    };
    let port = reputation.url.as_deref().map(port);
    let ruleset = port.map(ruleset::of_endpoint).transpose();
    let ruleset = ruleset.map_err(|error| format!("the ruleset of role reputation: {error}"))?.flatten();
    let role = role::start_within(Role::Reputation, ruleset.as_ref().map(AsFd::as_fd))
        .map_err(|errno| format!("start role reputation: {}", errno.desc()))?;
    let timeout_ms = u64::try_from(reputation.timeout.as_millis()).unwrap_or(u64::MAX);
    let begin = ToReputation::Begin { by, timeout_ms };
    introduce::tell(role.socket.as_fd(), &begin, ca.as_ref().map(AsFd::as_fd))?;
    Ok(role)
}

/// The port of an address that begins with `https://`.
fn port(url: &str) -> u16 {
    let host = url.trim_start_matches("https://").split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let behind = host.rsplit(']').next().unwrap_or_default().rsplit_once(':');
    behind.and_then(|(_, port)| port.parse().ok()).unwrap_or(443)
}

/// Answers that are kept; without a folder for them each program is asked about anew.
pub(super) fn known(reputation: &Reputation) -> Option<KnownGood> {
    let dir = reputation_dir().inspect_err(|error| tracing::debug!("{error}")).ok()?;
    KnownGood::open(&dir, by(reputation), reputation.cache)
        .inspect_err(|error| tracing::debug!("{error}"))
        .ok()
}

/// Who is asked, in words.
pub(super) fn by(reputation: &Reputation) -> String {
    match (&reputation.command, &reputation.url) {
        (Some(argv), _) => argv.join(" "),
        (None, url) => url.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn a_port_is_found_wherever_an_address_has_it() {
        for (url, found) in [
            ("https://a.example", 443),
            ("https://a.example:8443/x:1?y=:2", 8443),
            ("https://[::1]/x", 443),
            ("https://[::1]:99", 99),
            ("https://u:7@a.example/", 443),
        ] {
            assert_eq!(port(url), found, "{url}");
        }
    }
}
