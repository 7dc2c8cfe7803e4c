//! Statements about a lease for somebody outside of the machine, who has only the run's public key (COSE_Sign1, EdDSA).
//!
//! Never gives access to anything here: no channel takes one. Its key is the run's own, in locked memory, and gone with
//! the run; a statement lasts no longer than any token, because whoever reads it hears of no revocation.

use super::claims::{Bound, Claims, TokenId};
use super::error::TokenError;
use super::{LONGEST_S, MOST_TEXT, bytes_of, cose};
use crate::base::to_hex;
use crate::crypto::{PUBLIC_BYTES, Secret, public_key, sha256};
use crate::sys::random::random_bytes;
use crate::wire::broker::Allowed;
use crate::wire::hidden::Hidden;
use crate::wire::limit::check_allowed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What is stated of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The lease.
    pub grant: String,
    /// Who or what said yes to it.
    pub approved_by: String,
    /// What it allows.
    pub allowed: Vec<Allowed>,
    /// When it ends, seconds since 1970; `None`: with the run.
    pub until: Option<u64>,
    /// For whom the statement is.
    pub audience: String,
}

/// The key of one run for statements.
#[derive(Debug)]
pub struct Signer {
    seed: Secret,
    public: [u8; PUBLIC_BYTES],
}

impl Signer {
    /// A new key.
    /// # Errors
    /// Without random bytes or locked memory.
    pub fn new() -> Result<Self, TokenError> {
        let seed = Secret::random()?;
        let public = public_key(&seed).map_err(|_| TokenError::Forged)?;
        Ok(Self { seed, public })
    }

    /// The public key.
    pub fn public(&self) -> &[u8; PUBLIC_BYTES] {
        &self.public
    }

    /// The same as lower-case hex, as the record has it.
    pub fn public_hex(&self) -> String {
        to_hex(&self.public)
    }

    /// Signs a statement of a run. `now` and its times are seconds since 1970.
    /// # Errors
    /// [`TokenError::Listed`]; [`TokenError::Expired`] when the lease is over; without random bytes.
    pub fn sign(&self, run: &str, statement: Statement, now: u64) -> Result<(Hidden, Claims), TokenError> {
        check_allowed(&statement.allowed).map_err(TokenError::Listed)?;
        let last = now.saturating_add(LONGEST_S);
        let expires = statement.until.map_or(last, |until| until.min(last));
        if expires <= now {
            return Err(TokenError::Expired);
        }
        let id = TokenId(random_bytes()?);
        let Statement { grant, approved_by, allowed, audience: name, .. } = statement;
        let claims = Claims {
            run: run.to_owned(),
            issued: now,
            expires,
            id,
            root: id,
            depth: 0,
            bound: Bound::Audience { name, grant, approved_by },
            allowed,
        };
        let bytes = cose::seal_signed(&claims, sha256(&self.public).bytes(), &self.seed)?;
        let text = Hidden::from(URL_SAFE_NO_PAD.encode(bytes));
        if text.len() > MOST_TEXT { Err(TokenError::Text) } else { Ok((text, claims)) }
    }
}

/// What a signed token says, when this key made it. Who it is for and its times are the caller's to judge.
/// # Errors
/// The first thing that is wrong with it.
pub fn check_signed(text: &str, public: &[u8; PUBLIC_BYTES]) -> Result<Claims, TokenError> {
    let claims = cose::open_signed(&bytes_of(text)?, public)?;
    match claims.bound {
        Bound::Audience { .. } => Ok(claims),
        Bound::Channel { .. } => Err(TokenError::Forged),
    }
}
