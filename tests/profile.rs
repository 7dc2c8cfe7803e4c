//! What a profile file means, and what is said about a wrong one. Reads only what it writes to a folder of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use aisandbox::profile::{
    Access, Context, FsEntry, Layer, NetworkMode, Profile, ProfileError, load, load_str, unsupported,
};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn person() -> Context {
    Context {
        home: "/home/u".into(),
        pwd: "/home/u/project".into(),
        user: "u".into(),
        uid: nix::unistd::getuid().as_raw(),
        env: BTreeMap::new(),
        search: Vec::new(),
    }
}

/// A folder of profiles that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("aisandbox-profile-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn context(&self) -> Context {
        Context { pwd: self.0.clone(), ..person() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn read(text: &str) -> Result<Profile, Vec<ProfileError>> {
    load_str("x.yaml", &format!("version: 1\n{text}"), &person())
}

fn good(text: &str) -> Profile {
    read(text).unwrap_or_else(|errors| panic!("{}", words(&errors)))
}

fn words(errors: &[ProfileError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn wrong(text: &str) -> String {
    words(&read(text).expect_err(text))
}

fn at<'a>(profile: &'a Profile, path: &str) -> Option<&'a FsEntry> {
    profile.filesystem.iter().find(|entry| entry.path.as_path() == Path::new(path))
}

/// Loads `child.yaml`, which extends `parent.yaml`.
fn merged(parent: &str, child: &str) -> Result<Profile, Vec<ProfileError>> {
    let parent = format!("version: 1\n{parent}");
    let child = format!("version: 1\nextends: [./parent.yaml]\n{child}");
    let folder = Folder::with(&[("parent.yaml", &parent), ("child.yaml", &child)]);
    load("./child.yaml", &folder.context())
}

#[test]
fn a_profile_that_says_nothing_opens_nothing() {
    let profile = good("");
    assert!(profile.filesystem.is_empty() && profile.environment.keep.is_empty());
    assert_eq!(profile.network.mode, NetworkMode::None);
    assert_eq!((profile.seccomp.value.as_str(), profile.limits.core_size_bytes), ("agent", Some(0)));
    assert!(profile.landlock.filesystem && !profile.terminal.clipboard);
}

#[test]
fn every_error_is_told_at_once_with_its_line_and_the_nearest_word() {
    let told = wrong(
        "filesystme: []\nnetwork: { mode: lopback }\nlimits: { memory: 5 apples, wall_time: soon }\nfilesystem:\n  \
         - { path: /usr, acess: ro }\n  - { path: usr, access: rx }\nenvironment: { keep: [LC_*, '*'] }\n",
    );
    for line in [
        "x.yaml:2: unknown key `filesystme`\nhint: did you mean `filesystem`?",
        "x.yaml:3: unknown mode `lopback`\nhint: did you mean `loopback`?",
        "x.yaml:4: not a size: `5 apples`",
        "x.yaml:4: not a time: `soon`",
        "x.yaml:6: unknown key `acess`\nhint: did you mean `access`?",
        "x.yaml:6: `access` is missing",
        "x.yaml:7: unknown access `rx`\nhint: did you mean `ro`?",
        "x.yaml:8: not a variable's name: `*`",
    ] {
        assert!(told.contains(line), "{line}\nis not in\n{told}");
    }
}

#[test]
fn the_version_must_be_there_and_known() {
    let told = |text: &str| words(&load_str("x.yaml", text, &person()).unwrap_err());
    assert!(told("description: x\n").contains("`version` is missing"));
    assert!(
        told("version: 2\n")
            .contains("x.yaml:1: unknown version 2 of the format\nhint: this build knows version 1")
    );
    assert!(told("version: '1'\n").contains("unknown version"));
    assert!(told("").contains("is empty") && told("[]").contains("must be a mapping"));
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    assert!(
        wrong("hostname: a\nhostname: b\n").contains("x.yaml:3: `hostname` comes twice, first on line 2")
    );
    assert!(wrong("environment: { set: { A: 1, A: 2 } }\n").contains("`A` comes twice"));
    let entries = "filesystem:\n  - {path: /a, access: ro}\n  - {path: /a, access: rw}\n";
    assert!(wrong(entries).contains("x.yaml:4: `/a` comes twice, first at x.yaml:3"));
}

#[test]
fn a_key_that_means_nothing_for_an_access_is_refused() {
    for (keys, told) in [
        ("access: ro, size: 1G", "`size` means nothing with `access: ro`\nhint: it is for tmpfs"),
        ("access: tmpfs, source: /x", "`source` means nothing with `access: tmpfs`"),
        (
            "access: ro, protect: [git]",
            "`protect` means nothing with `access: ro`\nhint: it is for rw, stage",
        ),
        ("access: dir, optional: true", "`optional` means nothing"),
        ("access: rw, content: x", "`content` means nothing"),
        ("access: file", "`content` is missing"),
        ("access: symlink", "`target` is missing"),
        ("access: ask", "`actions` is missing"),
    ] {
        let found = wrong(&format!("filesystem: [{{ path: /a, {keys} }}]\n"));
        assert!(found.contains(told), "{keys}: {found}");
    }
}

#[test]
fn every_access_is_understood() {
    let profile = good(
        "filesystem:\n  - {path: /a, access: ro, source: /b, optional: true, noexec: true}\n  \
         - {path: /t, access: tmpfs, size: 4KiB, mode: \"1777\"}\n  - {path: /f, access: file, content: \"$x\\n\"}\n  \
         - {path: /l, access: symlink, target: \"$HOME/x\"}\n  - {path: /m, access: mask, optional: true}\n  \
         - {path: /q, access: ask, actions: [read, append], lease: 1h}\n",
    );
    let host = at(&profile, "/a").unwrap();
    assert_eq!(host.host_path().unwrap().as_path(), Path::new("/b"));
    assert!(host.optional && host.noexec);
    let tmpfs = Access::Tmpfs { size_bytes: Some(4096), mode: Some(0o1777) };
    assert_eq!(at(&profile, "/t").unwrap().access, tmpfs);
    assert_eq!(at(&profile, "/f").unwrap().access, Access::File { content: b"$x\n".to_vec() });
    assert_eq!(at(&profile, "/l").unwrap().access, Access::Symlink { target: "/home/u/x".into() });
    let Access::Ask(ask) = &at(&profile, "/q").unwrap().access else { panic!() };
    assert_eq!((ask.actions.len(), ask.lease), (2, Some(Duration::from_secs(3600))));
}

#[test]
fn limits_have_units() {
    let limits = good(
        "limits: {memory: 512M, processes: 64, cpu: 1.5, open_files: 9, file_size: 1G, core_size: 7, wall_time: 1h30m}\n",
    )
    .limits;
    assert_eq!((limits.memory_bytes, limits.cpu_millis), (Some(512 << 20), Some(1500)));
    assert_eq!(
        (limits.processes, limits.open_files, limits.file_size_bytes),
        (Some(64), Some(9), Some(1 << 30))
    );
    assert_eq!((limits.core_size_bytes, limits.wall_time), (Some(7), Some(Duration::from_secs(5400))));
    for limit in
        ["cpu: 0", "cpu: .inf", "cpu: -1", "processes: 0", "processes: 1.5", "open_files: -1", "memory: -1"]
    {
        assert!(read(&format!("limits: {{ {limit} }}\n")).is_err(), "{limit}");
    }
}

#[test]
fn what_this_build_cannot_do_is_understood_and_then_refused() {
    let profile = good(
        "filesystem:\n  - {path: /s, access: stage}\n  - {path: /a, access: ask, actions: [read]}\nnetwork:\n  \
         mode: filtered\n  allow: [{host: a.example, methods: [GET], tls: inspect}]\n  deny: [{host: '*.b.example'}]\n  \
         limits: {upload_total: 1G}\ndesktop: {gpu: allow, dbus: deny}\n",
    );
    let told = words(&unsupported(&profile));
    for what in [
        "x.yaml:3: `access: stage` (/s) is not in this build",
        "x.yaml:10: `desktop.gpu: allow` is not in this build",
    ] {
        assert!(told.contains(what), "{what}\n{told}");
    }
    assert!(!told.contains("dbus") && !told.contains("deny"));
    assert!(
        words(&unsupported(&good("network: {mode: host, deny: [{host: x}]}\n")))
            .contains("`network.deny: x`")
    );
}

#[test]
fn a_later_entry_takes_the_place_of_an_earlier_one_of_its_path() {
    let parent = "filesystem: [{path: /a, access: ro}, {path: /b, access: ro}]\n";
    let profile =
        merged(parent, "filesystem: [{path: /a/, access: tmpfs}, {path: /c, access: ro}]\n").unwrap();
    let paths: Vec<String> = profile.filesystem.iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(paths, ["/a", "/b", "/c"]);
    assert!(matches!(profile.filesystem[0].access, Access::Tmpfs { .. }));
}

#[test]
fn what_a_parent_protects_stays_protected() {
    let parent = "filesystem: [{path: /a, access: rw, protect: [git, .env]}]\n";
    let profile = merged(parent, "filesystem: [{path: /a, access: rw, protect: [x.y]}]\n").unwrap();
    let protect = &at(&profile, "/a").unwrap().protect;
    for path in [".git/hooks", ".env", "x.y"] {
        assert!(protect.iter().any(|protect| protect.path == path), "{path}");
    }
}

#[test]
fn a_name_once_protected_whole_is_not_loosened_to_its_name() {
    let protect = &good("filesystem: [{path: /a, access: rw, protect: [git, .git]}]\n").filesystem[0].protect;
    let git: Vec<_> = protect.iter().filter(|protect| protect.path == ".git").collect();
    assert_eq!(git.len(), 1);
    assert!(!git[0].name_only);
}

#[test]
fn a_mask_never_goes_away() {
    let parent = "filesystem: [{path: /a, access: mask}]\n";
    assert!(merged(parent, "filesystem: [{path: /a, access: mask}]\n").is_ok());
    let told = words(&merged(parent, "filesystem: [{path: /a, access: ro}]\n").unwrap_err());
    assert!(told.contains("/a is masked by ") && told.contains("a mask does not go away"), "{told}");
}

#[test]
fn lists_of_names_add_up_and_single_values_are_the_childs() {
    let parent = "description: p\nhostname: p\nseccomp: strict\nallow_degraded: [cgroup]\nlandlock: {require: [network]}\n\
                  environment: {keep: [A], set: {X: 1, Y: 2}}\nlimits: {memory: 1G, processes: 5}\n\
                  network: {mode: loopback, deny: [{host: p.example}], tcp: {connect: [1], bind: [2]}}\n";
    let child = "hostname: c\nlandlock: {require: [scopes]}\nallow_degraded: [seccomp, cgroup]\n\
                 environment: {keep: [B, A], set: {Y: 3}}\nlimits: {memory: 2G}\n\
                 network: {deny: [{host: c.example, port: 1}], tcp: {connect: [3]}}\n";
    let profile = merged(parent, child).unwrap();
    assert_eq!((profile.description.as_str(), profile.hostname.as_str()), ("", "c"));
    assert_eq!((profile.seccomp.value.as_str(), profile.network.mode), ("strict", NetworkMode::Loopback));
    assert!(profile.landlock.filesystem && profile.landlock.network && profile.landlock.scopes);
    let layers: Vec<Layer> = profile.degraded.iter().map(|(layer, _)| *layer).collect();
    assert_eq!(layers, [Layer::Cgroup, Layer::Seccomp]);
    assert_eq!(profile.environment.keep, ["A", "B"]);
    let set: Vec<_> = profile.environment.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(set, ["X=1", "Y=3"]);
    assert_eq!((profile.limits.memory_bytes, profile.limits.processes), (Some(2 << 30), Some(5)));
    let deny: Vec<_> = profile.network.deny.iter().map(|rule| (rule.host.to_string(), rule.port)).collect();
    assert_eq!(deny, [("p.example".to_owned(), None), ("c.example".to_owned(), Some(1))]);
    assert_eq!((profile.network.connect_tcp, profile.network.bind_tcp), (Some(vec![3]), Some(vec![2])));
}

#[test]
fn a_circle_of_extends_names_the_chain() {
    let folder = Folder::with(&[
        ("a.yaml", "version: 1\nextends: [./b.yaml]\n"),
        ("b.yaml", "version: 1\nextends: [./c.yaml]\n"),
        ("c.yaml", "version: 1\nextends:\n  - ./b.yaml\n"),
    ]);
    let told = words(&load("./a.yaml", &folder.context()).unwrap_err());
    assert!(told.contains("c.yaml:3: `extends` goes in a circle: "), "{told}");
    assert!(told.contains("b.yaml → ") && !told.contains("a.yaml →"), "{told}");
}

#[test]
fn a_parent_of_two_children_goes_in_once() {
    let folder = Folder::with(&[
        ("top.yaml", "version: 1\nextends: [sub/b.yaml, ./c.yaml]\n"),
        ("sub/b.yaml", "version: 1\nextends: [../d.yaml]\n"),
        ("c.yaml", "version: 1\nextends: [./d.yaml]\n"),
        ("d.yaml", "version: 1\n"),
    ]);
    let profile = load("./top.yaml", &folder.context()).unwrap();
    let ends: Vec<_> = profile.origins.iter().filter_map(|origin| origin.name.rsplit('/').next()).collect();
    assert_eq!(ends, ["d.yaml", "b.yaml", "c.yaml", "top.yaml"]);
}

#[test]
fn errors_of_parents_and_children_are_told_together() {
    let told = words(&merged("hostnme: x\n", "limits: {memory: x}\nextend: []\n").unwrap_err());
    assert_eq!(told.matches("hint: ").count(), 3, "{told}");
    assert!(
        words(&read("extends: [basee]\n").unwrap_err())
            .contains("x.yaml:2: no profile has the name `basee`\nhint: did you mean `base`?")
    );
}

#[test]
fn a_plain_name_never_means_a_file_of_the_working_folder() {
    let folder = Folder::with(&[("cowork.yaml", "version: 1\ndescription: planted\n")]);
    assert_ne!(load("cowork", &folder.context()).unwrap().description, "planted");
    assert_eq!(load("./cowork.yaml", &folder.context()).unwrap().description, "planted"); // the control
}

#[test]
fn a_name_is_searched_strongest_first_and_can_build_on_the_one_it_stands_before() {
    let folder = Folder::with(&[
        ("user/cowork.yaml", "version: 1\nextends: [cowork]\nhostname: mine\n"),
        ("user/base.yaml", "version: 1\nfilesystem: [{path: /, access: rw}]\n"),
        ("etc/site.yaml", "version: 1\nextends: [base]\n"),
    ]);
    let search = vec![folder.0.join("user"), folder.0.join("etc")];
    let context = Context { search, ..person() };
    let mine = load("cowork", &context).unwrap();
    assert_eq!(mine.hostname, "mine");
    assert!(at(&mine, "/usr").is_some());
    let site = load("site", &context).unwrap();
    assert!(at(&site, "/").is_none(), "a user's base.yaml got below the administrator's profile");
    assert!(at(&load("base", &context).unwrap(), "/").is_some()); // the control: asked for by name it is the user's
}

#[test]
fn a_file_that_others_can_write_or_that_is_none_is_refused() {
    let folder = Folder::with(&[("open.yaml", "version: 1\n"), ("folder.yaml/x", ""), ("latin.yaml", "")]);
    let told = |name: &str| words(&load(name, &folder.context()).unwrap_err());
    assert!(load("./open.yaml", &folder.context()).is_ok()); // the control
    let path = folder.0.join("open.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(told("./open.yaml").contains("everybody on this machine can write it"));
    assert!(told("./folder.yaml").contains("is not a regular file"));
    std::fs::write(folder.0.join("latin.yaml"), b"version: 1\n# \xE4\n").unwrap();
    assert!(told("./latin.yaml").contains("line 2 is not UTF-8"));
    std::fs::write(folder.0.join("latin.yaml"), "#".repeat((1 << 20) + 1)).unwrap();
    assert!(told("./latin.yaml").contains("has more than 1 MiB"));
    assert!(told("./none.yaml").contains("no such file"));
    assert!(told("no such").contains("not a profile's name"));
    let stranger = Context { uid: 4_000_000, ..folder.context() };
    let mine = nix::unistd::getuid().is_root();
    std::fs::write(folder.0.join("latin.yaml"), "version: 1\n").unwrap();
    assert_eq!(load("./latin.yaml", &stranger).is_err(), !mine, "a file of another user");
}

#[test]
fn variables_are_replaced_where_paths_and_values_are() {
    let profile = good(
        "filesystem: [{path: $XDG_DATA_HOME/x, access: ro, source: \"${PWD}/$UID\"}]\nseccomp: ~/f.yaml\n\
         environment: {set: {A: \"$USER costs 1$$\", B: 2, C: true}}\n",
    );
    let entry = at(&profile, "/home/u/.local/share/x").unwrap();
    let uid = person().uid;
    assert_eq!(entry.host_path().unwrap().to_string(), format!("/home/u/project/{uid}"));
    assert_eq!(profile.seccomp.value, "/home/u/f.yaml");
    assert_eq!(profile.environment.set[0].1, "u costs 1$");
    let told = wrong("filesystem:\n  - path: $PDW/x\n    access: ro\n");
    assert!(told.contains("x.yaml:3: unknown variable `$PDW`\nhint: did you mean $PWD?"), "{told}");
    assert!(
        wrong("filesystem: [{path: ~, access: ro}]\n")
            .contains("hint: a lone `~` is nothing in YAML: write $HOME")
    );
    assert!(wrong("filesystem: [{path: ../x, access: ro}]\n").contains("is not absolute"));
    assert!(wrong("filesystem: [{path: $HOME/../x, access: ro}]\n").contains("`..` component"));
}

#[test]
fn the_home_or_a_system_folder_is_no_working_folder() {
    for pwd in ["/home/u", "/home", "/", "/usr", "/etc", "/tmp", "/home/u/.ssh"] {
        for name in ["cowork", "readonly-docs"] {
            let told = words(&load(name, &Context { pwd: pwd.into(), ..person() }).unwrap_err());
            assert!(told.contains("cowork.yaml:") && told.contains("project folder"), "{pwd} {told}");
        }
    }
    let service = words(&load("cowork", &Context { home: "/".into(), ..person() }).unwrap_err());
    assert!(service.contains("`$HOME` is /, which is everything"), "{service}");
    assert!(load("cowork", &person()).is_ok()); // the control
    assert!(read("filesystem: [{path: $HOME, access: rw}]\n").is_ok()); // who names it means it
}
