//! The command: which file of the view it is, found before anything is started.

use super::view::View;
use crate::base::{HostPath, InnerPath};
use crate::host::{Kind, Object, Tree};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

/// What will be executed.
#[derive(Debug, Clone)]
pub struct Command {
    /// The path given to execve(2).
    pub program: InnerPath,
    /// The host file behind it, held open, where a host file is what shows there.
    pub host: Option<Rc<Object>>,
    /// Arguments, the name first, as given.
    pub argv: Vec<CString>,
}

/// Why there is nothing to execute. The exit code is the shell's: 127 not found, 126 not executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// 125, 126 or 127.
    pub code: u8,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Finds the program: a name with a slash as it is (relative to `chdir`), otherwise along the inner `PATH`.
/// # Errors
/// [`CommandError`] with the exit code.
pub fn find(
    argv: &[OsString],
    path: Option<&OsStr>,
    chdir: &InnerPath,
    view: &View,
    tree: &dyn Tree,
) -> Result<Command, CommandError> {
    let strings = argv.iter().map(|text| CString::new(text.as_bytes())).collect::<Result<Vec<_>, _>>();
    let strings = strings.map_err(|_| failure(125, "an argument has a NUL byte".into(), None))?;
    let name = argv.first().filter(|name| !name.is_empty());
    let name =
        name.ok_or_else(|| failure(125, "no command given".into(), Some("-- COMMAND [ARGUMENT]...".into())))?;
    let candidates = candidates(name, path, chdir);
    let mut outside = None;
    let mut refused = None;
    for candidate in &candidates {
        match look(candidate, view, tree) {
            Seen::Program(host) => return Ok(Command { program: candidate.clone(), host, argv: strings }),
            Seen::Unfit(why) => refused = refused.or(Some(format!("{candidate} {why}"))),
            Seen::OutsideOnly => outside = outside.or(Some(candidate.clone())),
            Seen::Nothing => {}
        }
    }
    if let Some(why) = refused {
        return Err(failure(126, why, None));
    }
    let shown = crate::base::escape(name.as_bytes());
    let hint = match outside {
        Some(place) => format!("{place} exists on the host, but the profile does not show it (--ro {place})"),
        None if name.as_bytes().contains(&b'/') => {
            "no such file there; `aisandbox explain` shows what the sandbox can see".into()
        }
        None => "no folder of PATH has it; `aisandbox explain` shows what the sandbox can see".into(),
    };
    Err(failure(127, format!("{shown}: command not found in the sandbox"), Some(hint)))
}

fn failure(code: u8, message: String, hint: Option<String>) -> CommandError {
    CommandError { code, message, hint }
}

fn candidates(name: &OsStr, path: Option<&OsStr>, chdir: &InnerPath) -> Vec<InnerPath> {
    let plain =
        |folder: &Path| InnerPath::new(without_parents(&chdir.as_path().join(folder).join(name))).ok();
    if name.as_bytes().contains(&b'/') {
        return plain(Path::new("")).into_iter().collect();
    }
    let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let folders =
        path.as_bytes().split(|byte| *byte == b':').map(|folder| Path::new(OsStr::from_bytes(folder)));
    folders.filter_map(plain).collect()
}

/// Resolves `..` by text. Only used to find the program of a command line; the kernel resolves it again at exec.
fn without_parents(path: &Path) -> std::path::PathBuf {
    let mut clean = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

enum Seen {
    Program(Option<Rc<Object>>),
    Unfit(&'static str),
    OutsideOnly,
    Nothing,
}

fn look(candidate: &InnerPath, view: &View, tree: &dyn Tree) -> Seen {
    let Some(host) = view.host_of(candidate) else {
        if view.shows_data(candidate) {
            return Seen::Program(None);
        }
        let outside = HostPath::new(candidate.as_path()).ok().and_then(|host| tree.open(&host, true).ok());
        return if outside.is_some_and(|object| object.executable) {
            Seen::OutsideOnly
        } else {
            Seen::Nothing
        };
    };
    match tree.open(&host, true) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Seen::Unfit("cannot be looked up")
        }
        Err(_) => Seen::Nothing,
        Ok(object) => match object.kind {
            Kind::Folder => Seen::Unfit("is a folder"),
            Kind::File if object.executable => Seen::Program(Some(Rc::new(object))),
            _ => Seen::Unfit("is not executable"),
        },
    }
}
