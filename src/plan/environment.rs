//! The environment inside: what the profile keeps and sets, and nothing else.

use crate::profile::Environment;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Chooses variables. `set` wins over `keep`; a name with `=` or NUL, or a value with NUL, cannot be passed and is
/// left out. The result is sorted by name.
pub fn choose(wish: &Environment, outside: &[(OsString, OsString)]) -> BTreeMap<OsString, OsString> {
    let kept =
        outside.iter().filter(|(name, _)| wish.keep.iter().any(|pattern| matches(pattern, name))).cloned();
    let set = wish.set.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    kept.chain(set).filter(|(name, value)| passable(name, value)).collect()
}

/// `NAME=value`, as execve(2) wants it.
pub fn strings(environment: &BTreeMap<OsString, OsString>) -> Vec<CString> {
    let join = |(name, value): (&OsString, &OsString)| {
        let mut text = name.clone().into_vec();
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        CString::new(text).ok()
    };
    environment.iter().filter_map(join).collect()
}

fn matches(pattern: &str, name: &OsStr) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.as_bytes().starts_with(start.as_bytes()),
        None => name.as_bytes() == pattern.as_bytes(),
    }
}

fn passable(name: &OsStr, value: &OsStr) -> bool {
    let name = name.as_bytes();
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0) && !value.as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside() -> Vec<(OsString, OsString)> {
        [("LC_TIME", "C"), ("LANG", "de"), ("AWS_SECRET_ACCESS_KEY", "s3cret")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec()
    }

    #[test]
    fn what_no_list_names_is_dropped() {
        let wish = Environment { keep: vec!["LC_*".into()], set: vec![] };
        let names: Vec<_> = choose(&wish, &outside()).into_keys().collect();
        assert_eq!(names, [OsString::from("LC_TIME")]);
    }

    #[test]
    fn set_wins_over_keep() {
        let wish = Environment { keep: vec!["LANG".into()], set: vec![("LANG".into(), "en".into())] };
        assert_eq!(strings(&choose(&wish, &outside())), [c"LANG=en".to_owned()]);
    }

    #[test]
    fn a_name_that_would_smuggle_a_second_variable_is_dropped() {
        let wish =
            Environment { keep: vec![], set: vec![("A=B".into(), "x".into()), ("C".into(), "y\0z".into())] };
        assert!(choose(&wish, &[]).is_empty());
    }
}
