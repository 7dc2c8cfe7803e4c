//! What a token says, and whether that covers something. Paths are compared by component, never as strings.
//!
//! Never touches a file: a token narrows what the Guardian allows anyway, and the object itself is looked at there.

use crate::base::{to_hex, unhex};
use crate::wire::broker::Allowed;
use crate::wire::egress::is_below;
use crate::wire::frame::ChannelId;
use crate::wire::subject::{Action, Resource};
use std::fmt;

/// Names a token (the claim `cti`): random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub [u8; 16]);

impl TokenId {
    /// The id that was written so.
    pub fn of(hex: &str) -> Option<Self> {
        Some(Self(unhex(hex)?.try_into().ok()?))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Where a token holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// On one channel of the run, while this epoch of keys lasts.
    Channel {
        /// The channel.
        channel: ChannelId,
        /// The epoch.
        epoch: u32,
    },
    /// Outside of this machine, at who is named; checked with a public key.
    Audience {
        /// A name, such as `backend:mail`.
        name: String,
        /// The lease it is of.
        grant: String,
        /// Who or what said yes to that.
        approved_by: String,
    },
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The run.
    pub run: String,
    /// Seconds: of CLOCK_BOOTTIME for a channel, since 1970 for an audience.
    pub issued: u64,
    /// The first second in which it holds no more.
    pub expires: u64,
    /// Its own name.
    pub id: TokenId,
    /// The name of the token it goes back to; taking that one back takes this one back.
    pub root: TokenId,
    /// How many times it was attenuated since.
    pub depth: u8,
    /// Where it holds.
    pub bound: Bound,
    /// What it does not stand in the way of.
    pub allowed: Vec<Allowed>,
}

impl Claims {
    /// Whether the token does not stand in the way of this.
    pub fn allows(&self, action: Action, resource: &Resource) -> bool {
        self.allowed.iter().any(|pair| pair.action == action && is_within(resource, &pair.resource))
    }
}

/// Whether one resource is another, or below it.
pub fn is_within(inner: &Resource, outer: &Resource) -> bool {
    match (inner, outer) {
        (Resource::File { path: inner }, Resource::File { path: outer })
        | (Resource::Program { path: inner }, Resource::Program { path: outer }) => {
            path_is_within(inner, outer)
        }
        (Resource::Host { host: inner, port: this }, Resource::Host { host: outer, port: that }) => {
            this == that && host_is_within(&inner.to_ascii_lowercase(), &outer.to_ascii_lowercase())
        }
        (Resource::Device { name: inner }, Resource::Device { name: outer }) => inner == outer,
        _ => false,
    }
}

/// The same host, or one below a name with `*.` before it.
fn host_is_within(inner: &str, outer: &str) -> bool {
    inner == outer || outer.strip_prefix("*.").is_some_and(|above| is_below(inner, above))
}

fn path_is_within(inner: &str, outer: &str) -> bool {
    match (parts(inner), parts(outer)) {
        (Some(inner), Some(outer)) => inner.starts_with(&outer),
        _ => false,
    }
}

/// The components of a canonical path; `None` for any other text.
fn parts(path: &str) -> Option<Vec<&str>> {
    let inside = path.strip_prefix('/')?;
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let parts: Vec<&str> = inside.split('/').collect();
    let plain = |part: &&str| !matches!(*part, "" | "." | "..");
    if parts.iter().all(plain) { Some(parts) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Resource {
        Resource::File { path: path.into() }
    }

    #[test]
    fn a_path_is_within_by_component_and_only_in_its_one_form() {
        for (inner, outer) in [("/a", "/a"), ("/a/b", "/a"), ("/a/b/c", "/a/b"), ("/a", "/"), ("/", "/")] {
            assert!(is_within(&file(inner), &file(outer)), "{inner} {outer}");
        }
        let wrong = [
            ("/DocumentsX", "/Documents"),
            ("/Documents", "/Documents/a"),
            ("/a/../b", "/a"),
            ("/a/./b", "/a"),
            ("/a//b", "/a"),
            ("/a/", "/a"),
            ("a", "/"),
            ("", "/"),
            ("/a/b", "/a/"),
            ("/A", "/a"),
        ];
        for (inner, outer) in wrong {
            assert!(!is_within(&file(inner), &file(outer)), "{inner} {outer}");
        }
    }

    #[test]
    fn kinds_do_not_stand_for_each_other() {
        let all = [
            file("/a"),
            Resource::Program { path: "/a".into() },
            Resource::Host { host: "a".into(), port: 1 },
            Resource::Host { host: "a".into(), port: 2 },
            Resource::Host { host: "b.a".into(), port: 1 },
            Resource::Device { name: "a".into() },
        ];
        for (one, inner) in all.iter().enumerate() {
            for (two, outer) in all.iter().enumerate() {
                assert_eq!(is_within(inner, outer), one == two, "{inner:?} {outer:?}");
            }
        }
    }
}
