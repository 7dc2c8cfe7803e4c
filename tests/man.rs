//! The man pages say all there is, and name nothing that is not there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use aisandbox::cli::args;
use aisandbox::launch::Stage;
use aisandbox::profile::{self, Context};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use support::pages::{marked, page, path, source};

const PAGES: [&str; 9] = [
    "aisandbox.1",
    "aisandbox-audit.7",
    "aisandbox-broker.7",
    "aisandbox-dlp.7",
    "aisandbox-forward.5",
    "aisandbox-network.7",
    "aisandbox-policy.7",
    "aisandbox-profile.5",
    "aisandbox-threats.7",
];
/// Accepted for users of bubblewrap, and hidden from help.
const HIDDEN: [&str; 2] = ["die-with-parent", "new-session"];

/// The long flags a page marks, without their dashes.
fn flags_of(page: &str) -> BTreeSet<String> {
    marked(page, "Fl").iter().filter_map(|word| word.strip_prefix('-')).map(str::to_owned).collect()
}

#[test]
fn every_subcommand_and_flag_is_in_the_page() {
    let page = page("aisandbox.1");
    let flags = flags_of(&page);
    let mut count = 0;
    for (command, long) in args::flags() {
        let name = command.strip_prefix("aisandbox").unwrap().trim();
        let groups = ["", "profile", "audit", "policy", "request", "broker", "dlp", "dlp rules"];
        assert!(groups.contains(&name) || page.contains(&format!("\n.It Cm {name}\n")), "{name}");
        for flag in long {
            count += 1;
            assert!(flags.contains(&flag), "{command} --{flag}");
        }
    }
    assert!(count > 40, "{count} flags");
}

#[test]
fn the_page_names_no_flag_that_is_not_there() {
    let mut known: BTreeSet<String> =
        ["help", "version"].iter().chain(&HIDDEN).map(|flag| (*flag).into()).collect();
    for (command, _) in args::flags() {
        let words = command.split(' ').skip(1).chain(["--help"]);
        let out = Command::new(env!("CARGO_BIN_EXE_aisandbox")).args(words).output().unwrap();
        let help = String::from_utf8(out.stdout).unwrap();
        let flag = |word: &str| Some(word.trim_end_matches([',', ']', '.']).strip_prefix("--")?.to_owned());
        known.extend(help.split_whitespace().filter_map(flag));
    }
    let unknown: Vec<_> =
        flags_of(&page("aisandbox.1")).into_iter().filter(|flag| !known.contains(flag)).collect();
    assert!(unknown.iter().all(String::is_empty), "{unknown:?}");
}

#[test]
fn the_stages_are_in_the_page_in_their_order() {
    let page = page("aisandbox.1");
    let list = page.split("\n.Sh STAGES\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let told: Vec<String> = list
        .lines()
        .filter_map(|line| line.strip_prefix(".Dq "))
        .map(|line| line.trim_end_matches(" :").to_owned())
        .collect();
    let stages: Vec<&str> = Stage::ALL.iter().map(|stage| stage.text()).collect();
    assert_eq!(told, stages);
}

#[test]
fn every_event_of_a_record_is_in_the_page() {
    let words = marked(&page("aisandbox.1"), "Cm");
    let code = source("src/audit/event.rs");
    let names: Vec<&str> = code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once("(_) => \"")?.1.strip_suffix("\","))
        .collect();
    assert!(names.contains(&"run_start") && names.len() >= 5, "{names:?}");
    for name in names {
        assert!(words.contains(name), "{name}");
    }
}

/// Every key of a JSON Schema, and every word of its enumerations.
fn walk(schema: &serde_json::Value, keys: &mut BTreeSet<String>, words: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    let listed = schema["enum"].as_array().into_iter().flatten().filter_map(|word| word.as_str());
    words.extend(listed.map(str::to_owned));
    words.extend(schema["const"].as_str().map(str::to_owned));
    match schema {
        serde_json::Value::Object(map) => map.values().for_each(|value| walk(value, keys, words)),
        serde_json::Value::Array(list) => list.iter().for_each(|value| walk(value, keys, words)),
        _ => {}
    }
}

#[test]
fn every_key_and_word_of_profiles_and_filters_is_in_the_page() {
    let page = page("aisandbox-profile.5");
    let (told_keys, told_words) = (marked(&page, "Ic"), marked(&page, "Cm"));
    let (mut keys, mut words) = (BTreeSet::new(), BTreeSet::new());
    walk(&profile::schema(), &mut keys, &mut words);
    walk(&profile::filter_schema(), &mut keys, &mut words);
    assert!(keys.len() > 60 && words.len() > 50, "{} keys, {} words", keys.len(), words.len());
    for key in keys {
        assert!(told_keys.contains(&key), "key {key}");
    }
    for word in words {
        assert!(told_words.contains(&word), "word {word}");
    }
}

