//! The rules compiled into this program, from packaging/siem/sigma/.
//!
//! Never read from disk at run time: they mean what this build says, on every machine.

use super::place::RuleFile;

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../packaging/siem/sigma/", $name)))
    };
}

/// The files, by their names.
const FILES: &[(&str, &str)] = &[
    file!("agent-binary-changed.yml"),
    file!("approval-storm.yml"),
    file!("confinement-weakened.yml"),
    file!("decoy-taken.yml"),
    file!("denials-then-egress.yml"),
    file!("encoded-payload.yml"),
    file!("file-then-egress.yml"),
    file!("forged-message.yml"),
    file!("inner-address.yml"),
    file!("large-upload.yml"),
    file!("many-names.yml"),
    file!("protected-name.yml"),
    file!("record-gap.yml"),
    file!("revoked-then-used.yml"),
    file!("sent-out.yml"),
    file!("unexpected-program.yml"),
];

/// The files of the shipped rules.
pub fn shipped() -> Vec<RuleFile> {
    let file = |(name, text): &(&str, &str)| RuleFile {
        name: format!("shipped/{name}"),
        text: (*text).to_owned(),
        embedded: true,
    };
    FILES.iter().map(file).collect()
}
