//! From a reference to a finished profile: find, parse, follow `extends`, merge.
//!
//! Never returns half a profile: one error anywhere, and all errors come back instead.

use super::context::Context;
use super::decode::{At, Decode, Decoder};
use super::find::{FileId, Found, Place, find};
use super::network_read;
use super::parse::Node;
use super::written::ProfileFile;
use super::written_entry::EntryKeys;
use super::{entry, merge, parse, shipped};
use crate::base::Source;
use crate::profile::{Access, NetworkMode, Origin, Profile, ProfileError};
use std::collections::HashMap;
use std::sync::Arc;

/// The most files one profile can be made from.
const MAX_FILES: usize = 64;

/// Loads the profile that a name or a path means.
/// # Errors
/// Everything that is wrong with any of its files.
pub fn load(reference: &str, context: &Context) -> Result<Profile, Vec<ProfileError>> {
    let place = Place { folder: Some(context.pwd.clone()), ..Place::default() };
    let asked = Source::flag("--profile");
    let found = find(reference, &asked, &place, context).map_err(|error| vec![error])?;
    finish(reference, found, context)
}

/// Loads a profile from text. What it extends is found by name or absolute path.
/// # Errors
/// As [`load`].
pub fn load_str(name: &str, text: &str, context: &Context) -> Result<Profile, Vec<ProfileError>> {
    let found = Found { name: name.into(), text: text.into(), place: Place::default(), id: FileId::Text };
    finish(name, found, context)
}

/// What a correct profile asks for and this build cannot give. `exec` and `plan` stop on these; `validate` tells.
pub fn unsupported(profile: &Profile) -> Vec<ProfileError> {
    let refusal = |asked: &Source, what: &str, hint: &str| {
        ProfileError::new(asked.clone(), format!("{what} is not in this build")).hint(hint)
    };
    let entries = profile.filesystem.iter().filter_map(|entry| match entry.access {
        Access::Stage => {
            Some(refusal(&entry.asked, &format!("`access: stage` ({})", entry.path), "use ro or rw"))
        }
        _ => None,
    });
    let network = &profile.network;
    let deny = network.deny.iter().filter(|_| network.mode == NetworkMode::Host);
    let deny = deny.map(|host| {
        refusal(&host.asked, &format!("`network.deny: {}` with mode host", host.host), "use none or loopback")
    });
    let later =
        profile.later.iter().map(|wish| refusal(&wish.asked, &format!("`{}`", wish.value), "leave it out"));
    entries.chain(deny).chain(later).collect()
}

/// The description a file gives itself, whatever else is wrong with it.
pub(super) fn description(text: &str) -> Option<String> {
    let mut decoder = Decoder::new("");
    let file = ProfileFile::decode(parse::parse("", text).ok()?, &mut decoder)?;
    decoder.into_errors().is_empty().then(|| file.description.unwrap_or_default())
}

fn finish(reference: &str, found: Found, context: &Context) -> Result<Profile, Vec<ProfileError>> {
    let mut loader = Loader {
        context,
        profile: merge::nothing(reference),
        view: merge::View::default(),
        done: Vec::new(),
        chain: Vec::new(),
        errors: Vec::new(),
    };
    loader.visit(found);
    loader.profile.filesystem = loader.view.into_entries();
    loader.errors.extend(network_read::check(&loader.profile.network));
    if loader.errors.is_empty() { Ok(loader.profile) } else { Err(loader.errors) }
}

/// The values of a file; those of a shipped one are in this program.
fn values_of(found: &Found) -> Result<Node, Vec<ProfileError>> {
    let known = shipped::name_of(&found.text).and_then(shipped::parsed);
    known.map_or_else(|| parse::parse(&found.name, &found.text), Ok)
}

struct Loader<'a> {
    context: &'a Context,
    profile: Profile,
    view: merge::View,
    done: Vec<FileId>,
    chain: Vec<(FileId, Arc<str>)>,
    errors: Vec<ProfileError>,
}

impl Loader<'_> {
    /// A file after all its parents; each file once.
    fn visit(&mut self, found: Found) {
        let mut decoder = Decoder::new(&found.name);
        let file = match values_of(&found) {
            Ok(node) => ProfileFile::decode(node, &mut decoder),
            Err(errors) => {
                self.errors.extend(errors);
                None
            }
        };
        self.errors.extend(decoder.into_errors());
        self.done.push(found.id.clone());
        let Some(mut file) = file else { return };
        self.chain.push((found.id.clone(), Arc::clone(&found.name)));
        for parent in file.extends.take().unwrap_or_default() {
            self.parent(&parent, &found.place);
        }
        self.chain.pop();
        self.entries(file.filesystem.take().unwrap_or_default());
        let embedded = matches!(found.id, FileId::Shipped(_));
        let name = found.name.to_string();
        self.profile.origins.push(Origin { name, text: found.text, embedded });
        // A parent's line about itself is not the child's.
        self.profile.description.clear();
        merge::add(&mut self.profile, file, self.context, &mut self.errors);
    }

    fn parent(&mut self, reference: &At<String>, place: &Place) {
        let found = match find(&reference.value, &reference.asked, place, self.context) {
            Ok(found) => found,
            Err(error) => return self.errors.push(error),
        };
        if let Some(at) = self.chain.iter().position(|(id, _)| *id == found.id) {
            let round =
                self.chain.iter().skip(at).map(|(_, name)| name.as_ref()).chain([found.name.as_ref()]);
            let round = round.collect::<Vec<_>>().join(" → ");
            let error =
                ProfileError::new(reference.asked.clone(), format!("`extends` goes in a circle: {round}"));
            return self.errors.push(error.hint("take one of them out"));
        }
        if self.done.contains(&found.id) {
            return;
        }
        if self.done.len() >= MAX_FILES {
            let message = format!("a profile is made from at most {MAX_FILES} files");
            return self.errors.push(ProfileError::new(reference.asked.clone(), message));
        }
        self.visit(found);
    }

    fn entries(&mut self, written: Vec<At<EntryKeys>>) {
        let mut paths: HashMap<String, Source> = HashMap::with_capacity(written.len());
        for keys in written {
            let path = keys.value.path.clone();
            let made = entry::read(keys, self.context).and_then(|entry| {
                // Twice the same text is a slip; twice the same path by way of a variable may be where we stand.
                self.view.place(entry).map_err(|error| vec![error])
            });
            self.errors.extend(made.err().unwrap_or_default());
            let Some(At { value, asked }) = path else { continue };
            if let Some(first) = paths.get(&value) {
                let message = format!("`{value}` comes twice, first at {first}");
                self.errors.push(ProfileError::new(asked, message).hint("keep one"));
                continue;
            }
            paths.insert(value, asked);
        }
    }
}
