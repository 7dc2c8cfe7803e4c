//! Names made on the host. Seen: CVE-2026-87766 (bubblewrap made a destination's folders through a link that an agent
//! had put into a writable bind); the same class as CVE-2021-30465 (runc, a mount over a swapped link).

use crate::races::while_swapping;
use crate::support::{Home, for_each_user};
use std::os::unix::fs::symlink;
use std::path::Path;

fn victim(home: &Home) -> String {
    home.make_folder("victim");
    home.make_folder("work");
    home.join("victim").to_str().unwrap().to_owned()
}

#[test]
fn a_link_in_a_writable_folder_leads_no_destination_to_the_host() {
    for_each_user(|home| {
        let victim = victim(&home);
        symlink(&victim, home.join("work/link")).unwrap();
        symlink("../victim", home.join("work/relative")).unwrap();
        home.make_folder("work/real/inner");
        let before = home.listing();
        for place in ["link/new", "link", "relative/new/deep", "relative"] {
            for flag in ["--tmpfs", "--mask", "--ro", "--rw"] {
                let ran = home.exec(&[flag, &format!("work/{place}")], "ls -d ~/victim; echo in").stdout();
                assert!(!ran.contains("victim"), "{flag} {place}: {ran}");
                assert_eq!(home.listing(), before, "{flag} {place}");
            }
        }
        let inner = home.join("work/real/inner");
        let there = home.sandboxed(&["--tmpfs", inner.to_str().unwrap()], "touch real/inner/x && echo in");
        assert_eq!(there.output().expect_code(0), "in\n"); // the control: a real folder can be a destination
        assert_eq!(home.listing(), before);
    });
}

#[test]
fn nothing_is_made_in_a_folder_of_the_host_for_an_entry() {
    for_each_user(|home| {
        home.make_folder("work/there");
        let profile = |entries: &str| {
            let head = "version: 1\ndescription: x\nextends: [cowork]\nfilesystem:\n";
            home.write("p.yaml", &format!("{head}{entries}"));
        };
        let path = home.join("p.yaml");
        let run = || home.exec(&["--profile", path.to_str().unwrap()], "echo in");
        profile("  - { path: $PWD/there, access: tmpfs }\n  - { path: $PWD/there/new, access: dir }\n");
        let before = home.listing();
        assert_eq!(run().expect_code(0), "in\n"); // the control: in a tmpfs it can be made
        for entries in [
            "  - { path: $PWD/new, access: dir }\n",
            "  - { path: $PWD/there, access: dir }\n  - { path: $PWD/there/a/b, access: tmpfs }\n",
            "  - { path: $PWD/new, access: symlink, target: there }\n",
            "  - { path: $PWD/there, access: symlink, target: new }\n",
            "  - { path: $PWD/new/deep, access: tmpfs }\n",
            "  - { path: $PWD/new, access: file, content: x }\n",
        ] {
            profile(entries);
            assert_eq!(run().expect_code(125), "", "{entries}");
            assert_eq!(home.listing(), before, "{entries}");
        }
    });
}

#[test]
fn a_folder_swapped_for_a_link_while_launches_go_on_leads_none_of_them_away() {
    for_each_user(|home| {
        let victim = victim(&home);
        home.make_folder("work/a/inner");
        home.make_folder("victim/inner");
        let before: Vec<String> = home.listing().into_iter().filter(|path| path.contains("victim")).collect();
        let inner = home.join("work/a/inner");
        let (mut refused, mut started) = (0, 0);
        while_swapping(&home.join("work/a"), Path::new(&victim), || {
            let script = "touch a/inner/mark 2>/dev/null; echo in";
            match home.exec(&["--tmpfs", inner.to_str().unwrap()], script).code {
                0 => started += 1,
                _ => refused += 1,
            }
        });
        eprintln!("{started} started, {refused} refused");
        let after: Vec<String> = home.listing().into_iter().filter(|path| path.contains("victim")).collect();
        assert_eq!(after, before);
    });
}
