//! The path of an HTTP request, as the strictest and the laxest server would read it.
//!
//! A rule allows a path only when every reading of it begins as the rule says. A path whose readings could climb
//! (`..`), or that holds what servers disagree about, has no reading that can be judged.

use std::fmt;

/// How often a path is decoded at most; one that still changes then is odd.
const MOST_ROUNDS: usize = 4;

/// Why a path cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odd(&'static str);

impl fmt::Display for Odd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl std::error::Error for Odd {}

/// Every reading of a path: as it stands, and decoded as often as anyone might.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings(Vec<Vec<u8>>);

impl Readings {
    /// The readings of a path without its query.
    /// # Errors
    /// [`Odd`] for dot segments, empty segments, backslashes, control bytes and broken escapes, also when they only
    /// appear once decoded.
    pub fn of(path: &str) -> Result<Self, Odd> {
        if !path.starts_with('/') {
            return Err(Odd("it does not begin with a slash"));
        }
        let mut readings = vec![path.as_bytes().to_vec()];
        for _ in 0..=MOST_ROUNDS {
            let Some(last) = readings.last() else { break };
            check(last)?;
            let decoded = decode(last)?;
            if decoded == *last {
                return Ok(Self(readings));
            }
            readings.push(decoded);
        }
        Err(Odd("it is encoded too often"))
    }

    /// Whether each reading is `prefix`, or goes on behind it at a slash. A part `*` of it stands for any one part.
    pub fn begin_with(&self, prefix: &str) -> bool {
        let part = |byte: &u8| *byte == b'/';
        self.0.iter().all(|reading| {
            let mut given = reading.split(part);
            let mut wanted = prefix.as_bytes().split(part).peekable();
            while let Some(want) = wanted.next() {
                match given.next() {
                    // Behind the slash that a prefix ends with, anything goes on.
                    Some(_) if want.is_empty() && wanted.peek().is_none() => return true,
                    Some(found) if found == want || (want == b"*" && !found.is_empty()) => {}
                    _ => return false,
                }
            }
            true
        })
    }
}

fn check(path: &[u8]) -> Result<(), Odd> {
    if path.iter().any(|byte| *byte < 0x20 || *byte == 0x7f || *byte == b'\\' || *byte == b'#') {
        return Err(Odd("it holds a control byte, a backslash or a hash sign"));
    }
    let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').skip(1).collect();
    let last = segments.len().saturating_sub(1);
    for (place, segment) in segments.iter().enumerate() {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        if name == b"." || name == b".." {
            return Err(Odd("it holds a dot segment"));
        }
        if name.is_empty() && place != last {
            return Err(Odd("it holds an empty segment"));
        }
    }
    Ok(())
}

/// One round of percent decoding. A `%` that begins no escape is odd: servers keep it, drop it, or fail.
fn decode(path: &[u8]) -> Result<Vec<u8>, Odd> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => out.push(u8::try_from(high << 4 | low).unwrap_or(0)),
            _ => return Err(Odd("it holds a percent sign that begins no escape")),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(prefix: &str, path: &str) -> bool {
        Readings::of(path).is_ok_and(|readings| readings.begin_with(prefix))
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        for path in ["/api", "/api/", "/api/x", "/api/x/y.z", "/api/@scope%2fname", "/api/a%20b", "/api/ä"] {
            assert!(allows("/api", path), "{path}");
        }
        for path in ["/apix", "/", "/ap", "/API/x", "/api%78", "/api;x", "/x/api"] {
            assert!(!allows("/api", path), "{path}");
        }
        assert!(allows("/", "/anything/else"));
        assert!(allows("/api/", "/api/x") && !allows("/api/", "/api"));
    }

    #[test]
    fn a_star_is_one_part_of_a_path() {
        let git = "/*/*/git-upload-pack";
        for path in ["/o/r/git-upload-pack", "/o/r.git/git-upload-pack", "/o/r%20s/git-upload-pack"] {
            assert!(allows(git, path), "{path}");
        }
        for path in [
            "/o/git-upload-pack",
            "/o/r/s/git-upload-pack",
            "/o/r/git-receive-pack",
            "/o/r/git-upload-packs",
            "/o%2fr/git-upload-pack",
            "/o/r%2fgit-upload-pack",
            "/o/r/s%2f../git-upload-pack",
            "/o/",
        ] {
            assert!(!allows(git, path), "{path}");
        }
    }

    #[test]
    fn what_another_server_could_read_otherwise_is_not_judged() {
        let odd = [
            "/api/../admin",
            "/api/..",
            "/api/./x",
            "/api/%2e%2e/admin",
            "/api/%2E./admin",
            "/api/%252e%252e/x",
            "/api/..;/admin",
            "/api/..%2fadmin",
            "/api/..%5cadmin",
            "/api\\..\\admin",
            "/api//x",
            "//api/x",
            "/api/%00",
            "/api/%0d%0a",
            "/api/%",
            "/api/%2",
            "/api/%zz",
            "/api/%2fx",
            "/api/%252fx",
            "/api/%25252525252541",
            "/api/x%23y",
            "api/x",
            "",
            "*",
            "/api/%u002e",
        ];
        for path in odd {
            assert!(Readings::of(path).is_err(), "{path}");
        }
    }

    #[test]
    fn an_encoded_slash_leads_out_of_no_prefix() {
        assert!(!allows("/api/x", "/api%2fx"), "the first reading has no slash there");
        assert!(!allows("/a", "/a%2e%2e"));
        assert!(allows("/a", "/a/%41"));
    }
}
