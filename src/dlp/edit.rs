//! What stands in place of a value that may not go out as it is.
//!
//! A mark has no quote, no backslash and no line break, so a string of JSON stays one. Where a bare number of JSON was, a
//! number comes.

use super::finding::Finding;
use super::token::token;
use crate::crypto::Secret;
use crate::wire::dlp::Act;

/// Bytes to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where they start, in bytes from the start of the stream.
    pub start: u64,
    /// The byte after them.
    pub end: u64,
    /// What comes instead.
    pub with: Vec<u8>,
    /// It is a token: what the host answers with it is turned back.
    pub token: bool,
}

/// The edit for a finding; `around` are the bytes before and behind it.
pub(super) fn edit(
    key: &Secret,
    finding: &Finding,
    before: &[u8],
    value: &[u8],
    behind: &[u8],
) -> Option<Edit> {
    let hash = finding.value_hash.as_str();
    let short = hash.get(..4).unwrap_or(hash);
    let text = match finding.action {
        Act::Redact => format!("[AIS:{}:{short}]", finding.kind),
        Act::Hash => format!("[AIS:{}:hmac-{hash}]", finding.kind),
        Act::Tokenize => token(key, &finding.kind, value),
        Act::Allow | Act::Log | Act::Ask | Act::Block => return None,
    };
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    let zero = !number && is_bare_number(before, value, behind);
    let with = if zero { b"0".to_vec() } else { text.into_bytes() };
    let token = finding.action == Act::Tokenize && !zero;
    Some(Edit { start: finding.start, end: finding.end, with, token })
}

/// A number of JSON that stands for itself, not in a string.
fn is_bare_number(before: &[u8], value: &[u8], behind: &[u8]) -> bool {
    let space = |byte: &&u8| !byte.is_ascii_whitespace();
    let last = before.iter().rev().find(space);
    let next = behind.iter().find(space);
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits && matches!(last, Some(b':' | b',' | b'[')) && matches!(next, Some(b',' | b'}' | b']'))
}
