//! The files of a bundle, from an archive (tar, or tar.gz as `opa build` writes it) or from a folder.
//!
//! Never writes a file: an archive is read in memory. Never follows a link, in either, and never takes a name that could
//! mean another place.

use std::fs;
use std::io::Read;
use std::path::Path;

/// The most files.
pub const MOST_FILES: usize = 512;
/// The most bytes of one file.
pub const FILE_BYTES: u64 = 1 << 20;
/// The most bytes of all files, and of the archive.
pub const TOTAL_BYTES: u64 = 8 << 20;
/// The most bytes of a name.
const NAME_BYTES: usize = 255;
/// The most folders inside each other.
const MOST_DEPTH: usize = 16;

/// One file of a bundle: its path without a slash at the start, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Such as `policies/a.rego`.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The files of an archive, sorted by name.
/// # Errors
/// What is wrong with it.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Member>, String> {
    if bytes.len() as u64 > TOTAL_BYTES {
        return Err(format!("has more than {TOTAL_BYTES} bytes"));
    }
    // The headers count too, and an archive that unpacks to more is cut off and then refused.
    let most = TOTAL_BYTES + 2048 * MOST_FILES as u64;
    let members = match bytes {
        [0x1f, 0x8b, ..] => read_tar(flate2::read::GzDecoder::new(bytes).take(most)),
        _ => read_tar(bytes.take(most)),
    };
    finish(members?)
}

fn read_tar(from: impl Read) -> Result<Vec<Member>, String> {
    let mut archive = tar::Archive::new(from);
    let broken = |error: std::io::Error| format!("not a whole archive: {error}");
    let mut members = Vec::new();
    let mut seen = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        seen += 1;
        if seen > 2 * MOST_FILES {
            return Err(format!("more than {} entries", 2 * MOST_FILES));
        }
        let kind = entry.header().entry_type();
        let raw = entry.path_bytes().into_owned();
        let name = String::from_utf8(raw).map_err(|_| "a name that is not UTF-8".to_owned())?;
        match kind {
            tar::EntryType::Directory | tar::EntryType::XGlobalHeader => continue,
            tar::EntryType::Regular => {}
            other => return Err(format!("{}: not a file or folder ({other:?})", shown(&name))),
        }
        let name = checked_name(&name)?;
        if entry.size() > FILE_BYTES {
            return Err(format!("{name}: more than {FILE_BYTES} bytes"));
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(broken)?;
        if bytes.len() as u64 != entry.size() {
            return Err(format!("{name}: cut off"));
        }
        add(&mut members, Member { name, bytes })?;
    }
    Ok(members)
}

/// The files of a folder and all below it, sorted by name.
/// # Errors
/// What cannot be read, or is no plain file.
pub fn walk(folder: &Path) -> Result<Vec<Member>, String> {
    let mut members = Vec::new();
    below(folder, "", 0, &mut members)?;
    finish(members)
}

fn below(folder: &Path, prefix: &str, depth: usize, members: &mut Vec<Member>) -> Result<(), String> {
    if depth > MOST_DEPTH {
        return Err(format!("{prefix}: more than {MOST_DEPTH} folders inside each other"));
    }
    let failed = |error: std::io::Error| format!("{}: {error}", shown(prefix));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let text = entry.file_name().into_string().map_err(|_| "a name that is not UTF-8".to_owned())?;
        let name = checked_name(&format!("{prefix}{text}"))?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            below(&entry.path(), &format!("{name}/"), depth + 1, members)?;
        } else if kind.is_file() {
            add(members, Member { bytes: read_file(&entry.path())?, name })?;
        } else {
            return Err(format!("{name}: not a file or folder"));
        }
    }
    Ok(())
}

/// The bytes of a plain file, which is no link and has at most [`FILE_BYTES`].
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |error: std::io::Error| format!("{}: {error}", shown(&path.to_string_lossy()));
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn add(members: &mut Vec<Member>, member: Member) -> Result<(), String> {
    if member.bytes.len() as u64 > FILE_BYTES {
        return Err(format!("{}: more than {FILE_BYTES} bytes", member.name));
    }
    members.push(member);
    let total: u64 = members.iter().map(|member| member.bytes.len() as u64).sum();
    if members.len() > MOST_FILES || total > TOTAL_BYTES {
        return Err(format!("more than {MOST_FILES} files or {TOTAL_BYTES} bytes"));
    }
    Ok(())
}

