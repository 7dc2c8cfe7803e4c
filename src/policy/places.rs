//! Where bundles are found, who may have written them, and how one becomes a message to the role.
//!
//! Never reads rules: a folder becomes one archive, and an archive stays what it is. A file that somebody else could have
//! written is refused, not skipped.

use super::archive::{self, Member, TOTAL_BYTES};
use super::shipped::shipped;
use super::verdict::Level;
use crate::profile::{Context, Policies};
use crate::wire::policy::{ToPolicy, VerifyKey};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The administrator's bundles.
pub const SYSTEM_FOLDER: &str = "/etc/aisandbox/policy";
/// The administrator's keys, for bundles of every level.
pub const SYSTEM_KEYS: &str = "/etc/aisandbox/policy-keys";

/// A bundle that was found, unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose it is.
    pub level: Level,
    /// Its path, or the name of a shipped one.
    pub name: String,
    /// An archive.
    pub bytes: Vec<u8>,
    /// It must be signed.
    pub signed: bool,
    /// Keys it may be signed by.
    pub keys: Vec<VerifyKey>,
}

impl Found {
    /// The message that loads it, and the file that goes with the message.
    /// # Errors
    /// When no file in memory can be made.
    pub fn message(&self) -> std::io::Result<(ToPolicy, File)> {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let mut file = File::from(nix::sys::memfd::memfd_create(c"policy", flags)?);
        file.write_all(&self.bytes)?;
        file.rewind()?;
        let load = ToPolicy::Load {
            level: self.level.word().to_owned(),
            name: self.name.clone(),
            signed: self.signed,
            keys: self.keys.clone(),
        };
        Ok((load, file))
    }
}

/// Every bundle of a run: the administrator's, the person's, and those the profile names.
/// # Errors
/// Which file, and what is wrong with it.
pub fn find(context: &Context, policies: &Policies) -> Result<Vec<Found>, String> {
    let system = keys_below(Path::new(SYSTEM_KEYS))?;
    let mut found = below(Level::Administrator, Path::new(SYSTEM_FOLDER), &system)?;
    found.extend(below(Level::User, &user_folder(context), &system)?);
    let own = policies.keys.iter().map(|path| key(path.as_path()));
    let keys: Vec<VerifyKey> = system.into_iter().map(Ok).chain(own).collect::<Result<_, _>>()?;
    for bundle in &policies.bundles {
        let members = shipped(&bundle.value);
        // What is shipped is part of this program, and needs no signature.
        let signed = policies.require_signature && members.is_none();
        let bytes = match members {
            Some(members) => archive::pack(&members),
            None if !bundle.value.starts_with('/') => Err(format!(
                "no policy of this name is shipped; see `aisandbox policy list` ({})",
                bundle.asked
            )),
            None => bytes_of(Path::new(&bundle.value)),
        };
        let bytes = bytes.map_err(|why| format!("policy {}: {why}", bundle.value))?;
        let name = bundle.value.clone();
        found.push(Found { level: Level::Project, name, bytes, signed, keys: keys.clone() });
    }
    Ok(found)
}

/// `$XDG_CONFIG_HOME/aisandbox/policy`.
pub fn user_folder(context: &Context) -> PathBuf {
    let set = context.env.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    set.unwrap_or_else(|| context.home.join(".config")).join("aisandbox/policy")
}

/// The bundles that lie in a folder, by name. A folder that is not there has none.
fn below(level: Level, folder: &Path, keys: &[VerifyKey]) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        let name = path.to_string_lossy().into_owned();
        let bytes = bytes_of(&path).map_err(|why| format!("policy {name}: {why}"))?;
        found.push(Found { level, name, bytes, signed: false, keys: keys.to_vec() });
    }
    Ok(found)
}

