//! `programs:`: which programs can be started, and who is asked about them.
//!
//! Never looks at a file: whether a program is there and has its digest is found out when a run is planned.

use super::context::Context;
use super::decode::At;
use super::entry::{expand, host_path, inner_path};
use super::show::time;
use super::transitions::{self, Transition};
use super::written::{AllowedProgram, ProgramKeys, ReputationKeys, UnknownWord};
use crate::base::{HostPath, InnerPath, Source};
use crate::profile::ProfileError;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long a reputation service may think.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long its answer holds for one content.
const CACHE: Duration = Duration::from_secs(86_400);

/// `programs:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// Only these can be executed; `None`: nothing is said.
    pub allow: Option<Vec<ProgramRule>>,
    /// These cannot be executed by their path.
    pub deny: Vec<(InnerPath, Source)>,
    /// What becomes of a command that `allow` does not name.
    pub unknown: Unknown,
    /// Who is asked about one that is not named by its digest.
    pub reputation: Option<Reputation>,
    /// Programs that run beside the one that calls them, with less.
    pub transitions: Vec<Transition>,
}

/// A program that can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramRule {
    /// A file, or a folder with all below it.
    pub path: InnerPath,
    /// Lower-case hex of its SHA-256.
    pub sha256: Option<String>,
    /// Where it was written.
    pub asked: Source,
}

/// What becomes of a program that is not named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unknown {
    /// It can be the command of a run.
    Allow,
    /// A person is asked.
    Ask,
    /// It is refused.
    #[default]
    Deny,
}

/// Who is asked about an unknown program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reputation {
    /// A program and its arguments.
    pub command: Option<Vec<String>>,
    /// An address.
    pub url: Option<String>,
    /// Certificates to trust for the address.
    pub ca: Option<HostPath>,
    /// No answer after this long means no.
    pub timeout: Duration,
    /// An answer holds this long.
    pub cache: Duration,
    /// Where it was written.
    pub asked: Source,
}

/// Puts the keys of a file on top of what came before.
pub(super) fn add(
    programs: &mut Programs,
    keys: ProgramKeys,
    context: &Context,
    errors: &mut Vec<ProfileError>,
) {
    let mut reader = Reader { context, errors };
    if let Some(allow) = keys.allow {
        let rules = allow.into_iter().filter_map(|keys| reader.rule(keys));
        let rules: Vec<ProgramRule> = rules.collect();
        programs.allow.get_or_insert_default().extend(rules);
    }
    for path in keys.deny.unwrap_or_default() {
        let inner = reader.inner(&path);
        programs.deny.extend(inner.map(|inner| (inner, path.asked)));
    }
    if let Some(word) = keys.unknown {
        programs.unknown = match word.value {
            UnknownWord::Allow => Unknown::Allow,
            UnknownWord::Ask => Unknown::Ask,
            UnknownWord::Deny => Unknown::Deny,
        };
    }
    if let Some(keys) = keys.reputation {
        programs.reputation = reader.reputation(keys).or(programs.reputation.take());
    }
    transitions::add(programs, keys.transitions.unwrap_or_default(), context, errors);
}

struct Reader<'a> {
    context: &'a Context,
    errors: &'a mut Vec<ProfileError>,
}

impl Reader<'_> {
    fn keep<T>(&mut self, made: Result<T, Vec<ProfileError>>) -> Option<T> {
        made.map_err(|wrong| self.errors.extend(wrong)).ok()
    }

    fn inner(&mut self, path: &At<String>) -> Option<InnerPath> {
        let made = inner_path(path, self.context);
        self.keep(made)
    }

    fn rule(&mut self, At { value, asked }: At<AllowedProgram>) -> Option<ProgramRule> {
        let path = self.inner(&value.path?)?;
        Some(ProgramRule { path, sha256: value.sha256.map(|digest| digest.value.0), asked })
    }

    fn reputation(&mut self, At { value, asked }: At<ReputationKeys>) -> Option<Reputation> {
        let ca = value.ca.and_then(|path| {
            let made = host_path(&path, self.context);
            self.keep(made)
        });
        let words = value.command.map(|words| {
            let made = words.iter().map(|word| expand(word, self.context)).collect::<Result<Vec<_>, _>>();
            self.keep(made).unwrap_or_default()
        });
        let url = value.url.map(|url| url.value);
        let right = match (&words, &url) {
            (Some(words), None) => words.first().is_some_and(|program| program.starts_with('/')),
            (None, Some(url)) => url.starts_with("https://") && url.len() <= 2048,
            _ => false,
        };
        if !right {
            let error = ProfileError::new(asked, "needs either `command` with an absolute path, or `url`");
            self.errors.push(error.hint("command: [/usr/local/bin/check], or url: https://…"));
            return None;
        }
        Some(Reputation {
            command: words,
            url,
            ca,
            timeout: value.timeout.map_or(TIMEOUT, |time| time.0),
            cache: value.cache.map_or(CACHE, |time| time.0),
            asked,
        })
    }
}

