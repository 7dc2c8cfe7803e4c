//! The proof of one event: a C2SP tlog-proof with the event and the device's word for the log in its extra line.
//!
//! Never reads anything but the log and the proof: who checks one needs the device's identity and nothing else.

use super::device::Cert;
use super::hex::Hex;
use super::join::Opening;
use super::leaf::Leaf;
use super::merkle::{Hash, leaf_hash, path, root_by_path};
use super::note::{Head, Note};
use super::reader::{Held, read_blocks};
use super::sd::{self, Salted};
use super::writer::origin;
use crate::audit::AuditError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::path::Path;

const MAGIC: &str = "c2sp.org/tlog-proof@v1";

/// What stands in the extra line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    leaf: String,
    /// What opens it, where it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<Hex<16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    run: String,
    key: Hex<32>,
    stable: Hex<32>,
    cert: Cert,
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The run.
    pub run: String,
    /// The index of the event.
    pub index: u64,
    /// Leaves of the log when its head was signed.
    pub size: u64,
    /// The event, with its personal fields where the proof has them.
    pub leaf: Leaf,
    /// The identity of the device that signed the log's first keys.
    pub identity: Hex<32>,
}

/// The proof of an event.
/// # Errors
/// When the log cannot be read, does not hold as far as the event, or has no head by its stable key behind it.
pub fn prove(folder: &Path, index: u64) -> Result<String, AuditError> {
    let (mut leaves, mut leaf, mut head) = (Vec::new(), None, None);
    let mut take = |held: &Held<'_>| {
        for found in held.leaves() {
            leaves.push(leaf_hash(found.bytes));
            if found.index == index {
                let opened = match found.opening {
                    Opening::Open(Salted { salt, value }) => Some((Hex(*salt), value.to_vec())),
                    _ => None,
                };
                leaf = Some((found.bytes.to_vec(), opened));
            }
        }
        let note =
            Note::parse(held.block.note).filter(|note| note.signatures() == 2 && note.head.size > index);
        head = note.or(head.take());
    };
    let (_, start, _) = read_blocks(folder, &mut take)?;
    let none = |why: &str| AuditError::NoProof { path: folder.to_owned(), why: why.to_owned() };
    let (leaf, opened) = leaf.ok_or_else(|| none("the log holds no such event"))?;
    let (start, note) =
        start.zip(head).ok_or_else(|| none("no head of the log behind it has the stable signature yet"))?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| none("it is no text"));
    let leaf = text(leaf)?;
    let (salt, value) = opened.unzip();
    let value = value.map(text).transpose()?;
    let extra =
        Extra { leaf, salt, value, run: start.run, key: start.key, stable: start.stable, cert: start.cert };
    let extra = serde_json::to_vec(&extra).map_err(|error| AuditError::Encode { why: error.to_string() })?;
    let size = usize::try_from(note.head.size).unwrap_or(0);
    let path = path(leaves.get(..size).unwrap_or_default(), usize::try_from(index).unwrap_or(usize::MAX));
    let hashes: String = path.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
    let signed = note.only(&start.stable.0).ok_or_else(|| none("its head has no stable signature"))?;
    Ok(format!("{MAGIC}\nextra {}\nindex {index}\n{hashes}\n{signed}", STANDARD.encode(extra)))
}

/// Checks a proof, with nothing but what is in it.
/// # Errors
/// What is wrong with it.
pub fn check(text: &str) -> Result<Proven, &'static str> {
    let (body, note) = text.split_once("\n\n").ok_or("it has no head")?;
    let mut lines = body.split('\n');
    if lines.next() != Some(MAGIC) {
        return Err("it is no tlog-proof of version 1");
    }
    let extra = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or("it has no extra line")?;
    let index: u64 = lines.next().and_then(number).ok_or("it has no index")?;
    let path: Vec<Hash> = lines.map(hash).collect::<Option<_>>().ok_or("a hash cannot be read")?;
    let extra = STANDARD.decode(extra).map_err(|_| "the extra line cannot be read")?;
    let extra: Extra = serde_json::from_slice(&extra).map_err(|_| "the extra line cannot be read")?;
    let note = Note::parse(note.as_bytes()).ok_or("the head cannot be read")?;
    let identity = extra.cert.identity(&extra.run, &extra.key, &extra.stable);
    let identity = Hex(identity.map_err(|_| "no device signed the keys of the log")?);
    note.check(&extra.stable.0).map_err(|_| "the head is not signed by the log's stable key")?;
    let Head { origin: named, size, root } = &note.head;
    if *named != origin(&extra.run) {
        return Err("the head is of another log");
    }
    if root_by_path(leaf_hash(extra.leaf.as_bytes()), index, *size, &path) != Some(*root) {
        return Err("the event is not in the log at this place");
    }
    let mut leaf = Leaf::parse(extra.leaf.as_bytes()).ok_or("the leaf cannot be read")?;
    if let (Some(salt), Some(value)) = (&extra.salt, &extra.value) {
        let salted = Salted { salt: &salt.0, value: value.as_bytes() };
        if sd::committed(extra.leaf.as_bytes()) != Some(&salted.commitment()) {
            return Err("its personal fields are not those that the event is committed to");
        }
        leaf.join(salted.value);
    }
    Ok(Proven { run: extra.run, index, size: *size, leaf, identity })
}

fn number(line: &str) -> Option<u64> {
    let text = line.strip_prefix("index ")?;
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

fn hash(line: &str) -> Option<Hash> {
    STANDARD.decode(line).ok()?.try_into().ok()
}
