//! Tokens as bytes: a CWT (RFC 8392) in COSE_Mac0 on a channel, in COSE_Sign1 (EdDSA) for what leaves the machine
//! (RFC 9052). The only file that names `coset`.
//!
//! Never chooses an algorithm from a token: the key decides. Nothing optional is taken: other headers, other claims,
//! and bytes behind the end are refused.

use super::claims::{Bound, Claims, TokenId};
use super::error::TokenError;
use crate::crypto::{PUBLIC_BYTES, Secret, check_mac, check_signature, mac, sign};
use crate::wire::broker::Allowed;
use crate::wire::frame::ChannelId;
use crate::wire::subject::{Action, Resource};
use coset::cbor::Value;
use coset::cwt::{ClaimName, ClaimsSet, Timestamp};
use coset::iana::{Algorithm, CwtClaimName};
use coset::{
    CborSerializable, CoseMac0, CoseMac0Builder, CoseSign1, CoseSign1Builder, Header, HeaderBuilder,
    ProtectedHeader, TaggedCborSerializable,
};

/// The claim `iss`.
pub const ISSUER: &str = "aisandbox";
/// The pairs, in the range for private use of RFC 8392.
const ALLOWED: i64 = -70001;
const EPOCH: i64 = -70002;
const ROOT: i64 = -70003;
const DEPTH: i64 = -70004;
/// The lease that a statement for somebody outside is of, and who said yes to it.
const GRANT: i64 = -70005;
const APPROVER: i64 = -70006;
/// The member of `cnf` that names a key by its id (RFC 8747).
const CNF_KID: i64 = 3;

/// A COSE_Mac0 over these claims; `aad` binds it to where it holds.
pub(super) fn seal(claims: &Claims, kid: &[u8], aad: &[u8], key: &Secret) -> Result<Vec<u8>, TokenError> {
    CoseMac0Builder::new()
        .protected(header(Algorithm::HMAC_256_256, kid))
        .payload(set_of(claims).to_vec().map_err(malformed)?)
        .create_tag(aad, |bytes| mac(key, &[bytes]).to_vec())
        .build()
        .to_tagged_vec()
        .map_err(malformed)
}

/// The key that checks a token.
pub(super) enum Key<'k> {
    /// The one that is kept.
    Present(&'k Secret),
    /// One of before, derived for this check.
    Older(Secret),
}

/// The claims of a COSE_Mac0, once its code was checked with the key that `key_of` gives for its kid.
pub(super) fn open<'k>(
    bytes: &[u8],
    aad: &[u8],
    key_of: impl FnOnce(&[u8]) -> Result<Key<'k>, TokenError>,
) -> Result<Claims, TokenError> {
    let token = CoseMac0::from_tagged_slice(bytes).map_err(malformed)?;
    let kid = check_headers(&token.protected, &token.unprotected, Algorithm::HMAC_256_256)?;
    let key = key_of(kid)?;
    let key = match &key {
        Key::Present(key) => key,
        Key::Older(key) => key,
    };
    token.verify_payload_tag(
        aad,
        || TokenError::Malformed("no claims"),
        |code, signed| check_mac(key, signed, code).map_err(|_| TokenError::Forged),
    )?;
    claims_of(token.payload.as_deref())
}

/// A COSE_Sign1 over these claims, by the key of this seed.
pub(super) fn seal_signed(claims: &Claims, kid: &[u8], seed: &Secret) -> Result<Vec<u8>, TokenError> {
    CoseSign1Builder::new()
        .protected(header(Algorithm::EdDSA, kid))
        .payload(set_of(claims).to_vec().map_err(malformed)?)
        .try_create_signature(b"", |bytes| sign(seed, bytes).map(|signature| signature.to_vec()))
        .map_err(|_| TokenError::Forged)?
        .build()
        .to_tagged_vec()
        .map_err(malformed)
}

/// The claims of a COSE_Sign1 that this public key made.
pub(super) fn open_signed(bytes: &[u8], public: &[u8; PUBLIC_BYTES]) -> Result<Claims, TokenError> {
    let token = CoseSign1::from_tagged_slice(bytes).map_err(malformed)?;
    check_headers(&token.protected, &token.unprotected, Algorithm::EdDSA)?;
    if token.payload.is_none() {
        return Err(TokenError::Malformed("no claims"));
    }
    token.verify_signature(b"", |signature, signed| {
        check_signature(public, signed, signature).map_err(|_| TokenError::Forged)
    })?;
    claims_of(token.payload.as_deref())
}

