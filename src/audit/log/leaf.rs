//! A leaf: one event as one line of JSON, bounded, and harmless to a terminal.
//!
//! The bytes are what is hashed: they are never made anew from what they say. Never longer than a leaf may be: what is
//! too long is cut, and its length and digest are kept.

use super::hex::Hex;
use super::sd::{self, Salted};
use super::split::{Parts, split};
use crate::audit::json::write_json;
use crate::audit::{AuditError, Event};
use crate::base::{BootInstant, WallTime};
use crate::crypto::{Digest, sha256_parts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The version of the leaves.
pub(super) const VERSION: u32 = 2;
/// The most bytes of a leaf (C2SP entry bundles give its length in 16 bits).
pub const MOST_BYTES: usize = 65_535;

/// What the log itself says in its leaves. Their names begin with `log.`, and no other event's does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", content = "data")]
pub enum Own {
    /// The first leaf: whose log this is, and its first keys.
    #[serde(rename = "log.start")]
    Start(Box<Start>),
    /// The last leaf of each epoch but the last: the key that signs the next one.
    #[serde(rename = "log.key")]
    Key(NextKey),
    /// The last leaf: nothing follows.
    #[serde(rename = "log.end")]
    End {
        /// As [`NextKey::notes`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<Hex<32>>,
    },
    /// The last leaf of a log that could not go on.
    #[serde(rename = "log.suspended")]
    Suspended {
        /// Why.
        reason: String,
        /// Events that were not kept, and of which nobody was told that they were.
        lost: u64,
        /// As [`NextKey::notes`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<Hex<32>>,
    },
}

/// Whose log this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The run.
    pub run: String,
    /// The key that signs the first epoch.
    pub key: Hex<32>,
    /// The key that signs heads for others all along.
    pub stable: Hex<32>,
    /// The device's word for all three.
    pub cert: super::device::Cert,
}

/// A key that takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextKey {
    /// The number of the epoch it signs, from 0.
    pub epoch: u64,
    /// The key.
    pub key: Hex<32>,
    /// A digest over the notes of this epoch's earlier blocks, where there are any: so this block's signature is over
    /// theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Hex<32>>,
}

/// What was cut off a leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Bytes of the event as it would have been.
    pub bytes: u64,
    /// Their digest; of an event with personal fields, that of their salt and them.
    pub sha256: Digest,
}

/// A leaf that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// Version of the leaf.
    pub v: u32,
    /// Nanoseconds since 1970, UTC.
    pub ts: u64,
    /// Nanoseconds of CLOCK_BOOTTIME.
    pub mono: u64,
    /// The event's name.
    pub event: String,
    /// Its fields.
    pub data: Value,
    /// What is missing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Commitments to fields that are not here, each 43 characters of base64url: `data` is that to all that is personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<BTreeMap<String, String>>,
}

impl Leaf {
    /// Reads a leaf; `None` where it is none of this version.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|leaf: &Self| leaf.v == VERSION)
    }

    /// Puts what was split off back in its place: pointers into the data, and their values.
    pub(super) fn join(&mut self, hidden: &[u8]) {
        let Ok(hidden) = serde_json::from_slice::<serde_json::Map<String, Value>>(hidden) else { return };
        for (pointer, value) in hidden {
            let Some((above, name)) = pointer.rsplit_once('/') else { continue };
            if let Some(Value::Object(fields)) = self.data.pointer_mut(above) {
                fields.insert(name.replace("~1", "/").replace("~0", "~"), value);
            }
        }
        self.sd = None;
    }

    /// What the log itself says with it.
    pub fn own<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        typed(&self.event, &self.data)
    }
}

/// A name and its data as the type they are of.
pub fn typed<T: for<'de> Deserialize<'de>>(event: &str, data: &Value) -> Option<T> {
    serde_json::from_value(serde_json::json!({ "event": event, "data": data })).ok()
}

/// A leaf and what opens it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The leaf, without what is personal.
    pub leaf: Vec<u8>,
    /// Salt and value of what is personal; empty where nothing is.
    pub opening: Vec<u8>,
}

/// An event of a run as of now.
/// # Errors
/// When it has no form in JSON, or the kernel gives no salt.
pub fn encode_event(event: &Event) -> Result<Encoded, AuditError> {
    let name = Some(event.name());
    let mut parts = line(name, event).map_err(failed)?;
    let (is_personal, is_long) = (!parts.hidden.is_empty(), !fits(&parts));
    let salt = if is_personal { sd::salt()? } else { [0; sd::SALT_BYTES] };
    if is_long {
        parts = shortened(name, event, if is_personal { &salt } else { &[] }).map_err(failed)?;
    }
    let Parts { mut shown, mut hidden, .. } = parts;
    if !is_personal {
        return Ok(Encoded { leaf: shown, opening: Vec::new() });
    }
    if hidden.is_empty() {
        // The salt is also that of what was cut.
        hidden.extend(b"{}");
    }
    sd::add_to(&mut shown, &Salted { salt: &salt, value: &hidden });
    Ok(Encoded { leaf: shown, opening: [&salt[..], &hidden].concat() })
}

/// Anything with a name and data as a leaf, as of now: what the log or the device say of themselves.
/// # Errors
/// When it has no form in JSON.
pub(in crate::audit) fn encode(event: &impl Serialize) -> Result<Vec<u8>, AuditError> {
    let parts = line(None, event).map_err(failed)?;
    let parts = if fits(&parts) { parts } else { shortened(None, event, &[]).map_err(failed)? };
    Ok(parts.shown)
}

