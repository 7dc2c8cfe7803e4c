//! A granted entry that the role serves: every rule with what it forbids and what it lets through.

use crate::place::{Place, agent, errno, got, inside};
use aisandbox::wire::files::{FromFiles, Serve, Verdict};
use aisandbox::wire::subject::Action;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const APPEND: &[Action] = &[Action::Read, Action::Append, Action::Create];

fn checked(home: &Path, actions: &[Action]) -> Place {
    Place::granted(home, Serve::Checked {}, actions, &[("log", "one\n"), ("folder/inner", "x")])
}

#[test]
fn a_file_to_append_to_grows_and_nothing_in_it_changes() {
    inside("served::a_file_to_append_to_grows_and_nothing_in_it_changes", |home| {
        let place = checked(home, APPEND);
        let log = place.at.join("log");
        let open = |flags: i32| OpenOptions::new().write(true).custom_flags(flags).open(&log);
        OpenOptions::new().append(true).open(&log).unwrap().write_all(b"two\n").unwrap();
        let mut at_end = open(0).unwrap();
        at_end.seek(SeekFrom::End(0)).unwrap();
        at_end.write_all(b"three\n").unwrap();
        assert_eq!(errno(open(0).unwrap().write_at(b"X", 0)), libc::EACCES);
        assert_eq!(place.refused(), (Action::Overwrite, "log".to_owned(), false));
        assert_eq!(errno(open(0).unwrap().write_at(b"X", 1 << 40)), libc::EACCES, "no hole either");
        assert_eq!(errno(open(libc::O_TRUNC)), libc::EACCES);
        assert_eq!(errno(at_end.set_len(2)), libc::EACCES);
        assert_eq!(errno(fs::set_permissions(&log, fs::Permissions::from_mode(0o4777))), libc::EACCES);
        assert_eq!(errno(fs::remove_file(&log)), libc::EACCES);
        assert_eq!(errno(fs::rename(&log, place.at.join("other"))), libc::EACCES);
        let shared = OpenOptions::new().read(true).append(true).open(&log).unwrap();
        assert!(scribble(&shared).is_err() || fs::read(place.real.join("log")).unwrap().starts_with(b"one"));
        assert_eq!(fs::read_to_string(place.real.join("log")).unwrap(), "one\ntwo\nthree\n");
        // A new file can be made and filled.
        fs::write(place.at.join("new"), "content").unwrap();
        assert_eq!(fs::read_to_string(place.real.join("new")).unwrap(), "content");
    });
}

