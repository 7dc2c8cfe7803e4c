//! What a filtered run sees of name lookups: three files of ours, and no socket of a service that looks up for it.
//!
//! A service outside would send the name over the network, past the policy; so would the host's own name servers.

use super::ADDRESS;
use crate::base::{HostPath, InnerPath, Source};
use crate::host::Tree;
use crate::profile::{Access, FsEntry, Profile};

/// Where services listen that look names up for others, or that can be told to.
const SERVICES: [&str; 7] = [
    "/run/nscd",
    "/run/systemd/resolve",
    "/run/dbus",
    "/run/avahi-daemon",
    "/var/run/nscd",
    "/var/run/dbus",
    "/var/run/avahi-daemon",
];

/// Where names are looked up: with a filtered network these are files of ours, without one what the profile says.
pub(in crate::plan) const LOOKUPS: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];

/// Why nothing of [`SERVICES`] is shown.
pub(in crate::plan) const WHY_HIDDEN: &str = "where names are looked up past the filtered network";

/// Puts the three files in the place of what the profile has there; gives the host's folders that must not be seen.
pub(in crate::plan) fn prepare_view(profile: &mut Profile, tree: &dyn Tree) -> Vec<HostPath> {
    for (path, content) in contents(&profile.hostname) {
        let Ok(path) = InnerPath::new(path) else { continue };
        let at = place(&path, &profile.filesystem, tree);
        profile.filesystem.retain(|entry| entry.path != path && Some(&entry.path) != at.as_ref());
        profile.filesystem.extend(at.map(|at| file(at, content)));
    }
    let folders = SERVICES.iter().filter_map(|path| tree.open(&HostPath::new(path).ok()?, true).ok());
    folders.map(|folder| folder.canonical).collect()
}

fn contents(host_name: &str) -> [(&'static str, String); 3] {
    let [servers, hosts, order] = LOOKUPS;
    let databases = ["passwd", "group", "shadow", "networks", "protocols", "services", "ethers", "rpc"];
    let files: String = databases.iter().map(|name| format!("{name}: files\n")).collect();
    [
        (servers, format!("nameserver {ADDRESS}\noptions timeout:2 attempts:2\n")),
        (hosts, format!("127.0.0.1 localhost {host_name}\n::1 localhost\n")),
        (order, format!("{files}hosts: files dns\n")),
    ]
}

/// Where a file goes. In a folder that the host shows, nothing can be mounted on a link, but on its end; and where
/// nothing is, programs do without the file: they ask 127.0.0.1 then, where the proxy answers too.
fn place(path: &InnerPath, entries: &[FsEntry], tree: &dyn Tree) -> Option<InnerPath> {
    let above = entries.iter().filter(|entry| entry.path != *path && entry.path.contains(path));
    let nearest = above.max_by_key(|entry| entry.path.as_path().components().count());
    let shown = nearest.filter(|entry| matches!(entry.access, Access::Ro | Access::Rw));
    let Some(entry) = shown else { return Some(path.clone()) };
    let tail = path.as_path().strip_prefix(entry.path.as_path()).ok()?;
    let host = tree.open(&entry.host_path()?, true).ok()?.canonical.join(tail).ok()?;
    let end = tree.open(&host, true).ok()?.canonical;
    if end == host { Some(path.clone()) } else { InnerPath::new(end.as_path()).ok() }
}

fn file(path: InnerPath, content: String) -> FsEntry {
    let asked = Source::built_in("how names are looked up in a filtered network");
    FsEntry::file(path, content.into_bytes(), asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{FakeTree, Kind};
    use crate::profile::{Context, load_str};

    fn person() -> Context {
        Context {
            home: "/home/u".into(),
            pwd: "/home/u".into(),
            user: "u".into(),
            uid: 1000,
            env: Default::default(),
            search: Vec::new(),
        }
    }

    fn after(entries: &str, tree: &FakeTree) -> Vec<(String, bool)> {
        let text = format!("version: 1\nnetwork: {{ mode: filtered }}\nfilesystem: [{entries}]\n");
        let mut profile = load_str("test", &text, &person()).unwrap();
        prepare_view(&mut profile, tree);
        let ours = |entry: &FsEntry| matches!(&entry.access, Access::File { content } if !content.is_empty());
        profile.filesystem.iter().map(|entry| (entry.path.to_string(), ours(entry))).collect()
    }

    #[test]
    fn our_files_take_the_place_of_what_the_profile_has_there() {
        let entries =
            "{ path: /etc/resolv.conf, access: file, content: '' }, { path: /etc/hosts, access: ro }";
        let wanted =
            ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"].map(|path| (path.to_owned(), true));
        assert_eq!(after(entries, &FakeTree::new()), wanted);
    }

    #[test]
    fn where_the_host_has_a_link_its_end_is_covered_and_where_it_has_nothing_nothing_is() {
        let tree = FakeTree::new()
            .with("/etc/hosts", Kind::File)
            .with("/run/systemd/resolve/stub-resolv.conf", Kind::File)
            .with_link("/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf");
        let found = after("{ path: /etc, access: ro }", &tree);
        let wanted = [("/etc", false), ("/run/systemd/resolve/stub-resolv.conf", true), ("/etc/hosts", true)];
        assert_eq!(found, wanted.map(|(path, ours)| (path.to_owned(), ours)));
    }

    #[test]
    fn folders_of_lookup_services_that_are_there_are_hidden_by_their_real_path() {
        let mut profile = load_str("test", "version: 1\n", &person()).unwrap();
        let tree = FakeTree::new().with("/run/nscd/socket", Kind::Socket).with_link("/var/run", "/run");
        let hidden = prepare_view(&mut profile, &tree);
        assert!(
            hidden.iter().all(|path| path.to_string() == "/run/nscd") && !hidden.is_empty(),
            "{hidden:?}"
        );
    }
}
