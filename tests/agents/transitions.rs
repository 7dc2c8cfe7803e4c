//! `programs.transitions`: a program that a sandbox may start runs in one of its own, with less; with the real Guardian.

use crate::support::run::Output;
use crate::support::{Home, for_each_user, has_program};

/// `cat` may not see `work/secret`.
const CAT: &str = "[{ path: /usr/bin/cat, less: { hidden: [$PWD/secret] } }]";

pub(crate) fn profile(home: &Home, transitions: &str, more: &str) -> String {
    let text = format!("version: 1\nextends: [cowork]\n{more}programs:\n  transitions: {transitions}\n");
    home.write("own.yaml", &text).to_str().unwrap().to_owned()
}

fn run(home: &Home, transitions: &str, script: &str) -> Output {
    home.exec(&["--profile", &profile(home, transitions, "")], script)
}

/// A script, in a place that the sandbox cannot write.
pub(crate) fn tool(home: &Home, script: &str) -> String {
    let path = home.write_program("tools/tool", &format!("#!/bin/sh\n{script}\n"));
    path.to_str().unwrap().to_owned()
}

/// A profile that shows the tool, which gets less.
pub(crate) fn with_tool(home: &Home, less: &str, more: &str) -> String {
    let tool = home.join("tools/tool").to_str().unwrap().to_owned();
    let shown = format!("filesystem: [{{ path: {}, access: ro }}]\n{more}", home.join("tools").display());
    profile(home, &format!("[{{ path: {tool}, less: {less} }}]"), &shown)
}

#[test]
fn a_program_that_gets_less_reads_less_than_the_one_that_calls_it() {
    for_each_user(|home| {
        let home = home.with("work/secret/key", "key\n").with("work/doc", "doc\n");
        let script =
            "cat doc; cat secret/key 2>/dev/null || echo hidden; head secret/key; cat doc >new; cat new";
        let output = run(&home, CAT, script);
        assert_eq!(output.expect_code(0), "doc\nhidden\nkey\ndoc\n", "{output:?}");
        assert_eq!(home.exec(&[], "cat secret/key").expect_code(0), "key\n"); // the control
    });
}

#[test]
fn every_link_to_a_program_leads_to_its_stand_in() {
    for_each_user(|home| {
        let home = home.with("work/secret/key", "key\n");
        let script = "ln -s /usr/bin/cat mine; for c in /bin/cat /usr/bin/cat ./mine /usr/../usr/bin/cat; do \
                      $c secret/key 2>/dev/null || echo hidden; done";
        let output = run(&home, CAT, script);
        assert_eq!(output.expect_code(0), "hidden\nhidden\nhidden\nhidden\n", "{output:?}");
    });
}

#[test]
fn the_file_of_the_program_is_not_there_and_its_stand_in_cannot_be_changed() {
    for_each_user(|home| {
        let real = std::fs::metadata("/usr/bin/cat").unwrap().len();
        let script = "stat -c %s /usr/bin/cat; (echo x > /usr/bin/cat) 2>/dev/null || echo closed; \
                      (echo [] > /run/aisandbox/transitions) 2>/dev/null || echo closed";
        let output = run(&home, CAT, script);
        let own = std::fs::metadata(crate::support::binary()).unwrap().len();
        assert_eq!(output.expect_code(0), format!("{own}\nclosed\nclosed\n"), "{output:?}");
        assert_ne!(own, real);
    });
}

#[test]
fn a_program_has_no_network_where_its_caller_has() {
    for_each_user(|home| {
        let namespace = "readlink /proc/self/ns/net";
        let path = tool(&home, namespace);
        let profile = with_tool(&home, "{ no_network: true }", "network: { mode: host }\n");
        let output = home.exec(&["--profile", &profile], &format!("{namespace}; {path}")).expect_code(0);
        let (caller, program) = output.trim().split_once('\n').unwrap();
        assert_eq!(caller, home.outside(namespace).stdout().trim(), "the control");
        assert!(program.starts_with("net:[") && program != caller, "{output}");
    });
}

