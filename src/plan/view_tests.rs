//! What the view must be, tried on a tree of words.

use super::view::{Act, View, ViewError};
use crate::base::{InnerPath, Source};
use crate::host::{FakeTree, Kind};
use crate::profile::{Access, FsEntry, Protect};

pub(super) fn entry(path: &str, access: Access) -> FsEntry {
    FsEntry::plain(InnerPath::new(path).unwrap(), access, Source::line("test.yaml", 1))
}

pub(super) fn protecting(path: &str, places: &[(&str, bool)]) -> FsEntry {
    let protect = |(path, name_only): &(&str, bool)| Protect {
        path: (*path).to_owned(),
        name_only: *name_only,
        group: None,
    };
    FsEntry { protect: places.iter().map(protect).collect(), ..entry(path, Access::Rw) }
}

pub(super) fn tree() -> FakeTree {
    FakeTree::new()
        .with("/usr/bin/true", Kind::File)
        .with_link("/bin", "usr/bin")
        .with("/home/u/work/src/lib.rs", Kind::File)
        .with("/home/u/work/.git/hooks/pre-commit", Kind::File)
        .with("/home/u/work/.git/config", Kind::File)
        .with("/home/u/.ssh/id", Kind::File)
        .with_link("/home/u/link", "/home/u/.ssh")
}

pub(super) fn steps(view: &View) -> Vec<String> {
    let kind = |act: &Act| match act {
        Act::Folder => "folder",
        Act::EmptyFile => "file",
        Act::StandIn { .. } => "stand-in",
        Act::Bind { flags, .. } if flags.read_only => "ro",
        Act::Bind { .. } => "rw",
        Act::Tmpfs { .. } => "tmpfs",
        Act::Symlink(_) => "link",
        Act::MaskFolder | Act::MaskFile => "mask",
        Act::Data(_) => "data",
        Act::Devices => "dev",
        Act::Proc => "proc",
        Act::Ask { .. } => "ask",
    };
    view.steps.iter().map(|step| format!("{} {}", kind(&step.act), step.at)).collect()
}

pub(super) fn build(entries: &[FsEntry], tree: &FakeTree) -> Result<View, Vec<ViewError>> {
    super::view::build(entries, true, tree)
}

pub(super) fn refused(entries: &[FsEntry]) -> Vec<ViewError> {
    build(entries, &tree()).expect_err("it must be refused")
}

#[test]
fn folders_above_an_entry_are_made_once_and_before_it() {
    let tmpfs = Access::Tmpfs { size_bytes: None, mode: None };
    let view = build(&[entry("/home/u/work", Access::Rw), entry("/home/u", tmpfs)], &tree()).unwrap();
    let expected =
        ["folder /home", "folder /home/u", "tmpfs /home/u", "folder /home/u/work", "rw /home/u/work"];
    assert_eq!(steps(&view), expected);
}

#[test]
fn a_link_whose_end_is_shown_stays_a_link_and_others_show_their_end() {
    let view = build(&[entry("/usr", Access::Ro), entry("/bin", Access::Ro)], &tree()).unwrap();
    assert!(steps(&view).contains(&"link /bin".to_owned()), "{:?}", steps(&view));
    let alone = build(&[entry("/bin", Access::Ro)], &tree()).unwrap();
    assert!(steps(&alone).contains(&"ro /bin".to_owned()), "{:?}", steps(&alone));
}

#[test]
fn a_missing_path_is_refused_unless_optional() {
    let errors = refused(&[entry("/nowhere", Access::Ro), entry("/neither", Access::Rw)]);
    assert_eq!(errors.len(), 2, "all at once");
    assert!(
        errors.iter().all(|error| error.hint.as_deref().is_some_and(|hint| hint.contains("optional: true")))
    );
    let optional = FsEntry { optional: true, ..entry("/nowhere", Access::Ro) };
    let view = build(&[optional], &tree()).unwrap();
    assert!(view.steps.is_empty());
    assert_eq!(view.left_out.len(), 1);
}

#[test]
fn an_optional_entry_that_we_may_not_look_up_is_left_out_where_nothing_else_would_show() {
    let tree = tree().with_closed("/home/other").with_closed("/home/u/work/closed");
    let optional = |path: &str| FsEntry { optional: true, ..entry(path, Access::Ro) };
    let view = build(&[optional("/home/other/tools")], &tree).unwrap();
    assert_eq!((view.steps.len(), view.left_out.len()), (0, 1));
    let required = build(&[entry("/home/other/tools", Access::Ro)], &tree).unwrap_err();
    assert!(required[0].message.contains("EACCES"), "{}", required[0].message);
    // Below a writable folder, leaving out `ro` would leave the place writable as soon as its owner opens it.
    let below =
        build(&[entry("/home/u/work", Access::Rw), optional("/home/u/work/closed/x")], &tree).unwrap_err();
    assert!(below[0].message.contains("EACCES"), "{}", below[0].message);
}

