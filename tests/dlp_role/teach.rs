//! What role `dlp` is taught while it serves, and its end without a teacher.

use crate::support::for_each_user;
use crate::{Role, kinds, letter};
use aisandbox::sys::socket;
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::dlp::{Act, FromDlp, ToDlp, head};
use std::os::fd::{AsFd, OwnedFd};

/// Teaches by the teacher's socket.
fn teach(socket: &OwnedFd, message: &[u8]) {
    socket::send(socket.as_fd(), message, None, true).unwrap();
}

#[test]
fn files_become_known_while_streams_are_served_and_a_bad_teacher_ends_the_role() {
    for_each_user(|home| {
        let (mut role, ours) = Role::taught(&home);
        let letter = letter();
        assert_eq!(kinds(&role.whole(1, letter.as_bytes())), [], "nothing is known yet");
        let file = encode(&ToDlp::File { label: "mail".into() }).unwrap();
        for content in [letter.as_bytes(), b"the vault opens at noon\n"] {
            teach(&ours, &file);
            content.chunks(3000).for_each(|part| teach(&ours, &[&head(0, false)[..], part].concat()));
            teach(&ours, &head(0, true));
        }
        teach(&ours, &encode(&ToDlp::Taught { lesson: 7, left_out: 2 }).unwrap());
        let mut buffer = vec![0; 4096];
        let (length, _) = socket::receive(ours.as_fd(), &mut buffer, true).unwrap();
        let told: FromDlp = decode(&buffer[..length]).unwrap();
        assert_eq!(told, FromDlp::Learned { lesson: 7, files: 2, left_out: 2 });
        let known = [("known-file", Act::Block, true)];
        assert_eq!(kinds(&role.whole(2, &letter.as_bytes()[2000..8000])), known);
        assert_eq!(kinds(&role.whole(3, b"read: the vault opens at noon")), known, "a short file as a whole");
        assert_eq!(kinds(&role.whole(4, b"read: the vault opens at one")), []);
        // A file inside a file: two who teach at once.
        [&file, &file].into_iter().for_each(|message| teach(&ours, message));
        assert!(role.hear().is_none(), "whoever waits for an answer sends nothing");
        assert!(matches!(socket::receive(ours.as_fd(), &mut buffer, true), Ok((0, _)) | Err(_)));
        assert_eq!(role.process.finish().code, 125);
    });
}

#[test]
fn a_role_without_its_teacher_ends() {
    for_each_user(|home| {
        let (mut role, ours) = Role::taught(&home);
        aisandbox::sys::stream::hang_up(ours.as_fd()).unwrap();
        assert!(role.hear().is_none());
        role.process.finish().expect_code(0);
    });
}
