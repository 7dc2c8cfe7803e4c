//! Capability tokens: made, checked, narrowed, rotated and taken back here, by the Guardian alone.
//!
//! A token narrows; it never suffices. It never holds on another channel or in another run, and never outlives a
//! rotation that took something away.

mod claims;
mod cose;
mod error;

pub use claims::{Bound, Claims, TokenId, is_within};
pub use cose::ISSUER;
pub use error::TokenError;

use crate::crypto::{PUBLIC_BYTES, Secret};
use crate::sys::random::random_bytes;
use crate::wire::broker::Allowed;
use crate::wire::frame::ChannelId;
use crate::wire::hidden::Hidden;
use crate::wire::limit::check_allowed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;

/// The longest a token lasts, seconds: what a stolen one is worth is over by then.
pub const LONGEST_S: u64 = 300;
/// The shortest a token of the Guardian's own lasts, seconds: a slow agent must be able to renew it.
pub const SHORTEST_S: u64 = 60;
/// How long tokens of before a rotation are still taken, seconds: calls are on their way. Not when something was
/// taken back.
pub const GRACE_S: u64 = 2;
/// How many times a token can be attenuated: as deep as agents start agents.
pub const MOST_DEPTH: u8 = 8;
/// The most characters of a token. A call must hold it beside what it calls for.
pub const MOST_TEXT: usize = 24 * 1024;

/// A token that was made.
#[derive(Debug)]
pub struct Minted {
    /// As base64url, without padding.
    pub text: Hidden,
    /// What it says.
    pub claims: Claims,
}

/// What a token is made to say.
#[derive(Debug, Clone)]
struct Wanted {
    root: Option<TokenId>,
    depth: u8,
    allowed: Vec<Allowed>,
    seconds: u64,
}

/// The tokens of one run.
#[derive(Debug)]
pub struct Tokens {
    run: String,
    master: Secret,
    epoch: u32,
    key: Secret,
    /// The key of before, and the second from which it is of no use.
    before: Option<(u32, Secret, u64)>,
    /// Ids and roots that were taken back, and when nothing that goes back to them can hold any more.
    revoked: BTreeMap<TokenId, u64>,
    /// Where all tokens of this run go back to, when its agent was started by another.
    origin: Option<(TokenId, u8)>,
}

impl Tokens {
    /// The tokens of a run that a person started.
    /// # Errors
    /// Without random bytes or locked memory.
    pub fn new(run: &str) -> Result<Self, TokenError> {
        let master = Secret::random()?;
        let key = epoch_key(&master, run, 0)?;
        let (run, revoked) = (run.to_owned(), BTreeMap::new());
        Ok(Self { run, master, epoch: 0, key, before: None, revoked, origin: None })
    }

    /// The tokens of a run that an agent started with a token of its own: they go back to the same root, one deeper.
    /// # Errors
    /// As [`Self::new`]; [`TokenError::TooDeep`].
    pub fn below(run: &str, (root, depth): (TokenId, u8)) -> Result<Self, TokenError> {
        let origin = Some((root, deeper(depth)?));
        Ok(Self { origin, ..Self::new(run)? })
    }

    /// A token for a channel. `now` and its times are seconds of CLOCK_BOOTTIME; it lasts [`SHORTEST_S`] to
    /// [`LONGEST_S`], whatever was wanted.
    /// # Errors
    /// [`TokenError::Listed`] for too many pairs, or paths that are not in their one form.
    pub fn mint(
        &self,
        channel: ChannelId,
        allowed: Vec<Allowed>,
        seconds: u64,
        now: u64,
    ) -> Result<Minted, TokenError> {
        let seconds = seconds.clamp(SHORTEST_S, LONGEST_S);
        let (root, depth) = self.origin.map_or((None, 0), |(root, depth)| (Some(root), depth));
        self.make(channel, Wanted { root, depth, allowed, seconds }, now)
    }

    /// A token with less, for the same channel or another one of this run. It ends no later than its parent.
    /// # Errors
    /// [`TokenError::Wider`] when a pair is not within one of the parent's; [`TokenError::TooDeep`].
    pub fn attenuate(
        &self,
        parent: &Claims,
        channel: ChannelId,
        allowed: Vec<Allowed>,
        seconds: u64,
        now: u64,
    ) -> Result<Minted, TokenError> {
        check_allowed(&allowed).map_err(TokenError::Listed)?;
        if !allowed.iter().all(|pair| parent.allows(pair.action, &pair.resource)) {
            return Err(TokenError::Wider);
        }
        let left = parent.expires.saturating_sub(now);
        if left == 0 {
            return Err(TokenError::Expired);
        }
        let depth = deeper(parent.depth)?;
        let seconds = seconds.clamp(1, left.min(LONGEST_S));
        self.make(channel, Wanted { root: Some(parent.root), depth, allowed, seconds }, now)
    }

    /// A fresh token that says the same.
    /// # Errors
    /// As [`Self::mint`].
    pub fn renew(&self, held: &Claims, channel: ChannelId, now: u64) -> Result<Minted, TokenError> {
        let (root, depth) = (Some(held.root), held.depth);
        let wanted = Wanted { root, depth, allowed: held.allowed.clone(), seconds: LONGEST_S };
        self.make(channel, wanted, now)
    }

