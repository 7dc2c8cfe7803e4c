//! Chromium without a window.

use super::{have, says};

#[test]
fn a_browser_loads_a_page_that_asks_for_more() {
    if !have(&["chromium-headless-shell", "certutil", "awk"]) {
        return;
    }
    // It sees no interface but the loopback, and so takes a name that is not there for a network that is not.
    // Its authorities are its own and those of a database in the home; the session's is the bundle's last.
    let script = r#"
awk '/BEGIN/ { one = "" } { one = one $0 "\n" } END { printf "%s", one }' /etc/ssl/certs/ca-certificates.crt > ca.pem
mkdir -p ~/.pki/nssdb
say database certutil -d sql:$HOME/.pki/nssdb -N --empty-password
say trust certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n own -i ca.pem
page() { timeout 150 chromium-headless-shell --no-sandbox --disable-gpu --disable-dev-shm-usage --dump-dom $2 2>said |
  grep -o '[12.]* [A-Z]* /asked .*test' | sed "s/^/$1: /"; grep -o 'net::ERR_[A-Z_]*' said | sed "s/^/$1: /"; }
page named https://site.test/page
page unlisted https://unlisted.test/page
page literal https://192.0.2.7/page
"#;
    says(
        |_| (),
        script,
        "
database:
trust:
named: 2 POST /asked 5 site.test
unlisted: net::ERR_INTERNET_DISCONNECTED
literal: net::ERR_SSL_PROTOCOL_ERROR
",
    );
}
