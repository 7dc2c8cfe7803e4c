//! curl and wget.

use super::{have, says};

#[test]
fn curl_speaks_what_it_speaks_outside() {
    if !have(&["curl"]) {
        return;
    }
    let script = "
head -c 3000000 /dev/zero > big
c='curl -sS'
say h1 $c --http1.1 https://site.test/a
say h2 $c --http2 https://site.test/a
say two $c https://site.test/1 https://site.test/2
say upload-h1 $c --http1.1 -T big https://site.test/up
say upload-h2 $c --http2 -T big https://site.test/up
say chunked sh -c \"$c --http1.1 -T - https://site.test/up <big\"
say expect $c --http1.1 -H 'Expect: 100-continue' --expect100-timeout 100 -d hello https://site.test/e
say close $c --http1.1 -H 'Connection: close' https://site.test/a
say head $c -o /dev/null -w '%{http_code}' -I https://site.test/a
say events $c -N https://site.test/events
say connect-to $c --connect-to ::site.test:443 https://site.test/a
say http-proxy $c -x http://198.18.0.1:3128 https://site.test/a
say socks $c -x socks5h://198.18.0.1:1080 https://site.test/a
say plain $c http://site.test/a
say plain-h2 $c --http2-prior-knowledge http://site.test/a
say upgrade-h2 $c --http2 http://site.test/a
";
    says(
        |_| (),
        script,
        "
h1: 1.1 GET /a 0 site.test
h2: 2 GET /a 0 site.test
two: 2 GET /1 0 site.test|2 GET /2 0 site.test
upload-h1: 1.1 PUT /up 3000000 site.test
upload-h2: 2 PUT /up 3000000 site.test
chunked: 1.1 PUT /up 3000000 site.test
expect: 1.1 POST /e 5 site.test
close: 1.1 GET /a 0 site.test
head: 200
events: data: 0|data: 1|data: 2
connect-to: 2 GET /a 0 site.test
http-proxy: 2 GET /a 0 site.test
socks: 2 GET /a 0 site.test
plain: 1.1 GET /a 0 site.test
plain-h2: 2 GET /a 0 site.test
upgrade-h2: 1.1 GET /a 0 site.test
",
    );
}

#[test]
fn wget_speaks_what_it_speaks_outside() {
    if !have(&["wget"]) {
        return;
    }
    let script = "
say get wget -q -O - https://site.test/w
say post wget -q -O - --post-data hello https://site.test/w
say plain wget -q -O - http://site.test/w
say four wget -4 -q -O - https://site.test/w
say file wget -q https://site.test/npm/tinypack.tgz
say whole cmp tinypack.tgz /mnt/world/tinypack.tgz
";
    says(
        |_| (),
        script,
        "
get: 1.1 GET /w 0 site.test
post: 1.1 POST /w 5 site.test
plain: 1.1 GET /w 0 site.test
four: 1.1 GET /w 0 site.test
file:
whole:
",
    );
}
