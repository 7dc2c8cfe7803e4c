//! How sensitive an object is, guessed from its place and name. Only shown and told; nothing is decided by it here.
//!
//! Never opens anything.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Names of a path's component and the label they give. The first row that fits wins, so the gravest come first.
const COMPONENTS: [(&str, &[&str]); 6] = [
    ("keys", &[".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", "gcloud", "keyrings", ".pki"]),
    ("passwords", &[".password-store", "keepassxc", "Bitwarden", "1Password", ".netrc", ".git-credentials"]),
    ("browser", &[".mozilla", "google-chrome", "chromium", "BraveSoftware", "microsoft-edge", "firefox"]),
    ("mail", &[".thunderbird", "evolution", ".mail", "Mail", "Maildir", ".mutt", "neomutt"]),
    ("messages", &["Signal", "Slack", "discord", "Element", "TelegramDesktop"]),
    ("startup", &["autostart", "systemd", ".bashrc", ".zshrc", ".profile", ".bash_profile"]),
];

/// Ends of a file's name and the label they give.
const ENDINGS: [(&str, &[&str]); 3] = [
    ("keys", &[".pem", ".key", ".p12", ".pfx", ".ppk", ".jks", "id_rsa", "id_ed25519", "id_ecdsa"]),
    ("passwords", &[".kdbx", ".env", ".htpasswd", "credentials.json"]),
    ("mail", &[".mbox", ".pst", ".eml"]),
];

/// The label of a path on the host; empty for nothing special.
pub fn of(path: &Path) -> &'static str {
    let names = || {
        path.components()
            .filter_map(|part| if let Component::Normal(name) = part { Some(name) } else { None })
    };
    let by_component = COMPONENTS
        .iter()
        .find(|(_, known)| names().any(|name| known.iter().any(|known| name == OsStr::new(known))));
    let last = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    let by_ending = ENDINGS.iter().find(|(_, known)| known.iter().any(|end| last.ends_with(end)));
    by_component.or(by_ending).map_or("", |(label, _)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_comes_from_a_whole_component_or_the_end_of_the_name() {
        for (path, label) in [
            ("/home/u/.ssh/id_ed25519", "keys"),
            ("/home/u/.mozilla/firefox/x", "browser"),
            ("/home/u/work/server.pem", "keys"),
            ("/home/u/.config/autostart", "startup"),
            ("/home/u/Documents/report.odt", ""),
            ("/home/u/.sshx/a", ""),
        ] {
            assert_eq!(of(Path::new(path)), label, "{path}");
        }
    }
}
