//! Tokens while a run goes on: they turn with every change of rights and no client fails for it; what a person takes back
//! reaches agents below; a statement of a lease is signed for somebody outside; a reason that comes later is told.

use crate::support::run::{PATIENCE, comes_true};
use crate::support::{Home, for_each_user, has_program};
use crate::{DOCS, Guarded, WAITS, client, event, events, profile};
use serde_json::Value;

const TOOL: &str = "/run/aisandbox/aisandbox";

/// A profile that asks for docs, with more keys; gives its path.
fn with_keys(home: &Home, keys: &str, consent: &str) -> String {
    let text = format!(
        "version: 1\nextends: [cowork]\nguardian: true\n{keys}filesystem:\n{DOCS}\nconsent:\n  channels: [ui]\n  timeout: 5m\n{consent}"
    );
    home.write("more.yaml", &text).to_str().unwrap().to_owned()
}

/// What every script of these tests begins with.
const BEGIN: &str = "import broker_client as b, json, os, sys, time\nx = b.Broker()\n\
    def last(op, by=x): return list(by.call(op))[-1][0]\n\
    def good(by=x): assert last({'ping': {}}, by) == {'done': {}}\n\
    def turned(old):\n  end = time.monotonic() + 150\n  while x.token == old:\n    good()\n    assert time.monotonic() < end, 'it never turned'\n    time.sleep(.02)\n  print(x.token, flush=True)\n\
    docs = {'file': {'path': os.getcwd() + '/docs'}}\n\
    wish = {'request': {'actions': ['read'], 'resource': docs, 'why': 'to see'}}\n";

fn script(home: &Home, name: &str, rest: &str) {
    client(home);
    home.make_folder("work/docs");
    home.write(&format!("work/{name}"), &format!("{BEGIN}{rest}"));
}

#[test]
fn tokens_turn_with_every_change_of_rights_and_no_call_fails_for_it() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let rest = "print(x.token, flush=True)\nold = x.token\ngrant = last(wish)['granted']['grant']\nturned(old)\n\
                    old = x.token\nopen('given', 'w')\nturned(old)\nold = x.token\n\
                    assert last({'release': {'grant': grant}}) == {'done': {}}\nturned(old)\n";
        script(&home, "turn.py", rest);
        let guarded = Guarded::start(&home, &profile(&home, DOCS, WAITS), "python3 turn.py");
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        guarded.reaches("work/given");
        let grant = guarded.json(&["grants", "--json"])[0]["id"].as_str().unwrap().to_owned();
        guarded.person(&["extend", &grant, "--for", "2h"]).expect_code(0);
        let output = guarded.end();
        let epoch = |token: &str| {
            let shown = home.aisandbox(&["token", "--json", token]).output().expect_code(0);
            serde_json::from_str::<Value>(&shown).unwrap()["bound"]["epoch"].as_u64().unwrap()
        };
        let epochs: Vec<u64> = output.expect_code(0).lines().map(epoch).collect();
        assert_eq!(epochs.len(), 4, "given, extended, over: {output:?}");
        assert!(epochs[0] == 0 && epochs.is_sorted_by(|one, two| one < two), "{epochs:?}");
    });
}

#[test]
fn an_idle_channel_lives_through_many_changes_and_its_next_call_is_served() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let rest = "idle = b.Broker()\ncounts = {}\nfor turn in range(150):\n  said = last(wish)\n  kind = list(said)[0]\n  \
                    counts[kind] = counts.get(kind, 0) + 1\n  if kind == 'granted': last({'release': {'grant': said['granted']['grant']}})\n\
                    good(idle)\ngood(idle)\nprint(json.dumps(counts))\n";
        script(&home, "idle.py", rest);
        let template = "  templates: [{ name: all, actions: [read], path: $PWD/docs }]\n";
        let rates = "  rates: { per_minute: 600, per_process: 600 }\n";
        let run = |consent: &str| {
            let path = with_keys(&home, "", consent);
            let output = Guarded::start(&home, &path, "python3 idle.py").end();
            serde_json::from_str::<Value>(&output.expect_code(0)).unwrap()
        };
        assert_eq!(run(&format!("{template}{rates}")), serde_json::json!({"granted": 150}));
        let cut = run(template);
        assert!(cut["denied"].as_u64() > Some(0), "the rates when none are said: {cut}");
    });
}

