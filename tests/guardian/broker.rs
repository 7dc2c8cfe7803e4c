//! The broker from inside a real sandbox, by the client that was written from the manual page alone.

use crate::support::{for_each_user, has_program};
use crate::{DOCS, Guarded, WAITS, client, event, events, lines, profile};

/// Everything a file can be asked for, so that a part of it is handed out by descriptor.
const ALL: &str =
    "  - { path: $PWD/docs, access: ask, actions: [read, append, overwrite, create, delete], lease: 1h }";

fn ask(path: &str, actions: &str) -> String {
    format!(
        r#"{{"request": {{"actions": [{actions}], "resource": {{"file": {{"path": "{path}"}}}}, "why": "test"}}}}"#
    )
}

fn open(path: &str, action: &str) -> String {
    format!(r#"{{"open": {{"paths": ["{path}"], "action": "{action}"}}}}"#)
}

#[test]
fn a_granted_path_comes_as_a_descriptor_and_another_does_not() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        client(&home);
        home.write("work/docs/note", "real");
        home.write("work/other", "secret");
        let profile = profile(&home, DOCS, WAITS);
        let docs = home.join("work/docs").display().to_string();
        let calls =
            [ask(&docs, "\"read\""), open(&format!("{docs}/note"), "read"), open("/etc/passwd", "read")];
        let script = format!("python3 broker_client.py '{}'", calls.join("' '"));
        let guarded = Guarded::start(&home, &profile, &script);
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        let said = lines(&guarded.end());
        assert_eq!(said[0]["result"]["pending"]["request"], id.as_str());
        assert_eq!(said[1]["result"]["granted"]["how"], "mount");
        assert_eq!(said[2]["texts"][0], "real");
        assert_eq!(said[3]["result"]["opened"]["denials"][0]["reason"], "token");
        assert_eq!(event(&home, "request")["why"], "test");
    });
}

#[test]
fn a_path_swapped_for_a_link_after_the_question_gives_what_was_approved_or_nothing() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        client(&home);
        home.write("work/docs/note", "approved");
        home.write("secret", "secret");
        let profile = profile(&home, ALL, WAITS);
        let note = home.join("work/docs/note").display().to_string();
        let actions = "\"read\", \"append\", \"overwrite\"";
        let calls = [ask(&note, actions), open(&note, "read")];
        let script = format!("python3 broker_client.py '{}'", calls.join("' '"));
        let guarded = Guarded::start(&home, &profile, &script);
        let id = guarded.asked();
        std::fs::rename(&note, home.join("work/docs/moved")).unwrap();
        std::os::unix::fs::symlink(home.join("secret"), &note).unwrap();
        guarded.person(&["approve", &id]).expect_code(0);
        let said = lines(&guarded.end());
        assert_eq!(said[1]["result"]["granted"]["how"], "descriptor");
        assert_eq!(said[2]["texts"][0], "approved", "{said:?}");
    });
}

#[test]
fn a_token_and_a_door_of_one_sandbox_are_worth_nothing_in_another() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        client(&home);
        home.write("work/docs/note", "real");
        let profile = profile(&home, DOCS, WAITS);
        let first = "import broker_client as b\nx = b.Broker()\nopen('token', 'w').write(x.token)\nprint(list(x.call({'ping': {}}))[0][0])\n";
        home.write("work/first.py", first);
        let own = home.aisandbox(&["exec", "--profile", &profile, "--", "python3", "first.py"]).output();
        assert_eq!(own.stdout(), "{'done': {}}\n", "the control: its own token holds. {own:?}");
        let second = "import broker_client as b\nx = b.Broker()\nx.token = open('token').read()\nprint(list(x.call({'ping': {}}))[0][0]['denied']['denial']['reason'])\n";
        home.write("work/second.py", second);
        let other = home.aisandbox(&["exec", "--profile", &profile, "--", "python3", "second.py"]).output();
        assert_eq!(other.stdout(), "token\n", "{other:?}");
    });
}