#[test]
fn every_key_and_word_of_the_broker_is_in_its_page() {
    let page = page("aisandbox-broker.7");
    let (told_keys, told_words) = (marked(&page, "Ic"), marked(&page, "Cm"));
    let (mut keys, mut words) = (BTreeSet::new(), BTreeSet::new());
    let schema = aisandbox::wire::schema::broker();
    walk(&schema, &mut keys, &mut words);
    assert!(keys.len() > 50 && words.len() > 20, "{} keys, {} words", keys.len(), words.len());
    for key in keys {
        assert!(told_keys.contains(&key), "key {key}");
    }
    for word in words {
        assert!(told_words.contains(&word), "word {word}");
    }
}

#[test]
fn the_limits_of_the_broker_are_in_its_page() {
    use aisandbox::wire::{codec, frame, limit};
    let page = page("aisandbox-broker.7");
    let list = page.split("\n.Sh LIMITS\n").nth(1).unwrap().split("\n.El").next().unwrap();
    let told: Vec<usize> = list
        .lines()
        .filter_map(|line| line.strip_prefix(".It ")?.rsplit_once(" Ta ")?.1.replace(',', "").parse().ok())
        .collect();
    let limits = [
        codec::MOST_BYTES,
        limit::MOST_CALLS,
        limit::MOST_CHANNELS,
        limit::MOST_MALFORMED as usize,
        limit::MOST_WHY,
        limit::MOST_PATHS,
        limit::MOST_ACTIONS,
        limit::MOST_TEXT,
        limit::MOST_PATH_BYTES,
        limit::MOST_NAME_BYTES,
        limit::MOST_ARGUMENTS,
        limit::MOST_WORDS,
        limit::MOST_TRANSITIONS,
        limit::MOST_LESS,
        limit::MOST_ALLOWED,
        usize::from(aisandbox::guardian::token::MOST_DEPTH),
    ];
    assert_eq!(told, limits);
    assert!(page.contains("A buffer of 65,588 bytes") && frame::MOST_FRAME == 65_588);
}

#[test]
fn the_example_of_the_broker_is_a_frame_that_the_guardian_takes() {
    use aisandbox::crypto::{Secret, mac};
    use aisandbox::wire::frame::{ChannelId, Direction};
    let page = page("aisandbox-broker.7");
    let told = |name: &str| page.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let channel: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let mut secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at + 32).unwrap());
    let secret = Secret::take(&mut secret).unwrap();
    let key = Direction::ToGuardian.key(&secret, ChannelId(channel), 0).unwrap();
    assert_eq!(aisandbox::base::to_hex(key.expose()), told("key "));
    let header = aisandbox::base::unhex(&told("header ")).unwrap();
    let payload = told("payload ");
    let code = mac(&key, &[&channel, &header, payload.as_bytes()]);
    assert_eq!(aisandbox::base::to_hex(&code), told("code "));
    assert_eq!(&header[8..12], u32::try_from(payload.len()).unwrap().to_be_bytes());
    assert!(aisandbox::wire::codec::decode::<aisandbox::wire::broker::Call>(payload.as_bytes()).is_ok());
}

#[test]
fn every_action_check_and_reason_of_the_dlp_is_in_its_page() {
    let words = marked(&page("aisandbox-dlp.7"), "Cm");
    let actions = aisandbox::wire::dlp::Act::ALL.map(aisandbox::wire::dlp::Act::word);
    for word in actions.into_iter().chain([
        "too_deep",
        "bomb",
        "too_large",
        "undecodable",
        "encrypted",
        "too_much_work",
    ]) {
        assert!(words.contains(word), "{word}");
    }
    let code = source("src/dlp/check/mod.rs");
    let table = code.split("const NAMES").nth(1).unwrap().split("\n];").next().unwrap();
    let checks: Vec<&str> =
        table.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    assert!(checks.len() >= 20, "{checks:?}");
    for check in checks {
        assert!(words.contains(check), "{check}");
    }
    let text = page("aisandbox-dlp.7");
    let example = text.split("-offset indent\n").nth(1).unwrap().split("\n.Ed").next().unwrap();
    assert_eq!(aisandbox::dlp::Rules::read(example).unwrap().len(), 1);
}

#[test]
fn every_layer_is_in_both_pages() {
    let schema = profile::schema();
    let mut layers = BTreeSet::new();
    walk(&schema["properties"]["allow_degraded"], &mut BTreeSet::new(), &mut layers);
    assert_eq!(layers.len(), 10);
    for name in ["aisandbox.1", "aisandbox-profile.5"] {
        let words = marked(&page(name), "Cm");
        assert!(layers.is_subset(&words), "{name}: {layers:?}");
    }
}

