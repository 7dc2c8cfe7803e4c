//! Capability tokens: made, checked, narrowed, rotated and taken back here, by the Guardian alone.
//!
//! A token narrows; it never suffices. It never holds on another channel or in another run, and never outlives a
//! rotation that took something away.

mod claims;
mod cose;
mod error;
mod heard;
mod signed;

pub use claims::{Bound, Claims, TokenId, is_within};
pub use cose::ISSUER;
use cose::Key;
pub use error::TokenError;
pub use heard::Heard;
pub use signed::{Signer, Statement, check_signed};

use crate::crypto::Secret;
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
/// How long tokens of before a rotation are still taken once a channel is known to have the new one, seconds: more than
/// two whole ones. Not when a person took something back.
pub const GRACE_S: u64 = 3;
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
    /// The first epoch whose tokens can hold: a person took something back before it.
    floor: u32,
    /// Ids and roots that were taken back, and when nothing that goes back to them can hold any more.
    revoked: BTreeMap<TokenId, u64>,
    /// Where all tokens of this run go back to, when its agent was started by another.
    origin: Option<(TokenId, u8)>,
    /// That was taken back: nothing of this run holds any more.
    cut_off: bool,
}

impl Tokens {
    /// The tokens of a run that a person started.
    /// # Errors
    /// Without random bytes or locked memory.
    pub fn new(run: &str) -> Result<Self, TokenError> {
        let master = Secret::random()?;
        let key = epoch_key(&master, run, 0)?;
        let (run, revoked) = (run.to_owned(), BTreeMap::new());
        Ok(Self { run, master, epoch: 0, key, floor: 0, revoked, origin: None, cut_off: false })
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

    /// A fresh token that says the same, instead of one of any epoch since a person took something back. One that was
    /// attenuated ends no later for it.
    /// # Errors
    /// As [`Self::mint`]; [`TokenError::Expired`].
    pub fn renew(&self, held: &Claims, channel: ChannelId, now: u64) -> Result<Minted, TokenError> {
        let (root, depth) = (Some(held.root), held.depth);
        let left = held.expires.saturating_sub(now);
        if left == 0 {
            return Err(TokenError::Expired);
        }
        let narrowed = depth > self.origin.map_or(0, |(_, depth)| depth);
        let seconds = if narrowed { left.min(LONGEST_S) } else { LONGEST_S };
        self.make(channel, Wanted { root, depth, allowed: held.allowed.clone(), seconds }, now)
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

    /// What a token of the present epoch says, when it holds on this channel now.
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, channel: ChannelId, text: &str, now: u64) -> Result<Claims, TokenError> {
        self.check_since(channel, text, self.epoch, now)
    }

    /// The same for a token of any epoch since this one: the channel may not know the present one yet.
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check_since(
        &self,
        channel: ChannelId,
        text: &str,
        since: u32,
        now: u64,
    ) -> Result<Claims, TokenError> {
        let claims = cose::open(&bytes_of(text)?, &self.aad(channel), |kid| self.key_of(kid, since))?;
        let Bound::Channel { channel: named, epoch } = &claims.bound else { return Err(TokenError::Forged) };
        if claims.run != self.run || *named != channel || *epoch > self.epoch {
            return Err(TokenError::Forged);
        }
        self.check_standing(&claims, since, now)?;
        Ok(claims)
    }

    /// Whether claims that were checked before still hold: only what can have changed is looked at.
    /// # Errors
    /// What has changed.
    pub fn check_standing(&self, claims: &Claims, since: u32, now: u64) -> Result<(), TokenError> {
        let Bound::Channel { epoch, .. } = &claims.bound else { return Err(TokenError::Forged) };
        let taken_back = |id| self.revoked.contains_key(id);
        if self.cut_off || taken_back(&claims.id) || taken_back(&claims.root) {
            return Err(TokenError::Revoked);
        }
        self.check_epoch(*epoch, since)?;
        if claims.issued > now || claims.expires.saturating_sub(claims.issued) > LONGEST_S {
            return Err(TokenError::Time);
        }
        if claims.expires <= now { Err(TokenError::Expired) } else { Ok(()) }
    }

    /// Keys of before are derived anew: none is kept.
    fn key_of(&self, kid: &[u8], since: u32) -> Result<Key<'_>, TokenError> {
        let epoch = u32::from_be_bytes(kid.try_into().map_err(|_| TokenError::OtherEpoch)?);
        self.check_epoch(epoch, since)?;
        if epoch == self.epoch {
            return Ok(Key::Present(&self.key));
        }
        Ok(Key::Older(epoch_key(&self.master, &self.run, epoch)?))
    }

    fn check_epoch(&self, epoch: u32, since: u32) -> Result<(), TokenError> {
        let holds = (since.max(self.floor)..=self.epoch).contains(&epoch);
        if holds { Ok(()) } else { Err(TokenError::OtherEpoch) }
    }

    /// New keys, after a change of what the agent may do. How long tokens of before are taken is each channel's
    /// [`Heard`].
    /// # Errors
    /// Without locked memory.
    pub fn rotate(&mut self) -> Result<(), TokenError> {
        let epoch = self.epoch.saturating_add(1);
        self.key = epoch_key(&self.master, &self.run, epoch)?;
        self.epoch = epoch;
        Ok(())
    }

    /// New keys, because a person took something away: no token of before holds any more, on any channel.
    /// # Errors
    /// Without locked memory. Nothing holds then either: the caller ends the run.
    pub fn revoke_all(&mut self) -> Result<(), TokenError> {
        self.floor = self.epoch.saturating_add(1);
        self.rotate()
    }

    /// Takes back one token, or, by the id of a root, all that go back to it. Taking back the root of the whole run is
    /// for good: what is made later goes back to it too.
    pub fn revoke(&mut self, id: TokenId, now: u64) {
        self.cut_off |= self.origin.is_some_and(|(root, _)| root == id);
        self.revoked.retain(|_, until| *until > now);
        self.revoked.insert(id, now.saturating_add(LONGEST_S));
    }

    /// The epoch of the keys.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What every code of a token covers beside its own bytes.
    fn aad(&self, channel: ChannelId) -> Vec<u8> {
        [self.run.as_bytes(), &channel.0].concat()
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
