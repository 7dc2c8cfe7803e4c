//! Text that is never shown: tokens and secrets on their way. Never printed by Debug, and wiped when dropped.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
use zeroize::Zeroize;

/// A text that Debug does not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Hidden(String);

impl Deref for Hidden {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Hidden")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_text_is_a_text_in_json_and_nothing_in_debug() {
        let hidden: Hidden = crate::wire::codec::decode(b"\"s3cret\"").unwrap();
        assert_eq!((&*hidden, format!("{hidden:?}").as_str()), ("s3cret", "Hidden"));
        assert_eq!(crate::wire::codec::encode(&hidden).unwrap(), b"\"s3cret\"");
    }
}
