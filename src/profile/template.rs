//! `consent.templates`: flows that were approved in advance, so that nobody is asked for each of their steps.
//!
//! Never widens anything: a template answers a question that the rest of the profile lets an agent ask.

use super::context::Context;
use super::decode::{At, mapping};
use super::entry::host_path;
use super::show::time;
use super::units::{Count, Lasting};
use super::values::Sha256;
use super::written_entry::ActionWord;
use crate::base::{Action, HostPath, Source};
use crate::profile::ProfileError;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The longest name of a template.
const LONGEST_NAME: usize = 64;

mapping! {
    /// A flow that is approved in advance.
    TemplateKeys, required ["name", "actions", "path"] {
        /// Names it in records: letters, digits, `-`, `_` and `.`.
        name: At<String>,
        /// What it allows without asking.
        actions: At<Vec<ActionWord>>,
        /// The place on the host, and everything below it.
        path: At<String>,
        /// The SHA-256 of the only program that may use it, in lower-case hex.
        sha256: Sha256,
        /// How long each of its yeses lasts; the entry's time when not said.
        lease: Lasting,
        /// So many yeses in one run; after that a person is asked.
        uses: Count,
    }
}

/// A flow that was approved in advance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its name, as records show it.
    pub name: String,
    /// The most it allows.
    pub actions: Vec<Action>,
    /// The place on the host, and everything below it.
    pub path: HostPath,
    /// Lower-case hex of the SHA-256 of the only program that may use it; `None`: any.
    pub sha256: Option<String>,
    /// How long each of its yeses lasts; `None`: the entry's time.
    pub lease: Option<Duration>,
    /// So many yeses in one run; `None`: no limit.
    pub uses: Option<u64>,
    /// Where it was written.
    pub asked: Source,
}

/// Adds templates; one of a name that is there takes its place.
pub(super) fn add(
    templates: &mut Vec<Template>,
    written: Vec<At<TemplateKeys>>,
    context: &Context,
    errors: &mut Vec<ProfileError>,
) {
    for keys in written {
        match template(keys, context) {
            Ok(Some(made)) => {
                templates.retain(|known| known.name != made.name);
                templates.push(made);
            }
            Ok(None) => {} // a key is missing, and the decoder has said which
            Err(wrong) => errors.extend(wrong),
        }
    }
}

fn template(
    At { value, asked }: At<TemplateKeys>,
    context: &Context,
) -> Result<Option<Template>, Vec<ProfileError>> {
    let (Some(name), Some(actions), Some(path)) = (value.name, value.actions, value.path) else {
        return Ok(None);
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !(1..=LONGEST_NAME).contains(&name.value.len()) || !name.value.bytes().all(fits) {
        let error = ProfileError::new(name.asked, format!("not a template's name: `{}`", name.value));
        return Err(vec![error.hint("at most 64 letters, digits, `-`, `_` and `.`")]);
    }
    let mut allowed: Vec<Action> = actions.value.into_iter().filter_map(ActionWord::action).collect();
    allowed.sort();
    allowed.dedup();
    if allowed.is_empty() {
        let error = ProfileError::new(actions.asked, "a template that allows nothing");
        return Err(vec![error.hint("name at least one action, such as read")]);
    }
    Ok(Some(Template {
        name: name.value,
        actions: allowed,
        path: host_path(&path, context)?,
        sha256: value.sha256.map(|digest| digest.0),
        lease: value.lease.map(|lease| lease.0),
        uses: value.uses.map(|uses| uses.0),
        asked,
    }))
}

/// A template with the keys of the format.
pub(super) fn to_json(template: &Template) -> Value {
    let mut keys = Map::new();
    keys.insert("name".into(), template.name.as_str().into());
    keys.insert("actions".into(), json!(template.actions));
    keys.insert("path".into(), template.path.to_string().replace('$', "$$").into());
    keys.extend(template.sha256.as_ref().map(|digest| ("sha256".to_owned(), digest.as_str().into())));
    keys.extend(template.lease.map(|lease| ("lease".to_owned(), time(lease).into())));
    keys.extend(template.uses.map(|uses| ("uses".to_owned(), uses.into())));
    keys.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::context::tests::person;
    use crate::profile::{Profile, load_str, to_text};

    fn read(templates: &str) -> Result<Profile, Vec<ProfileError>> {
        load_str("x.yaml", &format!("version: 1\nconsent:\n  templates:\n{templates}"), &person())
    }

    #[test]
    fn a_template_is_read_shown_and_read_again() {
        let digest = "0f".repeat(32);
        let all = format!(
            "  - {{ name: month-end, actions: [read, append, read], path: $HOME/books, sha256: {digest}, lease: 10m, uses: 20 }}\n"
        );
        let profile = read(&all).unwrap();
        let expected = Template {
            name: "month-end".into(),
            actions: vec![Action::Read, Action::Append],
            path: HostPath::new("/home/u/books").unwrap(),
            sha256: Some(digest),
            lease: Some(Duration::from_secs(600)),
            uses: Some(20),
            asked: profile.consent.templates[0].asked.clone(),
        };
        assert_eq!(profile.consent.templates, [expected]);
        let again = load_str("y.yaml", &to_text(&profile), &person()).unwrap();
        let bare = |profile: &Profile| profile.consent.templates.iter().map(to_json).collect::<Vec<_>>();
        assert_eq!(bare(&again), bare(&profile));
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_line() {
        for (written, word) in [
            ("  - { actions: [read], path: /x }\n", "`name` is missing"),
            ("  - { name: \"a b\", actions: [read], path: /x }\n", "not a template's name"),
            ("  - { name: a, actions: [], path: /x }\n", "allows nothing"),
            ("  - { name: a, actions: [rede], path: /x }\n", "unknown action"),
            ("  - { name: a, actions: [read], path: x }\n", "x"),
            ("  - { name: a, actions: [read], path: /x, sha256: 00 }\n", ""),
            ("  - { name: a, actions: [read], path: /x, uses: 0 }\n", "from 1"),
        ] {
            let errors = read(written).unwrap_err();
            assert!(errors.iter().any(|error| error.to_string().contains(word)), "{written}: {errors:?}");
            assert!(errors.iter().all(|error| error.to_string().contains("x.yaml:4")), "{errors:?}");
        }
    }

    #[test]
    fn a_later_template_of_the_same_name_takes_the_place() {
        let two =
            "  - { name: a, actions: [read], path: /x }\n  - { name: a, actions: [append], path: /y }\n";
        let templates = read(two).unwrap().consent.templates;
        assert_eq!(templates.len(), 1);
        assert_eq!(templates[0].actions, [Action::Append]);
    }
}
