//! What no policy can allow, decided before any is asked: questions that are not well-formed, and addresses of the
//! machine itself, of its network, and of a cloud's metadata service.
//!
//! Never resolves a name. Whoever connects asks [`reserved`] again about the address it connects to.

use crate::base::address::reserved;
use crate::wire::policy::Input;
use crate::wire::subject::{Action, Resource};
use std::net::IpAddr;

/// The most bytes of a path.
const PATH_BYTES: usize = 4096;
/// The most bytes of a host name.
const HOST_BYTES: usize = 253;
/// The most leases a question tells about.
const MOST_GRANTS: usize = 256;
/// Names that lead to this machine or to a metadata service, with everything below them.
const NAMES: [&str; 7] =
    ["localhost", "localdomain", "local", "internal", "home.arpa", "instance-data", "metadata"];

/// Says why this question is refused whatever policies say; `None`: they are asked.
pub fn question(input: &Input) -> Option<String> {
    malformed(input).or_else(|| match &input.resource {
        Resource::Host { host: name, .. } => host(name).map(|why| format!("{name}: {why}")),
        Resource::File { .. } | Resource::Program { .. } | Resource::Device { .. } => None,
        // It is connected to already, by a rule or by another answer.
        Resource::Upload { .. } => None,
    })
}

fn malformed(input: &Input) -> Option<String> {
    if input.version != 1 {
        return Some(format!("version {} of the input is not known", input.version));
    }
    if input.actions.is_empty() || input.grants.len() > MOST_GRANTS {
        return Some("no action, or too many leases".into());
    }
    let fits = |action: &Action| match input.resource {
        Resource::Host { .. } => *action == Action::Connect,
        Resource::Upload { .. } => *action == Action::Upload,
        Resource::Device { .. } => *action == Action::Use,
        Resource::Program { .. } => *action == Action::Execute,
        Resource::File { .. } => !matches!(action, Action::Connect | Action::Use | Action::Upload),
    };
    if let Some(action) = input.actions.iter().find(|action| !fits(action)) {
        return Some(format!("{} is nothing that is done to such a resource", action.word()));
    }
    if matches!(input.resource, Resource::Upload { .. }) != input.upload.is_some() {
        return Some(
            "an upload that nothing is known of, or what is known of one beside another resource".into(),
        );
    }
    let seen = match &input.resource {
        Resource::File { path } | Resource::Program { path } => Some(path),
        Resource::Host { .. } | Resource::Upload { .. } | Resource::Device { .. } => None,
    };
    let mut paths = seen.into_iter().chain(&input.path);
    paths.find(|path| !is_canonical(path)).map(|_| "a path that is not absolute and canonical".into())
}

/// Absolute, and no component is empty, `.` or `..`: comparing its beginning means what it looks like.
pub fn is_canonical(path: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    let below = path.strip_prefix('/');
    let parts = below.is_some_and(|below| below.is_empty() || below.split('/').all(plain));
    parts && path.len() <= PATH_BYTES && !path.contains('\0')
}

/// Why nobody connects to this name or address.
pub fn host(name: &str) -> Option<&'static str> {
    let plain = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let bare = plain.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(&plain);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return reserved(ip);
    }
    if plain.is_empty() || plain.len() > HOST_BYTES {
        return Some("not a host name");
    }
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if !plain.bytes().all(letter) || plain.split('.').any(str::is_empty) {
        return Some("not a host name");
    }
    // 2130706433, 0x7f.1 and 127.1 are addresses to inet_aton(3), and so to many programs.
    if plain.rsplit('.').next().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_digit())) {
        return Some("an address in a form that programs read differently");
    }
    let below =
        |known: &str| plain.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    NAMES
        .iter()
        .any(|known| below(known))
        .then_some("a name of this machine, its network or a metadata service")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;

    #[test]
    fn a_private_address_is_refused_in_every_form() {
        for name in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "[::ffff:127.0.0.1]",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "::ffff:0:7f00:1",
            "2130706433",
            "0x7f.1",
            "127.1",
            "0177.0.0.1",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "printer.local",
            "metadata.google.internal",
            "instance-data",
            "",
            "a..b",
            "exa mple.org",
            "ex\u{e4}mple.org",
            "a/b",
        ] {
            assert!(host(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_public_address_is_left_to_policies() {
        for name in [
            "example.org",
            "EXAMPLE.org.",
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::",
            "notlocalhost",
            "my-internal.org",
            "a1.example.org",
        ] {
            assert_eq!(host(name), None, "{name}");
        }
    }

    #[test]
    fn a_path_that_leads_out_is_refused_before_any_rule() {
        for path in ["/home/u/Documents/../../etc/passwd", "home", "", "/a//b", "/a/./b", "/a/", "/a\0b"] {
            assert!(question(&sample::read(path)).is_some(), "{path}");
            let mut input = sample::read("/a");
            input.path = Some(path.into());
            assert!(question(&input).is_some(), "{path} on the host");
        }
        for path in ["/", "/a", "/a/..b", "/a/b.", "/home/u/\u{202e}"] {
            assert_eq!(question(&sample::read(path)), None, "{path}");
        }
    }

    #[test]
    fn an_action_that_does_not_fit_is_refused() {
        let mut input = sample::read("/a");
        input.actions = vec![Action::Read, Action::Connect];
        assert!(question(&input).is_some());
        input.actions.clear();
        assert!(question(&input).is_some());
        input = sample::connect("example.org", 443);
        assert_eq!(question(&input), None);
        input.version = 2;
        assert!(question(&input).is_some());
    }
}