fn failed(error: serde_json::Error) -> AuditError {
    AuditError::Encode { why: error.to_string() }
}

/// With a commitment in the one, and a salt before the other.
fn fits(parts: &Parts) -> bool {
    parts.shown.len() + parts.hidden.len() + sd::MORE_BYTES + sd::SALT_BYTES <= MOST_BYTES
}

/// The event, however long it is.
fn line(name: Option<&str>, event: &impl Serialize) -> Result<Parts, serde_json::Error> {
    use std::io::Write;
    let mut bytes = Vec::with_capacity(640);
    let ts = u64::try_from(WallTime::now().0).unwrap_or(0);
    let mono = u64::try_from(BootInstant::now().since_boot().as_nanos()).unwrap_or(u64::MAX);
    // Writing to a Vec never fails.
    write!(bytes, "{{\"v\":{VERSION},\"ts\":{ts},\"mono\":{mono}").unwrap_or_default();
    let at = bytes.len();
    let mut parts = split(name, event, bytes)?;
    // `{"event":…}` goes on after what was begun.
    if let Some(first) = parts.shown.get_mut(at) {
        *first = b',';
    }
    Ok(parts)
}

/// Cuts what is long in the event, more and more of it, until it fits. The digest of what it was is salted where any of
/// that is personal: else it would tell who guesses it, also when it is withheld.
fn shortened(name: Option<&str>, event: &impl Serialize, salt: &[u8]) -> Result<Parts, serde_json::Error> {
    let mut whole = Vec::new();
    write_json(event, &mut whole)?;
    let cut = Cut { bytes: whole.len() as u64, sha256: sha256_parts(&[salt, &whole]) };
    let mut value: Value = serde_json::from_slice(&whole)?;
    for most in CUTS {
        if most == 0 {
            value = serde_json::json!({ "event": value.get("event"), "data": {} });
        } else {
            shorten(&mut value, most);
        }
        if let Some(fields) = value.as_object_mut() {
            fields.insert("cut".to_owned(), serde_json::to_value(&cut)?);
        }
        let parts = line(name, &value)?;
        if fits(&parts) {
            return Ok(parts);
        }
    }
    Ok(Parts::default())
}

/// Lengths that texts are cut to, one after the other, until an event fits.
pub(crate) const CUTS: [usize; 5] = [4096, 1024, 256, 64, 0];

/// Cuts texts and lists to so much; at nothing, takes all that objects have.
pub(crate) fn shorten(value: &mut Value, most: usize) {
    match value {
        Value::Object(fields) if most == 0 => fields.clear(),
        Value::String(text) if text.len() > most => {
            text.truncate(text.floor_char_boundary(most));
            text.push('…');
        }
        Value::Array(items) => {
            items.truncate(most);
            items.iter_mut().for_each(|item| shorten(item, most));
        }
        Value::Object(fields) => fields.iter_mut().for_each(|(_, field)| shorten(field, most)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{Event, LaunchFailure};

    fn event(message: String) -> Event {
        Event::LaunchFailure(LaunchFailure { stage: "plan".into(), message, errno: None })
    }

    fn opened(encoded: &Encoded) -> Leaf {
        let mut leaf = Leaf::parse(&encoded.leaf).unwrap();
        leaf.join(Salted::of(&encoded.opening).unwrap().value);
        leaf
    }

    #[test]
    fn a_leaf_comes_back_as_the_event_it_was() {
        let encoded = encode_event(&event("it was".into())).unwrap();
        assert!(!encoded.leaf.windows(6).any(|part| part == b"it was"));
        let leaf = opened(&encoded);
        assert_eq!((leaf.event.as_str(), leaf.cut.is_none()), ("launch_failure", true));
        assert_eq!(leaf.own::<Event>(), Some(event("it was".into())));
        assert_eq!(leaf.own::<Own>(), None);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so_and_is_still_the_event() {
        for letter in ["x", "\u{e9}", "\u{202e}", "\""] {
            let encoded = encode_event(&event(letter.repeat(1 << 20))).unwrap();
            assert!(encoded.leaf.len() <= MOST_BYTES && encoded.opening.len() <= MOST_BYTES);
            let leaf = opened(&encoded);
            assert!(leaf.cut.as_ref().unwrap().bytes > 1 << 20, "{:?}", leaf.cut);
            let Some(Event::LaunchFailure(failure)) = leaf.own() else { panic!("{leaf:?}") };
            assert!(failure.message.ends_with('…') && failure.message.starts_with(letter));
        }
    }

    #[test]
    fn many_long_things_fit_as_well() {
        let many = serde_json::json!({ "event": "x", "data": { "list": vec!["y".repeat(50_000); 5_000] } });
        let leaf = Leaf::parse(&encode(&many).unwrap()).unwrap();
        assert!(leaf.cut.is_some());
    }

    #[test]
    fn commitments_have_their_place_and_nothing_else_has_one() {
        let text = r#"{"v":2,"ts":1,"mono":1,"event":"x","data":{},"sd":{"path":"c2FsdGVk"}}"#;
        assert!(Leaf::parse(text.as_bytes()).unwrap().sd.is_some());
        assert!(Leaf::parse(text.replace("\"sd\"", "\"se\"").as_bytes()).is_none());
        assert!(Leaf::parse(text.replace("\"v\":2", "\"v\":3").as_bytes()).is_none());
    }
}
