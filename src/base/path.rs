//! The same file seen from outside ([`HostPath`]) and from inside ([`InnerPath`]); never mixed up by accident.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Why a text is no path of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with `/`.
    NotAbsolute,
    /// It has a `..` component: what that means depends on symlinks, so it is refused.
    ParentComponent,
    /// It has a NUL byte, which no kernel interface can carry.
    Nul,
    /// It is longer than `PATH_MAX` (4096 bytes with its NUL).
    TooLong,
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotAbsolute => "is not absolute",
            Self::ParentComponent => "has a `..` component",
            Self::Nul => "has a NUL byte",
            Self::TooLong => "is longer than 4095 bytes",
        })
    }
}

impl std::error::Error for PathError {}

fn checked(path: &Path) -> Result<PathBuf, PathError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        return Err(PathError::Nul);
    }
    if !path.is_absolute() {
        return Err(PathError::NotAbsolute);
    }
    if is_clean(bytes) && bytes.len() < libc_path_max() {
        return Ok(path.to_path_buf());
    }
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => return Err(PathError::ParentComponent),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    if clean.as_os_str().len() >= libc_path_max() {
        return Err(PathError::TooLong);
    }
    Ok(clean)
}

/// Nothing would be dropped or refused: the case of nearly every path.
fn is_clean(bytes: &[u8]) -> bool {
    let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    bytes == b"/" || bytes.split(|byte| *byte == b'/').skip(1).all(plain)
}

/// `PATH_MAX` of limits.h: 4096 bytes, the NUL included.
const fn libc_path_max() -> usize {
    4096
}

macro_rules! path_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(PathBuf);

        // By bytes, which the checks of `new` make the same as by component, and cheaper. What holds a path is
        // always less than the path.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.as_os_str() == other.0.as_os_str()
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.as_os_str().cmp(other.0.as_os_str())
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, hasher: &mut H) {
                self.0.as_os_str().hash(hasher);
            }
        }

        impl Borrow<OsStr> for $name {
            fn borrow(&self) -> &OsStr {
                self.0.as_os_str()
            }
        }

        impl $name {
            /// Takes an absolute path without `..`; `.` and doubled slashes are dropped.
            /// # Errors
            /// [`PathError`] says which of these it broke.
            pub fn new(path: impl AsRef<Path>) -> Result<Self, PathError> {
                checked(path.as_ref()).map(Self)
            }

            /// The path itself.
            pub fn as_path(&self) -> &Path {
                &self.0
            }

            /// Below this path, component by component (`/ab` is not below `/a`); a path is below itself.
            pub fn contains(&self, other: &Self) -> bool {
                let (above, below) = (self.0.as_os_str().as_bytes(), other.0.as_os_str().as_bytes());
                let tail = below.strip_prefix(above);
                above == b"/" || tail.is_some_and(|tail| matches!(tail, [] | [b'/', ..]))
            }

            /// The path as C wants it. There is no NUL in it: [`Self::new`] refused that.
            pub fn to_cstring(&self) -> CString {
                CString::new(self.0.as_os_str().as_bytes()).unwrap_or_default()
            }

            /// The path with `tail` below it.
            /// # Errors
            /// When `tail` is absolute or has a `..`.
            pub fn join(&self, tail: impl AsRef<Path>) -> Result<Self, PathError> {
                let tail = tail.as_ref();
                if tail.is_absolute() {
                    return Err(PathError::NotAbsolute);
                }
                Self::new(self.0.join(tail))
            }

            /// The directory that holds it; `None` for `/`.
            pub fn parent(&self) -> Option<Self> {
                self.0.parent().map(|parent| Self(parent.to_path_buf()))
            }

            /// The last component; `None` for `/`.
            pub fn file_name(&self) -> Option<&OsStr> {
                self.0.file_name()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}", self.0.as_os_str().to_string_lossy().escape_debug())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:?}", self.0)
            }
        }
    };
}

path_type! {
    /// A file as our own process sees it, before any namespace.
    HostPath
}
path_type! {
    /// A file as the agent sees it.
    InnerPath
}

/// The names and `..` of a path, last first, so that a walk takes them in order with `pop`.
pub fn components_from_end(path: &Path) -> Vec<OsString> {
    let wanted = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_parent_component_is_refused() {
        assert_eq!(HostPath::new("/a/../b"), Err(PathError::ParentComponent));
    }

    #[test]
    fn a_relative_path_is_refused() {
        assert_eq!(InnerPath::new("a/b"), Err(PathError::NotAbsolute));
    }

    #[test]
    fn a_nul_byte_is_refused() {
        assert_eq!(HostPath::new("/a\0b"), Err(PathError::Nul));
    }

    #[test]
    fn below_means_by_component() {
        let home = HostPath::new("/home/u").unwrap();
        assert!(home.contains(&HostPath::new("/home/u/x").unwrap()));
        assert!(!home.contains(&HostPath::new("/home/user").unwrap()));
    }

    #[test]
    fn doubled_slashes_and_dots_go() {
        for (text, clean) in [
            ("//a/./b/", "/a/b"),
            ("/a/b/.", "/a/b"),
            ("/a//b", "/a/b"),
            ("//", "/"),
            ("/", "/"),
            ("/..a/.b", "/..a/.b"),
        ] {
            assert_eq!(HostPath::new(text).unwrap().as_path().as_os_str(), clean, "{text}");
        }
    }

    #[test]
    fn what_holds_a_path_comes_before_it() {
        let mut paths = ["/a/b", "/a-b", "/", "/a", "/a/b/c"].map(|path| HostPath::new(path).unwrap());
        paths.sort();
        for (place, path) in paths.iter().enumerate() {
            assert!(!paths[..place].iter().any(|before| path.contains(before)), "{path}");
        }
    }
}
