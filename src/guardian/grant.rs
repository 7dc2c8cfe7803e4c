//! Leases: a yes with an end. Time runs on CLOCK_BOOTTIME (sleep counts); uses and bytes are counted down.
//!
//! Never acts: what a lease gave is taken back by whoever is told that it is over.

use super::ceiling::Actions;
use super::target::{Held, HeldPlace, Host, Sent};
use crate::base::InnerPath;
use crate::wire::session::Given;
use crate::wire::subject::Resource;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// What a lease goes back to: what every later event that goes through it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Basis {
    /// The request; `None` for a grant of the person's own.
    pub request: Option<String>,
    /// The id of the token it was asked for under, as hex.
    pub token: Option<String>,
}

/// One lease.
#[derive(Debug)]
pub struct Lease {
    /// Its number in the run, from 1.
    pub number: u64,
    /// Its id, as people see it.
    pub id: String,
    /// The entry, by its place in the ceiling.
    pub place: usize,
    /// What is allowed.
    pub actions: Actions,
    /// On what.
    pub held: Held,
    /// What it goes back to.
    pub basis: Basis,
    /// Who or what said yes.
    pub approved_by: String,
    /// Seconds since 1970.
    pub since: u64,
    /// When it ends; `None`: with the run.
    pub until: Option<Duration>,
    /// Uses that are left; `None`: no limit.
    pub uses_left: Option<u64>,
    /// Bytes that are left; `None`: no limit.
    pub bytes_left: Option<u64>,
    /// Taking it back takes everything back.
    pub revocable: bool,
    /// The process it is for, when it ends with it.
    pub asker: Option<OwnedFd>,
    /// Files that were opened through it, with how often.
    pub opened: BTreeMap<String, u64>,
    /// It is in force: not on its way in or out.
    pub holds: bool,
}

/// The most files of one lease that are remembered by name.
pub const MOST_NAMES: usize = 256;

impl Lease {
    /// The file or folder, where it is for one.
    pub fn at(&self) -> Option<&HeldPlace> {
        match &self.held {
            Held::Place(place) => Some(place),
            Held::Host(_) | Held::Upload(_) => None,
        }
    }

    /// What is sent, where it is for uploads.
    pub fn sent(&self) -> Option<&Sent> {
        match &self.held {
            Held::Upload(sent) => Some(sent),
            Held::Place(_) | Held::Host(_) => None,
        }
    }

    /// How it was given.
    pub fn given(&self) -> Given {
        self.at().map_or(Given::Act, |place| place.given)
    }

    /// What it is on, as the agent names it.
    pub fn resource(&self) -> Resource {
        match &self.held {
            Held::Place(place) => Resource::File { path: place.path.as_path().display().to_string() },
            Held::Host(host) => host.resource(),
            Held::Upload(sent) => sent.resource(),
        }
    }

    /// Counts an opened file. Whether its name is new and is to be recorded.
    pub fn opened(&mut self, name: &str) -> bool {
        if let Some(count) = self.opened.get_mut(name) {
            *count += 1;
            return false;
        }
        if self.opened.len() < MOST_NAMES {
            self.opened.insert(name.to_owned(), 1);
        }
        true
    }

    /// It is in force, and nothing of it is spent.
    fn is_good(&self, now: Duration) -> bool {
        self.holds
            && self.until.is_none_or(|until| now < until)
            && self.uses_left != Some(0)
            && self.bytes_left != Some(0)
    }

    /// Counts one use. Whether it was the last.
    pub fn spend_use(&mut self) -> bool {
        let Some(left) = &mut self.uses_left else { return false };
        *left = left.saturating_sub(1);
        *left == 0
    }

    /// Counts bytes. Whether the limit is reached.
    pub fn spend_bytes(&mut self, bytes: u64) -> bool {
        let Some(left) = &mut self.bytes_left else { return false };
        *left = left.saturating_sub(bytes);
        *left == 0
    }
}

/// The leases of one run.
#[derive(Debug, Default)]
pub struct Leases {
    all: BTreeMap<u64, Lease>,
    last: u64,
}

impl Leases {
    /// The number of the next lease.
    pub fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// How many there ever were.
    pub fn count(&self) -> u64 {
        self.last
    }

    /// Keeps a lease.
    pub fn keep(&mut self, lease: Lease) {
        self.all.insert(lease.number, lease);
    }

