//! The page of a report, in a browser: it checks the record it carries, shows what holds and nothing else, and whatever an
//! agent wrote is text in it.

use crate::browser::Browser;
use crate::support::segment::{blocks, sums_anew};
use crate::support::{Home, for_each_user};
use crate::{ask, json, runs, story, with_runs};
use aisandbox::audit::Event;
use aisandbox::audit::beside::Repeat;
use aisandbox::audit::log::{Batch, Log, Turn};
use aisandbox::audit::new_run_id;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The page of the last run.
fn page(home: &Home, code: i32) -> PathBuf {
    let file = home.work().join(format!("{}.html", new_run_id().unwrap()));
    ask(home, &["audit", "report", "last", "--html", file.to_str().unwrap()]).expect_code(code);
    file
}

/// What stands between two marks, and what it stands between.
fn parts<'a>(text: &'a str, from: &str) -> (&'a str, &'a str, &'a str) {
    parts_of(text, from, "</script>")
}

fn parts_of<'a>(text: &'a str, from: &str, to: &str) -> (&'a str, &'a str, &'a str) {
    let begin = text.find(from).unwrap() + from.len();
    let end = begin + text[begin..].find(to).unwrap();
    (&text[..begin], &text[begin..end], &text[end..])
}

/// The same page with other bytes of the record.
fn with_bytes(page: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    with_parts(page, |bytes, _| change(bytes));
}

/// The same page with other bytes of the record, or of what opens its leaves.
fn with_parts(page: &Path, change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) {
    let text = fs::read_to_string(page).unwrap();
    let (before, packed, after) = parts(&text, "id=\"bytes\">");
    let mut bytes = Vec::new();
    let packed = STANDARD.decode(packed).unwrap();
    flate2::read::DeflateDecoder::new(&*packed).read_to_end(&mut bytes).unwrap();
    let (_, length, _) = parts_of(before, "\"openings\":", ",");
    let mut openings = bytes.split_off(bytes.len() - length.parse::<usize>().unwrap());
    let before_it = openings.len();
    change(&mut bytes, &mut openings);
    assert_eq!(openings.len(), before_it);
    bytes.extend(openings);
    let mut to = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(&bytes).unwrap();
    fs::write(page, [before, &STANDARD.encode(to.finish().unwrap()), after].concat()).unwrap();
}

/// Where a text stands in bytes.
fn place(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

#[test]
fn a_page_checks_its_record_and_counts_the_answers_anew_to_the_same_words() {
    for_each_user(|home| {
        let Some(browser) = Browser::start(&std::env::temp_dir()) else { return };
        with_runs(&home, &[(&story::whole(), true)]);
        let file = page(&home, 0);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let words = ["audit", "report", "--html", file.to_str().unwrap()];
        ask(&home, &words).expect_code(125);
        browser.ask("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true }));
        browser.load(&file);
        let plain = browser.eval("document.body.innerText").to_string();
        for word in [
            "Not verified",
            "What was touched",
            "1.8 MB",
            "Who approved it",
            "a person (terminal)",
            "api.example.com:443",
        ] {
            assert!(plain.contains(word), "{word}: {plain}");
        }
        let answers = "document.getElementById('answers').innerHTML.replaceAll('\\n', '')";
        let written = browser.eval(answers);
        browser.ask("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": false }));
        let found = browser.open(&file);
        let facts = [&found["proof"], &found["badge"], &found["recount"], &found["sign"]];
        assert_eq!(facts, ["sealed", "good", "same", "this"], "{found}");
        assert_eq!(browser.eval(answers), written, "what the page counts is what it came with");
        let leaves = json(&home, &["audit", "report", "--json"])["leaves"].to_string();
        assert_eq!(found["leaves"], leaves);
        for (tab, words) in [
            (
                "Timeline",
                &["Approved by a person (terminal): read /home/u/.gnupg for 600 s", "to sign the release"][..],
            ),
            ("Processes", &["/usr/bin/bash", "pid 52", "2 refused"]),
            ("Data flow", &["content of something known was in it", "paste.example.net:443"]),
            ("Refusals", &["4 ×", "/home/u/.ssh/id_ed25519", "ceiling"]),
            ("Proof", &["epochs: the last block of each is signed", "The log is sealed", "counted anew"]),
        ] {
            browser.eval(&format!(
                "[...document.querySelectorAll('.tab')].find(tab => tab.textContent === '{tab}').click()"
            ));
            let text =
                browser.eval("document.getElementById('panel').innerText").as_str().unwrap().to_owned();
            words.iter().for_each(|word| assert!(text.contains(word), "{tab}: {word}: {text}"));
        }
        for width in [390, 1280] {
            let size =
                serde_json::json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
            browser.ask("Emulation.setDeviceMetricsOverride", size);
            assert_eq!(
                browser.eval("document.documentElement.scrollWidth <= innerWidth"),
                true,
                "{width} wide"
            );
        }
        assert_eq!(browser.complaints(), Vec::<String>::new());
    });
}