    fn make(&self, channel: ChannelId, wanted: Wanted, now: u64) -> Result<Minted, TokenError> {
        check_allowed(&wanted.allowed).map_err(TokenError::Listed)?;
        let id = TokenId(random_bytes()?);
        let claims = Claims {
            run: self.run.clone(),
            issued: now,
            expires: now.saturating_add(wanted.seconds),
            id,
            root: wanted.root.unwrap_or(id),
            depth: wanted.depth,
            bound: Bound::Channel { channel, epoch: self.epoch },
            allowed: wanted.allowed,
        };
        let bytes = cose::seal(&claims, &self.epoch.to_be_bytes(), &self.aad(channel), &self.key)?;
        let text = Hidden::from(URL_SAFE_NO_PAD.encode(bytes));
        if text.len() > MOST_TEXT { Err(TokenError::Text) } else { Ok(Minted { text, claims }) }
    }

    /// What a token says, when it holds on this channel now.
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, channel: ChannelId, text: &str, now: u64) -> Result<Claims, TokenError> {
        let claims = cose::open(&bytes_of(text)?, &self.aad(channel), |kid| self.key_of(kid, now))?;
        let Bound::Channel { channel: named, epoch } = &claims.bound else { return Err(TokenError::Forged) };
        if claims.run != self.run || *named != channel || *epoch > self.epoch {
            return Err(TokenError::Forged);
        }
        self.check_standing(&claims, now)?;
        Ok(claims)
    }

    /// Whether claims that were checked before still hold: only what can have changed is looked at.
    /// # Errors
    /// What has changed.
    pub fn check_standing(&self, claims: &Claims, now: u64) -> Result<(), TokenError> {
        let Bound::Channel { epoch, .. } = &claims.bound else { return Err(TokenError::Forged) };
        if self.key_of(&epoch.to_be_bytes(), now).is_none() {
            return Err(TokenError::OtherEpoch);
        }
        if claims.issued > now || claims.expires.saturating_sub(claims.issued) > LONGEST_S {
            return Err(TokenError::Time);
        }
        if claims.expires <= now {
            return Err(TokenError::Expired);
        }
        let taken_back = |id| self.revoked.contains_key(id);
        if taken_back(&claims.id) || taken_back(&claims.root) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// New keys, after a change of what the agent may do. Tokens of before are taken for [`GRACE_S`] more.
    /// # Errors
    /// Without locked memory.
    pub fn rotate(&mut self, now: u64) -> Result<(), TokenError> {
        let epoch = self.epoch.saturating_add(1);
        let key = epoch_key(&self.master, &self.run, epoch)?;
        let old = std::mem::replace(&mut self.key, key);
        self.before = Some((self.epoch, old, now.saturating_add(GRACE_S)));
        self.epoch = epoch;
        Ok(())
    }

    /// New keys, because something was taken away: no token of before holds any more.
    /// # Errors
    /// Without locked memory. Nothing holds then either: the caller ends the run.
    pub fn revoke_all(&mut self, now: u64) -> Result<(), TokenError> {
        let rotated = self.rotate(now);
        self.before = None;
        rotated
    }

    /// Takes back one token, or, by the id of a root, all that go back to it.
    pub fn revoke(&mut self, id: TokenId, now: u64) {
        self.revoked.retain(|_, until| *until > now);
        self.revoked.insert(id, now.saturating_add(LONGEST_S));
    }

    /// The epoch of the keys.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    fn key_of(&self, kid: &[u8], now: u64) -> Option<&Secret> {
        let epoch = u32::from_be_bytes(kid.try_into().ok()?);
        match &self.before {
            _ if epoch == self.epoch => Some(&self.key),
            Some((before, key, until)) if epoch == *before && now < *until => Some(key),
            _ => None,
        }
    }

    /// What every code of a token covers beside its own bytes.
    fn aad(&self, channel: ChannelId) -> Vec<u8> {
        [self.run.as_bytes(), &channel.0].concat()
    }
}

/// A token for somebody who has only our public key. Its times are seconds since 1970.
/// # Errors
/// As [`Tokens::mint`].
pub fn sign(
    seed: &Secret,
    run: &str,
    allowed: Vec<Allowed>,
    audience: &str,
    now: u64,
) -> Result<Hidden, TokenError> {
    check_allowed(&allowed).map_err(TokenError::Listed)?;
    let id = TokenId(random_bytes()?);
    let claims = Claims {
        run: run.to_owned(),
        issued: now,
        expires: now.saturating_add(LONGEST_S),
        id,
        root: id,
        depth: 0,
        bound: Bound::Audience { name: audience.to_owned() },
        allowed,
    };
    let public = crate::crypto::public_key(seed).map_err(|_| TokenError::Forged)?;
    let kid = crate::crypto::sha256(&public);
    let bytes = cose::seal_signed(&claims, kid.bytes(), seed)?;
    Ok(Hidden::from(URL_SAFE_NO_PAD.encode(bytes)))
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

/// What a token of either form says, with nothing checked.
/// # Errors
/// When it is no token.
pub fn peek(text: &str) -> Result<Claims, TokenError> {
    cose::peek(&bytes_of(text)?)
}

fn bytes_of(text: &str) -> Result<Vec<u8>, TokenError> {
    if text.len() > MOST_TEXT {
        return Err(TokenError::Text);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Text)
}

fn epoch_key(master: &Secret, run: &str, epoch: u32) -> Result<Secret, TokenError> {
    Ok(master.derive(run.as_bytes(), &[b"aisandbox/1/token/", &epoch.to_be_bytes()])?)
}

fn deeper(depth: u8) -> Result<u8, TokenError> {
    Some(depth.saturating_add(1)).filter(|deeper| *deeper <= MOST_DEPTH).ok_or(TokenError::TooDeep)
}

#[cfg(test)]
mod tests;
