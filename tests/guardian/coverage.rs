//! What the record of a run says of what it cannot say.

use crate::event;
use crate::support::{Home, for_each_user};
use serde_json::Value;

fn coverage(home: &Home, profile: &str, flags: &[&str]) -> Value {
    let path = home.write("covered.yaml", profile);
    let args = ["exec", "--profile", path.to_str().unwrap()];
    let run = home.aisandbox(&[&args, flags, &["--", "true"]].concat());
    run.descriptor(9, std::fs::File::open("/dev/null").unwrap().into()).output().expect_code(0);
    event(home, "run_start")["coverage"].clone()
}

fn told(home: &Home, question: &str) -> String {
    home.aisandbox(&["audit", question, "last"]).output().expect_code(0)
}

#[test]
fn a_run_without_a_guardian_says_that_it_saw_next_to_nothing() {
    for_each_user(|home| {
        let found = coverage(&home, "version: 1\nextends: [offline]\n", &[]);
        for (kind, word) in [
            ("requests", "none"),
            ("file_opens", "none"),
            ("read_bytes", "none"),
            ("writes", "none"),
            ("exec", "command"),
            ("network", "closed"),
            ("tls_bodies", "none"),
            ("landlock_denials", "none"),
            ("seccomp_denials", "none"),
            ("io_uring", "refused"),
        ] {
            assert_eq!(found[kind], word, "{kind}: {found}");
        }
        assert_eq!(found["inherited_descriptors"], 3);
        let last = told(&home, "last");
        assert!(last.contains("[seen: nothing leads out of the sandbox]"), "{last}");
        assert!(last.contains("UNSEEN") && last.contains("what Landlock refuses"), "{last}");
        let open =
            coverage(&home, "version: 1\nextends: [offline]\nnetwork: { mode: host }\n", &["--pass-fd", "9"]);
        assert_eq!((&open["network"], open["inherited_descriptors"].as_u64()), (&"none".into(), Some(4)));
        let explained = told(&home, "explain");
        assert!(explained.contains("connections, and what goes through them"), "{explained}");
        assert!(explained.contains("the 4 descriptors"), "{explained}");
    });
}

#[test]
fn a_guarded_run_says_which_part_goes_through_its_guardian() {
    for_each_user(|home| {
        home.write("work/docs/note", "real");
        home.write("work/log", "");
        let ways = "consent: { channels: [ui], timeout: 5m }\n";
        let profile = format!(
            "version: 1\nextends: [offline]\nnetwork: {{ mode: filtered, allow: [{{ host: localhost, port: 8, tls: inspect }}] }}\n\
             filesystem:\n  - {{ path: $PWD/docs, access: ask, actions: [read], lease: 1h }}\n{ways}"
        );
        let mounted = coverage(&home, &profile, &[]);
        for (kind, word) in [
            ("requests", "all"),
            ("file_opens", "leases"),
            ("read_bytes", "none"),
            ("network", "all"),
            ("tls_bodies", "inspected"),
            ("exec", "command"),
        ] {
            assert_eq!(mounted[kind], word, "{kind}: {mounted}");
        }
        assert!(told(&home, "last").contains("every connection and every refusal, by name"));
        let profile = format!(
            "version: 1\nextends: [offline]\nagents: {{ most: 1, depth: 1 }}\nfilesystem:\n\
             \x20 - {{ path: $PWD/log, access: ask, actions: [read, append], lease: 1h }}\n{ways}"
        );
        let served = coverage(&home, &profile, &[]);
        assert_eq!(
            (&served["read_bytes"], &served["writes"]),
            (&"served".into(), &"served".into()),
            "{served}"
        );
        assert_eq!((&served["exec"], &served["tls_bodies"]), (&"started".into(), &"none".into()), "{served}");
    });
}