#[test]
fn a_page_says_from_where_its_record_was_changed_and_shows_nothing_behind() {
    for_each_user(|home| {
        let Some(browser) = Browser::start(&std::env::temp_dir()) else { return };
        with_runs(&home, &[(&story::whole(), true)]);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let file = page(&home, 0);
            with_bytes(&file, change);
            let found = browser.open(&file);
            (found, browser.eval("document.body.innerText").as_str().unwrap().to_owned())
        };
        let (found, _) = changed(&|_| ());
        assert_eq!((&found["proof"], &found["badge"]), (&"sealed".into(), &"good".into()), "the control");
        // One letter of a leaf, with the sum of its block as it was: what a disk does.
        let (found, text) = changed(&|bytes| {
            let at = place(bytes, "8F3K-d1");
            bytes[at] ^= 1;
        });
        assert_eq!((&found["proof"], &found["badge"]), (&"tampered".into(), &"bad".into()), "{found}");
        assert!(text.contains("Tampered with") && text.contains("no whole block"), "{text}");
        assert!(
            !text.contains("id_ed25519") && text.contains("paste.example.net"),
            "what stands before is shown: {text}"
        );
        // The same with the sum made anew, as somebody does who knows the format.
        let (found, text) = changed(&|bytes| {
            let at = place(bytes, "8F3K-d1");
            bytes[at] ^= 1;
            sums_anew(bytes);
        });
        assert_eq!(found["proof"], "tampered", "{found}");
        assert!(text.contains("the root that was signed is not that of the leaves"), "{text}");
        // A signature.
        let (found, text) = changed(&|bytes| {
            let at = place(bytes, "\u{2014} aisandbox.run/") + 60;
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            sums_anew(bytes);
        });
        assert_eq!((&found["badge"], &found["leaves"]), (&"bad".into(), &"0".into()), "{found}: {text}");
        // The end cut off, with and without the middle of a block.
        for (cut, state) in [(70, "truncated"), (0, "open")] {
            let (found, text) = changed(&|bytes| {
                let all = blocks(bytes);
                bytes.truncate(all[all.len() - 2] + cut);
            });
            assert_eq!((&found["proof"], &found["badge"]), (&state.into(), &"bad".into()), "{text}");
        }
        // What opens a leaf.
        let file = page(&home, 0);
        with_parts(&file, |bytes, openings| {
            assert!(!bytes.windows(10).any(|part| part == b"id_ed25519"), "it is beside the record");
            let at = place(openings, "id_ed25519");
            openings[at] = b'x';
        });
        let (found, text) =
            (browser.open(&file), browser.eval("document.body.innerText").as_str().unwrap().to_owned());
        assert_eq!(found["badge"], "bad", "{found}");
        assert!(
            text.contains("are not those that it is committed to") && !text.contains("d_ed25519"),
            "{text}"
        );
        // Another answer than the records give.
        let file = page(&home, 0);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"1.8 MB\"", "\"1.8 kB\"").replace("<b>1.8 MB</b>", "<b>1.8 kB</b>"))
            .unwrap();
        let found = browser.open(&file);
        assert_eq!((&found["recount"], &found["badge"]), (&"differs".into(), &"good".into()), "{found}");
        let text = browser.eval("document.body.innerText").as_str().unwrap().to_owned();
        assert!(
            text.contains("1.8 MB")
                && !text.contains("1.8 kB")
                && text.contains("others than its records give"),
            "{text}"
        );
    });
}

