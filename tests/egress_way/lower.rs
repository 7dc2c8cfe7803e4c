//! The lower ways to the proxy: what holds where the kernel has less, and what a profile names.

use crate::inject::{self, Rule};
use crate::sandbox::{Sandbox, answer_connections, answer_names};
use crate::{LOOKUPS, expect, plain};
use aisandbox::launch::egress::Rung;
use nix::errno::Errno;
use std::path::Path;

/// nf_tables cannot be had here from now on, as in a kernel without it.
fn refuse_nftables() {
    let netfilter = i64::from(libc::NETLINK_NETFILTER);
    let rule = Rule::on(libc::SYS_socket).with(0, i64::from(libc::AF_NETLINK)).with(2, netfilter);
    inject::install(&[rule.fails(libc::EPROTONOSUPPORT)]);
}

fn refuse_netlink() {
    let rule = Rule::on(libc::SYS_socket).with(0, i64::from(libc::AF_NETLINK));
    inject::install(&[rule.fails(libc::EAFNOSUPPORT)]);
}

pub(crate) fn without_nftables(folder: &Path) {
    refuse_nftables();
    let script = format!(
        "{LOOKUPS}
attempt(5, lambda: ask('1.2.3.4', 443))
attempt(66, lambda: ask('2001:db8::1', 443, socket.AF_INET6))
attempt(7, lambda: ask('198.18.5.5', 8443))
attempt(8, lambda: ask('198.18.0.1', 3128))
attempt(9, lambda: ask('198.18.5.5', 5432))
attempt(10, lambda: os.environ.get('HTTP_PROXY'))"
    );
    let mut sandbox = Sandbox::new(folder, "allow: [{ host: a.example, ports: [5432, 443, 3128] }]", &script);
    let mut handed = sandbox.take(Rung::AnyIp);
    assert_eq!(handed.fell, [(Rung::Redirect, Errno::EPROTONOSUPPORT)]);
    answer_connections(&mut handed);
    answer_names(&mut handed);
    expect(
        &sandbox.finish(),
        &[
            "1 198.18.0.1 from 198.18.0.1",
            "2 8.8.8.8 from 8.8.8.8",
            "3 127.0.0.1 from 127.0.0.1",
            "6 2001:4860:4860::8888 from 2001:4860:4860::8888",
            "4 hello, wanted 9.9.9.9:53, listener 53",
            "5 hello, wanted 1.2.3.4:443, listener 443",
            "66 hello, wanted [2001:db8::1]:443, listener 443",
            "7 ECONNREFUSED",
            "8 hello, wanted 198.18.0.1:3128, listener 3128",
            "9 hello, wanted 198.18.5.5:5432, listener 5432",
            "10 None",
        ],
    );
}

pub(crate) fn without_netlink(folder: &Path) {
    refuse_netlink();
    let script = "
attempt(1, lambda: ask('198.18.5.5', 443))
attempt(2, lambda: send('8.8.8.8', 53))
attempt(3, lambda: ask('127.0.0.1', 3128))
attempt(4, lambda: ask('127.0.0.1', 1080))
for name in 'HTTP_PROXY', 'https_proxy', 'ALL_PROXY', 'NO_PROXY', 'HOME': print(name, os.environ.get(name))";
    let mut sandbox = plain(folder, script);
    let mut handed = sandbox.take(Rung::Proxy);
    let fell: Vec<Rung> = handed.fell.iter().map(|(rung, _)| *rung).collect();
    assert_eq!(fell, [Rung::Redirect, Rung::AnyIp]);
    assert!(handed.udp.is_empty() && handed.diag.is_none());
    answer_connections(&mut handed);
    expect(
        &sandbox.finish(),
        &[
            "1 ENETUNREACH",
            "2 ENETUNREACH",
            "3 hello, wanted 127.0.0.1:3128, listener 3128",
            "4 hello, wanted 127.0.0.1:1080, listener 1080",
            "HTTP_PROXY http://127.0.0.1:3128",
            "https_proxy http://127.0.0.1:3128",
            "ALL_PROXY socks5h://127.0.0.1:1080",
            "NO_PROXY localhost,127.0.0.1,::1",
            "HOME /home/nobody-here",
        ],
    );
}

pub(crate) fn a_named_way_is_the_only_one(folder: &Path) {
    for (way, rung) in [("redirect", Rung::Redirect), ("anyip", Rung::AnyIp), ("proxy", Rung::Proxy)] {
        let mut sandbox = Sandbox::new(folder, &format!("way: {way}"), "print('ran')");
        assert!(sandbox.take(rung).fell.is_empty());
        assert_eq!(sandbox.finish(), ["ran"]);
    }
}