fn finish(mut members: Vec<Member>) -> Result<Vec<Member>, String> {
    members.sort_by(|one, other| one.name.cmp(&other.name));
    for (one, next) in members.iter().zip(members.iter().skip(1)) {
        if one.name == next.name {
            return Err(format!("{}: comes twice", one.name));
        }
    }
    Ok(members)
}

/// The name without `/` or `./` at its start, as `opa build` and tar write them.
fn checked_name(name: &str) -> Result<String, String> {
    let plain = name.strip_prefix("./").or_else(|| name.strip_prefix('/')).unwrap_or(name);
    let part = |part: &str| !matches!(part, "" | "." | "..");
    let visible = !plain.chars().any(|letter| letter.is_control() || crate::base::misleads(letter));
    if plain.len() <= NAME_BYTES && visible && plain.split('/').all(part) {
        return Ok(plain.to_owned());
    }
    Err(format!("{}: not the name of a file in a bundle", shown(name)))
}

fn shown(name: &str) -> String {
    crate::base::escape(name.as_bytes())
}

/// The files as one archive, without compression: how a folder becomes one file.
/// # Errors
/// For a name that tar cannot hold.
pub fn pack(members: &[Member]) -> Result<Vec<u8>, String> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(member.bytes.len() as u64);
        header.set_mode(0o644);
        let added = builder.append_data(&mut header, &member.name, member.bytes.as_slice());
        added.map_err(|error| format!("{}: {error}", member.name))?;
    }
    builder.into_inner().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn members() -> Vec<Member> {
        let member = |name: &str| Member { name: name.into(), bytes: name.as_bytes().to_vec() };
        vec![member(".manifest"), member("a/b.rego"), member("c.rego")]
    }

    fn entry(kind: tar::EntryType, name: &[u8], link: &str, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_size(size);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(std::iter::repeat_n(b'x', usize::try_from(size.div_ceil(512) * 512).unwrap()));
        bytes.extend([0; 1024]);
        bytes
    }

    #[test]
    fn what_is_packed_comes_back_compressed_or_not() {
        let tar = pack(&members()).unwrap();
        assert_eq!(unpack(&tar), Ok(members()));
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&tar).unwrap();
        assert_eq!(unpack(&gz.finish().unwrap()), Ok(members()));
    }

    #[test]
    fn a_link_a_device_or_a_way_out_is_refused() {
        use tar::EntryType as Kind;
        assert!(unpack(&entry(Kind::Regular, b"/a.rego", "", 3)).is_ok());
        for kind in [Kind::Symlink, Kind::Link, Kind::Char, Kind::Fifo, Kind::GNUSparse] {
            assert!(unpack(&entry(kind, b"a.rego", "/etc/passwd", 0)).is_err(), "{kind:?}");
        }
        for name in
            [&b"../a"[..], b"a/../b", b"a//b", b"a/./b", b"//a", b"a\x1b[2J", b"\xff", b"a\xe2\x80\xae"]
        {
            assert!(unpack(&entry(Kind::Regular, name, "", 3)).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_bomb_is_cut_off() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let big = entry(tar::EntryType::Regular, b"a", "", FILE_BYTES + 1);
        gz.write_all(&big).unwrap();
        let bytes = gz.finish().unwrap();
        assert!(bytes.len() < 20_000 && unpack(&bytes).is_err());
        let many: Vec<Member> =
            (0..=MOST_FILES).map(|n| Member { name: format!("f{n}"), bytes: vec![] }).collect();
        assert!(unpack(&pack(&many).unwrap()).is_err());
        let twice = [members(), members()].concat();
        assert!(unpack(&pack(&twice).unwrap()).unwrap_err().contains("twice"));
        assert!(unpack(&pack(&members()).unwrap()[..700]).is_err());
    }
}
