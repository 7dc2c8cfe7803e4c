//! Profile: what an administrator wrote, as types, each with the line it came from.
//!
//! Never clones, mounts, or opens anything but the files it is given; `plan` turns a [`Profile`] into steps.
#![forbid(unsafe_code)]

mod answers;
mod ask;
mod attenuate;
mod calls;
mod context;
pub(crate) mod decode;
mod destination;
mod detection;
mod entry;
mod error;
mod filter_decode;
mod filter_file;
mod filter_keys;
mod filter_shipped;
mod filter_words;
mod find;
mod lint;
mod load;
mod merge;
mod model;
mod nearest;
mod network;
mod network_read;
mod network_shown;
mod observe;
pub(crate) mod parse;
mod policies;
mod programs;
mod protect;
mod rates;
mod schema;
mod shipped;
mod shipped_parsed;
mod show;
mod template;
mod transitions;
pub(crate) mod units;
mod values;
mod written;
mod written_entry;
mod written_network;

pub use answers::{Answered, Standing, answers};
pub use ask::{AskWish, OnRevoke};
pub use attenuate::{Less, attenuate, descend};
pub use calls::{Arch, call_name, call_names, call_number};
pub use context::Context;
pub use destination::Destination;
pub use detection::{DetectAction, Detection, SHIPPED};
pub use error::ProfileError;
pub use filter_file::{Compare, Condition, FilterAction, FilterFile, FilterRule, Width};
pub use filter_shipped::{FilterContent, FilterText, FoundFilter, ShippedFilter, find_filter, own_filter};
pub use find::{Listed, list};
pub use lint::unfit;
pub use load::{load, load_str, unsupported};
pub use merge::host_name;
pub use model::*;
pub use network::{
    Allowed, ByProgram, Credential, Denied, Dlp, Network, NetworkWay, Published, SecretPlace, SecretSource,
    TlsUse, Traffic,
};
pub use observe::Observe;
pub use policies::Policies;
pub use programs::{ProgramRule, Programs, Reputation, Unknown};
pub use protect::{GroupEntry, protect_group};
pub use rates::LONGEST_REFUSAL;
pub use schema::{filter_schema, schema};
pub use show::{to_json, to_text};
pub use template::Template;
pub use transitions::Transition;
pub use units::{parse_duration, parse_size};
