//! Whom a profile is read for: home, working folder, user, and the variables that follow from them.
//!
//! Never takes a variable from the environment but HOME, USER and the XDG folders: a profile means the same in
//! every shell.

use super::nearest::nearest;
use crate::base::Source;
use crate::profile::ProfileError;
use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the variables of a profile stand for, and where profiles are looked for by name.
#[derive(Debug, Clone)]
pub struct Context {
    /// `$HOME` and `~`.
    pub home: PathBuf,
    /// `$PWD`.
    pub pwd: PathBuf,
    /// `$USER`.
    pub user: String,
    /// `$UID`.
    pub uid: u32,
    /// The XDG variables that are set; the rest of the environment does not matter.
    pub env: BTreeMap<String, String>,
    /// Folders with profiles, the strongest first.
    pub search: Vec<PathBuf>,
}

/// What may stand behind a `$`.
const VARIABLES: &[&str] = &[
    "HOME",
    "PWD",
    "USER",
    "UID",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
];

/// Where the administrator and the package keep profiles.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/aisandbox/profiles", "/usr/share/aisandbox/profiles"];

/// Why a text with variables has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unexpanded {
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: Option<String>,
}

impl Context {
    /// For this process. HOME comes from the environment, else from the user database.
    /// # Errors
    /// When there is no usable home or working folder.
    pub fn of_process() -> Result<Self, ProfileError> {
        let uid = nix::unistd::getuid();
        // Asked only for what the environment does not say: the database may load libraries and talk to services.
        let known = LazyCell::new(|| nix::unistd::User::from_uid(uid).ok().flatten());
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let asked = || Source::built_in("who runs this");
        let home = home.or_else(|| known.as_ref().map(|user| user.dir.clone()));
        let home = home.ok_or_else(|| {
            ProfileError::new(asked(), "no home folder: HOME is not set and the user database has none")
                .hint("set HOME to an absolute path")
        })?;
        let pwd = std::env::current_dir().map_err(|error| {
            ProfileError::new(asked(), format!("the working folder cannot be read: {error}"))
                .hint("change into a folder that exists")
        })?;
        let user = std::env::var("USER").ok().filter(|name| !name.is_empty());
        let user =
            user.or_else(|| known.as_ref().map(|user| user.name.clone())).unwrap_or_else(|| uid.to_string());
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("XDG_"))
            .collect();
        Ok(Self { home, pwd, user, uid: uid.as_raw(), env, search: Vec::new() }.with_usual_search())
    }

    /// The same with the usual folders to search: the user's, the administrator's, the package's.
    #[must_use]
    pub fn with_usual_search(mut self) -> Self {
        let own = self
            .xdg("XDG_CONFIG_HOME", ".config")
            .map(|folder| Path::new(&folder).join("aisandbox/profiles"));
        self.search = own.into_iter().chain(SYSTEM_FOLDERS.map(PathBuf::from)).collect();
        self
    }

    /// The text with `~` at its start, `$NAME`, `${NAME}` and `$$` replaced.
    pub(super) fn expand(&self, text: &str) -> Result<String, Unexpanded> {
        let mut rest = text;
        let mut out = String::with_capacity(text.len() + 32);
        if let Some(tail) = text.strip_prefix('~') {
            if !(tail.is_empty() || tail.starts_with('/')) {
                let hint = Some("write ~/… or $HOME for your own home, or the absolute path".into());
                return Err(Unexpanded { message: format!("`{text}`: `~NAME` is not known"), hint });
            }
            out.push_str(&self.value("HOME")?);
            rest = tail;
        }
        while let Some(at) = rest.find('$') {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.push_str(before);
            let after = after.strip_prefix('$').unwrap_or(after);
            rest = match after.strip_prefix('$') {
                Some(tail) => {
                    out.push('$');
                    tail
                }
                None => {
                    let (name, tail) = name(after).ok_or_else(|| lone_dollar(text))?;
                    out.push_str(&self.value(name)?);
                    tail
                }
            };
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, name: &str) -> Result<String, Unexpanded> {
        let path =
            |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| unusable(name, "is not UTF-8"));
        match name {
            "HOME" => folder(name, path(&self.home)?),
            "PWD" => folder(name, path(&self.pwd)?),
            "USER" => plain(name, self.user.clone()),
            "UID" => Ok(self.uid.to_string()),
            "XDG_CONFIG_HOME" => self.xdg(name, ".config"),
            "XDG_DATA_HOME" => self.xdg(name, ".local/share"),
            "XDG_CACHE_HOME" => self.xdg(name, ".cache"),
            "XDG_STATE_HOME" => self.xdg(name, ".local/state"),
            "XDG_RUNTIME_DIR" => match self.env.get(name) {
                Some(value) if !value.is_empty() => folder(name, value.clone()),
                _ => Ok(format!("/run/user/{}", self.uid)),
            },
            _ => Err(unknown(name)),
        }
    }

    /// An XDG folder, with the default of the Base Directory Specification below the home.
    pub(super) fn xdg(&self, name: &str, default: &str) -> Result<String, Unexpanded> {
        match self.env.get(name) {
            Some(value) if !value.is_empty() => folder(name, value.clone()),
            _ => Ok(format!("{}/{default}", self.value("HOME")?.trim_end_matches('/'))),
        }
    }
}

