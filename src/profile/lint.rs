//! Entries that are well written and still open far more than their author can have meant.
//!
//! Never guesses at a path that a profile names: only variables are judged, `$PWD` above all, which is
//! wherever a person happens to stand.

use super::context::Context;
use super::decode::At;
use super::written_entry::AccessWord;
use crate::base::InnerPath;
use crate::profile::ProfileError;
use std::path::{Path, PathBuf};

/// Folders that hold a system or many people's things: no working folder themselves, while folders below may be.
const SHARED: &[&str] = &[
    "/",
    "/bin",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/run/user",
    "/sbin",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/tmp",
];

/// Folders that are no working folder at any depth.
const SYSTEM: &[&str] = &["/boot", "/dev", "/etc", "/proc", "/sys"];

/// Folders of a home that hold secrets, or what runs at the next login: at any depth.
const SECRET: &[&str] = &[
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".password-store",
    ".mozilla",
    ".config/aisandbox",
    ".config/autostart",
    ".config/systemd",
    ".local/share/keyrings",
    ".local/state/aisandbox",
    ".config/gcloud",
];

/// Folders of a home that hold every program's settings.
const WIDE: &[&str] = &[".config", ".local", ".local/bin", ".local/share", ".local/state", ".cache"];

/// Refuses an entry for the working folder itself, written with `$PWD`, where that is no folder to work in, and one
/// for a home that is `/`, as some service users have it.
pub(super) fn entry(
    written: &At<String>,
    path: &InnerPath,
    access: AccessWord,
    context: &Context,
) -> Option<ProfileError> {
    if path.as_path() == Path::new("/") && written.value != "/" {
        let message = format!("`{}` is /, which is everything", written.value);
        let hint = "set HOME to a folder of your own, and start in a project folder";
        return Some(ProfileError::new(written.asked.clone(), message).hint(hint));
    }
    let host = matches!(access, AccessWord::Ro | AccessWord::Rw | AccessWord::Stage | AccessWord::Ask);
    let variable = written.value.starts_with("$PWD") || written.value.starts_with("${PWD}");
    let here = InnerPath::new(&context.pwd).is_ok_and(|pwd| pwd == *path);
    if !(host && variable && here) {
        return None;
    }
    let why = unfit(path.as_path(), context)?;
    let message = format!("`{}` is {path}, which {why}", written.value);
    let hint = "change into a project folder first, or name the path itself in a profile of your own";
    Some(ProfileError::new(written.asked.clone(), message).hint(hint))
}

/// Why a folder is not one to hand to an agent to write in: said of a flag, refused for `$PWD`.
pub fn unfit(pwd: &Path, context: &Context) -> Option<&'static str> {
    let home = &context.home;
    let own = |tail: &&str| home.join(tail);
    let config =
        |name, tail| context.xdg(name, tail).ok().map(|folder| PathBuf::from(folder).join("aisandbox"));
    let ours = [config("XDG_CONFIG_HOME", ".config"), config("XDG_STATE_HOME", ".local/state")];
    if pwd == home {
        Some("is your home: everything in it would be open")
    } else if home.starts_with(pwd) {
        Some("holds your home")
    } else if SHARED.iter().any(|folder| pwd == Path::new(folder)) {
        Some("belongs to the whole system")
    } else if SYSTEM.iter().any(|folder| pwd.starts_with(folder)) {
        Some("is part of the system")
    } else if SECRET.iter().map(own).chain(ours.into_iter().flatten()).any(|folder| pwd.starts_with(folder)) {
        Some("holds secrets, or what decides over them")
    } else if WIDE.iter().map(own).any(|folder| pwd == folder) {
        Some("holds the settings of every program")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::context::tests::person;

    fn judged(pwd: &str) -> Option<&'static str> {
        unfit(Path::new(pwd), &person())
    }

    #[test]
    fn a_project_folder_is_fit() {
        for pwd in
            ["/home/u/project", "/home/u/.config/nvim", "/srv/www", "/tmp/x", "/usr/src/app", "/home/user"]
        {
            assert_eq!(judged(pwd), None, "{pwd}");
        }
    }

    #[test]
    fn a_home_a_system_folder_or_a_folder_of_secrets_is_not() {
        for pwd in [
            "/",
            "/home",
            "/home/u",
            "/etc/ssh",
            "/usr",
            "/tmp",
            "/proc/self",
            "/home/u/.ssh",
            "/home/u/.config",
        ] {
            assert!(judged(pwd).is_some(), "{pwd}");
        }
        assert!(judged("/home/u/.config/aisandbox/profiles").is_some());
    }
}