/// What a token of either form says, unchecked: for people to look at.
pub(super) fn peek(bytes: &[u8]) -> Result<Claims, TokenError> {
    match CoseMac0::from_tagged_slice(bytes) {
        Ok(token) => claims_of(token.payload.as_deref()),
        Err(_) => claims_of(CoseSign1::from_tagged_slice(bytes).map_err(malformed)?.payload.as_deref()),
    }
}

fn malformed<E>(_: E) -> TokenError {
    TokenError::Malformed("no COSE message of this kind")
}

fn header(algorithm: Algorithm, kid: &[u8]) -> Header {
    HeaderBuilder::new().algorithm(algorithm).key_id(kid.to_vec()).build()
}

/// Two protected headers, the algorithm that belongs to the key and the key's id; nothing unprotected.
fn check_headers<'a>(
    protected: &'a ProtectedHeader,
    unprotected: &Header,
    algorithm: Algorithm,
) -> Result<&'a [u8], TokenError> {
    let kid = &protected.header.key_id;
    if !unprotected.is_empty() || protected.header != header(algorithm, kid) || kid.is_empty() {
        return Err(TokenError::Malformed("other headers than alg and kid"));
    }
    Ok(kid)
}

fn set_of(claims: &Claims) -> ClaimsSet {
    let seconds = |at: u64| Some(Timestamp::WholeSeconds(i64::try_from(at).unwrap_or(i64::MAX)));
    let (audience, mut rest) = match &claims.bound {
        Bound::Audience { name, grant, approved_by } => (Some(name.clone()), lease_of(grant, approved_by)),
        Bound::Channel { channel, epoch } => (None, bound_to(*channel, *epoch)),
    };
    let pairs = claims.allowed.iter().map(|pair| Value::Array(words_of(pair))).collect();
    rest.push((ClaimName::PrivateUse(ALLOWED), Value::Array(pairs)));
    rest.push((ClaimName::PrivateUse(ROOT), Value::Bytes(claims.root.0.to_vec())));
    rest.push((ClaimName::PrivateUse(DEPTH), Value::from(claims.depth)));
    ClaimsSet {
        issuer: Some(ISSUER.to_owned()),
        subject: Some(claims.run.clone()),
        audience,
        expiration_time: seconds(claims.expires),
        not_before: None,
        issued_at: seconds(claims.issued),
        cwt_id: Some(claims.id.0.to_vec()),
        rest,
    }
}

fn bound_to(channel: ChannelId, epoch: u32) -> Vec<(ClaimName, Value)> {
    let by_id = Value::Map(vec![(Value::from(CNF_KID), Value::Bytes(channel.0.to_vec()))]);
    vec![(ClaimName::Assigned(CwtClaimName::Cnf), by_id), (ClaimName::PrivateUse(EPOCH), Value::from(epoch))]
}

fn lease_of(grant: &str, approved_by: &str) -> Vec<(ClaimName, Value)> {
    let text = |claim, text: &str| (ClaimName::PrivateUse(claim), Value::Text(text.to_owned()));
    vec![text(GRANT, grant), text(APPROVER, approved_by)]
}

/// `[action, kind, path or name]`, and the port for a host and for an upload to one.
fn words_of(pair: &Allowed) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut words = vec![text(pair.action.word())];
    words.extend(match &pair.resource {
        Resource::File { path } => vec![text("file"), text(path)],
        Resource::Program { path } => vec![text("program"), text(path)],
        Resource::Device { name } => vec![text("device"), text(name)],
        Resource::Host { host, port } => vec![text("host"), text(host), Value::from(*port)],
        Resource::Upload { host, port } => vec![text("upload"), text(host), Value::from(*port)],
    });
    words
}