#[test]
fn every_protected_name_is_in_the_page_with_its_reason() {
    let page = page("aisandbox-profile.5");
    for group in ["git", "shell", "editors", "agents"] {
        for entry in profile::protect_group(group).unwrap() {
            let item = format!("\n.It Pa {}\n{}\n", entry.path, entry.reason);
            assert!(page.contains(&item), "{group}: {}: {}", entry.path, entry.reason);
        }
    }
}

#[test]
fn every_constant_of_a_filter_is_in_the_page() {
    let told = marked(&page("aisandbox-profile.5"), "Dv");
    let code = source("src/profile/filter_words.rs");
    let table = code.split("const CONSTANTS").nth(1).unwrap().split("];").next().unwrap();
    let names: BTreeSet<String> = table
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("(\"")?.split_once('"')?.0.to_owned()))
        .collect();
    assert!(names.contains("TIOCSTI"));
    let commas = BTreeSet::from([",".to_owned(), ".".to_owned()]);
    assert_eq!(told.difference(&commas).cloned().collect::<BTreeSet<_>>(), names);
}

/// The literal displays of a page that are YAML files.
fn examples(page: &str) -> Vec<String> {
    let displays = page.split("\n.Bd -literal -offset indent\n").skip(1);
    let displays = displays.map(|rest| rest.split("\n.Ed").next().unwrap().replace("\\&", ""));
    displays.filter(|text| text.starts_with("version: 1")).collect()
}

#[test]
fn the_examples_are_valid() {
    let context = Context {
        home: "/home/u".into(),
        pwd: "/home/u/project".into(),
        user: "u".into(),
        uid: 1000,
        env: BTreeMap::new(),
        search: Vec::new(),
    };
    let (mut profiles, mut filters) = (0, 0);
    for text in examples(&page("aisandbox-profile.5")) {
        if text.contains("\nrules:\n") {
            filters += 1;
            check_filter(&text);
            continue;
        }
        profiles += 1;
        let profile =
            profile::load_str("example.yaml", &text, &context).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert!(profile::unsupported(&profile).is_empty(), "{text}");
    }
    assert!(profiles >= 3 && filters >= 1);
}

/// A filter must also let our own pid 1 work: it is tried.
fn check_filter(text: &str) {
    support::for_each_user(|home| {
        let home = home.with("own.yaml", text);
        let file = home.join("own.yaml");
        home.exec(&["--seccomp", file.to_str().unwrap()], "touch a && echo ran").expect_code(0);
    });
}

#[test]
fn every_test_that_the_threats_name_is_there() {
    let mut code = String::new();
    let mut open = ["src", "tests"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).to_vec();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                code.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let page = page("aisandbox-threats.7");
    let named: BTreeSet<String> = marked(&page, "Fn").into_iter().filter(|word| word != ",").collect();
    assert!(named.len() > 20, "{} tests are named", named.len());
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "{name}");
    }
}

#[test]
fn every_attack_names_a_test() {
    let page = page("aisandbox-threats.7");
    let list = page.split("\n.Sh ATTACKS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let attacks: Vec<&str> = list.split("\n.It ").skip(1).collect();
    assert!(attacks.len() > 20, "{} attacks", attacks.len());
    for attack in attacks {
        assert!(attack.contains("\n.Fn "), "{}", attack.lines().next().unwrap_or_default());
    }
}

#[test]
fn every_family_of_escapes_is_among_the_threats() {
    let named = marked(&page("aisandbox-threats.7"), "Fn");
    let mut families = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/escape")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let tests: Vec<&str> =
            text.split("#[test]\nfn ").skip(1).map(|rest| rest.split('(').next().unwrap()).collect();
        families += usize::from(!tests.is_empty());
        assert!(tests.is_empty() || tests.iter().any(|test| named.contains(*test)), "{}", path.display());
    }
    assert!(families > 10);
}

#[test]
fn the_pages_are_clean_mdoc() {
    let Ok(out) = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(PAGES.map(path)).output()
    else {
        assert_ne!(std::env::var("AISANDBOX_MUST_RUN").as_deref(), Ok("1"), "mandoc is not installed");
        eprintln!("skipped: mandoc is not installed");
        return;
    };
    let told = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{told}");
}

#[test]
fn every_reason_of_a_denial_is_in_the_page() {
    let page = page("aisandbox.1");
    let section = page.split("\n.Sh ASKING FOR ACCESS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    for reason in aisandbox::wire::denial::Reason::ALL {
        assert!(
            section.contains(&format!(".Ql {} ", reason.id()))
                || section.contains(&format!(".Ql {}\n", reason.id())),
            "{}",
            reason.id()
        );
    }
}
