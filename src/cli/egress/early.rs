//! What a filtered network needs before there is a plan: the session's authority and who trusts it, and placeholders of
//! secrets.
//!
//! Never puts a secret into the profile, the plan or the environment: only its placeholder.

use super::dlp::{self, Canaries};
use super::{authorities, rules, secrets};
use crate::base::{InnerPath, WallTime};
use crate::cli::roles::failed;
use crate::crypto::{Secret, placeholder};
use crate::dlp::canary::Decoy;
use crate::guardian::introduce;
use crate::plan::trust::trust;
use crate::plan::view::door_source;
use crate::profile::{Access, Destination, FsEntry, NetworkMode, Profile, TlsUse};
use crate::role::{self, Role, Started};
use crate::wire::agents::Placeholder;
use crate::wire::egress::{Credential, FromEgress, ToEgress};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Where the bundle lies in a view that has none.
const OWN_BUNDLE: &str = "/run/aisandbox/authorities.pem";
/// How long the role may take to make its authority.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an authority lasts when the run has no end of its own.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// How much longer than the run it lasts: clocks differ.
const BEYOND: Duration = Duration::from_secs(3600);
/// The most bytes of the host's bundle.
const MOST_BUNDLE: u64 = 8 << 20;

/// The role as far as it is, and what it will be told.
pub(in crate::cli) struct Early {
    pub(super) role: Started,
    pub(super) credentials: Vec<Credential>,
    /// The certificate of the session's authority.
    pub(super) authority: Option<String>,
    /// The host's bundle of authorities.
    pub(super) roots: Option<OwnedFd>,
    /// Role `dlp`, where something is scanned.
    pub(super) scanner: Option<dlp::Starting>,
}

impl Early {
    /// Starts the role and changes the profile so that programs inside trust its authority and have placeholders, those of
    /// the run `above` for the same credentials; `None` where the network is not filtered.
    /// # Errors
    /// In words.
    pub(in crate::cli) fn begin(
        profile: &mut Profile,
        home: &Path,
        above: &[Placeholder],
    ) -> Result<Option<Self>, String> {
        if profile.network.mode != NetworkMode::Filtered {
            return Ok(None);
        }
        let role = role::start(Role::Egress).map_err(failed("start role egress"))?;
        let mut early = Self { role, credentials: Vec::new(), authority: None, roots: None, scanner: None };
        early.find_secrets(profile, above)?;
        let canaries = dlp::canaries(&profile.network)?;
        let secrets = early.credentials.iter().map(|one| (one.name.as_str(), one.secret.as_str()));
        // It makes its rules ready while the other role starts, and the sandbox is planned and made.
        early.scanner = dlp::start(&profile.network, canaries.as_ref(), secrets)?;
        if profile.network.inspects() {
            early.trusted(profile, home)?;
        }
        if let Some(canaries) = canaries {
            lay_out(&canaries, profile, home);
        }
        Ok(Some(early))
    }

    fn trusted(&mut self, profile: &mut Profile, home: &Path) -> Result<(), String> {
        let read = profile.network.allow.iter().filter(|rule| rule.tls == TlsUse::Inspect);
        let names: Vec<String> = read.filter_map(|rule| name_of(&rule.host)).collect();
        let lasts = profile.limits.wall_time.map_or(LONGEST, |time| time.saturating_add(BEYOND));
        let until = WallTime::now().unix_seconds().saturating_add(lasts.as_secs());
        let wish = ToEgress::Authority { names, until };
        let pem = match introduce::ask(self.role.socket.as_fd(), "egress", &wish, None, PATIENCE)? {
            FromEgress::Authority { pem } => pem,
            FromEgress::Refused { why } => return Err(format!("role egress: {why}")),
            _ => return Err("role egress says what it was not asked".to_owned()),
        };
        let there = authorities::find(&profile.filesystem, home);
        let host = there.system.first().map(|path| open_bundle(path.as_path())).transpose()?;
        let (bundle, roots) = host.unzip();
        let own =
            InnerPath::new(OWN_BUNDLE).map_err(|error| format!("show {OWN_BUNDLE}: its path {error}"))?;
        let trust = trust(&pem, &bundle.unwrap_or_default(), there, &own);
        for (path, content) in trust.files {
            profile.filesystem.retain(|entry| entry.path != path);
            profile.filesystem.push(FsEntry::file(path, content, door_source()));
        }
        for (name, value) in trust.variables {
            let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
            if !profile.environment.set.iter().any(|(known, _)| *known == name) {
                profile.environment.set.push((name, value));
            }
        }
        (self.authority, self.roots) = (Some(pem), roots);
        Ok(())
    }