#[test]
fn nothing_is_made_below_a_host_folder() {
    let tmpfs = Access::Tmpfs { size_bytes: None, mode: None };
    let errors = refused(&[entry("/home/u/work", Access::Rw), entry("/home/u/work/new", tmpfs.clone())]);
    assert!(errors[0].message.contains("nothing is created on the host"), "{}", errors[0].message);
    // The control: an existing folder there can be covered.
    build(&[entry("/home/u/work", Access::Rw), entry("/home/u/work/src", tmpfs)], &tree()).unwrap();
}

#[test]
fn a_place_behind_a_link_of_a_host_folder_is_refused() {
    let errors = refused(&[entry("/home/u", Access::Rw), entry("/home/u/link/id", Access::Ro)]);
    assert!(errors[0].message.contains("through a link"), "{}", errors[0].message);
}

#[test]
fn what_exists_is_mounted_and_what_does_not_is_guarded() {
    let places =
        [(".git", true), (".git/hooks", false), (".git/config", false), (".vscode/tasks.json", false)];
    let view = build(&[protecting("/home/u/work", &places)], &tree()).unwrap();
    let tail: Vec<String> = steps(&view).split_off(3);
    assert_eq!(
        tail,
        [
            "rw /home/u/work",
            "rw /home/u/work/.git",
            "ro /home/u/work/.git/config",
            "ro /home/u/work/.git/hooks"
        ]
    );
    let missing: Vec<String> =
        view.missing.iter().map(|missing| format!("{} {}", missing.folder, missing.rest)).collect();
    assert_eq!(missing, ["/home/u/work .vscode/tasks.json"]);
}

#[test]
fn a_mask_needs_something_to_cover() {
    let masked =
        build(&[entry("/home/u", Access::Rw), entry("/home/u/.ssh", Access::Mask)], &tree()).unwrap();
    assert!(steps(&masked).contains(&"mask /home/u/.ssh".to_owned()));
    // Where nothing shows, it is masked already.
    assert!(build(&[entry("/home/u/.ssh", Access::Mask)], &tree()).unwrap().steps.is_empty());
}

#[test]
fn only_what_an_entry_shows_is_shown() {
    let tmpfs = Access::Tmpfs { size_bytes: None, mode: None };
    let view = build(
        &[entry("/home/u", tmpfs), entry("/home/u/work", Access::Rw), entry("/usr", Access::Ro)],
        &tree(),
    )
    .unwrap();
    let shows = |path: &str| view.shows(&InnerPath::new(path).unwrap());
    assert!(shows("/") && shows("/home") && shows("/home/u/work/src") && shows("/usr/bin"));
    assert!(!shows("/home/u/.ssh") && !shows("/etc/shadow"));
    let host = view.host_of(&InnerPath::new("/home/u/work/src").unwrap()).map(|path| path.to_string());
    assert_eq!(host.as_deref(), Some("/home/u/work/src"));
    assert!(view.host_of(&InnerPath::new("/home/u/.ssh").unwrap()).is_none());
}

#[test]
fn the_same_entries_give_the_same_view_in_any_order() {
    let one =
        [entry("/usr", Access::Ro), entry("/bin", Access::Ro), protecting("/home/u/work", &[(".git", true)])];
    let mut other = one.to_vec();
    other.reverse();
    assert_eq!(steps(&build(&one, &tree()).unwrap()), steps(&build(&other, &tree()).unwrap()));
}

#[test]
fn the_whole_root_is_no_entry() {
    let errors = refused(&[entry("/", Access::Ro)]);
    assert!(errors[0].message.contains("whole root"), "{}", errors[0].message);
}

#[test]
fn a_link_of_a_folder_shown_read_only_stands_as_it_is() {
    let link = Access::Symlink { target: "elsewhere".into() };
    let tree = tree().with("/etc/passwd", Kind::File).with_link("/etc/localtime", "/usr/share/zone");
    let entries =
        [entry("/etc", Access::Ro), entry("/etc/localtime", Access::Ro), entry("/etc/passwd", Access::Ro)];
    let view = build(&entries, &tree).unwrap();
    assert_eq!(steps(&view), ["folder /etc", "ro /etc", "ro /etc/passwd"]);
    assert_eq!(view.left_out.len(), 1);
    build(&[entry("/etc", Access::Ro), entry("/etc/localtime", link.clone())], &tree).unwrap();
    // In a writable folder a link can be anybody's.
    assert!(build(&[entry("/etc", Access::Rw), entry("/etc/localtime", link)], &tree).is_err());
}

#[test]
fn devices_in_a_host_folder_stand_on_a_filesystem_of_their_own() {
    let tree = tree().with("/srv/root/dev", Kind::Folder);
    let view =
        build(&[entry("/srv/root", Access::Ro), entry("/srv/root/dev", Access::DevFs)], &tree).unwrap();
    let tail: Vec<String> = steps(&view).split_off(2);
    assert_eq!(tail, ["ro /srv/root", "tmpfs /srv/root/dev", "dev /srv/root/dev"]);
}
