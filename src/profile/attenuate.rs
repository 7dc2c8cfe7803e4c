//! The same profile with less: what a started agent gets, and what flags that only narrow take away.
//!
//! Never adds a place, a right, a host, a variable or a longer time: every change here shows less or allows less. A
//! place that goes is covered, not left out, so that nothing of an outer entry shows through.

use super::{Access, Agents, FsEntry, NetworkMode, Profile, Protect};
use crate::base::{Action, HostPath, InnerPath, Source};
use std::fmt;
use std::time::Duration;

/// What is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Less {
    /// Places, with all below them, that cannot be changed.
    pub read_only: Vec<InnerPath>,
    /// Places, with all below them, that are not there.
    pub hidden: Vec<InnerPath>,
    /// No network, not even a loopback.
    pub no_network: bool,
    /// Nobody can be asked for more.
    pub no_requests: bool,
    /// The run ends after this long at the latest.
    pub wall_time: Option<Duration>,
}

impl Less {
    /// Nothing is taken away.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Less {
    /// `without /a, /b read-only, no network`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.hidden.iter().map(|place| format!("without {place}"));
        let read_only = self.read_only.iter().map(|place| format!("{place} read-only"));
        let flags = [(self.no_network, "no network"), (self.no_requests, "no requests")];
        let flags = flags.iter().filter(|(set, _)| *set).map(|(_, word)| (*word).to_owned());
        let time = self.wall_time.map(|time| format!("at most {} s", time.as_secs()));
        let all: Vec<String> = hidden.chain(read_only).chain(flags).chain(time).collect();
        out.write_str(&all.join(", "))
    }
}

/// Takes it away.
pub fn attenuate(profile: &mut Profile, less: &Less, asked: &Source) {
    for path in &less.read_only {
        make_read_only(profile, path, asked);
    }
    for path in &less.hidden {
        hide(profile, path, asked);
    }
    if less.no_network {
        profile.network.close(NetworkMode::None, asked.clone());
    }
    if less.no_requests {
        profile.filesystem.iter_mut().filter(|entry| asks(entry)).for_each(|entry| cover(entry, asked));
        profile.agents = None;
    }
    let limit = &mut profile.limits.wall_time;
    *limit = [*limit, less.wall_time].into_iter().flatten().min();
}

/// One level down: what a started agent may start itself.
pub fn descend(profile: &mut Profile) {
    let left = profile.agents.filter(|agents| agents.depth > 1);
    profile.agents = left.map(|agents| Agents { depth: agents.depth - 1, ..agents });
}

fn asks(entry: &FsEntry) -> bool {
    matches!(entry.access, Access::Ask(_))
}

/// Whatever an outer entry would show there is covered.
fn cover(entry: &mut FsEntry, asked: &Source) {
    *entry = mask(entry.path.clone(), true, asked);
}

fn mask(path: InnerPath, optional: bool, asked: &Source) -> FsEntry {
    FsEntry { optional, ..FsEntry::plain(path, Access::Mask, asked.clone()) }
}

/// Entries at and below the place go, and a mask stands there. One that hides nothing yet must find something to
/// cover: a slip of the pen would otherwise leave open what was meant to be hidden.
fn hide(profile: &mut Profile, path: &InnerPath, asked: &Source) {
    let outer = profile.filesystem.iter().position(|entry| asks(entry) && entry.path.contains(path));
    if let Some(entry) = outer.and_then(|place| profile.filesystem.get_mut(place)) {
        return cover(entry, asked); // nothing can be placed below an entry that asks, so all of it goes
    }
    let known = profile.filesystem.iter().any(|entry| path.contains(&entry.path));
    profile.filesystem.retain(|entry| !path.contains(&entry.path));
    profile.filesystem.push(mask(path.clone(), known, asked));
}

fn make_read_only(profile: &mut Profile, path: &InnerPath, asked: &Source) {
    for entry in profile.filesystem.iter_mut().filter(|entry| path.contains(&entry.path)) {
        narrow(entry, asked);
    }
    if profile.filesystem.iter().any(|entry| entry.path == *path) {
        return;
    }
    let outer = profile.filesystem.iter().position(|entry| asks(entry) && entry.path.contains(path));
    if let Some(entry) = outer.and_then(|place| profile.filesystem.get_mut(place)) {
        return narrow(entry, asked);
    }
    let above = profile.filesystem.iter().filter(|entry| entry.path.contains(path));
    let nearest = above.max_by_key(|entry| entry.path.as_path().components().count());
    if let Some(inner) = nearest.and_then(|outer| part_of(outer, path, asked)) {
        profile.filesystem.push(inner);
    }
}

/// An entry that allowed changes allows none.
fn narrow(entry: &mut FsEntry, asked: &Source) {
    match &mut entry.access {
        Access::Rw | Access::Stage => entry.access = Access::Ro,
        Access::Tmpfs { .. } => {
            entry.access = Access::Dir;
            entry.noexec = false;
        }
        Access::Ask(wish) => {
            wish.actions.retain(|action| matches!(action, Action::Read | Action::Execute));
            if wish.actions.is_empty() {
                return cover(entry, asked);
            }
        }
        _ => return,
    }
    entry.protect = Vec::<Protect>::new();
    entry.asked = asked.clone();
}

