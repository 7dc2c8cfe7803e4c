//! What is refused, as each client tells it: an agent that reads this knows whether a rule, a name or the host is the reason.

use super::{RULES, Tls, World, expect, have, rust};
use crate::support::run::Output;
use crate::support::{for_each_user, skip};

/// A rule that reads, one for another program, one that leads to a private address, one to where nobody is.
const RULES_THAT_REFUSE: &str = "    - { host: site.test, ports: [80, 443], tls: inspect, methods: [GET], paths: [/ok], networks: [127.0.0.0/8] }
    - { host: git.test, ports: [22, 80, 443], programs: [/bin/true], networks: [127.0.0.0/8] }
    - { host: other.test }
    - { host: away.test, networks: [127.0.0.0/8] }
";

/// Runs a script once as each user, with these rules.
fn refused(rules: &str, script: &str, check: impl Fn(&Output)) {
    let Some(world) = World::get() else { return };
    for_each_user(|home| check(&world.ruled(&home, Tls::Inspect, rules, script)));
}

/// What was said to a name.
fn said<'o>(lines: &'o str, name: &str) -> &'o str {
    let found = lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("nothing of {name}: {lines}"))
}

#[test]
fn each_client_shows_why_it_was_refused() {
    if !have(&["curl", "wget", "node", "npm", "git", "ssh"]) || rust().is_none() {
        return;
    }
    let script = r#"
all() {
say $1-curl curl -sS $2
say $1-wget wget -nv -t 1 -O - $2
say $1-urllib python -c "import urllib.request as u; u.urlopen('$2', timeout=120)"
say $1-requests python -c "import requests; print(requests.get('$2', timeout=120).text)"
say $1-node node -e "fetch('$2').then(r => r.text()).then(console.log, e => console.log(e.cause.code))"
}
all name https://unlisted.test/
all rule https://git.test/
all address https://other.test/
all away https://away.test/
all plain http://git.test/
all path https://site.test/no
say git git ls-remote https://git.test/git/repo.git
say git-path git ls-remote https://site.test/git/repo.git
say ssh ssh -F /dev/null git@git.test x
say pip python -m pip download --retries 0 -i https://git.test/pip/simple tinypack
say pip-path sh -c "python -m pip download --retries 0 -i https://site.test/pip/simple/ tinypack -vv | grep 'Could not fetch'"
say npm npm view --fetch-retries 0 --registry https://git.test/npm tinypack
say npm-path npm view --registry https://site.test/npm tinypack
export CARGO_TERM_COLOR=never
say cargo cargo install --index sparse+https://git.test/cargo/ tinypack
say cargo-path cargo install --index sparse+https://site.test/cargo/ tinypack
"#;
    let (denied, away) = ("alert access denied", "alert internal error");
    let json = r#""reason":"path""#;
    let wanted = [
        ("name-curl", "Could not resolve host"),
        ("name-wget", "unable to resolve host address"),
        ("name-urllib", "Name or service not known"),
        ("name-requests", "Failed to resolve 'unlisted.test'"),
        ("name-node", "ENOTFOUND"),
        ("rule-curl", denied),
        ("rule-wget", "received alert [49]: Access was denied"),
        ("rule-urllib", denied),
        ("rule-requests", denied),
        ("rule-node", "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED"),
        ("address-curl", denied),
        ("address-urllib", denied),
        ("away-curl", away),
        ("away-wget", "received alert [80]: Internal error"),
        ("away-urllib", away),
        ("away-node", "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR"),
        (
            "plain-curl",
            r#""error":"aisandbox: the rule for this host is for other programs","reason":"program""#,
        ),
        ("plain-wget", "ERROR 403: Forbidden by aisandbox (program)"),
        ("plain-urllib", "HTTP Error 403: Forbidden by aisandbox (program)"),
        ("plain-requests", r#""reason":"program""#),
        ("plain-node", r#""reason":"program""#),
        ("path-curl", json),
        ("path-wget", "ERROR 403: Forbidden by aisandbox (path)"),
        ("path-urllib", "HTTP Error 403: Forbidden by aisandbox (path)"),
        ("path-requests", json),
        ("path-node", json),
        ("git", "Access was denied"),
        ("git-path", "The requested URL returned error: 403"),
        ("ssh", "aisandbox: the rule for this host is for other programs"),
        ("pip", "No matching distribution found"),
        ("pip-path", "403 Client Error: Forbidden by aisandbox (path)"),
        ("npm", denied),
        ("npm-path", "aisandbox: the rule allows paths below /ok"),
        ("cargo", denied),
        ("cargo-path", json),
    ];
    refused(RULES_THAT_REFUSE, script, |output| {
        let lines = output.stdout();
        for (name, words) in wanted {
            let line = said(&lines, name);
            // OpenSSL and GnuTLS, which git can be built with, have words of their own.
            let alert = name == "git" && line.contains(denied);
            assert!(alert || line.contains(words), "{name}: {line}");
        }
    });
}

#[test]
fn no_literal_address_and_no_name_server_of_its_own_leads_past_the_rules() {
    let script = r#"
c='curl -sS -m 60'
say literal sh -c "$c http://192.0.2.7/ | grep -o 'reason[^,]*'"
say literal-tls sh -c "$c https://192.0.2.7/ 2>&1 | grep -o 'alert.*'"
say literal-6 sh -c "$c 'http://[2001:db8::7]/' | grep -o 'reason[^,]*'"
say six sh -c "$c -6 https://site.test/ 2>&1 | grep -c -e 'curl: .6.' -e 'curl: .7.'"
say six-wget sh -c "wget -6 -nv -t 1 -T 60 -O - https://site.test/ 2>&1 | grep -o 'unable to resolve host address'"
say six-unlisted sh -c "$c -6 https://unlisted.test/ 2>&1 | grep -o 'curl: .6..*'"
say literal-6-tls sh -c "$c 'https://[2001:db8::7]/' 2>&1 | grep -o 'alert.*'"
say mapped sh -c "$c 'http://[::ffff:192.0.2.7]/' | grep -o 'reason[^,]*'"
say metadata-6 sh -c "$c 'http://[fd00:ec2::254]/' | grep -o 'reason[^,]*'"
say metadata sh -c "$c http://169.254.169.254/latest/meta-data/ | grep -o 'reason[^,]*'"
say private sh -c "$c http://10.0.0.1/ | grep -o 'reason[^,]*'"
say inside sh -c "$c http://198.18.200.1/ | grep -o 'reason[^,]*'"
say port sh -c "$c http://site.test:81/ | grep -o 'reason[^,]*'"
say another-host sh -c "$c -H 'Host: unlisted.test' -o /dev/null -w '%{http_code}' http://site.test/"
say doh-literal sh -c "$c --doh-url https://192.0.2.53/dns-query https://git.test/ 2>&1 | grep -o 'curl: .6.'"
say doh-lies sh -c "$c --doh-url https://site.test/dns http://unlisted.test/ | grep -o 'reason[^,]*'"
say resolve sh -c "$c --resolve unlisted.test:80:192.0.2.7 http://unlisted.test/ | grep -o 'reason[^,]*'"
say connect-to sh -c "$c --connect-to unlisted.test:443:site.test:443 https://unlisted.test/ 2>&1 | grep -o 'alert.*'"
say proxy sh -c "$c -x http://198.18.0.1:3128 http://unlisted.test/ | grep -o 'reason[^,]*'"
say socks sh -c "$c -x socks5h://198.18.0.1:1080 http://unlisted.test/ 2>&1 | grep -o 'curl: .97.'"
say udp python -c "
import socket
for address in ('198.18.0.1', 443), ('192.0.2.7', 443), ('192.0.2.7', 123), ('2001:db8::7', 443):
    try:
        family = socket.AF_INET6 if ':' in address[0] else socket.AF_INET
        datagram = socket.socket(family, socket.SOCK_DGRAM)
        datagram.connect(address)
        datagram.send(b'x')
        print('sent')
    except OSError as error:
        print(error.errno)
"
"#;
    refused(RULES, script, |output| {
        let listed = "reason\":\"not-listed\"";
        let wanted = format!(
            "
literal: {listed}
literal-tls: alert access denied
literal-6: {listed}
six: 1
six-wget: unable to resolve host address
six-unlisted: curl: (6) Could not resolve host: unlisted.test
literal-6-tls: alert access denied
mapped: {listed}
metadata-6: {listed}
metadata: {listed}
private: {listed}
inside: reason\":\"no-name\"
port: {listed}
another-host: 421
doh-literal: curl: (6)
doh-lies: {listed}
resolve: {listed}
connect-to: alert access denied
proxy: {listed}
socks: curl: (97)
udp: 1|1|1|1
"
        );
        expect(output, &wanted);
    });
}

#[test]
fn a_rule_for_a_program_is_not_for_what_became_of_its_file() {
    let Some(world) = World::get() else { return };
    for_each_user(|home| {
        world.outside(&home, "/bin/cp").args(&["/usr/bin/curl", "own"]).output().expect_code(0);
        let own = home.join("work/own");
        let rules = format!(
            "    - {{ host: site.test, port: 80, programs: [{}], networks: [127.0.0.0/8] }}\n",
            own.display()
        );
        let script = "
say same ./own -sS http://site.test/a
say another sh -c \"wget -nv -t 1 http://site.test/a 2>&1 | grep -o 'by aisandbox.*'\"
cp own copy
say copy ./copy -sS http://site.test/a
echo >> own
say changed sh -c \"./own -sS http://site.test/a | grep -o 'reason[^,]*'\"
";
        let wanted = "
same: 1.1 GET /a 0 site.test
another: by aisandbox (program).
copy: 1.1 GET /a 0 site.test
changed: reason\":\"program\"
";
        expect(&world.ruled(&home, Tls::Splice, &rules, script), wanted);
    });
}

#[test]
fn a_connection_by_several_paths_is_decided_about_like_any_other() {
    // IPPROTO_MPTCP, Linux 5.6; it is another protocol of the socket, and TCP for the rules of the network.
    let script = r#"
say mptcp python -c "
import errno, socket
for host in 'site.test', '192.0.2.7':
    try:
        asks = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        asks.connect((host, 80))
        asks.sendall(b'GET /a HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n')
        print(asks.makefile().read()[9:12])
    except OSError as error:
        print(errno.errorcode[error.errno])
"
"#;
    refused(RULES, script, |output| match said(&output.stdout(), "mptcp") {
        "EPROTONOSUPPORT|EPROTONOSUPPORT" | "ENOPROTOOPT|ENOPROTOOPT" => skip("this kernel has no MPTCP"),
        told => assert_eq!(told, "200|403"),
    });
}
