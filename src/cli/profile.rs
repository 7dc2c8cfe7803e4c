//! `profile list|show|validate|schema|diff`: what profiles there are, what they say, and whether they are right.
//!
//! Never starts anything.

use super::args;
use super::output::{complain, print};
use crate::base::escape;
use crate::profile::{self, Context, Profile, ProfileError};
use std::collections::BTreeMap;

/// A profile is wrong, or two differ.
const WRONG: u8 = 1;
/// It could not be looked at.
const FAILED: u8 = 125;

/// Carries one of the commands out; the exit code.
pub(super) fn run(command: &args::Profile) -> u8 {
    match command {
        args::Profile::List { json } => list(*json),
        args::Profile::Show { profile, raw, json } => show(profile, *raw, *json),
        args::Profile::Validate { profiles } => validate(profiles),
        args::Profile::Schema => schema(),
        args::Profile::Diff { left, right } => diff(left, right),
    }
}

/// Prints every profile that can be named.
fn list(json: bool) -> u8 {
    with_context(|context| {
        let all = profile::list(context);
        if json {
            let row = |listed: &profile::Listed| {
                serde_json::json!({
                    "name": listed.name, "description": listed.description, "place": listed.place,
                    "shadowed": listed.shadowed,
                })
            };
            return print(&format!("{:#}\n", all.iter().map(row).collect::<serde_json::Value>()));
        }
        let width = all.iter().map(|listed| listed.name.chars().count()).max().unwrap_or(0);
        let line = |listed: &profile::Listed| {
            let shadowed = if listed.shadowed { "; another of this name comes first" } else { "" };
            let (name, about) = (escape(listed.name.as_bytes()), escape(listed.description.as_bytes()));
            format!("{name:width$}  {about}  ({}{shadowed})\n", escape(listed.place.as_bytes()))
        };
        print(&all.iter().map(line).collect::<String>())
    })
}

/// Prints what a profile comes to, or its own file as written.
fn show(reference: &str, raw: bool, json: bool) -> u8 {
    with_profile(reference, |profile| {
        if raw {
            return print(&profile.origins.last().map_or_else(String::new, |origin| printable(&origin.text)));
        }
        let text =
            if json { format!("{:#}\n", profile::to_json(profile)) } else { profile::to_text(profile) };
        print(&text)
    })
}

/// Checks profiles. 0 when all are right; 1 when one is not.
fn validate(references: &[String]) -> u8 {
    with_context(|context| {
        let mut code = 0;
        for reference in references {
            match profile::load(reference, context) {
                Ok(profile) => {
                    report(&profile::unsupported(&profile));
                    let files = profile.origins.len();
                    let line = format!("{}: right ({files} files)\n", escape(reference.as_bytes()));
                    code = code.max(print(&line));
                }
                Err(errors) => {
                    report(&errors);
                    code = code.max(WRONG);
                }
            }
        }
        code
    })
}

/// Prints the JSON Schema.
fn schema() -> u8 {
    print(&format!("{:#}\n", profile::schema()))
}

/// Prints what differs between what two profiles come to. 0 when nothing does, 1 when something does.
fn diff(left: &str, right: &str) -> u8 {
    with_profile(left, |left| {
        with_profile(right, |right| {
            let lines = differences(left, right);
            let code = if lines.is_empty() { 0 } else { WRONG };
            code.max(print(&lines.concat()))
        })
    })
}

/// `- ` for what only the left says, `+ ` for what only the right says. An entry's place in its list and the line it
/// was written on do not count.
fn differences(left: &Profile, right: &Profile) -> Vec<String> {
    let (left, right) = (settings(left), settings(right));
    let mut lines = Vec::new();
    for (name, value) in &left {
        if right.get(name) != Some(value) {
            lines.push(format!("- {name}: {value}\n"));
            lines.extend(right.get(name).map(|other| format!("+ {name}: {other}\n")));
        }
    }
    let only = right.iter().filter(|(name, _)| !left.contains_key(*name));
    lines.extend(only.map(|(name, value)| format!("+ {name}: {value}\n")));
    lines
}

/// Every setting by a name of its own: `filesystem /usr`, `limits memory`.
fn settings(profile: &Profile) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let serde_json::Value::Object(sections) = profile::to_json(profile) else { return all };
    for (section, value) in sections {
        match value {
            serde_json::Value::Object(map) => {
                all.extend(
                    map.into_iter().map(|(key, value)| (format!("{section} {key}"), value.to_string())),
                );
            }
            serde_json::Value::Array(list) if section == "filesystem" => {
                for mut entry in list {
                    let Some(keys) = entry.as_object_mut() else { continue };
                    keys.shift_remove("asked");
                    let path = keys.shift_remove("path").map(|path| path.to_string()).unwrap_or_default();
                    all.insert(format!("{section} {path}"), entry.to_string());
                }
            }
            other => {
                all.insert(section, other.to_string());
            }
        }
    }
    all
}

/// The text of a file for a terminal: its lines and tabs stay.
fn printable(text: &str) -> String {
    let line = |line: &str| {
        line.split('\t').map(|part| part.chars().map(visible).collect()).collect::<Vec<String>>().join("\t")
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

fn visible(letter: char) -> char {
    if letter.is_control() || crate::base::misleads(letter) { '\u{fffd}' } else { letter }
}

fn report(errors: &[ProfileError]) {
    for error in errors {
        let message = format!("{}: {}", error.asked, error.message);
        complain(&message.replace('\n', "\\n"), error.hint.as_deref());
    }
}

fn with_context(work: impl FnOnce(&Context) -> u8) -> u8 {
    match Context::of_process() {
        Ok(context) => work(&context),
        Err(error) => {
            report(&[error]);
            FAILED
        }
    }
}

fn with_profile(reference: &str, work: impl FnOnce(&Profile) -> u8) -> u8 {
    with_context(|context| match profile::load(reference, context) {
        Ok(profile) => work(&profile),
        Err(errors) => {
            report(&errors);
            FAILED
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> Profile {
        let context = Context {
            home: "/home/u".into(),
            pwd: "/home/u/p".into(),
            user: "u".into(),
            uid: 1000,
            env: BTreeMap::new(),
            search: Vec::new(),
        };
        profile::load_str("x.yaml", &format!("version: 1\n{text}"), &context).unwrap()
    }

    #[test]
    fn a_profile_does_not_differ_from_itself_in_another_order() {
        let left = profile("filesystem: [{path: /a, access: ro}, {path: /b, access: rw}]\n");
        let right = profile("filesystem:\n  - {path: /b, access: rw}\n  - {path: /a, access: ro}\n");
        assert_eq!(differences(&left, &right), Vec::<String>::new());
    }

    #[test]
    fn what_only_one_says_is_told_with_its_side() {
        let left = profile("filesystem: [{path: /a, access: ro}]\nlimits: {memory: 1G}\n");
        let right = profile("filesystem: [{path: /a, access: rw}]\nlimits: {processes: 2}\n");
        assert_eq!(
            differences(&left, &right).concat(),
            "- filesystem \"/a\": {\"access\":\"ro\"}\n+ filesystem \"/a\": {\"access\":\"rw\"}\n\
             - limits memory: \"1G\"\n+ limits processes: 2\n"
        );
    }

    #[test]
    fn a_file_cannot_drive_the_terminal() {
        assert_eq!(printable("a\t\u{1b}[2J\u{202e}b\nc"), "a\t\u{fffd}[2J\u{fffd}b\nc\n");
    }
}