/// The keys that come to this.
pub(super) fn shown(programs: &Programs) -> Value {
    let mut keys = Map::new();
    if let Some(allow) = &programs.allow {
        let rules = allow.iter().map(|rule| match &rule.sha256 {
            Some(digest) => json!({ "path": path(&rule.path), "sha256": digest }),
            None => json!({ "path": path(&rule.path) }),
        });
        keys.insert("allow".into(), rules.collect());
    }
    if !programs.deny.is_empty() {
        keys.insert("deny".into(), programs.deny.iter().map(|(denied, _)| path(denied)).collect());
    }
    let unknown = match programs.unknown {
        Unknown::Allow => "allow",
        Unknown::Ask => "ask",
        Unknown::Deny => "deny",
    };
    keys.insert("unknown".into(), unknown.into());
    keys.extend(programs.reputation.as_ref().map(|asked| ("reputation".to_owned(), reputation(asked))));
    if !programs.transitions.is_empty() {
        keys.insert("transitions".into(), programs.transitions.iter().map(transitions::shown).collect());
    }
    keys.into()
}

pub(super) fn path(path: &InnerPath) -> Value {
    path.as_path().to_string_lossy().replace('$', "$$").into()
}

fn reputation(asked: &Reputation) -> Value {
    let mut keys = Map::new();
    if let Some(command) = &asked.command {
        keys.insert(
            "command".into(),
            command.iter().map(|word| Value::from(word.replace('$', "$$"))).collect(),
        );
    }
    keys.extend(asked.url.as_ref().map(|url| ("url".to_owned(), url.as_str().into())));
    keys.extend(
        asked
            .ca
            .as_ref()
            .map(|ca| ("ca".to_owned(), ca.as_path().to_string_lossy().replace('$', "$$").into())),
    );
    keys.insert("timeout".into(), time(asked.timeout).into());
    keys.insert("cache".into(), time(asked.cache).into());
    keys.into()
}

#[cfg(test)]
mod tests {
    use crate::profile::{Context, Unknown, load_str, to_text};

    fn person() -> Context {
        Context { pwd: "/home/u/work".into(), ..crate::profile::context::tests::person() }
    }

    #[test]
    fn what_is_shown_of_programs_means_the_same_again() {
        let digest = "a".repeat(64);
        let text = format!(
            "version: 1\nagents: {{ most: 2, depth: 1 }}\nprograms:\n  allow: [{{ path: /usr/bin/git, sha256: {digest} }}, \
             {{ path: ~/bin }}]\n  deny: [/usr/bin/curl]\n  unknown: ask\n  reputation: {{ command: [/usr/bin/check, $HOME, -x], \
             timeout: 3s, cache: 2h }}\n"
        );
        let first = load_str("x.yaml", &text, &person()).unwrap();
        assert_eq!((first.programs.unknown, first.agents.unwrap().most), (Unknown::Ask, 2));
        assert_eq!(first.programs.reputation.as_ref().unwrap().command.as_ref().unwrap()[1], "/home/u");
        let again = load_str("again.yaml", &to_text(&first), &person()).unwrap();
        let json = |profile: &crate::profile::Profile| super::shown(&profile.programs);
        assert_eq!(json(&again), json(&first));
        assert_eq!(again.agents, first.agents);
    }

    #[test]
    fn a_reputation_needs_one_of_command_and_url() {
        for wrong in [
            "{}",
            "{ command: [check] }",
            "{ url: http://example.org }",
            "{ url: https://example.org, command: [/x] }",
        ] {
            let text = format!("version: 1\nprograms: {{ reputation: {wrong} }}\n");
            let errors = load_str("x.yaml", &text, &person()).unwrap_err();
            assert!(errors[0].message.contains("either `command`"), "{wrong}: {errors:?}");
        }
        let right = "version: 1\nprograms: { reputation: { url: https://example.org/x } }\n";
        assert!(load_str("x.yaml", right, &person()).is_ok());
    }

    #[test]
    fn lists_of_several_profiles_add_up_and_an_empty_allow_is_not_none() {
        let folder = std::env::temp_dir().join(format!("aisandbox-programs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let base = folder.join("base.yaml");
        std::fs::write(
            &base,
            "version: 1\nprograms: { allow: [{ path: /usr/bin/a }], deny: [/usr/bin/b] }\n",
        )
        .unwrap();
        let child = format!(
            "version: 1\nextends: [{}]\nprograms: {{ allow: [{{ path: /usr/bin/c }}], deny: [/usr/bin/d] }}\n",
            base.display()
        );
        let profile = load_str("x.yaml", &child, &person()).unwrap();
        assert_eq!(profile.programs.allow.as_ref().unwrap().len(), 2);
        assert_eq!(profile.programs.deny.len(), 2);
        let empty = load_str("x.yaml", "version: 1\nprograms: { allow: [] }\n", &person()).unwrap();
        assert_eq!(empty.programs.allow, Some(Vec::new()));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