#[test]
fn a_flood_of_wishes_is_cut_and_its_record_is_short() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        client(&home);
        home.make_folder("work/docs");
        let profile = profile(&home, DOCS, "notification");
        let flood = "import broker_client as b, collections\nx = b.Broker()\nseen = collections.Counter()\n\
                     for n in range(500):\n  r = {'request': {'actions': ['read'], 'resource': {'file': {'path': '/etc/x%d' % n}}, 'why': 'w' * 400}}\n  \
                     seen[list(x.call(r))[-1][0]['denied']['denial']['reason']] += 1\nprint(dict(seen))\n";
        home.write("work/flood.py", flood);
        let output = home.aisandbox(&["exec", "--profile", &profile, "--", "python3", "flood.py"]).output();
        assert_eq!(output.stdout(), "{'ceiling': 500}\n", "{output:?}");
        let told = events(&home).into_iter().filter(|(name, _)| name == "denial").count() as u64;
        assert!((1..=240).contains(&told), "{told} records of 500 refusals"); // a slow machine: two minutes
        let repeats: Vec<_> = events(&home).into_iter().filter(|(name, _)| name == "repeat").collect();
        let counted: u64 = repeats.iter().map(|(_, repeat)| repeat["count"].as_u64().unwrap()).sum();
        assert_eq!(told + counted, 500, "none is lost: {repeats:?}");
        let (_, last) = repeats.last().unwrap();
        assert_eq!((&last["reason"], &last["last"]), (&"ceiling".into(), &"file /etc/x499".into()), "{last}");
        assert!(last["process"]["program"].as_str().unwrap().contains("python"), "{last}");
        assert_eq!(event(&home, "guardian_end")["denials"], 500);
    });
}

#[test]
fn too_many_malformed_messages_end_the_run() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let profile = profile(&home, "  - { path: /tmp, access: tmpfs }", "ui");
        let script = "import os, socket, time\nd = socket.socket(fileno=int(os.environ['AISANDBOX_BROKER']))\n\
                      for n in range(30):\n  d.send(b'x' * 20)\nprint('sent', flush=True)\ntime.sleep(100)\nprint('alive')\n";
        home.write("work/bad.py", script);
        let output = home.aisandbox(&["exec", "--profile", &profile, "--", "python3", "bad.py"]).output();
        assert!(!output.stdout().contains("alive") && output.code != 0, "{output:?}");
        output.expect_said("too many malformed messages");
        assert!(event(&home, "channel_closed")["why"].as_str().unwrap().contains("frame"));
    });
}

#[test]
fn tokens_and_channels_without_end_do_not_fill_the_record() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        client(&home);
        let profile = profile(&home, "  - { path: /tmp, access: tmpfs }", "ui");
        let script = "import broker_client as b\nx = b.Broker()\nfor n in range(400):\n  assert 'token' in list(x.call({'renew': {}}))[-1][0]\n\
                      for n in range(200):\n  b.Broker().socket.close()\nprint(list(x.call({'ping': {}}))[0][0])\n";
        home.write("work/renew.py", script);
        let output = home.aisandbox(&["exec", "--profile", &profile, "--", "python3", "renew.py"]).output();
        assert_eq!(output.stdout(), "{'done': {}}\n", "{output:?}");
        let often = |(name, _): &(String, serde_json::Value)| name == "token" || name == "channel_closed";
        let told = events(&home).into_iter().filter(often).count();
        assert!((100..=240).contains(&told), "{told} records");
        let left_out = event(&home, "guardian_end")["left_out"].as_u64().unwrap();
        assert!(left_out >= 350, "{left_out} were left out");
    });
}

#[test]
fn a_descriptor_for_reading_changes_nothing_of_the_file() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        client(&home);
        home.write("work/docs/note", "real");
        let note = home.join("work/docs/note");
        std::fs::set_permissions(&note, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let profile = profile(&home, DOCS, WAITS);
        let docs = home.join("work/docs").display().to_string();
        let (wish, opening) = (ask(&docs, "\"read\""), open(&format!("{docs}/note"), "read"));
        let script = format!(
            "import broker_client as b, errno, json, mmap, os\nx = b.Broker()\nlist(x.call(json.loads('{wish}')))\n\
             fd = [fd for _, fds in x.call(json.loads('{opening}')) for fd in fds][0]\nprint(os.read(fd, 9).decode())\n\
             def tried(what):\n  try:\n    what()\n    return 'done'\n  except OSError as e:\n    return errno.errorcode[e.errno]\n\
             print(tried(lambda: os.fchmod(fd, 0o600)), tried(lambda: os.utime(fd, (1, 1))), \
             tried(lambda: mmap.mmap(fd, 4, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)))\n"
        );
        home.write("work/keep.py", &script);
        let guarded = Guarded::start(&home, &profile, "python3 keep.py");
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        let output = guarded.end();
        assert_eq!(output.stdout(), "real\nEROFS EROFS EPERM\n", "{output:?}");
    });
}
