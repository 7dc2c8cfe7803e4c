//! Why a token is not taken, or none is made. The reason of the denial is `token`, or `revoked` for one that was taken
//! back; these are the details.

use crate::sys::Errno;
use crate::wire::denial::Reason;
use std::fmt;

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// Its text is too long, or no base64url.
    Text,
    /// Not built as a token is.
    Malformed(&'static str),
    /// Its key is not of this run's present epoch: it was made before a rotation, or elsewhere.
    OtherEpoch,
    /// Its code or signature is not by that key for this run and channel.
    Forged,
    /// Its time is over.
    Expired,
    /// It lasts longer than any token does, or begins in the future.
    Time,
    /// It, or the token it goes back to, was taken back.
    Revoked,
    /// It would allow more than the one it is made from.
    Wider,
    /// It would be attenuated too many times.
    TooDeep,
    /// It would list too much, or what is listed has no form that can be compared.
    Listed(&'static str),
    /// No random bytes or no locked memory.
    Keys(Errno),
}

impl TokenError {
    /// The reason of a denial.
    pub fn reason(&self) -> Reason {
        if *self == Self::Revoked { Reason::Revoked } else { Reason::Token }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => out.write_str("the token is too long or no base64url"),
            Self::Malformed(what) => write!(out, "the token is malformed: {what}"),
            Self::OtherEpoch => {
                out.write_str("the token is from before a rotation, or of another run; use the latest one")
            }
            Self::Forged => out.write_str("the token was not made for this run and channel"),
            Self::Expired => out.write_str("the token's time is over"),
            Self::Time => out.write_str("the token's times are none that are given"),
            Self::Revoked => out.write_str("the token, or the one it goes back to, was taken back"),
            Self::Wider => out.write_str("a token can be made to allow less, never more"),
            Self::TooDeep => out.write_str("the token was attenuated too many times"),
            Self::Listed(what) => out.write_str(what),
            Self::Keys(errno) => write!(out, "no key for a token: {errno}"),
        }
    }
}

impl std::error::Error for TokenError {}

impl From<Errno> for TokenError {
    fn from(errno: Errno) -> Self {
        Self::Keys(errno)
    }
}
