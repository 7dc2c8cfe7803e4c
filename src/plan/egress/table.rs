//! The packet filter's table (nftables) as one batch: all of it is put in force, or nothing.
//!
//! ```text
//! table inet aisandbox {
//!   chain redirect { type nat hook output priority -100; policy accept;
//!     ip daddr 127.0.0.0/8 return
//!     ip6 daddr ::1 return
//!     ip daddr 198.18.0.1 tcp dport 3128 return
//!     ip daddr 198.18.0.1 tcp dport 1080 return
//!     meta l4proto tcp redirect to :61443 }
//!   chain fence { type filter hook output priority 0; policy drop;
//!     ct state established,related accept
//!     ip daddr 127.0.0.0/8 accept
//!     ip6 daddr ::1 accept
//!     udp dport 53 accept
//!     meta l4proto tcp accept
//!     reject }
//! }
//! ```
//!
//! What is refused is refused at once, so that a QUIC client falls back to TCP. Without the first rule of `fence` the
//! proxy's own answers by UDP would be refused (`EPERM`). The table adds convenience, not safety: the namespace has no
//! way out, and without the table nothing is reached at all.

use super::message::{Attributes, Batch};
use super::{ADDRESS, CONNECT_PORT, NAME_PORT, REDIRECTED_PORT, SOCKS_PORT};

const TABLE: &str = "aisandbox";
const REDIRECT: &str = "redirect";
const FENCE: &str = "fence";

// linux/netfilter/nfnetlink.h, nf_tables.h
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;
const INET: u8 = 1;
const HOOK_OUTPUT: u32 = 3;
const PRIORITY_DNAT: i32 = -100;
const PRIORITY_FILTER: i32 = 0;
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;

const CREATE: u16 = libc::NLM_F_CREATE as u16;
const APPEND: u16 = (libc::NLM_F_CREATE | libc::NLM_F_APPEND) as u16;
const TELL: u16 = libc::NLM_F_ACK as u16;

/// The whole batch. Its last rule is acknowledged; errors of any are told.
pub(super) fn table() -> Vec<u8> {
    let mut batch = Batch::default();
    batch.request(BEGIN, 0, &head(0, SUBSYSTEM), Attributes::new());
    batch.request(NEW_TABLE, CREATE, &head(INET, 0), Attributes::new().text(1, TABLE));
    chain(&mut batch, REDIRECT, ("nat", PRIORITY_DNAT, Verdict::Accept));
    for place in [is_loopback(), is_loopback6(), is_endpoint(CONNECT_PORT), is_endpoint(SOCKS_PORT)] {
        rule(&mut batch, REDIRECT, 0, place.verdict(Verdict::Return));
    }
    rule(&mut batch, REDIRECT, 0, Expressions::default().protocol(libc::IPPROTO_TCP).redirect());
    chain(&mut batch, FENCE, ("filter", PRIORITY_FILTER, Verdict::Drop));
    let name = Expressions::default().protocol(libc::IPPROTO_UDP).port(NAME_PORT);
    let tcp = Expressions::default().protocol(libc::IPPROTO_TCP);
    for allowed in [Expressions::default().belongs(), is_loopback(), is_loopback6(), name, tcp] {
        rule(&mut batch, FENCE, 0, allowed.verdict(Verdict::Accept));
    }
    rule(&mut batch, FENCE, TELL, Expressions::default().reject());
    batch.request(END, 0, &head(0, SUBSYSTEM), Attributes::new());
    batch.into_bytes()
}

/// struct nfgenmsg: family, version, and a number in network order.
fn head(family: u8, number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [family, 0, high, low]
}

#[derive(Debug, Clone, Copy)]
enum Verdict {
    Drop,
    Accept,
    Return,
}

impl Verdict {
    fn code(self) -> u32 {
        match self {
            Self::Drop => 0,
            Self::Accept => 1,
            Self::Return => (-5i32).cast_unsigned(),
        }
    }
}

fn chain(batch: &mut Batch, name: &str, (kind, priority, policy): (&str, i32, Verdict)) {
    let hook = Attributes::new().number(1, HOOK_OUTPUT).number(2, priority.cast_unsigned());
    let attributes =
        Attributes::new().text(1, TABLE).text(3, name).nested(4, hook).number(5, policy.code()).text(7, kind);
    batch.request(NEW_CHAIN, CREATE, &head(INET, 0), attributes);
}

