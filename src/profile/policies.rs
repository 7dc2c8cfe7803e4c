//! `policy:`: bundles of rules that decide about requests, and the keys their signatures are checked by.
//!
//! Never opens a bundle: whether it is there and is right is found out when a run with a Guardian starts.

use super::context::Context;
use super::decode::At;
use super::entry::{expand, host_path};
use super::written::PolicyKeys;
use crate::base::HostPath;
use crate::profile::{Named, ProfileError};
use serde_json::{Map, Value, json};

/// `policy:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// Names of shipped policies, or absolute paths of folders and archives.
    pub bundles: Vec<Named>,
    /// A bundle named here without a signature is refused.
    pub require_signature: bool,
    /// Files with a public key in PEM.
    pub keys: Vec<HostPath>,
}

/// Puts the keys of a file on top of what came before. Lists add up, and what was required stays so.
pub(super) fn add(
    policies: &mut Policies,
    keys: PolicyKeys,
    context: &Context,
    errors: &mut Vec<ProfileError>,
) {
    policies.require_signature |= keys.require_signature.unwrap_or(false);
    for At { value, asked } in keys.bundles.unwrap_or_default() {
        match bundle(At { value, asked: asked.clone() }, context) {
            Ok(value) if policies.bundles.iter().any(|known| known.value == value) => {}
            Ok(value) => policies.bundles.push(Named { value, asked }),
            Err(wrong) => errors.extend(wrong),
        }
    }
    for path in keys.keys.unwrap_or_default() {
        match host_path(&path, context) {
            Ok(key) if policies.keys.contains(&key) => {}
            Ok(key) => policies.keys.push(key),
            Err(wrong) => errors.extend(wrong),
        }
    }
}

/// A plain name stays one; anything else is an absolute path.
fn bundle(text: At<String>, context: &Context) -> Result<String, Vec<ProfileError>> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.value.is_empty() && text.value.bytes().all(letter) {
        return Ok(text.value);
    }
    let path = host_path(&text, context)?;
    expand(&text, context).map(|_| path.as_path().to_string_lossy().into_owned())
}

/// The keys that come to this.
pub(super) fn shown(policies: &Policies) -> Value {
    let plain = |text: &str| Value::from(text.replace('$', "$$"));
    let mut keys = Map::new();
    keys.insert("bundles".into(), policies.bundles.iter().map(|bundle| plain(&bundle.value)).collect());
    keys.insert("require_signature".into(), json!(policies.require_signature));
    if !policies.keys.is_empty() {
        let paths = policies.keys.iter().map(|key| plain(&key.as_path().to_string_lossy()));
        keys.insert("keys".into(), paths.collect());
    }
    keys.into()
}

#[cfg(test)]
mod tests {
    use crate::profile::context::tests::person;
    use crate::profile::{load_str, to_text};

    #[test]
    fn what_is_shown_of_policies_means_the_same_again() {
        let text = "version: 1\npolicy: { bundles: [readonly-docs, $PWD/.aisandbox/policy], require_signature: true, \
                    keys: [/etc/k.pem] }\n";
        let first = load_str("x.yaml", text, &person()).unwrap();
        let names: Vec<&str> = first.policies.bundles.iter().map(|bundle| &*bundle.value).collect();
        assert_eq!(names, ["readonly-docs", "/home/u/project/.aisandbox/policy"]);
        let again = load_str("again.yaml", &to_text(&first), &person()).unwrap();
        assert_eq!(super::shown(&again.policies), super::shown(&first.policies));
        assert!(again.policies.require_signature);
    }

    #[test]
    fn a_relative_path_is_no_bundle() {
        for wrong in ["a/b", "../x", "Docs", "''"] {
            let text = format!("version: 1\npolicy: {{ bundles: [{wrong}] }}\n");
            assert!(load_str("x.yaml", &text, &person()).is_err(), "{wrong}");
        }
    }
}
