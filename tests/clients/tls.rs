//! openssl s_client: a hello must name the host that was looked up.

use super::{have, says};

#[test]
fn a_hello_with_the_right_name_goes_on_and_every_other_reads_why_it_does_not() {
    if !have(&["openssl"]) {
        return;
    }
    // The last word of what it says: the verdict on the certificate, or the number of the alert (49: access_denied).
    let script = "
ask() { name=$1; shift; say $name sh -c \"openssl s_client -brief -verify_return_error $* | cat -v 2>&1\" |
  sed -n 's/\\(^[a-z0-9-]*:\\).*\\(Verification: OK\\|SSL alert number [0-9]*\\).*/\\1 \\2/p'; }
c='-connect site.test:443'
ask right $c -servername site.test
ask upper-case $c -servername SITE.test
ask tls12 $c -servername site.test -tls1_2
ask h2 $c -servername site.test -alpn h2
ask no-name $c -noservername
ask another $c -servername grpc.test
ask unlisted $c -servername unlisted.test
ask tunnel -proxy 198.18.0.1:3128 $c -servername site.test
ask tunnel-another -proxy 198.18.0.1:3128 $c -servername grpc.test
";
    says(
        |_| (),
        script,
        "
right: Verification: OK
upper-case: Verification: OK
tls12: Verification: OK
h2: Verification: OK
no-name: SSL alert number 49
another: SSL alert number 49
unlisted: SSL alert number 49
tunnel: Verification: OK
tunnel-another: SSL alert number 49
",
    );
}