    /// The lease of this number.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Lease> {
        self.all.get_mut(&number)
    }

    /// The same, to look at.
    pub fn get(&self, number: u64) -> Option<&Lease> {
        self.all.get(&number)
    }

    /// Lets go of it.
    pub fn take(&mut self, number: u64) -> Option<Lease> {
        self.all.remove(&number)
    }

    /// The lease of this id.
    pub fn by_id(&self, id: &str) -> Option<u64> {
        self.all.values().find(|lease| lease.id == id).map(|lease| lease.number)
    }

    /// Every lease, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.all.values()
    }

    /// A lease in force that allows these actions on this path, whose time is not over.
    pub fn covering(&self, place: usize, path: &InnerPath, actions: Actions, now: Duration) -> Option<u64> {
        let fits = |lease: &&Lease| {
            lease.place == place
                && lease.at().is_some_and(|at| at.path.contains(path))
                && lease.actions.has_all(actions)
                && lease.is_good(now)
        };
        self.all.values().find(fits).map(|lease| lease.number)
    }

    /// A lease in force that lets connections to this host out.
    pub fn covering_host(&self, host: &Host, now: Duration) -> Option<u64> {
        let fits =
            |lease: &&Lease| matches!(&lease.held, Held::Host(held) if held == host) && lease.is_good(now);
        self.all.values().find(fits).map(|lease| lease.number)
    }

    /// A lease in force for uploads to this host, of which this one is no more.
    pub fn covering_upload(&self, sent: &Sent, now: Duration) -> Option<u64> {
        let covers = |held: &Sent| held.to == sent.to && held.upload.covers(&sent.upload);
        let fits = |lease: &&Lease| lease.sent().is_some_and(covers) && lease.is_good(now);
        self.all.values().find(fits).map(|lease| lease.number)
    }

    /// The lease that occupies an entry: its mount, or what its role serves. There is at most one.
    pub fn occupying(&self, place: usize) -> Option<u64> {
        let occupies =
            |lease: &&Lease| lease.place == place && matches!(lease.given(), Given::Mount | Given::Served);
        self.all.values().find(occupies).map(|lease| lease.number)
    }

    /// Leases whose time is over.
    pub fn due(&self, now: Duration) -> Vec<u64> {
        let over = |lease: &&Lease| lease.holds && lease.until.is_some_and(|until| until <= now);
        self.all.values().filter(over).map(|lease| lease.number).collect()
    }

    /// When the next one's time is over.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.all.values().filter(|lease| lease.holds).filter_map(|lease| lease.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::subject::Action;

    fn lease(number: u64, path: &str, until: Option<u64>) -> Lease {
        Lease {
            number,
            id: format!("X-g{number}"),
            place: 0,
            actions: Actions::of(&[Action::Read]),
            held: Held::Place(Box::new(HeldPlace {
                path: InnerPath::new(path).unwrap(),
                given: Given::Descriptor,
                object: crate::sys::file::open(c"/", libc::O_PATH).unwrap(),
                shown: None,
                host: String::new(),
            })),
            basis: Basis::default(),
            approved_by: String::new(),
            since: 0,
            until: until.map(Duration::from_secs),
            uses_left: None,
            bytes_left: None,
            revocable: true,
            asker: None,
            opened: BTreeMap::new(),
            holds: true,
        }
    }

    #[test]
    fn a_lease_covers_what_is_below_it_until_its_end() {
        let mut leases = Leases::default();
        leases.keep(lease(1, "/d", Some(10)));
        let (read, write) = (Actions::of(&[Action::Read]), Actions::of(&[Action::Overwrite]));
        let covers = |path: &str, actions, now| {
            leases.covering(0, &InnerPath::new(path).unwrap(), actions, Duration::from_secs(now))
        };
        assert_eq!(covers("/d/x", read, 9), Some(1));
        assert_eq!(covers("/d/x", read, 10), None, "the end is the end, before anybody took it back");
        assert_eq!(covers("/dx", read, 9), None);
        assert_eq!(covers("/d/x", write, 9), None);
        assert_eq!(leases.due(Duration::from_secs(10)), [1]);
        assert_eq!(leases.next_deadline(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn uses_and_bytes_run_out() {
        let mut one = Lease { uses_left: Some(2), bytes_left: Some(10), ..lease(1, "/d", None) };
        assert!(!one.spend_use() && one.spend_use() && one.spend_use());
        assert!(!one.spend_bytes(9) && one.spend_bytes(9));
        let mut free = lease(2, "/d", None);
        assert!(!free.spend_use() && !free.spend_bytes(u64::MAX));
    }

    #[test]
    fn a_name_is_told_once() {
        let mut one = lease(1, "/d", None);
        assert!(one.opened("a") && !one.opened("a") && one.opened("b"));
    }
}
