//! Session folders: one for each run of a person, where other programs of the same person find it.
//!
//! Never reachable from inside a sandbox: the view covers these places (`cli::keep`), and a peer from inside one is
//! refused by its namespaces ([`check_peer`]). Nothing here decides what is granted.
//!
//! A folder holds `lock`, held while the launcher lives; `state.json`, replaced as a whole; and for a guarded run the
//! sockets `control` and `broker`. It appears under its name with the lock held already, so a folder whose lock is free
//! belongs to nobody any more and is removed by whoever meets it.

mod ask;
mod error;
mod folder;
mod list;
mod peer;
mod place;
#[cfg(test)]
mod tests;

pub use ask::{ANSWER_WITHIN, AskError, Watch, ask, watch};
pub use error::SessionError;
pub use folder::{Session, StateFile};
pub use list::{Listed, Run, clean_some, list};
pub use peer::{NotThePerson, Person, check_peer};
pub use place::{places, runtime_folder};
