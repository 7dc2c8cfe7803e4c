//! Why a connection goes no further: stable words, and a sentence for people.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $text:literal,)+) => {
        $($(#[$doc])* pub(super) const $name: &str = $id;)+

        /// What a reason means, for people and for agents.
        pub fn text(reason: &str) -> &'static str {
            match reason { $($id => $text,)+ _ => "it is refused" }
        }
    };
}

reasons! {
    /// No rule allows it.
    NOT_LISTED = "not-listed", "no rule of the profile allows this host and port",
    /// A rule denies it.
    DENIED = "denied", "a rule of the profile denies this host and port",
    /// Rules are there, for other programs.
    PROGRAM = "program", "the rule for this host is for other programs",
    /// An address that no name was given for.
    NO_NAME = "no-name", "this address belongs to no name that was looked up here",
    /// A name below a wildcard that is too long, or one of too many.
    NAMES = "names", "too many new names below a wildcard, or one that is too long",
    /// The name leads to an address that needs a rule of its own.
    ADDRESS = "address", "the name leads to an address of this machine, a private network or a metadata service",
    /// The TLS hello names another host, or a request does.
    MISMATCH = "name-mismatch", "the connection is for one name and asks for another",
    /// The TLS hello names no host.
    NO_SNI = "no-sni", "the TLS hello names no host (SNI)",
    /// TLS where the rule says that there is none.
    TLS = "tls", "the rule for this host and port is for protocols without TLS",
    /// Neither TLS nor HTTP where the rule wants to read.
    UNREADABLE = "unreadable", "the rule for this host wants HTTP, and this is something else",
    /// A hello or a head that makes no sense.
    MALFORMED = "malformed", "the beginning of the connection is malformed",
    /// A hello or a head that is too long.
    TOO_LARGE = "too-large", "the beginning of the connection is too long",
    /// A hello or a head that did not come in time.
    TOO_SLOW = "too-slow", "the beginning of the connection did not come in time",
    /// The name has no address.
    UNRESOLVED = "unresolved", "the name has no address",
    /// Nobody answers there.
    UNREACHABLE = "unreachable", "the host cannot be reached",
    /// The proxy that everything goes through does not let it through.
    PARENT = "parent-proxy", "the proxy outside refuses it",
    /// Too many connections at one time.
    CONNECTIONS = "limit-connections", "too many connections at one time",
    /// The bytes that may be sent are used up.
    UPLOAD = "limit-upload", "the bytes that may be sent are used up",
    /// The bytes that may be received are used up.
    DOWNLOAD = "limit-download", "the bytes that may be received are used up",
    /// A request would wait too long for its turn.
    RATE = "limit-rate", "so much waits for its turn already that this would take too long",
    /// A person said no, or nobody could be asked.
    REFUSED = "refused", "a person said no, or nobody could be asked",
    /// The grant was taken back.
    REVOKED = "revoked", "the grant was taken back",
    /// Something that must not leave.
    DLP = "dlp", "what would leave holds something that must not",
    /// Something that would be replaced, in what is signed.
    SIGNED = "dlp-signed", "what would leave is signed, and holds something that would have to be replaced",
    /// What cannot be read, or nobody is there who could.
    UNSCANNABLE = "dlp-unscannable", "what would leave cannot be read",
    /// This build or this run cannot do it.
    NOT_AVAILABLE = "not-available", "this is not available in this run",
}

/// A refusal: it was not told to anyone yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denied {
    /// One of the words of this file, or of `wire::denial`.
    pub reason: &'static str,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    /// A secret or a decoy was on its way.
    pub alert: bool,
}

impl Denied {
    /// Refused by no rule in particular.
    pub(super) fn because(reason: &'static str) -> Self {
        Self { reason, rule: None, alert: false }
    }

    /// Refused by this rule.
    pub(super) fn by(reason: &'static str, rule: &str) -> Self {
        Self { reason, rule: Some(rule.to_owned()), alert: false }
    }
}

impl Denied {
    /// Whether it was refused for its name, which nobody read before.
    pub(super) fn is_of_a_name(&self) -> bool {
        [NOT_LISTED, DENIED, NAMES, PROGRAM].contains(&self.reason)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(text(self.reason))
    }
}

impl std::error::Error for Denied {}
