//! An event of an answer, read from its record and checked: what the index said is then not needed any more.
//!
//! Never tells that something is proven which the index alone says.

use super::index::is_about;
use super::log::{Found, Opening, check_proof, prove};
use super::{AuditError, Record};
use serde::Serialize;
use std::path::Path;

/// What the check of one event came to.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// It is in the log, at its place, under a head that the device vouches for, and says what the answer says.
    pub proven: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The identity of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Leaves under the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The proof, as `audit prove` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Proves the event of this run; with a name, also that it is about that.
pub fn of(dir: &Path, run: &str, index: u64, name: Option<&str>) -> Proof {
    match checked(dir, run, index, name) {
        Ok(proof) => proof,
        Err(why) => Proof { proven: false, why: Some(why), identity: None, size: None, text: None },
    }
}

fn checked(dir: &Path, run: &str, index: u64, name: Option<&str>) -> Result<Proof, String> {
    let text = prove(&dir.join(run), index).map_err(|error: AuditError| error.to_string())?;
    let proven = check_proof(&text).map_err(str::to_owned)?;
    if proven.run != run || proven.index != index {
        return Err("it is the proof of another event".to_owned());
    }
    let bytes = serde_json::to_vec(&proven.leaf).map_err(|error| error.to_string())?;
    let record = Record::of(run, &Found { index, bytes: &bytes, opening: Opening::None });
    let withheld = proven.leaf.sd.is_some();
    if let Some(name) = name.filter(|_| !withheld)
        && is_about(&record, name) == Some(false)
    {
        return Err("the record says something else than the index; remove the index".to_owned());
    }
    Ok(Proof {
        proven: true,
        why: withheld.then(|| "values of it are withheld; that they were there is proven".to_owned()),
        identity: Some(proven.identity.to_string()),
        size: Some(proven.size),
        text: Some(text),
    })
}