/// The claims, with none missing, none unknown, none twice.
fn claims_of(payload: Option<&[u8]>) -> Result<Claims, TokenError> {
    let wrong = TokenError::Malformed("not the claims of a token");
    let set = payload.and_then(|payload| ClaimsSet::from_slice(payload).ok()).ok_or(wrong.clone())?;
    if set.issuer.as_deref() != Some(ISSUER) || set.not_before.is_some() {
        return Err(wrong);
    }
    let mut found = Rest::default();
    for (name, value) in set.rest {
        found.take(&name, value).ok_or(wrong.clone())?;
    }
    let lease = found.grant.zip(found.approved_by);
    let bound = match (set.audience, lease, found.channel, found.epoch) {
        (Some(name), Some((grant, approved_by)), None, None) => {
            Some(Bound::Audience { name, grant, approved_by })
        }
        (None, None, Some(channel), Some(epoch)) => Some(Bound::Channel { channel, epoch }),
        _ => None,
    };
    let claims = || {
        Some(Claims {
            run: set.subject?,
            issued: seconds(set.issued_at?)?,
            expires: seconds(set.expiration_time?)?,
            id: TokenId(set.cwt_id?.try_into().ok()?),
            root: found.root?,
            depth: found.depth?,
            bound: bound?,
            allowed: found.allowed?,
        })
    };
    claims().ok_or(wrong)
}

fn seconds(time: Timestamp) -> Option<u64> {
    match time {
        Timestamp::WholeSeconds(seconds) => u64::try_from(seconds).ok(),
        Timestamp::FractionalSeconds(_) => None,
    }
}

/// The claims beside those that every CWT knows.
#[derive(Default)]
struct Rest {
    channel: Option<ChannelId>,
    epoch: Option<u32>,
    root: Option<TokenId>,
    depth: Option<u8>,
    allowed: Option<Vec<Allowed>>,
    grant: Option<String>,
    approved_by: Option<String>,
}

impl Rest {
    /// `None` for a claim that is unknown or has a wrong value.
    fn take(&mut self, name: &ClaimName, value: Value) -> Option<()> {
        match name {
            ClaimName::Assigned(CwtClaimName::Cnf) => self.channel = Some(channel_of(value)?),
            ClaimName::PrivateUse(EPOCH) => self.epoch = Some(value.as_integer()?.try_into().ok()?),
            ClaimName::PrivateUse(ROOT) => {
                self.root = Some(TokenId(value.into_bytes().ok()?.try_into().ok()?));
            }
            ClaimName::PrivateUse(DEPTH) => self.depth = Some(value.as_integer()?.try_into().ok()?),
            ClaimName::PrivateUse(ALLOWED) => {
                self.allowed =
                    Some(value.into_array().ok()?.into_iter().map(pair_of).collect::<Option<_>>()?);
            }
            ClaimName::PrivateUse(GRANT) => self.grant = Some(value.into_text().ok()?),
            ClaimName::PrivateUse(APPROVER) => self.approved_by = Some(value.into_text().ok()?),
            _ => return None,
        }
        Some(())
    }
}

fn channel_of(value: Value) -> Option<ChannelId> {
    let [(member, id)] = <[_; 1]>::try_from(value.into_map().ok()?).ok()?;
    if member.as_integer()? != CNF_KID.into() {
        return None;
    }
    Some(ChannelId(id.into_bytes().ok()?.try_into().ok()?))
}