/// A part of an entry that allows changes, as an entry of its own that allows none.
fn part_of(outer: &FsEntry, path: &InnerPath, asked: &Source) -> Option<FsEntry> {
    let mut inner = outer.clone();
    inner.path = path.clone();
    inner.asked = asked.clone();
    inner.optional = false;
    match outer.access {
        Access::Rw => {
            let tail = path.as_path().strip_prefix(outer.path.as_path()).ok()?;
            let source: Option<HostPath> = outer.source.as_ref().and_then(|source| source.join(tail).ok());
            if outer.source.is_some() && source.is_none() {
                return None;
            }
            inner.source = source;
        }
        Access::Tmpfs { .. } => {}
        _ => return None,
    }
    narrow(&mut inner, asked);
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Context, load_str, to_text};

    fn person() -> Context {
        Context { pwd: "/home/u/work".into(), ..crate::profile::context::tests::person() }
    }

    const PARENT: &str = "version: 1\n\
        agents: { most: 3, depth: 2 }\n\
        filesystem:\n\
        - { path: /usr, access: ro }\n\
        - { path: $PWD, access: rw, protect: [git] }\n\
        - { path: /data, access: rw, source: /srv/data }\n\
        - { path: ~/notes, access: rw }\n\
        - { path: /tmp, access: tmpfs }\n\
        network: { mode: host, tcp: { connect: [443] } }\n\
        limits: { wall_time: 1h }\n";

    fn path(text: &str) -> InnerPath {
        InnerPath::new(text).unwrap()
    }

    fn with(less: &Less) -> Profile {
        let mut profile = load_str("parent.yaml", PARENT, &person()).unwrap();
        attenuate(&mut profile, less, &Source::flag("--hide"));
        profile
    }

    fn access(profile: &Profile, at: &str) -> Option<Access> {
        profile.filesystem.iter().find(|entry| entry.path == path(at)).map(|entry| entry.access.clone())
    }

    #[test]
    fn a_hidden_place_is_covered_with_all_below_it() {
        let profile = with(&Less { hidden: vec![path("/home/u")], ..Less::default() });
        assert_eq!(access(&profile, "/home/u"), Some(Access::Mask));
        assert_eq!((access(&profile, "/home/u/work"), access(&profile, "/home/u/notes")), (None, None));
        assert_eq!(access(&profile, "/usr"), Some(Access::Ro));
    }

    #[test]
    fn a_part_of_a_writable_place_becomes_read_only_where_its_source_has_it() {
        let profile = with(&Less { read_only: vec![path("/data/in")], ..Less::default() });
        let inner = profile.filesystem.iter().find(|entry| entry.path == path("/data/in")).unwrap();
        assert_eq!(inner.access, Access::Ro);
        assert_eq!(inner.source, Some(HostPath::new("/srv/data/in").unwrap()));
        assert_eq!(access(&profile, "/data"), Some(Access::Rw));
    }

    #[test]
    fn a_read_only_place_takes_every_writable_entry_below_it_along() {
        let profile = with(&Less { read_only: vec![path("/")], ..Less::default() });
        for (at, now) in [("/home/u/work", Access::Ro), ("/data", Access::Ro), ("/tmp", Access::Dir)] {
            assert_eq!(access(&profile, at), Some(now), "{at}");
        }
    }

    #[test]
    fn the_shorter_time_counts() {
        let hour = Duration::from_secs(3600);
        for (asked, left) in [(Some(60), 60), (Some(9999), 3600), (None, 3600)] {
            let less = Less { wall_time: asked.map(Duration::from_secs), ..Less::default() };
            assert_eq!(with(&less).limits.wall_time, Some(hour.min(Duration::from_secs(left))));
        }
    }

    #[test]
    fn without_network_no_port_is_left_and_without_requests_no_agent() {
        let profile = with(&Less { no_network: true, no_requests: true, ..Less::default() });
        assert_eq!(profile.network.mode, NetworkMode::None);
        assert_eq!(profile.network.connect_tcp, None);
        assert!(profile.agents.is_none() && !profile.filesystem.iter().any(asks));
        assert!(with(&Less::default()).agents.is_some()); // the control
    }

    #[test]
    fn the_text_of_a_narrowed_profile_is_that_profile() {
        let less = Less {
            read_only: vec![path("/home/u/work/doc"), path("/tmp")],
            hidden: vec![path("/usr/share")],
            ..Less::default()
        };
        let profile = with(&less);
        let again = load_str("again.yaml", &to_text(&profile), &person()).unwrap();
        let plain = |profile: &Profile| {
            let lines = to_text(profile);
            lines
                .lines()
                .map(|line| line.split("  #").next().unwrap().to_owned())
                .filter(|line| !line.starts_with('#'))
                .collect::<Vec<_>>()
        };
        assert_eq!(plain(&again), plain(&profile));
    }
}
