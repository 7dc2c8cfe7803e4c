//! dig, nslookup and getent: names of the rules have an address inside, whatever server is asked and however; nothing else
//! is there.

use super::{have, says};

#[test]
fn a_name_of_the_rules_has_one_address_and_nothing_else_is_there() {
    if !have(&["dig", "nslookup"]) {
        return;
    }
    let script = r#"
ask() { name=$1; shift; say $name sh -c "dig $* | grep -v '^;;.*id:'" | sed 's/198\.18\.[0-9.]*/INSIDE/'; }
head() { name=$1; shift; say $name sh -c "dig +noall +comments +answer $* |
  sed -n 's/.*status: \\([A-Z]*\\).*/\\1/p; s/.*ANSWER: \\([0-9]*\\).*/\\1/p'"; }
ask a +short site.test
ask tcp +short +tcp site.test
ask another-server +short @192.0.2.53 site.test
ask another-server-tcp +short +tcp @192.0.2.53 site.test
ask another-server-6 +short @2001:db8::53 site.test
head aaaa AAAA site.test
head txt TXT site.test
head https HTTPS site.test
head svcb SVCB site.test
head mx MX site.test
head any ANY site.test
head unlisted unlisted.test
head below www.site.test
head unlisted-elsewhere @192.0.2.53 unlisted.test
head data TXT aGVsbG8.unlisted.test
head reverse -x 198.18.0.2
say nslookup sh -c "nslookup site.test | grep -c 'Address: 198.18'"
say nslookup-unlisted sh -c "nslookup unlisted.test | grep -o NXDOMAIN"
say getent sh -c "getent ahostsv4 site.test | grep -c 198.18"
say getent-6 getent ahostsv6 site.test
say getent-unlisted getent ahosts unlisted.test
"#;
    says(
        |_| (),
        script,
        "
a: INSIDE
tcp: INSIDE
another-server: INSIDE
another-server-tcp: INSIDE
another-server-6: INSIDE
aaaa: NOERROR|0
txt: NOERROR|0
https: NOERROR|0
svcb: NOERROR|0
mx: NOERROR|0
any: NOERROR|0
unlisted: NXDOMAIN|0
below: NXDOMAIN|0
unlisted-elsewhere: NXDOMAIN|0
data: NXDOMAIN|0
reverse: NXDOMAIN|0
nslookup: 1
nslookup-unlisted: NXDOMAIN
getent: 3
getent-6:
getent-unlisted:
",
    );
}