/// Writes through a shared mapping.
fn scribble(file: &File) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let (write, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a new mapping of one page at a place of the kernel's choice.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, write, shared, file.as_raw_fd(), 0) };
    if at == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the mapping is writable and the file has a byte there.
    unsafe { at.cast::<u8>().write_volatile(b'Z') };
    // SAFETY: the page that was mapped above.
    let synced = unsafe { libc::msync(at, 4096, libc::MS_SYNC) };
    if synced == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// What an agent does below a place.
type Act = fn(&Path) -> std::io::Result<()>;

#[test]
fn each_action_allows_what_it_names_and_nothing_else() {
    inside("served::each_action_allows_what_it_names_and_nothing_else", |home| {
        let all = [Action::Read, Action::Append, Action::Overwrite, Action::Create, Action::Delete];
        let acts: [(Action, Act); 5] = [
            (Action::Read, |at| fs::read(at.join("log")).map(drop)),
            (Action::Append, |at| OpenOptions::new().append(true).open(at.join("log"))?.write_all(b"x")),
            (Action::Overwrite, |at| OpenOptions::new().write(true).open(at.join("log"))?.write_all(b"x")),
            (Action::Create, |at| fs::create_dir(at.join("made"))),
            (Action::Delete, |at| fs::remove_file(at.join("folder/inner"))),
        ];
        for granted in all {
            let home = home.join(granted.word());
            fs::create_dir(&home).unwrap();
            let place = checked(&home, &[granted]);
            for (action, act) in acts {
                // Overwriting includes the end of a file.
                let may = action == granted || (granted, action) == (Action::Overwrite, Action::Append);
                assert_eq!(act(&place.at).is_ok(), may, "{} with {}", action.word(), granted.word());
            }
        }
    });
}

#[test]
fn no_way_leads_out_of_a_served_folder() {
    inside("served::no_way_leads_out_of_a_served_folder", |home| {
        let all = [Action::Read, Action::Append, Action::Overwrite, Action::Create, Action::Delete];
        fs::write(home.join("secret"), "secret").unwrap();
        let place = checked(home, &all);
        symlink(home.join("secret"), place.real.join("link")).unwrap();
        symlink("..", place.real.join("up")).unwrap();
        // A link is shown, and followed by the agent's kernel in the agent's own view, never by the role.
        assert_eq!(fs::read_link(place.at.join("link")).unwrap(), home.join("secret"));
        assert_eq!(errno(symlink("x", place.at.join("new"))), libc::EACCES);
        assert_eq!(errno(fs::hard_link(place.at.join("log"), place.at.join("new"))), libc::EACCES);
        let pipe = nix::unistd::mkfifo(&place.at.join("pipe"), nix::sys::stat::Mode::S_IRUSR);
        assert_eq!(pipe, Err(nix::errno::Errno::EACCES));
        // A folder that becomes a link after it was looked up is stale, and leads nowhere.
        let inner = File::open(place.at.join("folder")).unwrap();
        fs::rename(place.real.join("folder"), place.real.join("moved")).unwrap();
        symlink(home, place.real.join("folder")).unwrap();
        let path = format!("/proc/self/fd/{}/secret", std::os::fd::AsRawFd::as_raw_fd(&inner));
        assert!(File::open(path).is_err());
        // Permission bits beyond the nine go; every other name is a name.
        fs::set_permissions(place.at.join("log"), fs::Permissions::from_mode(0o6640)).unwrap();
        assert_eq!(fs::metadata(place.real.join("log")).unwrap().permissions().mode() & 0o7777, 0o640);
        for name in [&b"a\nb"[..], b"\xff\xfe", "y".repeat(255).as_bytes(), b"back\\slash"] {
            let name = OsStr::from_bytes(name);
            fs::write(place.at.join(name), "x").unwrap();
            assert_eq!(fs::read(place.real.join(name)).unwrap(), b"x");
        }
        fs::rename(place.at.join("log"), place.at.join("back\\slash")).unwrap();
        assert_eq!(fs::read(place.real.join("back\\slash")).unwrap(), b"one\n");
    });
}

#[test]
fn a_rename_over_a_name_is_overwriting() {
    inside("served::a_rename_over_a_name_is_overwriting", |home| {
        let place = checked(home, &[Action::Read, Action::Append, Action::Create, Action::Delete]);
        fs::write(place.at.join("new"), "new").unwrap();
        assert_eq!(errno(fs::rename(place.at.join("new"), place.at.join("log"))), libc::EACCES);
        assert_eq!(place.refused(), (Action::Overwrite, "log".to_owned(), false));
        fs::rename(place.at.join("new"), place.at.join("free")).unwrap();
        assert_eq!(fs::read(place.at.join("free")).unwrap(), b"new");
    });
}

#[test]
fn what_is_read_is_redacted_to_its_last_byte() {
    inside("served::what_is_read_is_redacted_to_its_last_byte", |home| {
        let text = "name: x\npassword=hunter2\nend\n";
        let files = [("a.env", text), ("binary", "password=hunter2\0")];
        let serve = Serve::Redacted { rules: Vec::new() };
        let place = Place::granted(home, serve, APPEND, &files);
        let at = place.at.join("a.env");
        let shown = "name: x\npassword=\u{2026}\nend\n";
        assert_eq!(fs::metadata(&at).unwrap().len(), shown.len() as u64);
        assert_eq!(fs::read_to_string(&at).unwrap(), shown);
        let mapped = Command::new("python3").args(["-c", "import mmap,sys\nf=open(sys.argv[1],'rb')\nm=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ,flags=mmap.MAP_PRIVATE)\nsys.stdout.buffer.write(m[:])"]).arg(&at).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&mapped.stdout),
            shown,
            "{}",
            String::from_utf8_lossy(&mapped.stderr)
        );
        let binary = place.at.join("binary");
        assert_eq!(errno(File::open(&binary)), libc::EACCES);
        assert_eq!(place.refused().1, "binary");
        // Nobody reads through a descriptor that writes, or one that made the file.
        assert_eq!(errno(OpenOptions::new().read(true).append(true).open(&at)), libc::EACCES);
        OpenOptions::new().append(true).open(&at).unwrap().write_all(b"token\n").unwrap();
        assert!(fs::read_to_string(&at).unwrap().ends_with("end\ntoken\n"));
        let made =
            OpenOptions::new().read(true).custom_flags(libc::O_CREAT).mode(0o600).open(place.at.join("new"));
        fs::write(place.real.join("new"), text).unwrap();
        let mut raw = String::new();
        assert!(made.and_then(|mut made| made.read_to_string(&mut raw)).is_err() || !raw.contains("hunter2"));
        // The control: the file itself is as it was.
        assert!(fs::read_to_string(place.real.join("a.env")).unwrap().contains("hunter2"));
    });
}

