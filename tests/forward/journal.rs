//! The journal's native protocol, at a socket of our own: no journal runs where tests do.

use crate::support::for_each_user;
use crate::world::World;
use std::collections::BTreeMap;
use std::io::{IoSliceMut, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

/// The fields of an entry, as the journal reads them: `NAME=value`, or a name, a length, and so many bytes.
fn fields(mut bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n').expect("a field ends");
        let name = String::from_utf8(bytes[..end].to_vec()).unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{name}");
        let length = u64::from_le_bytes(bytes[end + 1..end + 9].try_into().unwrap()) as usize;
        let value = bytes[end + 9..end + 9 + length].to_vec();
        assert_eq!(bytes[end + 9 + length], b'\n');
        assert!(found.insert(name, value).is_none());
        bytes = &bytes[end + 10 + length..];
    }
    found
}

/// One entry: in the datagram, or in a sealed file that comes with it.
fn receive(socket: &UnixDatagram) -> Option<BTreeMap<String, Vec<u8>>> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut buffer = vec![0; 1 << 20];
    let mut control = nix::cmsg_space!([std::os::fd::RawFd; 4]);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
    let passed = message.cmsgs().unwrap().find_map(|one| match one {
        ControlMessageOwned::ScmRights(all) => all.first().copied(),
        _ => None,
    });
    let length = message.bytes;
    let Some(raw) = passed else { return Some(fields(&buffer[..length])) };
    assert_eq!(length, 0);
    // SAFETY: the kernel just gave this descriptor to us.
    let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(raw) });
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    Some(fields(&bytes))
}

#[test]
fn the_journal_gets_fields_that_no_value_can_break_and_long_ones_as_a_file() {
    for_each_user(|home| {
        let world = World::new(home);
        let place = world.home.join("journal");
        let socket = UnixDatagram::bind(&place).unwrap();
        world.give(&place);
        std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        world.configure(&format!("  - {{ name: journal, kind: journald, socket: {} }}\n", place.display()));
        // As much as a leaf can hold, which is more than a datagram may.
        let long = "\nPRIORITY=0\n=".repeat(4_000);
        let run = world.log_of([long.clone(), "b\n".into()].into_iter(), true);
        let out = world.forward(&["--once"]).output();
        out.expect_code(0);
        let entries: Vec<_> = std::iter::from_fn(|| receive(&socket)).collect();
        assert_eq!(entries.len() as u64, world.leaves(&run));
        for (entry, index) in entries.iter().zip(0..) {
            let text = |name: &str| String::from_utf8(entry[name].clone()).unwrap();
            assert_eq!(text("AISANDBOX_ID"), format!("{run}:{index}"));
            assert_eq!((text("SYSLOG_IDENTIFIER"), text("AISANDBOX_RUN")), ("aisandbox".into(), run.clone()));
            assert!(text("PRIORITY").parse::<u8>().unwrap() > 0);
            let record: serde_json::Value = serde_json::from_str(&text("MESSAGE")).unwrap();
            assert_eq!(record["event"], text("AISANDBOX_EVENT"));
        }
        // Nobody listens: it is told and waits.
        drop(socket);
        world.log(1, true);
        let out = world.forward(&["--once", "--wait", "1"]).output();
        out.expect_code(2);
        out.expect_said("sink journal: send to");
    });
}
