//! The built-in rules: what credentials look like. Each with the one who gives them out.
//!
//! Never a rule for what ordinary text has too, unless a checksum proves it.

use super::checksums::{is_account, is_card};

/// A rule and, where its form alone proves nothing, the check of a match.
type Row = (&'static str, Option<fn(&[u8]) -> bool>);

/// A name that makes its value a secret, and what stands between the two.
macro_rules! named {
    ($value:literal) => {
        concat!(
            r"(?i)(?:password|passwd|passphrase|secret|credential|(?:api|access|private)[_-]?key|",
            r"(?:auth|access|refresh)[_-]?token)[0-9a-z_.-]*[\x22']?[ \t]*(?:=>|:=|[:=])[ \t]*",
            $value
        )
    };
}

/// All rules, the widest first: a key goes as a whole before a part of it looks like a password.
pub(super) const RULES: &[Row] = &[
    // PEM, OpenSSH and PGP private keys; one that is cut off goes to the end of the text.
    (
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
        None,
    ),
    (r"PuTTY-User-Key-File-[23]:(?s:.*?)(?:Private-MAC: [0-9a-f]+|\z)", None),
    (r"AGE-SECRET-KEY-1[0-9A-Z]{58}", None),
    // JSON Web Tokens: two parts that begin with `{"` in base64, and a signature.
    (r"eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]*", None),
    // Amazon Web Services: key ids. Their secrets have no form of their own, and go with their names below.
    (r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b", None),
    // GitHub, GitLab.
    (r"\bgh[pousr]_[0-9A-Za-z]{36,}\b", None),
    (r"\bgithub_pat_[0-9A-Za-z_]{50,}\b", None),
    (r"\bgl(?:pat|dt|rt|ptt|oas)-[0-9A-Za-z_-]{20,}", None),
    // Slack: tokens and webhooks.
    (r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}", None),
    (r"https://hooks\.slack\.com/(?:services|workflows)/(?P<secret>[0-9A-Za-z/_-]+)", None),
    // Google: API keys, OAuth tokens, client secrets.
    (r"\bAIza[0-9A-Za-z_-]{35}", None),
    (r"\bya29\.[0-9A-Za-z_-]{20,}", None),
    (r"\bGOCSPX-[0-9A-Za-z_-]{20,}", None),
    // Model providers, payment, packages, mail.
    (r"\bsk-[0-9A-Za-z_-]{20,}", None),
    (r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}", None),
    (r"\b(?:npm_[0-9A-Za-z]{36}|pypi-[0-9A-Za-z_-]{50,}|hf_[0-9A-Za-z]{30,}|dop_v1_[0-9a-f]{64})", None),
    (r"\bSG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}", None),
    // What a header or an address carries.
    (
        r"(?i)\b(?:authorization|proxy-authorization)[ \t]*[:=][ \t]*[\x22']?(?:bearer|basic|token|digest)[ \t]+(?P<secret>[^\s\x22',;]{6,})",
        None,
    ),
    (r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\x22']{1,64}:(?P<secret>[^\s/@\x22']+)@", None),
    // Names that make their value a secret: between quotes, then bare to the end of the word.
    (named!(r#""(?P<secret>(?:[^"\\\r\n]|\\[^\r\n]){2,})"#), None),
    (named!(r#"'(?P<secret>(?:[^'\\\r\n]|\\[^\r\n]){2,})"#), None),
    (named!(r#"(?P<secret>[^\s"',;&<>(){}\[\]]{2,})"#), None),
    // Cards (13 to 19 digits, in groups or not) and accounts.
    (r"\b[3-6][0-9](?:[ -]?[0-9]){11,17}\b", Some(is_card)),
    (r"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b", Some(is_account)),
];