fn rule(batch: &mut Batch, chain: &str, flags: u16, expressions: Expressions) {
    let attributes = Attributes::new().text(1, TABLE).text(2, chain).nested(4, expressions.0);
    batch.request(NEW_RULE, APPEND | flags, &head(INET, 0), attributes);
}

fn is_loopback() -> Expressions {
    // One byte of the address is as much as /8 says.
    Expressions::default().family(2).destination(16, &[127])
}

fn is_loopback6() -> Expressions {
    Expressions::default().family(10).destination(24, &std::net::Ipv6Addr::LOCALHOST.octets())
}

fn is_endpoint(port: u16) -> Expressions {
    Expressions::default().family(2).destination(16, &ADDRESS.octets()).protocol(libc::IPPROTO_TCP).port(port)
}

/// What a rule does, step by step: load into a register, compare, decide.
#[derive(Debug, Default)]
struct Expressions(Attributes);

impl Expressions {
    fn then(self, name: &str, data: Attributes) -> Self {
        Self(self.0.nested(1, Attributes::new().text(1, name).nested(2, data)))
    }

    fn compare(self, different: bool, value: &[u8]) -> Self {
        let data = Attributes::new().bytes(1, value);
        let data = Attributes::new().number(1, REGISTER).number(2, u32::from(different)).nested(3, data);
        self.then("cmp", data)
    }

    fn meta(self, key: u32) -> Self {
        self.then("meta", Attributes::new().number(2, key).number(1, REGISTER))
    }

    /// 2 is IPv4, 10 IPv6.
    fn family(self, family: u8) -> Self {
        const FAMILY: u32 = 15;
        self.meta(FAMILY).compare(false, &[family])
    }

    fn protocol(self, protocol: i32) -> Self {
        const PROTOCOL: u32 = 16;
        self.meta(PROTOCOL).compare(false, &[protocol as u8])
    }

    fn destination(self, offset: u32, address: &[u8]) -> Self {
        const NETWORK_HEADER: u32 = 1;
        self.payload(NETWORK_HEADER, offset, address.len()).compare(false, address)
    }

    fn port(self, port: u16) -> Self {
        const TRANSPORT_HEADER: u32 = 2;
        self.payload(TRANSPORT_HEADER, 2, 2).compare(false, &port.to_be_bytes())
    }

    fn payload(self, base: u32, offset: u32, length: usize) -> Self {
        let place = Attributes::new().number(1, REGISTER).number(2, base).number(3, offset);
        self.then("payload", place.number(4, length as u32))
    }

    /// It belongs to a connection that was let through.
    fn belongs(self) -> Self {
        const STATE: u32 = 0;
        const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
        let mask = Attributes::new().native(1, ESTABLISHED_OR_RELATED);
        let nothing = Attributes::new().native(1, 0);
        let masked = Attributes::new().number(1, REGISTER).number(2, REGISTER).number(3, 4);
        self.then("ct", Attributes::new().number(2, STATE).number(1, REGISTER))
            .then("bitwise", masked.nested(4, mask).nested(5, nothing))
            .compare(true, &[0; 4])
    }

    fn verdict(self, verdict: Verdict) -> Self {
        let code = Attributes::new().nested(2, Attributes::new().number(1, verdict.code()));
        self.then("immediate", Attributes::new().number(1, VERDICT_REGISTER).nested(2, code))
    }

    /// To our own listener, on the loopback address of the packet's family.
    fn redirect(self) -> Self {
        const PORT_GIVEN: u32 = 2;
        let port = Attributes::new().bytes(1, &REDIRECTED_PORT.to_be_bytes());
        self.then("immediate", Attributes::new().number(1, REGISTER).nested(2, port))
            .then("redir", Attributes::new().number(1, REGISTER).number(3, PORT_GIVEN))
    }

    /// Refused, and the sender told: port unreachable.
    fn reject(self) -> Self {
        const UNREACHABLE: u32 = 2;
        const PORT: u8 = 1;
        self.then("reject", Attributes::new().number(1, UNREACHABLE).bytes(2, &[PORT]))
    }
}
