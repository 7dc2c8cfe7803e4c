//! The Debian package, built from the binary under test, and the systemd units in it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{binary, for_each_user, has_program};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const UNITS: [&str; 2] = ["system", "user"];

/// What the package must hold, beside the pages, profiles and filters of the project's folders.
const FILES: [(&str, &str); 22] = [
    ("-rwxr-xr-x", "usr/bin/aisandbox"),
    ("-rw-r--r--", "usr/share/bash-completion/completions/aisandbox"),
    ("-rw-r--r--", "usr/share/zsh/vendor-completions/_aisandbox"),
    ("-rw-r--r--", "usr/share/fish/vendor_completions.d/aisandbox.fish"),
    ("drwxr-xr-x", "etc/aisandbox/profiles/"),
    ("drwxr-xr-x", "etc/aisandbox/seccomp/"),
    ("drwxr-xr-x", "etc/aisandbox/units/"),
    ("-rw-r--r--", "etc/aisandbox/units/README"),
    ("-rw-r--r--", "etc/apparmor.d/aisandbox"),
    ("-rw-r--r--", "usr/lib/systemd/system/aisandbox@.service"),
    ("-rw-r--r--", "usr/lib/systemd/system/aisandbox-collector.service"),
    ("-rw-r--r--", "usr/lib/systemd/user/aisandbox@.service"),
    ("-rw-r--r--", "usr/lib/systemd/system/aisandbox-forward@.service"),
    ("-rw-r--r--", "usr/lib/systemd/user/aisandbox-forward.service"),
    ("-rw-r--r--", "usr/lib/systemd/user/aisandbox-retain.service"),
    ("-rw-r--r--", "usr/lib/systemd/user/aisandbox-retain.timer"),
    ("-rw-r--r--", "usr/lib/sysusers.d/aisandbox.conf"),
    ("-rw-r--r--", "usr/share/doc/aisandbox/copyright"),
    ("-rw-r--r--", "usr/share/doc/aisandbox/changelog.gz"),
    ("-rw-r--r--", "usr/share/aisandbox/policies/readonly-docs/.manifest"),
    ("-rw-r--r--", "usr/share/aisandbox/policies/readonly-docs/readonly_docs.rego"),
    ("-rw-r--r--", "usr/share/aisandbox/profiles/cowork.yaml"),
];

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("aisandbox-packaging-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn output(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&out.stdout));
    String::from_utf8(out.stdout).unwrap()
}

/// Builds the package into a folder; its path.
fn build(into: &Path) -> PathBuf {
    let mut command = Command::new(Path::new(ROOT).join("packaging/build-deb"));
    // A fixed time: a checkout without its history must build too.
    command
        .args(["--binary", env!("CARGO_BIN_EXE_aisandbox"), "--output"])
        .arg(into)
        .env("SOURCE_DATE_EPOCH", "1790000000");
    PathBuf::from(output(&mut command).trim_end())
}

fn unit(kind: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/packaging/systemd/{kind}/aisandbox@.service")).unwrap()
}

/// Path → mode and owner.
fn contents(deb: &Path) -> BTreeMap<String, (String, String)> {
    let text = output(Command::new("dpkg-deb").arg("--contents").arg(deb));
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[5].trim_start_matches("./").to_owned(), (words[0].to_owned(), words[1].to_owned()))
    };
    text.lines().map(entry).collect()
}

#[test]
fn the_package_holds_each_part_as_roots_and_nothing_setuid_or_writable() {
    if !has_program("dpkg-deb") {
        return;
    }
    let folder = Folder::new("contents");
    let held = contents(&build(&folder.0));
    for (mode, path) in FILES {
        assert_eq!(held.get(path).map(|(mode, _)| mode.as_str()), Some(mode), "{path}: {held:#?}");
    }
    for (path, (mode, owner)) in &held {
        assert_eq!(owner, "root/root", "{path}");
        assert!(
            !mode.contains(['s', 't']) && mode.as_bytes()[8] != b'w' && mode.as_bytes()[5] != b'w',
            "{mode} {path}"
        );
    }
    for (from, to, end) in [
        ("man", "usr/share/man", ".gz"),
        ("profiles", "usr/share/aisandbox/profiles", ""),
        ("seccomp", "usr/share/aisandbox/seccomp", ""),
        ("packaging/siem/sigma", "usr/share/aisandbox/siem/sigma", ""),
        ("packaging/siem/maps", "usr/share/aisandbox/siem/maps", ""),
    ] {
        for file in std::fs::read_dir(Path::new(ROOT).join(from)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name.starts_with("role-") {
                continue; // filters of our own processes, compiled in: no profile names one
            }
            let section =
                if from == "man" { format!("/man{}", &name[name.len() - 1..]) } else { String::new() };
            let path = format!("{to}{section}/{name}{end}");
            // The filters of our own processes are built in, and no profile may name them.
            assert_eq!(held.contains_key(&path), !name.starts_with("role-"), "{path}: {held:#?}");
        }
    }
}

