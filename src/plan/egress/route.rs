//! The sandbox's own address, and the routes that make every address one of its own (rtnetlink(7)).
//!
//! The routes must stand in the table `local`: the kernel checks there whether an answer may come from an address.

use super::ADDRESS;
use super::message::{Attributes, Batch};

/// Told when done, and refused with `EEXIST` when it is there already.
const MAKE: u16 = (libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
/// The number of `lo` in every network namespace.
const LOOPBACK: u32 = 1;

/// Gives `lo` the address.
pub(super) fn address() -> Vec<u8> {
    let mut batch = Batch::default();
    // struct ifaddrmsg: family, bits, flags, scope (everywhere), interface
    let mut head = vec![libc::AF_INET as u8, 32, 0, libc::RT_SCOPE_UNIVERSE];
    head.extend(LOOPBACK.to_ne_bytes());
    let attributes = Attributes::new()
        .bytes(libc::IFA_LOCAL, &ADDRESS.octets())
        .bytes(libc::IFA_ADDRESS, &ADDRESS.octets());
    batch.request(libc::RTM_NEWADDR, MAKE, &head, attributes);
    batch.into_bytes()
}

/// Makes every IPv4 address local; what connects has [`ADDRESS`] as its own.
pub(super) fn everything() -> Vec<u8> {
    let source = Attributes::new().bytes(libc::RTA_PREFSRC, &ADDRESS.octets());
    local(libc::AF_INET, libc::RT_SCOPE_HOST, source)
}

/// The same for IPv6.
pub(super) fn everything_of_ipv6() -> Vec<u8> {
    local(libc::AF_INET6, libc::RT_SCOPE_UNIVERSE, Attributes::new())
}

fn local(family: i32, scope: u8, attributes: Attributes) -> Vec<u8> {
    let mut batch = Batch::default();
    // struct rtmsg: family, bits of both ends, service, table, who made it, scope, kind, flags
    let kind = [libc::RT_TABLE_LOCAL, libc::RTPROT_BOOT, scope, libc::RTN_LOCAL];
    let head = [&[family as u8, 0, 0, 0][..], &kind, &[0; 4]].concat();
    batch.request(libc::RTM_NEWROUTE, MAKE, &head, attributes.native(libc::RTA_OIF, LOOPBACK));
    batch.into_bytes()
}