#[test]
fn a_program_that_gets_less_gets_it_inside_another_that_does_too() {
    for_each_user(|home| {
        let home = home.with("work/secret/key", "key\n").with("work/doc", "doc\n").with("work/a/b", "b\n");
        let inner = "sh -c 'cat secret/key a/b doc 2>/dev/null; head -c3 a/b 2>/dev/null || echo no-a'";
        let transitions = "[{ path: /usr/bin/cat, less: { hidden: [$PWD/secret] } }, \
                           { path: /usr/bin/env, less: { hidden: [$PWD/a] } }]";
        let output = run(&home, transitions, &format!("/usr/bin/env {inner}"));
        assert_eq!(output.expect_code(0), "doc\nno-a\n", "{output:?}");
        let control = run(&home, CAT, inner);
        assert_eq!(control.expect_code(0), "b\ndoc\nb\n", "{control:?}");
    });
}

#[test]
fn what_the_profile_does_not_name_is_not_started() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let home =
            home.with("work/client.py", include_str!("../broker_client.py")).with("work/secret", "key\n");
        home.write(
            "work/forge.py",
            "import base64, client, json, os\n\
             def text(*words): return base64.urlsafe_b64encode(b''.join(w + b'\\0' for w in words)).decode().rstrip('=')\n\
             def ask(program, argv, env=(), chdir=os.getcwdb()):\n    \
             op = {'transition': {'program': program, 'argv': text(*argv), 'environment': text(*env), 'chdir': text(chdir)}}\n    \
             for result, fds in client.Broker().call(op):\n        \
             if 'denied' in result: print(result['denied']['denial']['reason'])\n        \
             if 'spawned' in result:\n            \
             os.close(fds[0]); print(os.fdopen(fds[1]).read().strip())\n        \
             if 'ended' in result: print(result['ended']['code'])\n\
             ask('/usr/bin/id', [b'id'])\n\
             ask('/usr/bin/../bin/cat', [b'cat'])\n\
             ask('/usr/bin/cat', [])\n\
             ask('/usr/bin/cat', [b'sh', b'-c', b'head -c3 secret'])\n\
             ask('/usr/bin/cat', [b'cat', b'/dev/null'], [b'AISANDBOX_RUN=x', b'=', b'odd', b'A=b'])\n\
             ask('/usr/bin/cat', [b'cat'], (), b'/nowhere')\n\
             broker = client.Broker()\n\
             for signal in ({'call': 9, 'number': 15}, {'call': 0, 'number': 9}):\n    \
             for result, _ in broker.call({'signal': signal}): print(result['denied']['denial']['reason'])\n",
        );
        let transitions = "[{ path: /usr/bin/cat, less: { hidden: [$PWD/secret] } }]";
        let output = run(&home, transitions, "python3 -B forge.py; head -c3 secret");
        // The last but two: a folder that is not there; its launcher's words are the detail.
        let wanted = "ceiling\nprotocol\nprotocol\n\n1\n\n0\nunavailable\nnot-found\nprotocol\nkey";
        assert_eq!(output.expect_code(0), wanted, "{output:?}");
    });
}

#[test]
fn a_program_that_cannot_be_started_beside_is_126_and_says_why() {
    for_each_user(|home| {
        let home = home.with("work/doc", "doc\n");
        // A place that is not there cannot be hidden: the launcher of the program refuses.
        let gone = "[{ path: /usr/bin/cat, less: { hidden: [$PWD/gone] } }]";
        let output = run(&home, gone, "cat doc; echo $?");
        assert_eq!(output.expect_code(0), "126\n", "{output:?}");
        output.expect_said("/usr/bin/cat runs beside this sandbox, and was not started");
        output.expect_said("gone");
    });
}

