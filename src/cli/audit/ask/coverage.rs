//! What the record of a run can say, in words, and what it cannot.
//!
//! Never says more than the run itself said of it; of a run that said nothing, what its events allow.

use crate::audit::Coverage;
use crate::audit::index::About;
use serde::Serialize;

/// What the record of a run can say, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Observed {
    /// Of files.
    pub(in crate::cli) files: String,
    /// Of the network.
    pub(in crate::cli) network: String,
    /// What nobody saw, one thing each.
    pub(in crate::cli) unseen: Vec<String>,
}

/// What the record of this run can say.
pub(in crate::cli) fn observed(about: &About) -> Observed {
    let told = about.coverage.clone().and_then(|value| serde_json::from_value::<Coverage>(value).ok());
    match told {
        Some(told) => {
            Observed { files: files(&told).into(), network: network(&told).into(), unseen: unseen(&told) }
        }
        None => untold(about),
    }
}

fn files(told: &Coverage) -> &'static str {
    match (told.requests.as_str(), told.file_opens.as_str(), told.read_bytes.as_str()) {
        (_, "all", _) => {
            "every file that was opened, and every name that was changed; not what was read or written"
        }
        (_, "writes", _) => {
            "every file that was opened to be written, and every name that was changed; not those that were only read, nor what \
             was written"
        }
        (_, "leases", "served") => {
            "what was asked for, given and refused, what the Guardian opened, by name, and bytes of what it serves; not each \
             file of a place that was mounted"
        }
        (_, "leases", _) => {
            "what was asked for, given and refused, and what the Guardian opened, by name; not each file of a place that was \
             mounted"
        }
        ("all", ..) => "what was asked for, given and refused; no file that was opened",
        _ => "refused names alone; no file that was opened",
    }
}

fn network(told: &Coverage) -> &'static str {
    match told.network.as_str() {
        "all" => "every connection and every refusal, by name",
        "closed" => "nothing leads out of the sandbox",
        _ => "the network was not filtered, and nothing of it is in the record",
    }
}

fn unseen(told: &Coverage) -> Vec<String> {
    let files = match (told.file_opens.as_str(), told.file_changes.as_str()) {
        ("all", "all") => {
            "what is read of files and written to them, maps of memory and names that are only looked up"
        }
        ("writes", "all") => "opens that only read, and what is read of files and written to them",
        _ => "opens, reads and writes of what the sandbox shows from its start",
    };
    let mut lines = vec![files.to_owned()];
    let mut add = |holds: bool, text: &str| lines.extend(holds.then(|| text.to_owned()));
    match told.exec.as_str() {
        "attempts" => add(true, "whether a program that was executed is the one that its caller named"),
        _ => add(true, "programs that the command starts by itself"),
    }
    add(!matches!(told.network.as_str(), "all" | "closed"), "connections, and what goes through them");
    match (told.network.as_str(), told.tls_bodies.as_str()) {
        ("all", "inspected") => add(true, "what is inside TLS, but for hosts whose rule reads it"),
        ("all", _) => add(true, "what is inside TLS"),
        _ => {}
    }
    add(told.landlock_denials != "all", "what Landlock refuses");
    add(told.seccomp_denials != "all", "system calls that the filter refuses");
    add(told.io_uring == "allowed", "what is done through io_uring");
    lines.push(format!(
        "what goes through the {} descriptors that were open before, stdin, stdout and stderr among them",
        told.inherited_descriptors
    ));
    lines
}

/// Of a run whose record does not say it.
fn untold(about: &About) -> Observed {
    let files = if about.guarded {
        "what was asked for, given, refused, and what went through the Guardian; not each file of a place that was mounted"
    } else {
        "refused names alone; no file that was opened"
    };
    let network = match &about.network {
        Some(_) => "every connection and every refusal, by name",
        None => "the network was not filtered, and nothing of it is in the record",
    };
    Observed { files: files.to_owned(), network: network.to_owned(), unseen: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(coverage: serde_json::Value) -> Observed {
        observed(&About { coverage: Some(coverage), ..About::default() })
    }

    #[test]
    fn what_a_run_does_not_say_counts_as_not_seen() {
        let nothing = of(serde_json::json!({}));
        assert!(nothing.files.starts_with("refused names") && nothing.network.contains("not filtered"));
        assert!(nothing.unseen.iter().any(|line| line.starts_with("connections")), "{nothing:?}");
        let filtered =
            of(serde_json::json!({ "network": "all", "tls_bodies": "none", "file_opens": "\u{1b}" }));
        assert!(filtered.unseen.iter().any(|line| line == "what is inside TLS"), "{filtered:?}");
        assert!(
            !filtered.unseen.iter().any(|line| line.starts_with("connections") || line.contains('\u{1b}'))
        );
    }

    #[test]
    fn a_run_of_which_nothing_is_told_is_judged_by_its_events() {
        assert!(observed(&About { guarded: true, ..About::default() }).files.contains("the Guardian"));
        assert!(of(serde_json::json!("nonsense")).unseen.is_empty());
    }
}
