//! What no view may show, whatever its entries say: it is covered where an entry holds it.
//!
//! Looks at what was placed, not at what was written: a link to such a place is found like the place itself.

use super::view::{Act, View, ViewError, door_source};
use crate::base::{HostPath, InnerPath, Source};
use crate::host::Tree;
use crate::profile::{Access, FsEntry};

impl View {
    /// Covers each of these canonical host paths in the finished view; `why` ends the sentence of a refusal.
    /// # Errors
    /// An entry that is such a path or lies below one; one that is mounted later, so that nothing of it can be covered.
    pub(super) fn hide(
        &mut self,
        (hidden, why): (&[HostPath], &str),
        entries: &[FsEntry],
        tree: &dyn Tree,
    ) -> Result<(), Vec<ViewError>> {
        let mut errors = Vec::new();
        let mut covers: Vec<FsEntry> = Vec::new();
        for place in hidden {
            for step in &self.steps {
                let Act::Bind { object, .. } = &step.act else { continue };
                if step.asked == door_source() {
                    continue; // the one thing of such a place that is for the agent
                }
                if place.contains(&object.canonical) {
                    errors.push(shows(&step.at, (place, why), &step.asked));
                } else if let Some(cover) = cover(&step.at, &object.canonical, place, &step.asked)
                    && !covers.iter().any(|known| known.path == cover.path)
                {
                    covers.push(cover);
                }
            }
            errors.extend(shown_later((place, why), entries, tree));
        }
        for cover in covers {
            if let Err(error) = self.place_mask(&cover, cover.path.clone(), tree) {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// What covers `place` inside a bind of `host` at `at`.
fn cover(at: &InnerPath, host: &HostPath, place: &HostPath, asked: &Source) -> Option<FsEntry> {
    let tail = place.as_path().strip_prefix(host.as_path()).ok()?;
    let mask = FsEntry::plain(at.join(tail).ok()?, Access::Mask, asked.clone());
    Some(FsEntry { optional: true, ..mask })
}

fn shown_later((place, why): (&HostPath, &str), entries: &[FsEntry], tree: &dyn Tree) -> Vec<ViewError> {
    let later = entries.iter().filter(|entry| matches!(entry.access, Access::Ask(_) | Access::Stage));
    later
        .filter(|entry| {
            let object = entry.host_path().and_then(|host| tree.open(&host, true).ok());
            object.is_some_and(|object| object.canonical.contains(place) || place.contains(&object.canonical))
        })
        .map(|entry| shows(&entry.path, (place, why), &entry.asked))
        .collect()
}

fn shows(path: &InnerPath, (place, why): (&HostPath, &str), asked: &Source) -> ViewError {
    ViewError {
        path: path.clone(),
        message: format!("it would show {place}, {why}"),
        hint: Some("name the folders that are needed".into()),
        asked: asked.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{FakeTree, Kind};
    use crate::plan::view::build;

    const PLACE: &str = "/run/user/1000/aisandbox";

    fn entry(path: &str, access: Access) -> FsEntry {
        FsEntry { ..crate::plan::entry_of_flag("--ro", InnerPath::new(path).unwrap(), access) }
    }

    /// The masks of a view of these entries; or what is refused.
    fn masks(entries: &[FsEntry]) -> Result<Vec<String>, Vec<String>> {
        let tree = FakeTree::new()
            .with("/run/user/1000/aisandbox/01/state.json", Kind::File)
            .with("/run/user/1000/bus", Kind::Socket)
            .with("/home/u/x", Kind::File)
            .with_link("/home/u/runtime", "/run/user/1000");
        let mut view = build(entries, true, &tree).unwrap();
        view.hide((&[HostPath::new(PLACE).unwrap()], "because"), entries, &tree)
            .map_err(|errors| errors.iter().map(|error| error.path.to_string()).collect::<Vec<_>>())?;
        let masks = view.steps.iter().filter(|step| matches!(step.act, Act::MaskFolder));
        Ok(masks.map(|step| step.at.to_string()).collect())
    }

    #[test]
    fn a_place_is_covered_in_every_entry_that_holds_it() {
        assert_eq!(masks(&[entry("/run", Access::Ro)]), Ok(vec![PLACE.to_owned()]));
        assert_eq!(masks(&[entry("/run/user/1000", Access::Rw)]), Ok(vec![PLACE.to_owned()]));
        let moved = FsEntry { source: HostPath::new("/run/user").ok(), ..entry("/users", Access::Ro) };
        assert_eq!(masks(&[moved]), Ok(vec!["/users/1000/aisandbox".to_owned()]));
        let linked = FsEntry { source: HostPath::new("/home/u/runtime").ok(), ..entry("/data", Access::Rw) };
        assert_eq!(masks(&[linked]), Ok(vec!["/data/aisandbox".to_owned()]));
    }

    #[test]
    fn an_entry_that_does_not_hold_it_stays_as_it_is() {
        for path in ["/home/u", "/run/user/1000/bus"] {
            assert_eq!(masks(&[entry(path, Access::Ro)]), Ok(Vec::new()));
        }
        let covered =
            [entry("/run", Access::Ro), entry("/run/user", Access::Tmpfs { size_bytes: None, mode: None })];
        assert_eq!(masks(&covered), Ok(Vec::new()));
    }

    #[test]
    fn an_entry_that_is_the_place_or_inside_it_is_refused() {
        for path in [PLACE, "/run/user/1000/aisandbox/01", "/run/user/1000/aisandbox/01/state.json"] {
            assert_eq!(masks(&[entry(path, Access::Ro)]), Err(vec![path.to_owned()]));
        }
    }
}