    /// What stands for each secret inside.
    pub(in crate::cli) fn placeholders(&self) -> Vec<Placeholder> {
        let one = |one: &Credential| Placeholder { name: one.name.clone(), text: one.placeholder.clone() };
        self.credentials.iter().map(one).collect()
    }

    fn find_secrets(&mut self, profile: &mut Profile, above: &[Placeholder]) -> Result<(), String> {
        let seed = Secret::random().map_err(|errno| format!("make a key for placeholders: {errno}"))?;
        for credential in &profile.network.credentials {
            let Some(secret) = secrets::find_if_any(credential)? else { continue };
            let known = above.iter().find(|known| known.name == credential.name && known.text != *secret);
            let placeholder = known.map_or_else(|| placeholder(&secret, &seed), |known| known.text.clone());
            if let Some(variable) = &credential.variable {
                profile.environment.set.retain(|(name, _)| name != variable);
                profile.environment.set.push((variable.clone(), placeholder.clone()));
            }
            self.credentials.push(Credential {
                name: credential.name.clone(),
                placeholder,
                secret: secret.as_str().to_owned(),
                hosts: credential.hosts.iter().map(rules::host).collect(),
                places: credential.places.iter().map(|place| rules::place(*place)).collect(),
            });
        }
        Ok(())
    }
}

fn lay_out(canaries: &Canaries, profile: &mut Profile, home: &Path) {
    let files = laid_out(canaries, profile, home)
        .map(|(path, decoy)| FsEntry::file(path, decoy.content.clone().into_bytes(), door_source()));
    let files: Vec<FsEntry> = files.collect();
    profile.filesystem.extend(files);
}

/// Decoys lie in a home of the sandbox's own, where nothing real is.
fn laid_out<'a>(
    canaries: &'a Canaries,
    profile: &'a Profile,
    home: &Path,
) -> impl Iterator<Item = (InnerPath, &'a Decoy)> {
    let home = InnerPath::new(home).ok();
    let own =
        |entry: &FsEntry| Some(&entry.path) == home.as_ref() && matches!(entry.access, Access::Tmpfs { .. });
    let home = home.clone().filter(|_| profile.filesystem.iter().any(own));
    canaries.files().filter_map(move |decoy| {
        let home = home.as_ref()?;
        let path = InnerPath::new(home.as_path().join(decoy.path)).ok()?;
        let meets = |entry: &FsEntry| {
            path.contains(&entry.path)
                || (entry.path.contains(&path) && home.contains(&entry.path) && entry.path != *home)
        };
        (!profile.filesystem.iter().any(meets)).then_some((path, decoy))
    })
}

/// Where decoys will lie, for people.
pub(in crate::cli) fn decoys_of(profile: &Profile, home: &Path) -> Vec<String> {
    let canaries = dlp::canaries(&profile.network).ok().flatten();
    let paths = canaries.iter().flat_map(|canaries| laid_out(canaries, profile, home));
    paths.map(|(path, _)| path.to_string()).collect()
}

/// What a certificate can name. A name stands for all below it, too.
fn name_of(host: &Destination) -> Option<String> {
    match host {
        Destination::Name(name) | Destination::Below(name) => Some(name.clone()),
        Destination::Network { .. } | Destination::Loopback => None,
    }
}

/// The content, and the file at its beginning for role `egress`: the same file, whatever the path leads to later.
fn open_bundle(path: &Path) -> Result<(Vec<u8>, OwnedFd), String> {
    let shown = path.display();
    let told = |error: std::io::Error| format!("read the host's authorities {shown}: {error}");
    let mut file = File::open(path).map_err(told)?;
    let mut bytes = Vec::new();
    let length = Read::by_ref(&mut file).take(MOST_BUNDLE + 1).read_to_end(&mut bytes).map_err(told)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > MOST_BUNDLE {
        return Err(format!("the host's authorities {shown}: more than {MOST_BUNDLE} bytes"));
    }
    file.rewind().map_err(told)?;
    Ok((bytes, file.into()))
}
