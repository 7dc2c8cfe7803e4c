//! The same call with and without a guard gives the same errno, mode, content and descriptor flags.

use crate::harness::{Folder, c, close, native, observed, said, shell};
use aisandbox::profile::Observe;
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Runs a body both ways, each in a fresh folder, and compares what it says line by line.
pub(crate) fn alike(name: &str, body: fn(&mut String)) {
    [Observe::Deny, Observe::Writes, Observe::All].into_iter().for_each(|level| alike_at(name, level, body));
}

fn alike_at(name: &str, level: Observe, body: fn(&mut String)) {
    let free = Folder::new(&format!("{name}-free-{}", level.word()));
    let held = Folder::new(&format!("{name}-held-{}", level.word()));
    let run = move || {
        let mut out = String::new();
        body(&mut out);
        out
    };
    let control = native(&free, run);
    let ran = observed(&held, &held.plan(&["forbidden", "way/forbidden"]), level, run);
    assert!(control.output.lines().count() > 5, "{control:?}");
    let lines = control.output.lines().zip(ran.output.lines()).filter(|(left, right)| left != right);
    let unlike: Vec<String> = lines.map(|(left, right)| format!("- {left}\n+ {right}\n")).collect();
    assert!(unlike.is_empty(), "{} differ ({level:?}):\n{}", unlike.len(), unlike.concat());
    assert_eq!((control.code, ran.code), (0, 0), "{control:?} {ran:?}");
    assert_eq!(control.output.len(), ran.output.len());
}

pub(crate) fn describe(path: &str) -> String {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => format!("{:o} {} {}", meta.mode(), meta.size(), meta.nlink()),
        Err(error) => format!("{:?}", error.raw_os_error()),
    }
}

/// Every kind of file a name can stand for.
pub(crate) fn make_zoo() {
    shell(
        "mkdir dir locked empty; echo content > file; echo x > readonly; chmod 444 readonly; echo y > hidden; \
         chmod 000 hidden; ln -s file link; ln -s missing dangling; ln -s dir dirlink; ln -s loop loop; \
         ln -s loopb loopa; ln -s loopa loopb; mkfifo fifo; touch locked/in; chmod 555 locked; mkdir nosearch; \
         touch nosearch/in; chmod 600 nosearch; ln -s dir/new tonew; ln -s dir/new/ toslash; ln -s /dev/null null; \
         mkdir -m 2775 setgid; mkdir -m 1777 sticky; ln -s /dev/stdout out; ln -s \"$PWD/file\" absolute; \
         ln -s ../dir/../file dir/up; ln -s '' emptylink 2>/dev/null; cp /bin/true program; echo >> dir/f",
    )();
    let socket = std::os::unix::net::UnixListener::bind("socket").unwrap();
    drop(socket);
}

pub(crate) const NAMES: &[&str] = &[
    "new",
    "file",
    "readonly",
    "hidden",
    "link",
    "dangling",
    "dirlink",
    "loop",
    "loopa",
    "locked/in",
    "locked/new",
    "nosearch/in",
    "nosearch/new",
    "dir",
    "dir/",
    "dir/.",
    "dir/..",
    ".",
    "..",
    "/",
    "//",
    "./new",
    "new/",
    "file/",
    "file/x",
    "link/",
    "dangling/",
    "dirlink/",
    "dirlink/new",
    "dirlink/../new",
    "tonew",
    "toslash",
    "null",
    "setgid/new",
    "sticky/new",
    "socket",
    "absolute",
    "dir/up",
    "missing/new",
    "",
    "/dev/null",
    "/dev/full",
    "/dev/zero",
    "/proc/self/fd/99",
    "/proc/self/fd/0/x",
    "/proc/self/cwd/new",
    "/dev/fd/99",
    "dir//f",
    ".//dir/./f",
    "/dev/pts",
    "empty/",
    "out/x",
    "way",
    "new\n\u{1b}[0m",
    "é",
];