#[test]
fn only_programs_of_listed_digests_can_be_opened_and_run() {
    inside("served::only_programs_of_listed_digests_can_be_opened_and_run", |home| {
        let known = aisandbox::crypto::sha256(&fs::read("/bin/true").unwrap()).to_string();
        let serve = Serve::Programs { sha256: vec![known] };
        let place = Place::granted(home, serve, &[Action::Execute], &[]);
        fs::copy("/bin/true", place.real.join("true")).unwrap();
        fs::copy("/bin/false", place.real.join("other")).unwrap();
        assert!(Command::new(place.at.join("true")).status().unwrap().success());
        assert_eq!(errno(Command::new(place.at.join("other")).status()), libc::EACCES);
        assert_eq!(place.refused().1, "other");
        assert_eq!(errno(fs::read(place.at.join("other"))), libc::EACCES);
        // What was judged is what is read, whatever is written meanwhile.
        let mut open = File::open(place.at.join("true")).unwrap();
        fs::copy("/bin/false", place.real.join("true")).unwrap();
        let mut read = Vec::new();
        open.read_to_end(&mut read).unwrap();
        assert!(read == fs::read("/bin/true").unwrap());
        drop(open);
        assert_eq!(errno(Command::new(place.at.join("true")).status()), libc::EACCES);
    });
}

#[test]
fn bytes_are_counted_together_and_end() {
    inside("served::bytes_are_counted_together_and_end", |home| {
        let place = Place::new(home, true, Some(Serve::Checked {}));
        fs::write(place.real.join("log"), "0123456789").unwrap();
        place.grant(APPEND, Some(25));
        let log = place.at.join("log");
        assert_eq!(fs::read(&log).unwrap().len(), 10);
        let mut append = OpenOptions::new().append(true).open(&log).unwrap();
        append.write_all(b"abcde").unwrap();
        let mut rest = Vec::new();
        let failed = File::open(&log).unwrap().read_to_end(&mut rest);
        assert_eq!((errno(failed), rest.len()), (libc::EDQUOT, 10));
        assert_eq!(errno(append.write(b"x")), libc::EDQUOT);
        let (mut read, mut written, mut spent) = (0, 0, false);
        while !spent || read < 20 {
            match place.hear() {
                FromFiles::Moved { read: more, written: wrote, .. } => {
                    (read, written) = (read + more, written + wrote)
                }
                FromFiles::Refused { spent: now, .. } => spent = now,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((read, written), (20, 5));
    });
}

#[test]
fn a_withdrawal_ends_what_is_open_and_the_next_touch_asks() {
    inside("served::a_withdrawal_ends_what_is_open_and_the_next_touch_asks", |home| {
        let place = checked(home, APPEND);
        let mut open = File::open(place.at.join("log")).unwrap();
        let mut byte = [0];
        open.read_exact(&mut byte).unwrap();
        let listed = fs::read_dir(&place.at).unwrap();
        assert_eq!(listed.count(), 2);
        place.withdraw();
        assert_eq!(errno(open.read(&mut byte)), libc::EIO);
        let at = place.at.join("log");
        let run = agent(move || fs::read_to_string(at));
        let touch = loop {
            if let FromFiles::Touched { touch, .. } = place.hear() {
                break touch;
            }
        };
        place.send_grant(APPEND, None);
        place.decide(touch, Verdict::Serve {});
        assert_eq!(got(&run).unwrap(), "one\n");
        assert_eq!(errno(open.read(&mut byte)), libc::EIO, "what was withdrawn does not come back");
    });
}

#[test]
fn a_large_folder_is_listed_whole() {
    inside("served::a_large_folder_is_listed_whole", |home| {
        let place = checked(home, &[Action::Read]);
        for number in 0..3000 {
            fs::write(place.real.join(format!("folder/{number}")), "").unwrap();
        }
        assert_eq!(fs::read_dir(place.at.join("folder")).unwrap().count(), 3001);
    });
}
