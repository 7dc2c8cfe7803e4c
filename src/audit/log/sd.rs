//! The commitment that a leaf has in the place of its personal fields, and the salt and value that open it.
//!
//! Never gives a salt twice. Without the salt nobody can find out whether a guess of the value is right.

use crate::audit::AuditError;
use crate::crypto::sha256_parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::cell::RefCell;
use zeroize::Zeroize;

/// Random bytes of a salt.
pub(super) const SALT_BYTES: usize = 16;
/// What is hashed first, so that no other digest is one of these.
const DOMAIN: &[u8] = b"ais.sd.v1\0";
/// The name under which all personal fields of an event are committed to together.
pub(super) const NAME: &str = "data";
/// What stands around the text of the commitment, at the end of a leaf.
const BEFORE: &[u8] = br#","sd":{"data":""#;
const AFTER: &[u8] = br#""}}"#;
/// Letters of a commitment.
const LETTERS: usize = 43;
/// A commitment as leaves have it.
pub(super) type Text = [u8; LETTERS];
/// How much longer a leaf becomes by a commitment.
pub(super) const MORE_BYTES: usize = BEFORE.len() + LETTERS + AFTER.len() - 1;
/// Salts that are taken from the kernel at once.
const DRAWN: usize = 4096;

/// A salt with what it hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salted<'a> {
    /// The salt.
    pub salt: &'a [u8; SALT_BYTES],
    /// JSON: an object of pointers into the event's `data`, and their values.
    pub value: &'a [u8],
}

impl<'a> Salted<'a> {
    /// Of its bytes: the salt, then the value.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.split_first_chunk().map(|(salt, value)| Self { salt, value })
    }

    /// The commitment to it.
    pub(super) fn commitment(&self) -> Text {
        let length = u16::try_from(NAME.len()).unwrap_or(0).to_be_bytes();
        let digest = sha256_parts(&[DOMAIN, self.salt, &length, NAME.as_bytes(), self.value]);
        let mut text = [0; LETTERS];
        // 32 bytes are 43 letters.
        URL_SAFE_NO_PAD.encode_slice(digest.bytes(), &mut text).unwrap_or(0);
        text
    }
}

/// Adds a commitment to a leaf, which ends with the brace of its object.
pub(super) fn add_to(leaf: &mut Vec<u8>, of: &Salted<'_>) {
    leaf.pop();
    leaf.extend(BEFORE);
    leaf.extend(of.commitment());
    leaf.extend(AFTER);
}

/// The commitment at the end of a leaf. Nothing of a text can look like one: the quotes of a text are escaped.
pub(super) fn committed(leaf: &[u8]) -> Option<&Text> {
    let (before, text) = leaf.strip_suffix(AFTER)?.split_last_chunk()?;
    before.ends_with(BEFORE).then_some(text)
}

/// A new salt.
pub(super) fn salt() -> Result<[u8; SALT_BYTES], AuditError> {
    thread_local! {
        /// Drawn, and how many are used up.
        static POOL: RefCell<([u8; DRAWN], usize)> = const { RefCell::new(([0; DRAWN], DRAWN)) };
    }
    POOL.with_borrow_mut(|(bytes, used)| {
        if *used + SALT_BYTES > DRAWN {
            *bytes = crate::sys::random::random_bytes().map_err(|errno| AuditError::Random { errno })?;
            *used = 0;
        }
        let mut salt = [0; SALT_BYTES];
        if let Some(from) = bytes.get_mut(*used..*used + SALT_BYTES) {
            salt.copy_from_slice(from);
            from.zeroize();
        }
        *used += SALT_BYTES;
        Ok(salt)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_is_found_at_the_end_of_a_leaf_and_nowhere_else() {
        let salted = Salted { salt: &[7; 16], value: br#"{"/path":"/x"}"# };
        let mut leaf = br#"{"v":2,"data":{}}"#.to_vec();
        assert_eq!(committed(&leaf), None);
        let before = leaf.len();
        add_to(&mut leaf, &salted);
        assert_eq!(leaf.len(), before + MORE_BYTES);
        assert_eq!(committed(&leaf), Some(&salted.commitment()));
        let text = String::from_utf8(leaf).unwrap();
        assert!(
            text.ends_with(&format!(
                r#","sd":{{"data":"{}"}}}}"#,
                str::from_utf8(&salted.commitment()).unwrap()
            )),
            "{text}"
        );
        let below = text.replace(r#""data":{}"#, r#""x":{"#) + "}";
        assert_eq!(committed(below.as_bytes()), None);
        let quoted = serde_json::json!({ "data": text }).to_string();
        assert_eq!(committed(quoted.as_bytes()), None);
    }

    /// The digest that the manual page describes, computed once by other means.
    #[test]
    fn the_commitment_is_the_one_of_the_page() {
        let salted = Salted { salt: &[0; 16], value: b"{}" };
        let by_hand = [&b"ais.sd.v1\0"[..], &[0; 16], &[0, 4], b"data", b"{}"].concat();
        let digest = crate::crypto::sha256(&by_hand);
        assert_eq!(salted.commitment(), URL_SAFE_NO_PAD.encode(digest.bytes()).as_bytes());
    }

    #[test]
    fn no_salt_comes_twice() {
        let mut seen = std::collections::HashSet::new();
        assert!((0..1000).all(|_| seen.insert(salt().unwrap())));
    }
}