/// Names the guard denies or, in /proc, refuses with an errno of its own.
pub(crate) fn is_apart(name: &str) -> bool {
    name.starts_with("/proc") || matches!(name, "/dev/fd/99" | "out/x" | "way")
}

pub(crate) const FLAGS: &[i32] = &[
    libc::O_RDONLY,
    libc::O_WRONLY,
    libc::O_RDWR,
    libc::O_WRONLY | libc::O_TRUNC,
    libc::O_WRONLY | libc::O_APPEND,
    libc::O_RDWR | libc::O_EXCL,
    libc::O_WRONLY | libc::O_NOFOLLOW,
    libc::O_RDWR | libc::O_EXCL | libc::O_NOFOLLOW,
    libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC,
    libc::O_RDWR | libc::O_SYNC,
    libc::O_RDWR | libc::O_DSYNC | libc::O_NOATIME,
    libc::O_RDONLY | libc::O_TRUNC,
    libc::O_RDONLY | libc::O_DIRECTORY,
    libc::O_WRONLY | libc::O_TMPFILE,
    libc::O_ACCMODE,
    libc::O_PATH,
    libc::O_PATH | libc::O_NOFOLLOW | libc::O_RDWR,
    libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_EXCL,
    libc::O_WRONLY | libc::O_NOCTTY | libc::O_ASYNC,
];

fn open_all(out: &mut String) {
    make_zoo();
    for name in NAMES.iter().filter(|name| !matches!(**name, "out/x" | "way")) {
        for flags in FLAGS {
            for mode in [0o666, 0o4751] {
                // SAFETY: a NUL-terminated path and integers.
                let raw = unsafe { libc::open(c(name).as_ptr(), flags | libc::O_CREAT, mode) };
                let said = said(raw);
                // SAFETY: integers.
                let (status, own) =
                    unsafe { (libc::fcntl(raw, libc::F_GETFL), libc::fcntl(raw, libc::F_GETFD)) };
                let kept = status & !libc::O_NOFOLLOW;
                let touched = describe(if name.ends_with('/') { "new" } else { name });
                let size = if name.starts_with('/') || *name == ".." { String::new() } else { touched };
                writeln!(out, "open {name:?} {flags:o} {mode:o}: {said} {kept:o} {own} {size}").unwrap();
                // SAFETY: pointer and length of a constant.
                let wrote = unsafe { libc::write(raw, b"abc".as_ptr().cast(), 3) };
                writeln!(out, "  wrote {wrote} {}", describe("file")).unwrap();
                close(raw);
                clean();
            }
        }
    }
}

/// Takes away what a call made, natively alike in both runs.
fn clean() {
    for name in ["new", "missing", "dir/new", "locked/new", "setgid/new", "sticky/new", "new\n\u{1b}[0m", "é"]
    {
        drop(std::fs::remove_file(name));
        drop(std::fs::remove_dir(name));
    }
    drop(std::fs::remove_dir("way").or_else(|_| std::fs::remove_file("way")));
}

#[test]
fn opens_are_alike() {
    alike("open", open_all);
}

#[test]
fn names_are_made_alike() {
    alike("make", |out| {
        make_zoo();
        for name in NAMES {
            if is_apart(name) {
                continue;
            }
            let path = c(name);
            for mode in [0o777, 0o1755, 0o2770] {
                // SAFETY: a NUL-terminated path and integers.
                let rc = unsafe { libc::mkdir(path.as_ptr(), mode) };
                writeln!(out, "mkdir {name:?} {mode:o}: {} {}", said(rc), kind(name)).unwrap();
                clean();
            }
            for mode in [
                0,
                libc::S_IFREG | 0o666,
                libc::S_IFIFO | 0o622,
                libc::S_IFSOCK | 0o777,
                libc::S_IFDIR,
                libc::S_IFLNK,
            ] {
                // SAFETY: as above.
                let rc = unsafe { libc::mknod(path.as_ptr(), mode, 0) };
                writeln!(out, "mknod {name:?} {mode:o}: {} {}", said(rc), kind(name)).unwrap();
                clean();
            }
            for text in ["file", "", "anything/at all"] {
                // SAFETY: two NUL-terminated paths.
                let rc = unsafe { libc::symlink(c(text).as_ptr(), path.as_ptr()) };
                writeln!(out, "symlink {text:?} {name:?}: {} {}", said(rc), kind(name)).unwrap();
                clean();
            }
        }
    });
}

