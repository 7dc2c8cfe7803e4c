//! What the check of one event came to, in one line.

pub(in crate::cli) use crate::audit::proven::{Proof, of};

/// In one line.
pub(in crate::cli) fn line(proof: &Proof) -> String {
    let why = proof.why.as_deref().map(|why| crate::base::escape(why.as_bytes()));
    if !proof.proven {
        return format!("NOT PROVEN: {}", why.unwrap_or_default());
    }
    let device = proof.identity.as_deref().and_then(|text| text.get(..16)).unwrap_or_default();
    let note = why.map_or_else(String::new, |why| format!("; {why}"));
    format!("proven, among {} leaves, by device {device}…{note}", proof.size.unwrap_or(0))
}
