//! `programs.transitions`: programs that run in a sandbox of their own beside the one that calls them, with less.
//!
//! Never says what such a program gets, only what it does not get: there is no key here that could give.

use super::attenuate::Less;
use super::context::Context;
use super::decode::At;
use super::entry::inner_path;
use super::programs::{Programs, path};
use super::show::time;
use super::written::{LessKeys, TransitionKeys};
use crate::base::{InnerPath, Source};
use crate::profile::ProfileError;
use serde_json::{Map, Value, json};

/// The most of one profile: each is a mount, and each level of one inside another drops one.
const MOST: usize = 32;

/// A program with less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Its file, as the command sees it.
    pub path: InnerPath,
    /// Lower-case hex of its SHA-256.
    pub sha256: Option<String>,
    /// What it gets less.
    pub less: Less,
    /// Where it was written.
    pub asked: Source,
}

impl Transition {
    /// The keys that come to this, in one line: two that are equal say the same.
    pub fn text(&self) -> String {
        shown(self).to_string()
    }
}

/// Puts the transitions of a file on top of what came before, `programs.deny` of the same file included.
pub(super) fn add(
    programs: &mut Programs,
    written: Vec<At<TransitionKeys>>,
    context: &Context,
    errors: &mut Vec<ProfileError>,
) {
    for keys in written {
        let made = transition(keys, context);
        let added = made.and_then(|transition| join(&mut programs.transitions, transition));
        if let Err(wrong) = added {
            errors.extend(wrong);
        }
    }
    if let Some(surplus) = programs.transitions.get(MOST) {
        errors
            .push(ProfileError::new(surplus.asked.clone(), format!("there are {MOST} transitions already")));
    }
    for transition in &programs.transitions {
        let Some((_, denied)) = programs.deny.iter().find(|(denied, _)| *denied == transition.path) else {
            continue;
        };
        let message = format!("{} is a transition, and denied by {denied}", transition.path);
        let error = ProfileError::new(transition.asked.clone(), message).hint("keep one of the two");
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
}

/// One of a path that is there takes away what the other takes away, and more.
fn join(all: &mut Vec<Transition>, more: Transition) -> Result<(), Vec<ProfileError>> {
    let Some(known) = all.iter_mut().find(|known| known.path == more.path) else {
        all.push(more);
        return Ok(());
    };
    if let (Some(one), Some(other)) = (&known.sha256, &more.sha256)
        && one != other
    {
        let message = format!("{} has another `sha256` by {}", more.path, known.asked);
        return Err(vec![ProfileError::new(more.asked, message).hint("one file has one content")]);
    }
    known.sha256 = known.sha256.take().or(more.sha256);
    for (places, added) in
        [(&mut known.less.read_only, more.less.read_only), (&mut known.less.hidden, more.less.hidden)]
    {
        let new: Vec<InnerPath> = added.into_iter().filter(|place| !places.contains(place)).collect();
        places.extend(new);
    }
    known.less.no_network |= more.less.no_network;
    known.less.no_requests |= more.less.no_requests;
    known.less.wall_time = [known.less.wall_time, more.less.wall_time].into_iter().flatten().min();
    known.asked = more.asked;
    Ok(())
}

fn transition(
    At { value, asked }: At<TransitionKeys>,
    context: &Context,
) -> Result<Transition, Vec<ProfileError>> {
    // The decoder has told what is missing.
    let (Some(written), Some(keys)) = (value.path, value.less) else { return Err(Vec::new()) };
    let path = inner_path(&written, context)?;
    let less = less(keys.value, context)?;
    let wrong =
        |message: String, hint: &str| Err(vec![ProfileError::new(keys.asked.clone(), message).hint(hint)]);
    if less.is_nothing() {
        return wrong(
            format!("the transition of {path} takes nothing away"),
            "less: { no_network: true }, or leave the transition out",
        );
    }
    if less.hidden.iter().any(|place| place.contains(&path)) {
        return wrong(
            format!("the transition of {path} hides the program itself"),
            "hide what lies beside it",
        );
    }
    Ok(Transition { path, sha256: value.sha256.map(|digest| digest.value.0), less, asked })
}

fn less(keys: LessKeys, context: &Context) -> Result<Less, Vec<ProfileError>> {
    let places = |written: Option<Vec<At<String>>>| -> Result<Vec<InnerPath>, Vec<ProfileError>> {
        written.unwrap_or_default().iter().map(|path| inner_path(path, context)).collect()
    };
    Ok(Less {
        read_only: places(keys.read_only)?,
        hidden: places(keys.hidden)?,
        no_network: keys.no_network.unwrap_or(false),
        no_requests: keys.no_requests.unwrap_or(false),
        wall_time: keys.wall_time.map(|time| time.0),
    })
}

/// The keys that come to this.
pub(super) fn shown(transition: &Transition) -> Value {
    let mut keys = Map::new();
    keys.insert("path".into(), path(&transition.path));
    keys.extend(transition.sha256.as_ref().map(|digest| ("sha256".to_owned(), digest.as_str().into())));
    keys.insert("less".into(), less_shown(&transition.less));
    keys.into()
}

fn less_shown(less: &Less) -> Value {
    let mut keys = Map::new();
    for (key, places) in [("read_only", &less.read_only), ("hidden", &less.hidden)] {
        if !places.is_empty() {
            keys.insert(key.into(), places.iter().map(path).collect());
        }
    }
    for (key, set) in [("no_network", less.no_network), ("no_requests", less.no_requests)] {
        if set {
            keys.insert(key.into(), json!(true));
        }
    }
    keys.extend(less.wall_time.map(|limit| ("wall_time".to_owned(), time(limit).into())));
    keys.into()
}

#[cfg(test)]
mod tests {
    use crate::profile::context::tests::person;
    use crate::profile::{Profile, ProfileError, load_str, to_text};
    use std::time::Duration;

    fn load(transitions: &str) -> Result<Profile, Vec<ProfileError>> {
        load_str("x.yaml", &format!("version: 1\nprograms:\n  transitions:\n{transitions}"), &person())
    }

    #[test]
    fn what_is_shown_of_transitions_means_the_same_again() {
        let digest = "a".repeat(64);
        let text = format!(
            "  - {{ path: /usr/bin/git, sha256: {digest}, less: {{ read_only: [~/a], hidden: [$PWD/k], no_network: true, \
             no_requests: true, wall_time: 90s }} }}\n  - {{ path: ~/bin/x, less: {{ no_network: true }} }}\n"
        );
        let first = load(&text).unwrap();
        let [git, other] = first.programs.transitions.as_slice() else { panic!("{first:?}") };
        assert_eq!(git.less.hidden[0].to_string(), "/home/u/project/k");
        assert_eq!((other.path.to_string().as_str(), &other.sha256), ("/home/u/bin/x", &None));
        assert!(first.guarded(), "somebody must start them");
        let again = load_str("again.yaml", &to_text(&first), &person()).unwrap();
        let texts = |profile: &Profile| {
            profile.programs.transitions.iter().map(super::Transition::text).collect::<Vec<_>>()
        };
        assert_eq!(texts(&again), texts(&first));
    }

    #[test]
    fn two_entries_of_one_program_take_away_what_both_take_away() {
        let profile = load(
            "  - { path: /bin/x, less: { hidden: [/a], wall_time: 1h } }\n\
             \u{20} - { path: /bin/x, less: { hidden: [/b, /a], no_network: true, wall_time: 2h } }\n",
        )
        .unwrap();
        let [one] = profile.programs.transitions.as_slice() else { panic!("{profile:?}") };
        assert_eq!(one.less.hidden.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/a", "/b"]);
        assert!(one.less.no_network && one.less.wall_time == Some(Duration::from_secs(3600)));
    }

    #[test]
    fn each_mistake_is_named_with_its_line() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let twice = format!(
            "  - {{ path: /x, sha256: {a}, less: {{ no_network: true }} }}\n  - {{ path: /x, sha256: {b}, less: {{ no_network: true }} }}\n"
        );
        for (text, line, wanted) in [
            ("  - { path: /x, less: {} }\n", 4, "takes nothing away"),
            ("  - { path: /x }\n", 4, "`less`"),
            ("  - { less: { no_network: true } }\n", 4, "`path`"),
            ("  - { path: x, less: { no_network: true } }\n", 4, "is not absolute"),
            ("  - { path: /x, less: { network: true } }\n", 4, "unknown key `network`"),
            ("  - { path: /x, less: { rw: [/a] } }\n", 4, "unknown key `rw`"),
            ("  - { path: /a/x, less: { hidden: [/a] } }\n", 4, "hides the program itself"),
            ("  - { path: /x, sha256: 1, less: { no_network: true } }\n", 4, ""),
            (twice.as_str(), 5, "another `sha256`"),
            ("  - { path: /x, less: { no_network: true } }\n  deny: [/x]\n", 4, "denied by x.yaml:5"),
        ] {
            let errors = load(text).unwrap_err();
            let found = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            assert!(found.contains(&format!("x.yaml:{line}:")) && found.contains(wanted), "{text}: {found}");
        }
        let many: String = (0..=super::MOST)
            .map(|n| format!("  - {{ path: /x{n}, less: {{ no_network: true }} }}\n"))
            .collect();
        assert!(load(&many).unwrap_err()[0].message.contains("32 transitions"));
    }
}
