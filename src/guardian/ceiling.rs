//! The ceiling: the most this run may ever be granted. Made from the profile before the run, never changed after.
//!
//! Paths are matched by component, and only as the agent sees them; what is opened or mounted is the object that the
//! plan held open, never a path looked up anew.

use super::target::Host;
use crate::base::{HostPath, InnerPath};
use crate::profile::OnRevoke;
use crate::wire::egress;
use crate::wire::files::Serve;
use crate::wire::subject::{Action, Resource};
use crate::wire::upload::Upload;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A set of actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Actions(u16);

impl Actions {
    /// These.
    pub fn of(actions: &[Action]) -> Self {
        Self(actions.iter().fold(0, |bits, action| bits | bit(*action)))
    }

    /// Whether every one of `others` is in it.
    pub fn has_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Those in both.
    pub fn both(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As a list, in the order of their words.
    pub fn list(self) -> Vec<Action> {
        Action::ALL.iter().map(|(action, _)| *action).filter(|action| self.0 & bit(*action) != 0).collect()
    }

    /// Nothing is changed by any of them.
    pub fn read_only(self) -> bool {
        Self::of(&[Action::Read, Action::Execute]).has_all(self)
    }

    /// A mount can express it: reading alone, or everything.
    pub fn mountable(self) -> bool {
        let all = [
            Action::Read,
            Action::Append,
            Action::Overwrite,
            Action::Create,
            Action::Delete,
            Action::Execute,
        ];
        let without_execute = Self::of(&all).0 & !bit(Action::Execute);
        let plain = self.0 & !bit(Action::Execute);
        plain == bit(Action::Read) || plain == without_execute
    }
}

fn bit(action: Action) -> u16 {
    1 << Action::ALL.iter().position(|(known, _)| *known == action).unwrap_or(15)
}

/// How an entry is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// The real thing is mounted over its ask mount.
    Mount,
    /// Role `files` serves it, call by call.
    Served(Serve),
    /// There is no ask mount here: only descriptors, on request.
    Descriptor,
}

/// One entry of the ceiling.
#[derive(Debug)]
pub struct Entry {
    /// Its number in messages with the roles.
    pub number: u16,
    /// Where it is inside.
    pub inner: InnerPath,
    /// The object, held open since the plan (O_PATH).
    pub object: OwnedFd,
    /// Its canonical path.
    pub host: HostPath,
    /// It is a folder.
    pub folder: bool,
    /// The most that may be done.
    pub actions: Actions,
    /// How long a yes lasts unless a person says otherwise; `None`: until the run ends.
    pub lease: Option<Duration>,
    /// How often a lease can be used (descriptors).
    pub uses: Option<u64>,
    /// The most bytes through a lease (served entries).
    pub bytes: Option<u64>,
    /// How it is given.
    pub how: How,
    /// What becomes of who holds it when it ends.
    pub on_revoke: OnRevoke,
    /// The line of the profile, for people.
    pub asked: String,
}

impl Entry {
    /// In words, for records.
    pub(super) fn text(&self) -> String {
        let words: Vec<&str> = self.actions.list().iter().map(|action| action.word()).collect();
        format!("{} on {} ({})", words.join(", "), self.inner, self.asked)
    }
}

/// A host that may be asked for: a rule of the way out with `access: ask`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedHost {
    /// Which.
    pub host: egress::Host,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// The line of the profile, for people.
    pub asked: String,
}

impl AskedHost {
    /// In words, for records.
    pub(super) fn text(&self) -> String {
        format!("connect to {} ({})", self.host, self.asked)
    }
}

/// Uploads that may be asked about: to a rule of the way out with `ask_above`, or where findings can ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedUpload {
    /// To which host.
    pub host: egress::Host,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Larger ones are asked about, bytes.
    pub above: Option<u64>,
    /// What is found in one can be asked about.
    pub findings: bool,
    /// The line of the profile, for people.
    pub asked: String,
}

impl AskedUpload {
    /// In words, for records.
    pub(super) fn text(&self) -> String {
        let above = self.above.map(|bytes| format!(" of more than {bytes} bytes"));
        let findings = self.findings.then_some(" with findings");
        let both = if above.is_some() && findings.is_some() { " or" } else { "" };
        let (above, findings) = (above.unwrap_or_default(), findings.unwrap_or_default());
        format!("upload to {}{above}{both}{findings} ({})", self.host, self.asked)
    }

    fn holds(&self, host: &Host, upload: &Upload) -> bool {
        let size =
            !upload.large || self.above.is_some_and(|above| upload.bytes.is_none_or(|bytes| bytes > above));
        let findings = upload.found.is_empty() || self.findings;
        self.ports.contains(&host.port) && self.host.holds(&host.name) && size && findings
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Ceiling {
    entries: Vec<Entry>,
    hosts: Vec<AskedHost>,
    uploads: Vec<AskedUpload>,
}

/// A wish that lies within the ceiling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The entry, by its place.
    pub place: usize,
    /// The path that was asked for.
    pub path: InnerPath,
    /// The actions.
    pub actions: Actions,
}

impl Ceiling {
    /// Takes the entries.
    pub fn new(entries: Vec<Entry>, hosts: Vec<AskedHost>, uploads: Vec<AskedUpload>) -> Self {
        Self { entries, hosts, uploads }
    }