/// What lies in a folder but for hidden names and README, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let list = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    check_owner(folder)?;
    let mut paths = Vec::new();
    for entry in list {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && name != "README" {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The archive at this path: itself, or made from a folder.
/// # Errors
/// When it is neither, is too large, or others may have written it.
pub fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    check_tree(path)?;
    let facts = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if facts.is_dir() { archive::pack(&archive::walk(path)?) } else { read_plain(path, TOTAL_BYTES) }
}

/// The files of the bundle at this path, whoever wrote them: for commands that only look.
/// # Errors
/// When it is neither folder nor archive, or too large.
pub fn members_of(path: &Path) -> Result<Vec<Member>, String> {
    let facts = fs::metadata(path).map_err(|error| error.to_string())?;
    if facts.is_dir() { archive::walk(path) } else { archive::unpack(&read_plain(path, TOTAL_BYTES)?) }
}

/// A public key from a file; its id is the file's name without the ending.
/// # Errors
/// When it cannot be read, or others may have written it.
pub fn key(path: &Path) -> Result<VerifyKey, String> {
    let failed = |why: String| format!("key {}: {why}", path.display());
    check_owner(path).map_err(failed)?;
    let pem = String::from_utf8(read_plain(path, 16_384).map_err(failed)?);
    let pem = pem.map_err(|_| failed("not text".into()))?;
    let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    crate::crypto::PublicKey::from_pem(&pem).map_err(|why| failed(why.into()))?;
    Ok(VerifyKey { id, pem })
}

fn keys_below(folder: &Path) -> Result<Vec<VerifyKey>, String> {
    entries(folder)?.iter().map(|path| key(path)).collect()
}

fn read_plain(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err("is no plain file".into());
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most { Err(format!("has more than {most} bytes")) } else { Ok(bytes) }
}

/// Looks at a file, or at a folder and all below it.
fn check_tree(path: &Path) -> Result<(), String> {
    let mut open = vec![path.to_owned()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        check_owner(&path)?;
        seen += 1;
        if seen > 4 * archive::MOST_FILES {
            return Err("has too many files".into());
        }
        if fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir()) {
            let list = fs::read_dir(&path).map_err(|error| error.to_string())?;
            open.extend(list.filter_map(Result::ok).map(|entry| entry.path()));
        }
    }
    Ok(())
}

/// Root's or the caller's own, and nobody else may write it. A link is refused: what it names could be swapped.
fn check_owner(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let facts = fs::symlink_metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    let me = nix::unistd::geteuid().as_raw();
    if facts.file_type().is_symlink() {
        return Err(format!("{shown}: is a symbolic link"));
    }
    if ![0, me].contains(&facts.uid()) {
        return Err(format!("{shown}: belongs to uid {}, not to root or to uid {me}", facts.uid()));
    }
    if facts.mode() & 0o022 != 0 {
        return Err(format!("{shown}: others may write to it (mode {:04o})", facts.mode() & 0o7777));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("aisandbox-places-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("one")).unwrap();
        fs::write(path.join("one/p.rego"), "package p\n").unwrap();
        for (path, mode) in
            [(path.clone(), 0o755), (path.join("one"), 0o755), (path.join("one/p.rego"), 0o644)]
        {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        path
    }

    #[test]
    fn a_folder_becomes_an_archive_of_the_same_files() {
        let path = folder("plain");
        let found = below(Level::User, &path, &[]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(archive::unpack(&found[0].bytes).unwrap()[0].name, "p.rego");
        let (_, mut file) = found[0].message().unwrap();
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert_eq!(read, found[0].bytes);
        assert_eq!(below(Level::User, &path.join("none"), &[]), Ok(Vec::new()));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_others_could_have_written_is_refused() {
        let path = folder("open");
        for place in ["", "one", "one/p.rego"] {
            let changed = path.join(place);
            let before = fs::metadata(&changed).unwrap().permissions();
            fs::set_permissions(&changed, fs::Permissions::from_mode(0o777)).unwrap();
            assert!(below(Level::User, &path, &[]).unwrap_err().contains("others may write"), "{place}");
            fs::set_permissions(&changed, before).unwrap();
        }
        assert!(below(Level::User, &path, &[]).is_ok());
        symlink("/etc", path.join("link")).unwrap();
        assert!(below(Level::User, &path, &[]).unwrap_err().contains("symbolic link"));
        fs::remove_dir_all(path).unwrap();
    }
}