fn pair_of(value: Value) -> Option<Allowed> {
    let mut words = value.into_array().ok()?.into_iter();
    let mut text = || words.next()?.into_text().ok();
    let (action, kind, name) = (text()?, text()?, text()?);
    let action = Action::ALL.iter().find(|(_, word)| *word == action)?.0;
    let resource = match kind.as_str() {
        "file" => Resource::File { path: name },
        "program" => Resource::Program { path: name },
        "device" => Resource::Device { name },
        "host" => Resource::Host { host: name, port: words.next()?.as_integer()?.try_into().ok()? },
        "upload" => Resource::Upload { host: name, port: words.next()?.as_integer()?.try_into().ok()? },
        _ => return None,
    };
    if words.next().is_some() { None } else { Some(Allowed { action, resource }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coset::AsCborValue;
    use coset::iana::HeaderParameter;

    type Map = Vec<(Value, Value)>;

    fn claims() -> Claims {
        let (id, channel) = (TokenId([3; 16]), ChannelId([1; 16]));
        let resource = Resource::File { path: "/a".into() };
        Claims {
            run: "RUN".into(),
            issued: 1,
            expires: 2,
            id,
            root: id,
            depth: 0,
            bound: Bound::Channel { channel, epoch: 7 },
            allowed: vec![Allowed { action: Action::Read, resource }],
        }
    }

    /// Sealed with the right key, so that nothing but the form can be wrong.
    fn is_taken(protected: Header, unprotected: Header, payload: Vec<u8>) -> bool {
        let key = Secret::take(&mut [9; 32]).unwrap();
        let sealed = CoseMac0Builder::new().protected(protected).unprotected(unprotected).payload(payload);
        let sealed = sealed.create_tag(b"aad", |bytes| mac(&key, &[bytes]).to_vec()).build();
        let key_of = |kid: &[u8]| match kid {
            [7] => Ok(Key::Present(&key)),
            _ => Err(TokenError::OtherEpoch),
        };
        open(&sealed.to_tagged_vec().unwrap(), b"aad", key_of).is_ok()
    }

    #[test]
    fn other_headers_and_another_algorithm_are_refused() {
        let payload = || set_of(&claims()).to_vec().unwrap();
        let good = || HeaderBuilder::new().algorithm(Algorithm::HMAC_256_256).key_id(vec![7]);
        assert!(is_taken(good().build(), Header::default(), payload()), "the control");
        let others = [
            good().algorithm(Algorithm::HMAC_256_64).build(),
            good().algorithm(Algorithm::EdDSA).build(),
            good().add_critical(HeaderParameter::Alg).build(),
            good().iv(vec![1]).build(),
            good().key_id(vec![8]).build(),
            good().text_value("a".into(), Value::Null).build(),
            HeaderBuilder::new().key_id(vec![7]).build(),
            HeaderBuilder::new().algorithm(Algorithm::HMAC_256_256).build(),
        ];
        for other in others {
            assert!(!is_taken(other.clone(), Header::default(), payload()), "{other:?}");
        }
        let outside = HeaderBuilder::new().iv(vec![1]).build();
        assert!(!is_taken(good().build(), outside, payload()), "unprotected");
    }

    #[test]
    fn no_claim_is_missing_unknown_twice_or_of_another_kind() {
        let changed = |change: &dyn Fn(&mut Map)| {
            let payload = set_of(&claims()).to_vec().unwrap();
            let mut map = coset::cbor::from_reader::<Value, _>(&payload[..]).unwrap().into_map().unwrap();
            change(&mut map);
            let mut bytes = Vec::new();
            coset::cbor::into_writer(&Value::Map(map), &mut bytes).unwrap();
            is_taken(header(Algorithm::HMAC_256_256, &[7]), Header::default(), bytes)
        };
        assert!(changed(&|_| {}), "the control");
        for (name, value) in [
            (Value::from(-70009), Value::from(1)),
            (Value::from("admin"), Value::from(true)),
            (Value::from(5), Value::from(0)),
            (Value::from(3), Value::from("somebody")),
        ] {
            assert!(!changed(&|map| map.push((name.clone(), value.clone()))), "{name:?}");
        }
        for place in 0..set_of(&claims()).to_cbor_value().unwrap().as_map().unwrap().len() {
            assert!(!changed(&|map| drop(map.remove(place))), "claim {place} is missing");
            assert!(!changed(&|map| map.push(map[place].clone())), "claim {place} is there twice");
            assert!(!changed(&|map| map[place].1 = Value::Null), "claim {place} is null");
            assert!(!changed(&|map| map[place].1 = Value::Float(1.0)), "claim {place} is a fraction");
        }
    }

    #[test]
    fn a_pair_has_the_words_of_its_kind_and_no_more() {
        let text = |text: &str| Value::from(text);
        let pair = |words: &[Value]| pair_of(Value::Array(words.to_vec()));
        assert_eq!(pair(&[text("read"), text("file"), text("/a")]), Some(claims().allowed.remove(0)));
        assert!(pair(&[text("connect"), text("host"), text("a"), Value::from(443)]).is_some());
        for bad in [
            &[text("read"), text("file")][..],
            &[text("read"), text("file"), text("/a"), text("b")],
            &[text("own"), text("file"), text("/a")],
            &[text("read"), text("socket"), text("/a")],
            &[text("connect"), text("host"), text("a")],
            &[text("connect"), text("host"), text("a"), Value::from(70_000)],
        ] {
            assert_eq!(pair(bad), None, "{bad:?}");
        }
    }
}
