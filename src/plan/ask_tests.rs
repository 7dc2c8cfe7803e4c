//! What becomes of entries that ask, tried on a tree of words.

use super::ask::AskEntry;
use super::rights;
use super::view::{Act, RuleObject, View};
use super::view_tests::{build, entry, protecting, refused, steps, tree};
use crate::base::Action;
use crate::profile::{Access, AskWish, FsEntry};
use crate::wire::files::Serve;

const FULL: [Action; 5] = [Action::Read, Action::Append, Action::Overwrite, Action::Create, Action::Delete];

fn asking(path: &str, actions: &[Action]) -> FsEntry {
    entry(path, Access::Ask(AskWish { actions: actions.to_vec(), ..AskWish::default() }))
}

fn only(view: &View) -> &AskEntry {
    assert_eq!(view.asks.len(), 1);
    &view.asks[0]
}

fn rule(view: &View, inner: bool) -> Vec<&str> {
    let of = |on: &RuleObject| match on {
        RuleObject::Host(object) => !inner && object.canonical.as_path().ends_with(".ssh"),
        RuleObject::Inner(at, _) => inner && at.as_path().ends_with(".ssh"),
    };
    view.rules.iter().find(|rule| of(&rule.on)).map(|rule| rule.actions.names()).unwrap_or_default()
}

#[test]
fn an_entry_that_asks_gets_its_mount_and_the_object_its_ceiling() {
    let view = build(&[asking("/home/u/.ssh", &[Action::Read])], &tree()).unwrap();
    assert_eq!(steps(&view).last().unwrap(), "ask /home/u/.ssh");
    assert_eq!(rule(&view, false), ["read", "list"]);
    assert_eq!(rule(&view, true), ["read", "list"]);
    let ask = only(&view);
    assert!(ask.is_folder() && ask.mounted && ask.noexec);
    assert_eq!((ask.number, &ask.serve), (0, &None));
    assert!(!ask.ceiling().has(rights::Action::Write));
}

#[test]
fn where_nothing_can_ask_the_place_is_masked_and_landlock_knows_nothing_of_it() {
    let view = super::view::build(&[asking("/home/u/.ssh", &FULL)], false, &tree()).unwrap();
    assert_eq!(steps(&view).last().unwrap(), "mask /home/u/.ssh");
    assert!(rule(&view, false).is_empty() && rule(&view, true).is_empty());
    assert!(!only(&view).mounted);
}

#[test]
fn what_a_mount_can_say_is_mounted_and_all_else_is_served() {
    let folder = |actions: &[Action], change: fn(&mut AskWish)| {
        let mut wish = AskWish { actions: actions.to_vec(), ..AskWish::default() };
        change(&mut wish);
        only(&build(&[entry("/home/u/.ssh", Access::Ask(wish))], &tree()).unwrap()).serve.clone()
    };
    let same: fn(&mut AskWish) = |_| ();
    assert_eq!(folder(&[Action::Read], same), None);
    assert_eq!(folder(&[Action::Read, Action::Execute], same), None);
    assert_eq!(folder(&FULL, same), None);
    for some in [&[Action::Append][..], &FULL[1..], &[Action::Read, Action::Append], &[Action::Execute]] {
        assert_eq!(folder(some, same), Some(Serve::Checked {}), "{some:?}");
    }
    assert_eq!(folder(&[Action::Read], |wish| wish.bytes = Some(1)), Some(Serve::Checked {}));
    assert_eq!(folder(&[Action::Read], |wish| wish.revocable = true), Some(Serve::Checked {}));
    assert_eq!(folder(&[Action::Read], |wish| wish.uses = Some(1)), None);
    let redacted = folder(&[Action::Read], |wish| wish.redact = Some(vec!["x".into()]));
    assert_eq!(redacted, Some(Serve::Redacted { rules: vec!["x".into()] }));
    let file = build(&[asking("/home/u/.ssh/id", &FULL[..3])], &tree()).unwrap();
    assert_eq!((only(&file).is_folder(), &only(&file).serve), (false, &None));
}

#[test]
fn nothing_is_placed_below_an_entry_that_asks() {
    for below in [Access::Ro, Access::Mask, Access::Dir, Access::Ask(AskWish::default())] {
        let errors = refused(&[asking("/home/u/.ssh", &[Action::Read]), entry("/home/u/.ssh/id", below)]);
        assert!(errors[0].message.contains("an entry that asks"), "{errors:?}");
    }
}

#[test]
fn a_folder_on_the_way_in_a_writable_one_cannot_be_moved() {
    let mask = FsEntry { ..entry("/home/u/work/src/lib.rs", Access::Mask) };
    let ask = asking("/home/u/work/.git/hooks/pre-commit", &[Action::Read]);
    let view = build(&[entry("/home/u/work", Access::Rw), mask, ask.clone()], &tree()).unwrap();
    let wanted = [
        "rw /home/u/work",
        "rw /home/u/work/.git",
        "rw /home/u/work/.git/hooks",
        "ask /home/u/work/.git/hooks/pre-commit",
        "mask /home/u/work/src/lib.rs",
    ];
    assert_eq!(steps(&view)[steps(&view).len() - 5..], wanted);
    let view = build(&[entry("/home/u/work", Access::Ro), ask], &tree()).unwrap();
    assert!(!steps(&view).contains(&"ro /home/u/work/.git".to_owned()), "nobody can move it there");
}

#[test]
fn a_place_that_a_yes_would_uncover_is_refused() {
    for (protect, at) in [(".git/hooks", "/home/u/work/.git"), (".git/new", "/home/u/work/.git")] {
        let errors = refused(&[protecting("/home/u/work", &[(protect, false)]), asking(at, &FULL)]);
        assert!(errors[0].message.contains("is protected"), "{protect}: {errors:?}");
    }
}

#[test]
fn a_place_that_the_command_could_move_is_refused() {
    let tmpfs = Access::Tmpfs { size_bytes: None, mode: None };
    let mut deep = asking("/tmp/a/b", &[Action::Read]);
    deep.source = Some(crate::base::HostPath::new("/home/u/.ssh").unwrap());
    let errors = refused(&[entry("/tmp", tmpfs.clone()), deep.clone()]);
    assert!(errors[0].message.contains("can move the folders above"), "{errors:?}");
    deep.path = crate::base::InnerPath::new("/tmp/b").unwrap();
    let view = build(&[entry("/tmp", tmpfs), deep], &tree()).unwrap();
    assert!(view.steps.iter().any(|step| matches!(step.act, Act::Ask { number: 0, folder: true })));
}

#[test]
fn what_is_not_there_is_an_error_unless_it_is_optional_and_a_file_has_no_names_to_make() {
    let mut gone = asking("/home/u/none", &[Action::Read]);
    assert!(refused(&[gone.clone()])[0].message.contains("ENOENT"));
    gone.optional = true;
    assert!(build(&[gone], &tree()).unwrap().asks.is_empty());
    let mut around = asking("/home/u/.ssh", &[Action::Read]);
    let inside = entry("/home/u/.ssh/id", Access::Ro);
    assert!(refused(&[around.clone(), inside.clone()])[0].message.contains("nothing can be placed in it"));
    around.optional = true;
    let view = build(&[around, inside], &tree()).unwrap();
    assert_eq!((view.asks.len(), view.left_out.len()), (0, 1), "only the entry in it is placed");
    let errors = refused(&[asking("/home/u/.ssh/id", &FULL)]);
    assert!(errors[0].message.contains("the action create is one of folders"), "{errors:?}");
}