pub(crate) fn kind(name: &str) -> String {
    if name.starts_with('/') || name.ends_with("..") {
        String::new()
    } else {
        describe(name.trim_end_matches('/'))
    }
}

#[test]
fn names_are_linked_and_renamed_alike() {
    alike("move", |out| {
        make_zoo();
        let targets = [
            "new",
            "file",
            "dir",
            "empty",
            "link",
            "dangling",
            "new/",
            "missing/x",
            "locked/new",
            ".",
            "",
            "/",
        ];
        for from in NAMES.iter().filter(|name| !is_apart(name)) {
            for to in targets {
                for flags in [0, libc::AT_SYMLINK_FOLLOW, libc::AT_EMPTY_PATH, 0x80] {
                    if from.is_empty() && flags == libc::AT_EMPTY_PATH {
                        continue;
                    }
                    let cwd = libc::AT_FDCWD;
                    // SAFETY: two NUL-terminated paths.
                    let rc = unsafe { libc::linkat(cwd, c(from).as_ptr(), cwd, c(to).as_ptr(), flags) };
                    let said = one_fault(from, to, said(rc));
                    writeln!(out, "link {from:?} {to:?} {flags}: {said} {}", kind(to)).unwrap();
                    clean();
                }
                for flags in [0, libc::RENAME_NOREPLACE, libc::RENAME_EXCHANGE, 3, 8] {
                    let back = move_and_back(out, from, to, flags);
                    writeln!(out, "  back {back}").unwrap();
                }
            }
        }
    });
}

/// With a fault in both paths either errno is right; with one, only that one.
fn one_fault(from: &str, to: &str, said: String) -> String {
    let certain = said == "ok" || to == "new" || from == "file";
    if certain { said } else { "failed".into() }
}

fn rename(from: &str, to: &str, flags: u32) -> i32 {
    let cwd = libc::AT_FDCWD;
    // SAFETY: two NUL-terminated paths and integers.
    unsafe { libc::syscall(libc::SYS_renameat2, cwd, c(from).as_ptr(), cwd, c(to).as_ptr(), flags) as i32 }
}

fn move_and_back(out: &mut String, from: &str, to: &str, flags: u32) -> String {
    let rc = rename(from, to, flags);
    let said = one_fault(from, to, said(rc));
    writeln!(out, "rename {from:?} {to:?} {flags}: {said} {} {}", kind(from), kind(to)).unwrap();
    if rc < 0 {
        return String::new();
    }
    let again = if flags == libc::RENAME_EXCHANGE { flags } else { 0 };
    let said = self::said(rename(to, from, again));
    for name in ["file", "link", "dangling"] {
        if Path::new(name).symlink_metadata().is_err() {
            match name {
                "file" => std::fs::write(name, "content").unwrap(),
                other => std::os::unix::fs::symlink(if other == "link" { "file" } else { "missing" }, other)
                    .unwrap(),
            }
        }
    }
    for name in ["dir", "empty"] {
        drop(std::fs::create_dir(name));
    }
    said
}

