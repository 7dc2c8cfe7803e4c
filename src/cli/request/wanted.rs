//! What an agent wants, from words: `read PATH`, `connect HOST:PORT`. One reader for the command and for MCP.
//!
//! Never looks at what a path leads to: what is asked for is usually not there yet.

use crate::base::{InnerPath, TraceParent};
use crate::wire::broker::Op;
use crate::wire::limit::MOST_WHY;
use crate::wire::subject::{Action, Resource};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// The words for what can be wanted, with what each means.
pub(in crate::cli) const WORDS: [(&str, &str); 8] = [
    ("read", "read a file, or list a folder and read all in it"),
    ("write", "read and change a file, or all in a folder, making and removing included"),
    ("append", "add to the end of a file"),
    ("overwrite", "change what a file holds, and nothing else"),
    ("create", "make a file or folder that is not there"),
    ("delete", "remove a file or folder"),
    ("exec", "start a program"),
    ("connect", "connect to a host on the network"),
];

/// A wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Wanted {
    /// What would be done.
    pub(in crate::cli) actions: Vec<Action>,
    /// On what.
    pub(in crate::cli) resource: Resource,
    /// Why.
    pub(in crate::cli) why: String,
    /// What it belongs to, as the agent says.
    pub(in crate::cli) traceparent: Option<TraceParent>,
}

/// Why the words are no wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct NotWanted(String);

impl fmt::Display for NotWanted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Wanted {
    /// Reads a word of [`WORDS`] and what it is about; relative paths start from `here`.
    /// # Errors
    /// What is wrong with the words.
    pub(in crate::cli) fn read(word: &str, about: &str, why: &str, here: &Path) -> Result<Self, NotWanted> {
        let actions = match word {
            "read" => vec![Action::Read],
            "write" => {
                vec![Action::Read, Action::Append, Action::Overwrite, Action::Create, Action::Delete]
            }
            "append" => vec![Action::Append],
            "overwrite" => vec![Action::Overwrite],
            "create" => vec![Action::Create],
            "delete" => vec![Action::Delete],
            "exec" => vec![Action::Execute],
            "connect" => vec![Action::Connect],
            _ => {
                let known: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                return Err(NotWanted(format!("`{}` is none of {}", shown(word), known.join(", "))));
            }
        };
        let resource = match word {
            "exec" => Resource::Program { path: path(about, here)? },
            "connect" => host(about)?,
            _ => Resource::File { path: path(about, here)? },
        };
        let why = why.trim();
        if why.is_empty() {
            return Err(NotWanted("no reason is given: a person who is asked wants to know why".into()));
        }
        Ok(Self { actions, resource, why: why.chars().take(MOST_WHY).collect(), traceparent: None })
    }

    /// The same as a part of what this traceparent names.
    /// # Errors
    /// When it is none.
    pub(in crate::cli) fn within(self, traceparent: Option<&str>) -> Result<Self, NotWanted> {
        let parse = |text: &str| text.parse().map_err(|why| NotWanted(format!("`{}`: {why}", shown(text))));
        Ok(Self { traceparent: traceparent.map(parse).transpose()?, ..self })
    }

    /// The call.
    pub(in crate::cli) fn op(&self) -> Op {
        let Self { actions, resource, why, traceparent } = self.clone();
        Op::Request { actions, resource, why, traceparent: traceparent.map(|parent| parent.to_string()) }
    }
}

/// What a wish is about, in words.
pub(super) fn about(resource: &Resource) -> String {
    match resource {
        Resource::File { path } | Resource::Program { path } => shown(path),
        Resource::Host { host, port } | Resource::Upload { host, port } if host.contains(':') => {
            format!("[{}]:{port}", shown(host))
        }
        Resource::Host { host, port } | Resource::Upload { host, port } => format!("{}:{port}", shown(host)),
        Resource::Device { name } => shown(name),
    }
}

fn shown(text: &str) -> String {
    crate::base::escape(text.as_bytes())
}

/// The path as the sandbox sees it: absolute, `..` only in front of a relative one, where it climbs from `here`.
fn path(text: &str, here: &Path) -> Result<String, NotWanted> {
    let wrong = |why: &dyn fmt::Display| NotWanted(format!("`{}` {why}", shown(text)));
    if text.is_empty() {
        return Err(wrong(&"names nothing"));
    }
    let mut at: PathBuf = here.to_path_buf();
    let mut parts = Path::new(text).components();
    while let Some(part @ (Component::ParentDir | Component::CurDir)) = parts.clone().next() {
        if part == Component::ParentDir {
            at.pop();
        }
        parts.next();
    }
    let full = InnerPath::new(at.join(parts.as_path())).map_err(|why| wrong(&why))?;
    full.as_path().to_str().map(str::to_owned).ok_or_else(|| wrong(&"is not UTF-8, which a request must be"))
}

fn host(text: &str) -> Result<Resource, NotWanted> {
    let wrong = || NotWanted(format!("`{}` is no HOST:PORT", shown(text)));
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').ok_or_else(wrong)?),
        None => text.rsplit_once(':').ok_or_else(wrong)?,
    };
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    if host.is_empty() || host.len() > 253 || !host.bytes().all(fit) {
        return Err(wrong());
    }
    Ok(Resource::Host { host: host.to_ascii_lowercase(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str, about: &str) -> Result<Wanted, String> {
        Wanted::read(word, about, "to see", Path::new("/home/u/work")).map_err(|why| why.to_string())
    }

    #[test]
    fn a_relative_path_starts_where_the_agent_stands() {
        let file = |path: &str| Resource::File { path: path.to_owned() };
        for (text, full) in [
            ("a/b", "/home/u/work/a/b"),
            ("./a", "/home/u/work/a"),
            ("../c", "/home/u/c"),
            ("../../../../../x", "/x"),
            ("/etc/x", "/etc/x"),
        ] {
            assert_eq!(read("read", text).unwrap().resource, file(full), "{text}");
        }
        for wrong in ["", "a/../b", "/a/../b", "a\0b"] {
            assert!(read("read", wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_host_needs_a_port() {
        let host = |host: &str, port| Resource::Host { host: host.to_owned(), port };
        assert_eq!(read("connect", "Example.org:443").unwrap().resource, host("example.org", 443));
        assert_eq!(read("connect", "[::1]:80").unwrap().resource, host("::1", 80));
        for wrong in [
            "example.org",
            "example.org:",
            "example.org:0",
            ":80",
            "a b:80",
            "x:99999",
            "[::1]80",
            "http://x:80",
        ] {
            assert!(read("connect", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wish_without_a_reason_or_with_an_unknown_word_is_none() {
        assert!(Wanted::read("read", "/x", "  ", Path::new("/")).is_err());
        assert!(read("steal", "/x").unwrap_err().contains("read, write"));
        let long = Wanted::read("read", "/x", &"\u{e9}".repeat(900), Path::new("/")).unwrap();
        assert_eq!(long.why.chars().count(), 500);
    }
}