#[test]
fn the_same_source_and_binary_give_the_same_bytes() {
    if !has_program("dpkg-deb") {
        return;
    }
    let (one, two) = (Folder::new("one"), Folder::new("two"));
    let first = std::fs::read(build(&one.0)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100)); // times in archives are whole seconds
    assert!(first == std::fs::read(build(&two.0)).unwrap());
}

#[test]
fn lintian_finds_no_error_in_the_package() {
    if !has_program("dpkg-deb") || !has_program("lintian") {
        return;
    }
    let folder = Folder::new("lintian");
    let deb = build(&folder.0);
    output(Command::new("lintian").args(["--allow-root", "--fail-on", "error,warning"]).arg(&deb));
}

/// Whether systemd takes the text of a unit, and what it says.
fn verified(kind: &str, file: &Path, text: &str) -> (bool, String) {
    std::fs::write(file, text.replace("/usr/bin/aisandbox", binary().to_str().unwrap())).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", &format!("--{kind}")]).arg(file);
    let out = command.env("XDG_RUNTIME_DIR", file.parent().unwrap()).output().unwrap();
    (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn systemd_accepts_the_units_and_refuses_a_broken_one() {
    if !has_program("systemd-analyze") {
        return;
    }
    let folder = Folder::new("units");
    for kind in UNITS {
        let file = folder.0.join("aisandbox@.service");
        let verify = |text: &str| verified(kind, &file, text);
        assert_eq!(verify(&unit(kind)), (true, String::new()), "{kind}");
        // The control: it does look.
        let (_, said) = verify(&unit(kind).replace("KillMode=mixed", "KillMode=mixd\nKilMode=mixed"));
        assert!(said.contains("mixd") && said.contains("KilMode"), "{kind}: {said}");
    }
}

#[test]
fn systemd_accepts_the_unit_of_the_collector_and_its_command_line_is_one() {
    if !has_program("systemd-analyze") {
        return;
    }
    let folder = Folder::new("collector");
    let file = folder.0.join("aisandbox-collector.service");
    let text =
        std::fs::read_to_string(format!("{ROOT}/packaging/systemd/system/aisandbox-collector.service"))
            .unwrap();
    assert_eq!(verified("system", &file, &text), (true, String::new()));
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/aisandbox ")).unwrap();
    let line = line
        .replace("${STATE_DIRECTORY}", "/nonexistent/store")
        .replace("${AISANDBOX_LISTEN}", "127.0.0.1:0");
    let words: Vec<&str> = line.split(' ').collect();
    let out = Command::new(binary()).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(125) && said.contains("read ") && !said.contains("Usage"), "{said}");
}

#[test]
fn systemd_accepts_the_units_of_the_forwarder() {
    if !has_program("systemd-analyze") {
        return;
    }
    let folder = Folder::new("forward");
    for (kind, name) in [("system", "aisandbox-forward@.service"), ("user", "aisandbox-forward.service")] {
        let text = std::fs::read_to_string(format!("{ROOT}/packaging/systemd/{kind}/{name}")).unwrap();
        assert_eq!(verified(kind, &folder.0.join(name), &text), (true, String::new()));
    }
}

#[test]
fn systemd_accepts_the_timer_of_retention_and_its_service_runs() {
    let text = |name: &str| {
        let text = std::fs::read_to_string(format!("{ROOT}/packaging/systemd/user/{name}")).unwrap();
        text.replace("/usr/bin/aisandbox", binary().to_str().unwrap())
    };
    let service = text("aisandbox-retain.service");
    for_each_user(|home| {
        let line = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        assert_eq!(home.aisandbox(&words).output().expect_code(0), "nothing is meant\n");
    });
    if !has_program("systemd-analyze") {
        return;
    }
    let folder = Folder::new("retention");
    let verify = |service: &str| {
        let files = ["aisandbox-retain.service", "aisandbox-retain.timer"].map(|name| folder.0.join(name));
        std::fs::write(&files[0], service).unwrap();
        std::fs::write(&files[1], text("aisandbox-retain.timer")).unwrap();
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no", "--user"]).args(&files).env("XDG_RUNTIME_DIR", &folder.0);
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert_eq!(verify(&service), "");
    assert!(verify(&service.replace("Type=oneshot", "Type=onshot")).contains("onshot"), "the control");
}

#[test]
fn the_command_line_of_each_unit_runs_a_command() {
    for_each_user(|home| {
        for kind in UNITS {
            let text = unit(kind);
            let line =
                text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/aisandbox ")).unwrap();
            // As systemd.exec(5) expands it with AISANDBOX_COMMAND=sh -c "echo two words" and no options.
            let line = line.replace("${AISANDBOX_PROFILE}", "cowork").replace("$AISANDBOX_OPTIONS ", "");
            let mut args: Vec<&str> = line.split(' ').collect();
            assert_eq!(args.pop(), Some("$AISANDBOX_COMMAND"), "{line}");
            args.extend(["sh", "-c", "echo two words"]);
            assert_eq!(home.aisandbox(&args).output().expect_code(0), "two words\n", "{kind}");
        }
    });
}
