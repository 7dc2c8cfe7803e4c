//! How clients inside come to trust the session's authority: files over the host's bundles, and variables for clients
//! that bring a bundle of their own.
//!
//! Never opens or writes anything: what the files hold and where they lie is all that is said.

use crate::base::InnerPath;
use std::ffi::OsString;

/// Where distributions have their bundle of authorities, as one file.
pub const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/lib/python3/dist-packages/certifi/cacert.pem",
];

/// Variables that name a bundle in the place of a client's own: OpenSSL and Go, requests, curl, pip, git, cargo, AWS,
/// Nix, gcloud, gRPC, Ruby's bundler, Perl's LWP.
const INSTEAD: [&str; 12] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "BUNDLE_SSL_CA_CERT",
    "PERL_LWP_SSL_CA_FILE",
];

/// Variables that name certificates beside a client's own: Node, Deno.
const BESIDE: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// Variables that make a client ask the system's bundle: uv, Node.
const SYSTEM: [(&str, &str); 2] = [("UV_SYSTEM_CERTS", "true"), ("UV_NATIVE_TLS", "true")];

/// What makes clients trust the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The host's bundle with the authority behind it.
    pub bundle: Vec<u8>,
    /// Where it lies in the place of the host's.
    pub over: Vec<InnerPath>,
    /// Variables, in the order of their names.
    pub variables: Vec<(OsString, OsString)>,
}

/// Trust in the authority `pem`, beside those of `host`, the host's own bundle. `there` are the places of [`BUNDLES`] that
/// the view has; the first of them is what variables name. Without any, `own` is where the bundle lies.
pub fn trust(pem: &str, host: &[u8], there: &[InnerPath], own: &InnerPath) -> Trust {
    let mut bundle = host.to_vec();
    if !bundle.is_empty() && !bundle.ends_with(b"\n") {
        bundle.push(b'\n');
    }
    bundle.extend_from_slice(pem.as_bytes());
    let over = if there.is_empty() { vec![own.clone()] } else { there.to_vec() };
    let named = over.first().unwrap_or(own);
    let file = |name: &&str| (OsString::from(name), named.as_path().as_os_str().to_owned());
    let mut variables: Vec<(OsString, OsString)> = INSTEAD.iter().chain(&BESIDE).map(file).collect();
    variables.extend(SYSTEM.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
    variables.sort();
    Trust { bundle, over, variables }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(path: &str) -> InnerPath {
        InnerPath::new(path).unwrap()
    }

    #[test]
    fn the_authority_stands_behind_the_hosts_own() {
        let own = inner("/run/aisandbox/authorities.pem");
        let found = trust("NEW\n", b"OLD", &[inner(BUNDLES[0]), inner(BUNDLES[4])], &own);
        assert_eq!(found.bundle, b"OLD\nNEW\n");
        assert_eq!(found.over, [inner(BUNDLES[0]), inner(BUNDLES[4])]);
        let of = |name: &str| {
            found.variables.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
        };
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "DENO_CERT"] {
            assert_eq!(of(name), Some(OsString::from(BUNDLES[0])), "{name}");
        }
        assert!(found.variables.is_sorted());
    }

    #[test]
    fn a_view_without_a_bundle_gets_one_of_its_own() {
        let own = inner("/run/aisandbox/authorities.pem");
        let found = trust("NEW\n", b"", &[], &own);
        assert_eq!((found.bundle.as_slice(), found.over.as_slice()), (&b"NEW\n"[..], &[own][..]));
        assert!(found.variables.iter().any(|(_, value)| value == "/run/aisandbox/authorities.pem"));
    }
}
