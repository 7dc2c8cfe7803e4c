//! The session's certificate authority, and certificates by it. The only file that names rcgen.
//!
//! Never keeps a key outside memory, and never signs for a name that it was not made for.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
    SerialNumber, date_time_ymd,
};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// A name that no host has (RFC 6761): permitting nothing else permits nothing.
const NOBODY: &str = "invalid";

/// The authority of one session.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
    names: Vec<String>,
    until: SystemTime,
}

impl fmt::Debug for Authority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Authority").field("names", &self.names).finish_non_exhaustive()
    }
}

/// A certificate for one host, and its key.
pub(super) struct Leaf {
    /// The certificate and the authority's, DER.
    pub chain: [Vec<u8>; 2],
    /// PKCS #8.
    pub key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Leaf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Leaf")
    }
}

impl Authority {
    /// An authority for these names and all below them. Its key is made here.
    /// # Errors
    /// For people.
    pub(super) fn new(names: &[String], now: SystemTime, until: u64) -> Result<Self, String> {
        let failed =
            |error: rcgen::Error| format!("the session's certificate authority cannot be made: {error}");
        let until =
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until)).ok_or("an end beyond all time")?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("aisandbox session authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = Some(constraints(names));
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now.checked_sub(DAY).unwrap_or(now));
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until);
        params.serial_number = Some(serial()?);
        let der = params.self_signed(&key).map_err(failed)?.der().to_vec();
        Ok(Self { issuer: Issuer::new(params, key), der, names: names.to_vec(), until })
    }

    /// Its certificate, PEM.
    pub(super) fn pem(&self) -> String {
        let text = BASE64_STANDARD.encode(&self.der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// A certificate for this host: a day, but not past the authority's own end.
    /// # Errors
    /// For people: when the authority is not for this name.
    pub(super) fn leaf(&self, host: &str, now: SystemTime) -> Result<Leaf, String> {
        if !self.names.iter().any(|name| is_below(host, name)) {
            return Err("the session's authority is not for this name".into());
        }
        let failed = |error: rcgen::Error| format!("no certificate can be made: {error}");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(failed)?;
        params.distinguished_name = named("aisandbox");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now.checked_sub(DAY).unwrap_or(now));
        params.not_after =
            date_time_ymd(1970, 1, 1) + since_1970(now.checked_add(DAY).unwrap_or(now).min(self.until));
        params.serial_number = Some(serial()?);
        let der = params.signed_by(&key, &self.issuer).map_err(failed)?.der().to_vec();
        Ok(Leaf { chain: [der, self.der.clone()], key: Zeroizing::new(key.serialize_der()) })
    }
}

/// A name of a certificate covers itself and all below it (RFC 5280 4.2.1.10).
fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.') && name.parse::<IpAddr>().is_err())
}

/// Only these names and addresses. A kind that is not mentioned would be unbounded.
fn constraints(names: &[String]) -> NameConstraints {
    let (mut permitted, mut v4, mut v6, mut dns) = (Vec::new(), false, false, false);
    for name in names {
        permitted.push(match name.parse::<IpAddr>() {
            Ok(address) => {
                v4 |= address.is_ipv4();
                v6 |= address.is_ipv6();
                let bits = if address.is_ipv4() { 32 } else { 128 };
                GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
            }
            Err(_) => {
                dns = true;
                GeneralSubtree::DnsName(name.clone())
            }
        });
    }
    if !dns {
        permitted.push(GeneralSubtree::DnsName(NOBODY.into()));
    }
    let all = |address: IpAddr| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, 0));
    let mut excluded = Vec::new();
    if !v4 {
        excluded.push(all(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    }
    if !v6 {
        excluded.push(all(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
    }
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn serial() -> Result<SerialNumber, String> {
    let mut bytes = crate::sys::random::random_bytes::<16>().map_err(|errno| errno.to_string())?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

/// Whole seconds, as certificates count.
fn since_1970(when: SystemTime) -> Duration {
    Duration::from_secs(when.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
