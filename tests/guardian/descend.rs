//! Secrets of `credentials` where an agent starts another, or a program that gets less: each run has a way out of its own,
//! and what stands for a secret in one stands for it in all.

use crate::inspect::Site;
use crate::support::for_each_user;

const SECRET: &str = "sk-real-0123456789abcdef";

/// Asks with a key: one that it is given, or that of its environment. Prints a word and the status.
const ASK: &str = r#"
import os, sys, urllib.error, urllib.request
port, word = sys.argv[1:3]
key = sys.argv[3] if len(sys.argv) > 3 else os.environ["API_KEY"]
wish = urllib.request.Request("https://site.test:%s/%s" % (port, word), data=b"x", headers={"Authorization": "Bearer " + key})
try:
    print(word, urllib.request.urlopen(wish, timeout=120).status)
except urllib.error.HTTPError as error:
    print(word, error.code, error.read().decode())
"#;

const SCRIPT: &str = r#"
X=/run/aisandbox/aisandbox
ask="python3 ask.py $1"
$ask own
$X exec -- $ask agent
$X exec -- $ask agent-told "$API_KEY"
$X exec -- sh -c 'test "$API_KEY" = "$0" && echo the same' "$API_KEY"
$X exec -- $X exec -- $ask deep "$API_KEY"
$X exec -- $ask wrong sk-another-0123456789abc
$X exec --no-network -- sh -c 'echo "nothing:$API_KEY"'
$X exec --no-network -- sh -c "$ask none $API_KEY 2>&1 | grep -o 'URLError' | tail -n 1"
$2 $1 tool
$2 $1 tool-told "$API_KEY"
$2 $1 tool-wrong sk-another-0123456789abc
"#;

#[test]
fn what_is_started_has_the_same_placeholder_and_its_own_way_out_exchanges_it() {
    for_each_user(|home| {
        let home = &home;
        let site = Site::start(home);
        let tool = home.write_program("tools/tool", "#!/bin/sh\nexec python3 ask.py \"$@\"\n");
        let profile = format!(
            "version: 1\nextends: [cowork]\nagents: {{ most: 2, depth: 2 }}\n\
             filesystem: [{{ path: {tools}, access: ro }}]\n\
             network:\n  mode: filtered\n  allow:\n    \
             - {{ host: site.test, port: {port}, tls: inspect, login: own, networks: [127.0.0.0/8] }}\n\
             credentials:\n  - {{ name: api, source: {{ environment: API_KEY }}, hosts: [site.test], variable: API_KEY }}\n\
             programs:\n  transitions: [{{ path: {tool}, less: {{ read_only: [$PWD] }} }}]\n",
            tools = home.join("tools").display(),
            tool = tool.display(),
            port = site.port,
        );
        let profile = home.write("descend.yaml", &profile);
        home.write("work/ask.py", ASK);
        let (port, tool) = (site.port.to_string(), tool.to_str().unwrap());
        let words = ["sh", "-c", SCRIPT, "sh", &port, tool];
        let output = site.run(home, profile.to_str().unwrap(), &words).output();
        let said = output.stdout();
        let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        let wanted = [
            "own 200",
            "agent 200",
            "agent-told 200",
            "the same",
            "deep 200",
            "wrong 403",
            "nothing:",
            "URLError",
            "tool 200",
            "tool-told 200",
            "tool-wrong 403",
        ];
        assert_eq!(lines.len(), wanted.len(), "{said} {}", output.stderr());
        for (line, wanted) in lines.iter().zip(wanted) {
            let refused = wanted.ends_with("403");
            assert!(
                if refused {
                    line.starts_with(wanted) && line.contains("\"login\"")
                } else {
                    *line == wanted
                },
                "{said}"
            );
        }
        let heard = std::fs::read_to_string(home.join("site/server.log")).unwrap();
        let with_secret = heard.lines().filter(|line| line.contains(&format!("Bearer {SECRET}"))).count();
        assert_eq!((heard.lines().count(), with_secret), (6, 6), "{heard}");
        assert!(!said.contains(SECRET) && !output.stderr().contains(SECRET));
        assert!(home.records().iter().all(|record| !record.contains(SECRET)), "no record has it");
    });
}