#[test]
fn an_attenuated_token_ends_soon_after_a_rotation_unless_it_is_renewed() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let rest = "pair = {'action': 'read', 'resource': docs}\n\
                    less = last({'attenuate': {'allowed': [pair], 'seconds': 200}})['token']['token']\n\
                    old = x.token\nlast(wish)\nturned(old)\nwhole, end = x.token, time.monotonic() + 150\n\
                    def under(token, op):\n  x.token = token\n  said = last(op)\n  x.token = whole\n  return said\n\
                    while 'done' in under(less, {'ping': {}}):\n  assert time.monotonic() < end, 'it holds for ever'\n  time.sleep(.1)\n\
                    print(under(less, {'ping': {}})['denied']['denial']['reason'])\n\
                    again = under(less, {'renew': {}})['token']['token']\nprint(under(again, {'ping': {}}))\n\
                    print(under(again, {'request': {'actions': ['read'], 'resource': {'file': {'path': '/etc'}}, 'why': ''}})['denied']['denial']['reason'])\n";
        script(&home, "less.py", rest);
        let template = "  templates: [{ name: all, actions: [read], path: $PWD/docs }]\n";
        let path = with_keys(&home, "", template);
        let output = Guarded::start(&home, &path, "python3 less.py").end();
        let said = output.expect_code(0);
        let (_, said) = said.split_once('\n').unwrap(); // the token after the rotation
        assert_eq!(said, "token\n{'done': {}}\nceiling\n", "{output:?}");
    });
}

#[test]
fn what_a_person_takes_back_from_a_run_is_taken_back_from_agents_it_started() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let below = "last(wish)\ngood()\nopen('below', 'w')\nend = time.monotonic() + 150\nsaid = {'done': {}}\n\
                     while 'done' in said:\n  assert time.monotonic() < end, 'it still holds'\n  time.sleep(.05)\n  said = last({'ping': {}})\n\
                     print(said['denied']['denial']['reason'])\nprint(last({'list': {}})['denied']['denial']['reason'])\n\
                     y = b.Broker()\nprint(last({'ping': {}}, y)['denied']['denial']['reason'])\n";
        script(&home, "below.py", below);
        let template = "  templates: [{ name: all, actions: [read], path: $PWD/docs }]\n";
        let path = with_keys(&home, "agents: { most: 1, depth: 2 }\n", template);
        home.write(
            "work/middle.py",
            &format!(
                "{BEGIN}last(wish)\nos.execv('{TOOL}', ['aisandbox', 'exec', '--', 'python3', 'below.py'])\n"
            ),
        );
        let above = format!(
            "{BEGIN}last(wish)\nos.system('{TOOL} exec -- python3 middle.py')\ngood()\nprint('above')\n"
        );
        home.write("work/above.py", &above);
        let guarded = Guarded::start(&home, &path, "python3 above.py");
        guarded.reaches("work/below");
        let runs = guarded.json(&["ps", "--json"]);
        let runs = runs.as_array().unwrap();
        assert_eq!(runs.len(), 3, "{runs:?}");
        let first = runs.iter().find(|run| run["parent"].is_null()).unwrap();
        let grants = guarded.json(&["grants", "--json"]);
        assert_eq!(grants.as_array().unwrap().len(), 3, "the control: each has its own. {grants}");
        guarded.person(&["revoke", first["grants"][0]["id"].as_str().unwrap()]).expect_code(0);
        let output = guarded.end();
        assert_eq!(output.expect_code(0), "revoked\nrevoked\nrevoked\nabove\n", "{output:?}");
        let records = home.records();
        let count = |why: &str| {
            let ended = |line: &&str| line.contains("\"event\":\"revoke\"") && line.contains(why);
            records.iter().flat_map(|record| record.lines()).filter(ended).count()
        };
        let found = (count("\"why\":\"revoked\""), count("\"why\":\"revoked-above\""));
        assert_eq!(found, (1, 2), "the leases below ended with the one above: {records:?}");
    });
}

