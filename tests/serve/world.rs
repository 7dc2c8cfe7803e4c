//! Certificates of a test's own authority, made by openssl.

use super::give;
use crate::support::Home;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority and what it signed, in a folder of the home.
pub(crate) struct Certs(pub(crate) PathBuf);

impl Certs {
    /// An authority, a server at 127.0.0.1, and clients of these names.
    pub(crate) fn make(home: &Home, folder: &str, clients: &[&str]) -> Self {
        let certs = Self(home.make_folder(folder));
        certs.sign("ca", &["-addext", "basicConstraints=critical,CA:TRUE"]);
        certs.signed("server", "IP:127.0.0.1", "serverAuth");
        for client in clients {
            certs.signed(client, &format!("DNS:{client}"), "clientAuth");
        }
        if home.user.become_it {
            give(&certs.0, home.user.uid);
        }
        certs
    }

    /// The path of a file.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn signed(&self, name: &str, alternative: &str, usage: &str) {
        let (ca, key) = (self.path("ca.pem"), self.path("ca.key"));
        let (alternative, usage) =
            (format!("subjectAltName={alternative}"), format!("extendedKeyUsage={usage}"));
        let words = ["-CA", &ca, "-CAkey", &key, "-addext", "basicConstraints=critical,CA:FALSE"];
        self.sign(name, &[&words[..], &["-addext", &alternative, "-addext", &usage]].concat());
    }

    fn sign(&self, name: &str, more: &[&str]) {
        let (key, out, subject) =
            (self.path(&format!("{name}.key")), self.path(&format!("{name}.pem")), format!("/CN={name}"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ]);
        openssl.args(["-keyout", &key, "-out", &out, "-subj", &subject]).args(more);
        let done = openssl.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(Path::new(&out).exists());
    }

    /// What curl shows this client by.
    pub(crate) fn client(&self, name: &str) -> Vec<String> {
        let [ca, cert, key] =
            ["ca.pem".to_owned(), format!("{name}.pem"), format!("{name}.key")].map(|file| self.path(&file));
        ["--cacert", &ca, "--cert", &cert, "--key", &key].map(str::to_owned).to_vec()
    }
}
