//! Certificates of one test: an authority, a server, a client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};

/// An authority, and what it signs, as PEM files in a folder.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one; its certificate is `NAME.pem`.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        write(&folder.join(format!("{name}.pem")), "CERTIFICATE", certificate.der());
        Self { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name: `NAME.pem` and `NAME.key`.
    pub(crate) fn sign(&self, name: &str, alternative: &[&str]) {
        let names: Vec<String> = alternative.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&self.folder.join(format!("{name}.pem")), "CERTIFICATE", certificate.der());
        write(&self.folder.join(format!("{name}.key")), "PRIVATE KEY", &key.serialize_der());
    }
}

fn write(path: &Path, label: &str, der: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    std::fs::write(path, format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")))
        .unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
