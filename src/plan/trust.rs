//! How clients inside come to trust the session's authority: files over the host's bundles, and variables for clients
//! that bring a bundle of their own.
//!
//! Never opens or writes anything: what the files hold and where they lie is all that is said.

use super::truststore::truststore;
use crate::base::InnerPath;
use std::ffi::OsString;

/// Where Python has a bundle of its own, the package certifi, which asks no variable. `~` is the home, `*` any one part of
/// a name.
pub const BROUGHT: [&str; 10] = [
    "/usr/lib/python3/dist-packages",
    "/usr/lib/python3*/site-packages",
    "/usr/local/lib/python3*/*-packages",
    "~/.local/lib/python3*/site-packages",
    "~/.local/share/pipx/venvs/*/lib/python3*/site-packages",
    "~/.local/share/uv/tools/*/lib/python3*/site-packages",
    "~/.local/share/uv/python/*/lib/python3*/site-packages",
    "~/.local/share/mise/installs/python/*/lib/python3*/site-packages",
    "~/.pyenv/versions/*/lib/python3*/site-packages",
    "~/.asdf/installs/python/*/lib/python3*/site-packages",
];
/// The file below each of [`BROUGHT`].
pub const CERTIFI: &str = "certifi/cacert.pem";

/// Where distributions have the truststore of all their Javas, and where a Java has its own.
pub const STORES: [&str; 9] = [
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
    "/var/lib/ca-certificates/java-cacerts",
    "/usr/lib/jvm/*/lib/security/cacerts",
    "/usr/lib/jvm/*/jre/lib/security/cacerts",
    "/opt/*/lib/security/cacerts",
    "~/.sdkman/candidates/java/*/lib/security/cacerts",
    "~/.local/share/mise/installs/java/*/lib/security/cacerts",
    "~/.asdf/installs/java/*/lib/security/cacerts",
];

/// Variables that name a bundle in the place of a client's own: OpenSSL and Go, requests, curl, pip, git, cargo, AWS,
/// Nix, gcloud, gRPC, Ruby's bundler, Perl's LWP, Python's httplib2, Elixir's hex.
const INSTEAD: [&str; 14] = [
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
    "HTTPLIB2_CA_CERTS",
    "HEX_CACERTS_PATH",
];

/// Variables that name certificates beside a client's own: Node, Deno.
const BESIDE: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// Variables that make a client ask the system's bundle: uv, Node.
const SYSTEM: [(&str, &str); 2] = [("UV_SYSTEM_CERTS", "true"), ("UV_NATIVE_TLS", "true")];

/// Files that hold authorities and that the view has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Of [`crate::host::bundles::BUNDLES`].
    pub system: Vec<InnerPath>,
    /// Of [`BROUGHT`].
    pub brought: Vec<InnerPath>,
    /// Of [`STORES`].
    pub stores: Vec<InnerPath>,
}

/// What makes clients trust the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Files over the host's.
    pub files: Vec<(InnerPath, Vec<u8>)>,
    /// Variables, in the order of their names.
    pub variables: Vec<(OsString, OsString)>,
}

/// Trust in the authority `pem`, beside those of `host`, the host's own bundle. The first of the system's places is what
/// variables name. Without any, `own` is where the bundle lies.
pub fn trust(pem: &str, host: &[u8], mut there: Places, own: &InnerPath) -> Trust {
    let mut bundle = host.to_vec();
    if !bundle.is_empty() && !bundle.ends_with(b"\n") {
        bundle.push(b'\n');
    }
    bundle.extend_from_slice(pem.as_bytes());
    if there.system.is_empty() {
        there.system.push(own.clone());
    }
    let named = there.system.first().unwrap_or(own).as_path().as_os_str().to_owned();
    let file = |name: &&str| (OsString::from(name), named.clone());
    let mut variables: Vec<(OsString, OsString)> = INSTEAD.iter().chain(&BESIDE).map(file).collect();
    variables.extend(SYSTEM.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
    variables.sort();
    let store = if there.stores.is_empty() { Vec::new() } else { truststore(&bundle) };
    let bundles = there.system.into_iter().chain(there.brought).map(|path| (path, bundle.clone()));
    let stores = there.stores.into_iter().map(|path| (path, store.clone()));
    Trust { files: bundles.chain(stores).collect(), variables }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::bundles::BUNDLES;

    const OWN: &str = "/run/aisandbox/authorities.pem";

    fn inner(path: &str) -> InnerPath {
        InnerPath::new(path).unwrap()
    }

    #[test]
    fn the_authority_stands_behind_the_hosts_own() {
        let there = Places {
            system: vec![inner(BUNDLES[0]), inner(BUNDLES[4])],
            brought: vec![inner("/p/certifi/cacert.pem")],
            stores: vec![inner(STORES[0])],
        };
        let found = trust("NEW\n", b"OLD", there, &inner(OWN));
        let files: Vec<(&str, &[u8])> = found
            .files
            .iter()
            .map(|(path, bytes)| (path.as_path().to_str().unwrap(), bytes.as_slice()))
            .collect();
        let store = truststore(b"");
        let wanted: [(&str, &[u8]); 4] = [
            (BUNDLES[0], b"OLD\nNEW\n"),
            (BUNDLES[4], b"OLD\nNEW\n"),
            ("/p/certifi/cacert.pem", b"OLD\nNEW\n"),
            (STORES[0], &store),
        ];
        assert_eq!(files, wanted);
        let of = |name: &str| {
            found.variables.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
        };
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "DENO_CERT"] {
            assert_eq!(of(name), Some(OsString::from(BUNDLES[0])), "{name}");
        }
        assert!(found.variables.is_sorted());
    }

    #[test]
    fn a_view_without_a_bundle_gets_one_of_its_own_and_no_truststore() {
        let found = trust("NEW\n", b"", Places::default(), &inner(OWN));
        assert_eq!(found.files, [(inner(OWN), b"NEW\n".to_vec())]);
        assert!(found.variables.iter().any(|(_, value)| value == OWN));
    }
}
