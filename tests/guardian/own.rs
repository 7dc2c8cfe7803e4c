//! What decides over the next run is not the agent's: profiles, policies, answers and records.

use crate::support::for_each_user;
use crate::{Guarded, WAITS, event, profile};

const POLICY: &str = "package aisandbox.policies.p\nverdict contains {\"outcome\": \"prompt\", \"reason\": \"r\"} if input.uid == 1\n";

#[test]
fn a_profile_and_a_policy_of_the_working_folder_cannot_be_changed_by_the_agent() {
    for_each_user(|home| {
        home.write("work/policy/a.rego", POLICY);
        let text = "version: 1\nextends: [cowork]\npolicy: { bundles: [$PWD/policy] }\n";
        home.write("work/x.yaml", text);
        home.write("work/other.yaml", text);
        let script = "for f in x.yaml policy/a.rego other.yaml; do echo '# more' >> $f && echo $f; done\n\
                      rm -f x.yaml; mv policy away; echo new > policy/b.rego; ls";
        let output = home.aisandbox(&["exec", "--profile", "./x.yaml", "--", "sh", "-c", script]).output();
        let said = output.stdout();
        assert_eq!(said, "other.yaml\nother.yaml\npolicy\nx.yaml\n", "{output:?}");
        assert_eq!(std::fs::read_to_string(home.join("work/x.yaml")).unwrap(), text);
        assert!(!home.join("work/policy/b.rego").exists());
    });
}

#[test]
fn no_yes_can_uncover_records_profiles_or_answers() {
    for_each_user(|home| {
        home.make_folder(".config/aisandbox");
        let asks = |actions: &str| {
            let entry = format!("  - {{ path: $HOME/.config, access: ask, actions: [{actions}] }}");
            let profile = profile(&home, &entry, WAITS);
            home.aisandbox(&["exec", "--profile", &profile, "--", "true"]).output()
        };
        let refused = asks("read, append, overwrite, create, delete");
        refused.expect_said("could change");
        assert_eq!(refused.code, 125, "{refused:?}");
        assert_eq!(asks("read").code, 0, "the control: reading may be asked for");
    });
}

#[test]
fn an_answer_for_good_stands_under_its_own_profile_file_alone() {
    for_each_user(|home| {
        home.write("docs/note", "real\n");
        let text = "version: 1\nextends: [cowork]\nfilesystem:\n  - { path: $HOME/docs, access: ask, actions: [read] }\n\
                    consent: { channels: [ui], timeout: 5m }\n";
        for folder in ["work", "other"] {
            home.write(&format!("{folder}/x.yaml"), text);
        }
        let args = ["exec", "--profile", "./x.yaml", "--", "cat", "../docs/note"];
        let guarded = Guarded { home: &home, run: home.aisandbox(&args).start() };
        let id = guarded.asked();
        guarded.person(&["approve", &id, "--always"]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "real\n");
        assert_eq!(home.aisandbox(&args).output().stdout(), "real\n", "the control: it is not asked again");
        let run = home.aisandbox(&args).folder(home.join("other")).start();
        let other = Guarded { home: &home, run };
        let id = other.asked();
        other.person(&["deny", &id]).expect_code(0);
        assert_eq!(other.end().stdout(), "");
        assert_eq!(event(&home, "denial")["reason"], "refused");
    });
}