#[test]
fn bad_pointers_and_long_paths_are_alike() {
    alike("bad", |out| {
        // SAFETY: a fresh mapping of two pages of which the second is then taken away.
        let page = unsafe {
            let at =
                libc::mmap(std::ptr::null_mut(), 8192, 3, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            libc::munmap(at.add(4096), 4096);
            at.cast::<u8>()
        };
        let open = |address: usize| {
            // SAFETY: the kernel copes with any address; that is what is tried.
            let raw = unsafe {
                libc::syscall(libc::SYS_openat, libc::AT_FDCWD, address, libc::O_CREAT | libc::O_RDWR, 0o600)
            };
            let said = said(raw as i32);
            close(raw as i32);
            said
        };
        for address in [0, 1, 4095, page as usize + 4096, usize::MAX, usize::MAX - 4096, 1 << 63] {
            writeln!(out, "{}", open(address)).unwrap();
        }
        for (tail, ended) in [(5, true), (5, false), (1, true), (1, false), (4096, true), (4096, false)] {
            // SAFETY: inside the page that is still mapped.
            let start = unsafe { page.add(4096 - tail) };
            // SAFETY: as above.
            unsafe { std::ptr::write_bytes(start, b'a', tail) };
            if ended {
                // SAFETY: the last byte of the page.
                unsafe { page.add(4095).write(0) };
            }
            writeln!(out, "{tail} {ended}: {}", open(start as usize)).unwrap();
        }
        for length in [254, 255, 256, 4094, 4095, 4096, 5000] {
            for piece in ["a", "./", "/"] {
                let path: String = piece.repeat(length).chars().take(length).collect();
                let said = open(c(&path).as_ptr() as usize).clone();
                writeln!(out, "{length} {piece}: {said} {}", open(c(path + "x").as_ptr() as usize)).unwrap();
            }
        }
    });
}

#[test]
fn folders_by_descriptor_are_alike() {
    alike("dirfd", |out| {
        make_zoo();
        let dir = std::fs::File::open("dir").unwrap();
        let file = std::fs::File::open("file").unwrap();
        let gone = {
            std::fs::create_dir("gone").unwrap();
            let gone = std::fs::File::open("gone").unwrap();
            std::fs::remove_dir("gone").unwrap();
            gone
        };
        use std::os::fd::AsRawFd;
        for dirfd in [dir.as_raw_fd(), file.as_raw_fd(), gone.as_raw_fd(), -1, 777, libc::AT_FDCWD, i32::MAX]
        {
            for name in ["new", "f", "../new", "/dev/null", "up", "", "x/y", "."] {
                if (dirfd, name) == (libc::AT_FDCWD, "../new") {
                    continue; // outside the folder of the test
                }
                // SAFETY: a NUL-terminated path and integers.
                let raw =
                    unsafe { libc::openat(dirfd, c(name).as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o640) };
                writeln!(out, "openat {name} {}", said(raw)).unwrap();
                close(raw);
                // SAFETY: as above.
                let rc = unsafe { libc::mkdirat(dirfd, c(name).as_ptr(), 0o777) };
                writeln!(out, "mkdirat {name} {}", said(rc)).unwrap();
                clean();
                // SAFETY: as above.
                let rc = unsafe { libc::unlinkat(dirfd, c(name).as_ptr(), libc::AT_REMOVEDIR) };
                writeln!(out, "rmdir {name} {}", said(rc)).unwrap();
            }
        }
        let deep = "d/".repeat(300);
        writeln!(
            out,
            "{:?} {:?}",
            std::fs::create_dir_all(&deep).is_ok(),
            std::fs::write(deep + "/f", "x").is_ok()
        )
        .unwrap();
    });
}

#[test]
fn a_default_acl_of_the_folder_and_the_umask_act_as_without() {
    alike("acl", |out| {
        out.push_str(&shell(
            "mkdir acl; setfacl -d -m u::rwx,g::rwx,o::--- acl || python3 -c '\nimport os,struct\n\
             e=lambda t,p:struct.pack(\"<HHI\",t,p,0xffffffff)\n\
             os.setxattr(\"acl\",\"system.posix_acl_default\",struct.pack(\"<I\",2)+e(1,7)+e(4,7)+e(32,0))'; \
             umask 077; touch acl/f plain; mkdir acl/d; umask 0; touch acl/g open; mkdir -m 1777 st; mkdir sg; chmod 2775 sg; mkdir sg/d; touch sg/f; \
             find . -printf '%p %M\\n' | sort",
        )());
    });
}