#[test]
fn a_statement_of_a_grant_is_signed_for_who_is_named_and_checked_by_the_key_of_the_record() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let path = profile(&home, DOCS, WAITS);
        let guarded =
            Guarded::start(&home, &path, "cat docs/note; touch first; until [ -e go ]; do sleep 0.1; done");
        let id = guarded.asked();
        guarded.person(&["approve", &id, "--for", "200s"]).expect_code(0);
        guarded.reaches("work/first");
        let grant = guarded.json(&["grants", "--json"])[0]["id"].as_str().unwrap().to_owned();
        let export = ["token", "--export", &grant, "--audience", "backend:mail"];
        let token = guarded.person(&export).expect_code(0).trim().to_owned();
        let key = guarded.json(&["ps", "--json"])[0]["public_key"].as_str().unwrap().to_owned();
        guarded.person(&["revoke", &grant]).expect_code(0);
        let refused = guarded.person(&export);
        assert_eq!(refused.expect_code(1), "", "what does not hold is not signed");
        home.write("work/go", "");
        guarded.end().expect_code(0);
        assert_eq!(event(&home, "guardian_start")["public_key"], key.as_str());
        let signed = event(&home, "token");
        assert_eq!(
            (&signed["what"], &signed["from"], &signed["audience"]),
            (&"signed".into(), &grant.as_str().into(), &"backend:mail".into())
        );
        // The run is over: all that is needed is the key.
        let check = |more: &[&str]| {
            home.aisandbox(
                &[&["token", "--json", "--public-key", &key][..], more, &[token.as_str()]].concat(),
            )
            .output()
        };
        let said: Value =
            serde_json::from_str(&check(&["--audience", "backend:mail"]).expect_code(0)).unwrap();
        assert_eq!(said["bound"]["grant"], grant.as_str());
        assert_eq!((&said["bound"]["approved_by"], &said["checked"]), (&"approve".into(), &true.into()));
        assert_eq!(said["allowed"][0]["action"], "read");
        let lasts = said["expires"].as_u64().unwrap() - said["issued"].as_u64().unwrap();
        assert!(lasts <= 200, "no longer than the lease: {lasts}");
        check(&["--audience", "backend:files"]).expect_code(1);
        let docs = home.join("work/docs").display().to_string();
        assert!(said["allowed"][0]["resource"]["file"]["path"] == docs.as_str(), "{said}");
    });
}

#[test]
fn a_reason_that_joins_a_touch_reaches_the_question_and_the_record() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let path = profile(&home, DOCS, WAITS);
        let script = format!(
            "cat docs/note & until [ -e go ]; do sleep 0.05; done; \
             {TOOL} request read docs --why \"$(printf 'the totals\\033[2J')\" >/dev/null; \
             {TOOL} request read docs --why 'another' >/dev/null; wait"
        );
        let guarded = Guarded::start(&home, &path, &script);
        let id = guarded.asked();
        assert!(guarded.json(&["requests", "--json"])[0]["why"].is_null(), "a touch says none");
        home.write("work/go", "");
        let told = || guarded.json(&["requests", "--json"])[0]["why"].as_str().map(str::to_owned);
        assert!(comes_true(PATIENCE, || told().is_some()), "the reason never came");
        assert_eq!(told().as_deref(), Some("the totals\u{1b}[2J"));
        let shown = guarded.person(&["requests"]).expect_code(0);
        assert!(shown.contains("the totals") && !shown.contains('\u{1b}'), "{shown:?}");
        guarded.person(&["approve", &id]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "real\n");
        let given: Vec<Value> = events(&home)
            .into_iter()
            .filter(|(name, _)| name == "reason_given")
            .map(|(_, data)| data)
            .collect();
        assert_eq!(given.len(), 1, "{given:?}");
        assert_eq!(
            (&given[0]["request"], &given[0]["why"]),
            (&id.as_str().into(), &"the totals\u{1b}[2J".into())
        );
        assert!(event(&home, "request")["why"].is_null());
    });
}