    /// All of it in words, for records.
    pub(super) fn lines(&self) -> Vec<String> {
        let entries = self.entries.iter().map(Entry::text);
        let hosts = self.hosts.iter().map(AskedHost::text);
        entries.chain(hosts).chain(self.uploads.iter().map(AskedUpload::text)).collect()
    }

    /// Whether a person is asked about an upload; its place comes after those of the hosts.
    /// # Errors
    /// Why not, for people and agents.
    pub(super) fn judge_upload(&self, host: &Host, upload: &Upload) -> Result<usize, String> {
        let found = self.uploads.iter().position(|asked| asked.holds(host, upload));
        found.map(|at| self.entries.len() + self.hosts.len() + at).ok_or_else(|| {
            "no rule of `network.allow` says that a person is asked about such an upload".to_owned()
        })
    }

    /// Hosts that may be asked for.
    pub fn hosts(&self) -> &[AskedHost] {
        &self.hosts
    }

    /// Whether a host may ever be granted; its place comes after those of the entries.
    /// # Errors
    /// Why not, for people and agents.
    pub(super) fn judge_host(&self, host: &Host) -> Result<usize, String> {
        let here = |asked: &AskedHost| asked.ports.contains(&host.port) && asked.host.holds(&host.name);
        let found = self.hosts.iter().position(here).map(|at| self.entries.len() + at);
        found.ok_or_else(|| {
            "no rule of `network.allow` with `access: ask` names this host and port".to_owned()
        })
    }

    /// Every entry.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry at this place.
    pub fn get(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    /// The place of the entry with this number.
    pub fn place_of(&self, number: u16) -> Option<usize> {
        self.entries.iter().position(|entry| entry.number == number)
    }

    /// Whether a wish may ever be granted.
    /// # Errors
    /// Why not, for people and agents.
    pub fn judge(&self, resource: &Resource, actions: Actions) -> Result<Within, String> {
        if actions.is_empty() {
            return Err("no action was named".to_owned());
        }
        let path = match resource {
            Resource::File { path } | Resource::Program { path } => path,
            Resource::Host { .. } => return Err("a host is no path".to_owned()),
            Resource::Upload { .. } => {
                return Err("an upload is asked about when it begins, and not before".to_owned());
            }
            Resource::Device { .. } => return Err("this run cannot be granted devices".to_owned()),
        };
        let path = InnerPath::new(path).map_err(|error| format!("the path {error}"))?;
        let holding = self.entries.iter().enumerate().filter(|(_, entry)| entry.inner.contains(&path));
        let deepest = holding.max_by_key(|(_, entry)| entry.inner.as_path().components().count());
        let Some((place, entry)) = deepest else {
            return Err("no `ask` entry of the profile holds this path".to_owned());
        };
        if !entry.folder && entry.inner != path {
            return Err(format!("{} is a file ({})", entry.inner, entry.asked));
        }
        if !entry.actions.has_all(actions) {
            let may: Vec<&str> = entry.actions.list().iter().map(|action| action.word()).collect();
            return Err(format!("{} may be asked for {} ({})", entry.inner, may.join(", "), entry.asked));
        }
        Ok(Within { place, path, actions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file;

    fn entry(number: u16, inner: &str, folder: bool, actions: &[Action]) -> Entry {
        Entry {
            number,
            inner: InnerPath::new(inner).unwrap(),
            object: file::open(c"/", libc::O_PATH).unwrap(),
            host: HostPath::new(inner).unwrap(),
            folder,
            actions: Actions::of(actions),
            lease: None,
            uses: None,
            bytes: None,
            how: How::Mount,
            on_revoke: OnRevoke::Leave,
            asked: "test.yaml:1".to_owned(),
        }
    }

    fn file(path: &str) -> Resource {
        Resource::File { path: path.to_owned() }
    }

    #[test]
    fn a_path_is_within_by_component_and_the_deepest_entry_decides() {
        let all = [Action::Read, Action::Append];
        let ceiling = Ceiling::new(
            vec![entry(0, "/d", true, &[Action::Read]), entry(1, "/d/e", true, &all)],
            Vec::new(),
            Vec::new(),
        );
        let read = Actions::of(&[Action::Read]);
        assert_eq!(ceiling.judge(&file("/d/x"), read).unwrap().place, 0);
        assert_eq!(ceiling.judge(&file("/d/e/x"), Actions::of(&all)).unwrap().place, 1);
        for outside in ["/dx", "/", "/d/../etc/passwd", "d/x", "/d/\0x"] {
            assert!(ceiling.judge(&file(outside), read).is_err(), "{outside}");
        }
        assert!(ceiling.judge(&file("/d/x"), Actions::of(&all)).is_err());
        assert!(ceiling.judge(&file("/d/x"), Actions::default()).is_err());
    }

    #[test]
    fn below_a_file_there_is_nothing() {
        let ceiling = Ceiling::new(vec![entry(0, "/f", false, &[Action::Read])], Vec::new(), Vec::new());
        let read = Actions::of(&[Action::Read]);
        assert!(ceiling.judge(&file("/f"), read).is_ok() && ceiling.judge(&file("/f/x"), read).is_err());
    }

    #[test]
    fn a_mount_is_read_only_or_everything() {
        let all = [Action::Read, Action::Append, Action::Overwrite, Action::Create, Action::Delete];
        assert!(Actions::of(&all).mountable() && Actions::of(&[Action::Read, Action::Execute]).mountable());
        assert!(!Actions::of(&[Action::Read, Action::Append]).mountable());
        assert!(!Actions::of(&[Action::Append]).mountable());
    }
}
