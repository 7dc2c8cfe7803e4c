//! Our own records, digests, profiles, and the files a profile was made from stay out of an agent's reach where a writable entry holds them.
//!
//! Never makes anything visible: it only adds protected places to entries that are writable anyway. An agent that could
//! write there would change what was recorded of it, or what it may do the next time.

use crate::audit;
use crate::base::Action;
use crate::profile::{Access, Context, FsEntry, Profile, ProfileError, Protect};
use std::path::{Path, PathBuf};

/// Adds our places to every writable entry they lie in.
pub(super) fn protect_own_places(profile: &mut Profile, context: &Context) {
    let mut places = own_places(context);
    places.extend(files_of(profile));
    for entry in profile.filesystem.iter_mut().filter(|entry| entry.access == Access::Rw) {
        for place in &places {
            entry.protect.extend(below(entry, place));
        }
    }
}

/// An entry that asks cannot protect what lies in it: a yes puts the real thing there, writable as a whole.
pub(super) fn refuse_own_places(profile: &Profile, context: &Context) -> Vec<ProfileError> {
    let mut places = own_places(context);
    places.extend(files_of(profile));
    profile.filesystem.iter().filter_map(|entry| would_change(entry, &places)).collect()
}

fn would_change(entry: &FsEntry, places: &[PathBuf]) -> Option<ProfileError> {
    let Access::Ask(wish) = &entry.access else { return None };
    if wish.actions.iter().all(|action| matches!(action, Action::Read | Action::Execute)) {
        return None;
    }
    let base = settled(entry.host_path()?.as_path());
    let place = places.iter().find(|place| place.starts_with(&base) || base.starts_with(place))?;
    let message = format!("a yes for {} could change {}", entry.path, place.display());
    let hint =
        "records, profiles and answers decide what agents may do; ask for a place beside them, or to read";
    Some(ProfileError::new(entry.asked.clone(), message).hint(hint))
}

/// What the profile was made from, and the policies it names: the next run reads them again.
fn files_of(profile: &Profile) -> Vec<PathBuf> {
    let origins = profile.origins.iter().filter(|origin| !origin.embedded).map(|origin| &origin.name);
    let bundles = profile.policies.bundles.iter().map(|bundle| &bundle.value);
    let named = origins.chain(bundles).map(PathBuf::from);
    let keys = profile.policies.keys.iter().map(|key| key.as_path().to_owned());
    named.chain(keys).filter(|path| path.is_absolute()).filter_map(|path| path.canonicalize().ok()).collect()
}

fn own_places(context: &Context) -> Vec<PathBuf> {
    let data = [audit::runs_dir(), audit::digests_dir()].into_iter().flatten();
    let all = data.chain(context.search.iter().cloned());
    all.filter_map(|folder| folder.parent().map(settled)).collect()
}

fn below(entry: &FsEntry, place: &Path) -> Option<Protect> {
    let base = settled(entry.host_path()?.as_path());
    let tail = place.strip_prefix(base).ok()?.to_str()?;
    (!tail.is_empty()).then(|| Protect { path: tail.to_owned(), name_only: false, group: None })
}

/// The path with the links of its existing part followed.
fn settled(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, canonical)) = known else { return path.to_owned() };
    path.strip_prefix(above).map_or_else(|_| path.to_owned(), |rest| canonical.join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::InnerPath;
    use crate::plan::entry_of_flag;

    #[test]
    fn a_writable_entry_protects_what_of_ours_lies_in_it() {
        let entry = entry_of_flag("--rw", InnerPath::new("/proc").unwrap(), Access::Rw);
        let found = below(&entry, Path::new("/proc/no/such/aisandbox")).unwrap();
        assert_eq!((found.path.as_str(), found.name_only), ("no/such/aisandbox", false));
        assert!(below(&entry, Path::new("/home/u/.local/state/aisandbox")).is_none());
        assert!(below(&entry, Path::new("/proc")).is_none());
    }
}