/// The name behind a `$` and what follows it.
fn name(after: &str) -> Option<(&str, &str)> {
    if let Some(braced) = after.strip_prefix('{') {
        return braced.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let end =
        after.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(after.len());
    after.split_at_checked(end).filter(|(name, _)| !name.is_empty())
}

fn plain(name: &str, value: String) -> Result<String, Unexpanded> {
    if value.contains(char::is_control) {
        Err(unusable(name, "holds a control character"))
    } else {
        Ok(value)
    }
}

fn folder(name: &str, value: String) -> Result<String, Unexpanded> {
    if !value.starts_with('/') {
        return Err(unusable(name, "is not an absolute path"));
    }
    plain(name, value)
}

fn unusable(name: &str, why: &str) -> Unexpanded {
    Unexpanded {
        message: format!("${name} {why}"),
        hint: Some(format!("set {name} to an absolute path, or unset it")),
    }
}

fn unknown(name: &str) -> Unexpanded {
    let hint = match nearest(name, VARIABLES.iter().copied()) {
        Some(other) => format!("did you mean ${other}?"),
        None => format!("known: ${}; `$$` is a dollar sign", VARIABLES.join(", $")),
    };
    Unexpanded { message: format!("unknown variable `${name}`"), hint: Some(hint) }
}

fn lone_dollar(text: &str) -> Unexpanded {
    Unexpanded {
        message: format!("`{text}` has a `$` without a name"),
        hint: Some("`$$` is a dollar sign".into()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A person `u` in ~/project, with nothing to search.
    pub(in crate::profile) fn person() -> Context {
        Context {
            home: "/home/u".into(),
            pwd: "/home/u/project".into(),
            user: "u".into(),
            uid: 1000,
            env: BTreeMap::new(),
            search: Vec::new(),
        }
    }

    #[test]
    fn variables_are_replaced() {
        let person = person();
        for (text, value) in [
            ("~", "/home/u"),
            ("~/x", "/home/u/x"),
            ("$PWD/out", "/home/u/project/out"),
            ("${HOME}x", "/home/ux"),
            ("$XDG_CACHE_HOME", "/home/u/.cache"),
            ("$XDG_RUNTIME_DIR/bus", "/run/user/1000/bus"),
            ("/run/$UID/$USER", "/run/1000/u"),
            ("a$$b~", "a$b~"),
        ] {
            assert_eq!(person.expand(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn an_unknown_variable_names_the_nearest() {
        let error = person().expand("$HOMR/x").unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.hint.as_deref()),
            ("unknown variable `$HOMR`", Some("did you mean $HOME?"))
        );
        assert!(person().expand("$LD_PRELOAD").is_err());
        for text in ["$", "a$/b", "${", "${}", "${HOME", "~root/x"] {
            assert!(person().expand(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_that_could_mislead_is_refused() {
        for value in ["relative/path", "/a\nb", "/a\0b"] {
            let env = BTreeMap::from([("XDG_DATA_HOME".to_owned(), value.to_owned())]);
            assert!(Context { env, ..person() }.expand("$XDG_DATA_HOME").is_err(), "{value:?}");
        }
        let env = BTreeMap::from([("XDG_DATA_HOME".to_owned(), "/data".to_owned())]);
        assert_eq!(Context { env, ..person() }.expand("$XDG_DATA_HOME/x").as_deref(), Ok("/data/x"));
    }
}