#[test]
fn a_page_of_a_run_without_an_end_says_so_and_is_of_the_leaves_that_were_there() {
    for_each_user(|home| {
        let Some(browser) = Browser::start(&std::env::temp_dir()) else { return };
        let told = |words: &str| {
            let found = browser.open(&page(&home, 0));
            assert_eq!(
                [&found["proof"], &found["badge"], &found["recount"]],
                ["open", "part", "same"],
                "{found}"
            );
            let text = browser.eval("document.body.innerText").as_str().unwrap().to_owned();
            assert!(text.contains("Verified as far as it goes") && text.contains(words), "{text}");
        };
        with_runs(&home, &[(&story::whole(), false)]);
        told("its run was killed, or its end was cut off");
        if home.user.become_it {
            return; // a log can be written to by its owner alone
        }
        let mut log = Log::create(&runs(&home), new_run_id().unwrap()).unwrap();
        story::whole().iter().for_each(|event| log.append(event).unwrap());
        told("its run goes on");
    });
}

#[test]
fn a_browser_without_ed25519_checks_by_the_pages_own_arithmetic() {
    for_each_user(|home| {
        let Some(browser) = Browser::start(&std::env::temp_dir()) else { return };
        with_runs(&home, &[(&story::whole()[..4], true)]);
        let file = page(&home, 0);
        let source = "Object.defineProperty(crypto, 'subtle', { value: undefined })";
        browser.ask("Page.addScriptToEvaluateOnNewDocument", serde_json::json!({ "source": source }));
        let found = browser.open(&file);
        assert_eq!([&found["proof"], &found["badge"], &found["sign"]], ["sealed", "good", "the"], "{found}");
        with_bytes(&file, |bytes| {
            let all = blocks(bytes);
            let at = all[1] - 20;
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            sums_anew(bytes);
        });
        assert_eq!(browser.open(&file)["badge"], "bad");
    });
}

/// Every way to be more than text that a name can try.
fn hostile() -> String {
    let long = "<b>\u{202e}".repeat(200_000);
    [
        "</script><script>document.title='owned'</script>",
        "<img src=x onerror=\"document.title='owned'\">",
        "\u{2028}\u{2029}'\"`&lt;",
        "\u{1b}[2J\u{9b}31m\u{7}",
        "\u{202e}fdp.exe\u{2066}",
        "<!--",
        "]]>",
        "\\u003cscript>",
        "${document.title}",
        "__proto__",
        &long,
    ]
    .concat()
}

#[test]
fn what_an_agent_wrote_is_text_in_a_page_and_bounded() {
    for_each_user(|home| {
        let Some(browser) = Browser::start(&std::env::temp_dir()) else { return };
        let name = hostile();
        let path = format!("/home/u/{name}");
        let mut network = story::network("close", &name, 1, 5);
        network.findings = vec![(name.clone(), 1), ("__proto__".into(), 2)];
        network.reason = Some(name.clone());
        let mut events = story::whole();
        let mut argv = std::ffi::OsString::from("<u>");
        argv.push(OsStr::from_bytes(b"\xff\xfe<script>"));
        events[0] = story::start(&["</title><script>1</script>", &name[..2_000], "constructor"]);
        if let Event::RunStart(start) = &mut events[0] {
            start.command =
                aisandbox::audit::event::Command::of(&[std::ffi::OsString::from("</h1><i>"), argv]);
            start.profile.name = name.clone();
        }
        events.insert(5, Event::Network(Box::new(network)));
        events.insert(6, story::denial("</script>", &path, 1));
        events.insert(
            7,
            Event::Repeat(Box::new(Repeat {
                of: "denial".into(),
                reason: "rate".into(),
                actions: vec!["read".into(), name[..40].into()],
                first: format!("file {path}"),
                last: "upload to last.example.org".into(),
                count: 70,
                within_ms: 900,
                process: aisandbox::audit::access::Seen { pid: 9, program: path.clone(), sha256: None },
            })),
        );
        with_runs(&home, &[(&events, true)]);
        let file = page(&home, 0);
        let size = fs::metadata(&file).unwrap().len();
        assert!(size < 2 << 20, "{size} bytes");
        let found = browser.open(&file);
        assert_eq!(
            [&found["proof"], &found["badge"], &found["recount"]],
            ["sealed", "good", "same"],
            "{found}"
        );
        for tab in 0..5 {
            browser.eval(&format!("document.querySelectorAll('.tab')[{tab}].click()"));
            browser.eval("for (const one of document.querySelectorAll('#panel details')) one.open = true");
            browser.eval("new Promise(go => requestAnimationFrame(go))");
            let elements = browser.eval(
                "document.querySelectorAll('img, i, u, b b, h1 > :not(bdi), main script, bdi *').length",
            );
            assert_eq!(elements, 0, "tab {tab}");
            let text = browser.eval("document.documentElement.innerText").as_str().unwrap().to_owned();
            let bad = |letter: &char| "\u{202e}\u{2066}\u{1b}\u{9b}\u{7}\u{2028}".contains(*letter);
            assert_eq!(text.chars().find(bad), None, "tab {tab}");
            assert!(text.len() < 4 << 20, "tab {tab}: {}", text.len());
            assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth"), true, "tab {tab}");
        }
        assert!(browser.eval("document.title").as_str().unwrap().starts_with("Run "));
        assert_eq!(browser.complaints(), Vec::<String>::new());
    });
}

