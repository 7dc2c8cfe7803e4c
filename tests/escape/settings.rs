//! Our own files. Seen: agents that edited their own settings and so granted themselves commands (CVE-2025-53773,
//! CVE-2025-54135), and logs that were emptied by whom they were about.

use crate::attack::for_each_attacker;

#[test]
fn an_agent_with_the_whole_home_changes_neither_its_record_nor_its_profile() {
    let script = "
home = os.environ['HOME']
for folder, folders, files in os.walk(home + '/.local/state'):
    for name in files:
        path = os.path.join(folder, name)
        print('record', attempt(lambda: os.open(path, os.O_WRONLY | os.O_TRUNC)), attempt(lambda: os.unlink(path)))
for folder in '/.local', '/.local/state', '/.local/state/aisandbox', '/.cache/aisandbox', '/.cache':
    print('moved', attempt(lambda: os.rename(home + folder, home + '/x')))
print('keys', attempt(lambda: os.open(home + '/.local/state/aisandbox/keys/device', os.O_RDONLY)))
print('digest', attempt(lambda: put(home + '/.cache/aisandbox/digests/x', 'x')))
print('profile', attempt(lambda: os.makedirs(home + '/.config/aisandbox/profiles')))
print('config', attempt(lambda: os.makedirs(home + '/.config/other')))
print('moved in', attempt(lambda: os.rename(home + '/.config/other', home + '/.config/aisandbox')))
print('free', attempt(lambda: put(home + '/.local/state/free', 'x')))";
    for_each_attacker(|home| {
        let whole = home.path();
        let inside = home.attack(&["--rw", whole.to_str().unwrap()], script).output().ran();
        let lines: Vec<&str> = inside.lines().collect();
        assert!(lines.iter().any(|line| line.starts_with("record ")), "{inside}");
        let (free, locked): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| line.starts_with("free") || line.starts_with("config"));
        assert_eq!(free, ["config ok", "free ok"]); // the control: the rest of the home is its own
        let (records, others): (Vec<_>, Vec<_>) =
            locked.into_iter().partition(|line| line.starts_with("record "));
        assert!(records.len() >= 3, "the run's log, its reserve, the device's log: {inside}");
        assert!(
            others.len() == 9 && !records.iter().chain(&others).any(|line| line.contains("ok")),
            "{inside}"
        );
        assert!(
            home.path().join(".local/state/aisandbox/keys/device").exists(),
            "the control: there are keys"
        );
        assert!(home.records().join("").contains("run_end") || home.records().join("").contains("run.end"));
    });
}

#[test]
fn a_profile_in_the_working_folder_is_not_taken_for_the_shipped_one() {
    let open =
        "version: 1\ndescription: open\nextends: [base]\nfilesystem:\n  - { path: $HOME, access: rw }\n";
    for_each_attacker(|home| {
        home.write("secret", "secret");
        for name in
            ["cowork.yaml", "cowork", "base.yaml", "profiles/cowork.yaml", ".aisandbox/profiles/cowork.yaml"]
        {
            home.write(&format!("work/{name}"), open);
        }
        let script = "cat ~/secret; echo ran";
        assert_eq!(home.exec(&[], script).expect_code(0), "ran\n");
        assert_eq!(home.exec(&["--profile", "cowork"], script).expect_code(0), "ran\n");
        let named = home.exec(&["--profile", "./cowork.yaml", "--ro", "."], script);
        assert_eq!(named.expect_code(0), "secretran\n"); // the control: it would open the home
    });
}