#[test]
fn another_content_starts_nothing() {
    for_each_user(|home| {
        let digest = aisandbox::crypto::sha256(&std::fs::read("/usr/bin/cat").unwrap()).to_string();
        let with = |digest: &str| {
            format!("[{{ path: /usr/bin/cat, sha256: {digest}, less: {{ no_network: true }} }}]")
        };
        assert_eq!(run(&home, &with(&digest), "echo a | cat").expect_code(0), "a\n");
        let other = run(&home, &with(&"0".repeat(64)), "echo a | cat");
        assert_eq!(other.expect_code(125), "");
        other.expect_said(&digest);
    });
}

#[test]
fn the_record_names_the_program_and_the_run_above() {
    for_each_user(|home| {
        let home = home.with("work/secret/key", "key\n");
        assert_eq!(run(&home, CAT, "echo a | cat").expect_code(0), "a\n");
        let all = home.records();
        let parent = all.iter().find(|text| text.contains("\"agent_start\"")).unwrap();
        assert!(parent.contains("\"transition\":\"/usr/bin/cat\""), "{parent}");
        let child = all.iter().find(|text| text.contains("\"chain\":[\"")).unwrap();
        let run = child.split("\"chain\":[\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(parent.contains(&format!("\"run\":\"{run}\"")), "{run}: {parent}");
    });
}

#[test]
fn what_is_listed_and_what_gets_less_go_together() {
    for_each_user(|home| {
        let home = home.with("work/secret/key", "key\n");
        let with = |allow: &str| {
            let text = format!(
                "version: 1\nextends: [cowork]\nprograms:\n  allow: [{{ path: /bin/sh }}{allow}]\n  transitions: {CAT}\n"
            );
            home.write("own.yaml", &text).to_str().unwrap().to_owned()
        };
        let script = "echo a | cat; cat secret/key 2>/dev/null || echo hidden";
        let listed = home.exec(&["--profile", &with(", { path: /usr/bin/cat }")], script);
        assert_eq!(listed.expect_code(0), "a\nhidden\n", "{listed:?}");
        let not = home.exec(&["--profile", &with("")], script);
        assert_eq!(not.expect_code(125), "");
        not.expect_said("is a transition, and not among `programs.allow`");
    });
}

#[test]
fn a_program_that_cannot_be_covered_stops_the_launch() {
    for_each_user(|home| {
        home.write_program("work/tool", "#!/bin/sh\n");
        for (transitions, why) in [
            ("[{ path: $PWD/tool, less: { no_network: true } }]", "its content can change"),
            ("[{ path: /usr/bin/nothing-here, less: { no_network: true } }]", "nothing-here"),
            ("[{ path: /usr/bin, less: { no_network: true } }]", "is no file that can be executed"),
            (
                "[{ path: /usr/bin/cat, less: { no_network: true } }, { path: /bin/cat, less: { no_network: true } }]",
                "is the same file as",
            ),
        ] {
            let output = run(&home, transitions, "echo ran");
            if why == "is the same file as" && output.code == 0 {
                continue; // /bin is no link here
            }
            assert_eq!(output.expect_code(125), "", "{transitions}");
            output.expect_said(why);
            output.expect_said("own.yaml:4");
        }
    });
}

#[test]
fn explain_why_and_show_tell_of_it() {
    for_each_user(|home| {
        let own = profile(&home, CAT, "");
        let explained = home.aisandbox(&["explain", "--profile", &own]).output().expect_code(0);
        let stands = |line: &str| line.contains("/usr/bin/cat ") && line.contains("stand-in");
        assert!(explained.lines().any(stands), "{explained}");
        let told = explained.lines().any(|line| line.contains("/usr/bin/cat") && line.contains("secret"));
        assert!(explained.contains("started beside, with less") && told, "{explained}");
        let why = home.aisandbox(&["why", "--profile", &own, "/usr/bin/cat"]).output();
        assert!(why.stdout().contains("runs beside this sandbox, with less"), "{why:?}");
        let shown = home.aisandbox(&["profile", "show", &own]).output().expect_code(0);
        assert!(shown.contains("transitions") && shown.contains("work/secret"), "{shown}");
    });
}