#[test]
fn a_long_run_is_carried_in_part_and_says_so_and_each_leaf_of_it_is_proven() {
    for_each_user(|home| {
        let Some(browser) = Browser::start(&std::env::temp_dir()) else { return };
        long_run(&home);
        let file = page(&home, 0);
        let size = fs::metadata(&file).unwrap().len();
        assert!(size < 6 << 20, "{size} bytes");
        let found = browser.open(&file);
        assert_eq!(
            [&found["proof"], &found["badge"], &found["recount"]],
            ["excerpt", "part", "none"],
            "{found}"
        );
        let leaves: u64 = found["leaves"].as_str().unwrap().parse().unwrap();
        assert!((1_500..4_000).contains(&leaves), "{leaves}");
        let text = browser.eval("document.body.innerText").as_str().unwrap().to_owned();
        let all = json(&home, &["audit", "report", "--json", "--limit", "1"])["leaves"].to_string();
        assert!(text.contains(&format!("This page holds {leaves} of the {all} leaves")), "{text}");
        assert!(
            text.contains("Approved by a person (terminal)") && text.contains("/home/u/.ssh/id_ed25519"),
            "{text}"
        );
        with_bytes(&file, |bytes| {
            let at = place(bytes, "8F3K-d1");
            bytes[at] ^= 1;
        });
        let found = browser.open(&file);
        assert_eq!(found["proof"], "broken", "{found}");
        let text = browser.eval("document.body.innerText").as_str().unwrap().to_owned();
        assert!(text.contains("Does not verify") && text.contains("is not in the log"), "{text}");
        assert_eq!(browser.eval("document.getElementById('panel').hidden"), true);
    });
}

/// More events than one page holds.
fn long_run(home: &Home) {
    let runs = runs(home);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(runs.parent().unwrap()).unwrap();
    let mut log = Log::create(&runs, new_run_id().unwrap()).unwrap();
    let mut events = story::whole();
    let end = events.pop().unwrap();
    events.iter().for_each(|event| log.append(event).unwrap());
    let mut batch = Batch::new();
    for number in 0..30_000 {
        let event = Event::Network(Box::new(story::network("request", "busy.example.org", number + 10, 100)));
        let text = serde_json::to_string(&event).unwrap();
        batch.push(
            format!("{{\"v\":2,\"ts\":{},\"mono\":1,{}", 1_700_000_000_000_000_000 + number, &text[1..])
                .as_bytes(),
        );
        if number % 1_000 == 0 {
            log.commit(&mut batch, Turn::InTime).unwrap();
        }
    }
    log.commit(&mut batch, Turn::Now).unwrap();
    log.append(&end).unwrap();
    log.seal().unwrap();
    if home.user.become_it {
        crate::give(&home.join(".local"), home.user.uid);
    }
}
