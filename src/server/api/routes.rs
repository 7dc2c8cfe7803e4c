//! The table of what can be asked: every path with its parameters. The OpenAPI document is made of it, and requests are
//! held to it.

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Page,
    OpenApi,
    Health,
    Sessions,
    Session,
    Checkpoint,
    Query,
    Proof,
    Export,
}

/// A parameter of a path or of a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) number: bool,
}

const fn text(name: &'static str, about: &'static str) -> Param {
    Param { name, about, number: false }
}

const fn number(name: &'static str, about: &'static str) -> Param {
    Param { name, about, number: true }
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) route: Route,
    /// The path; `{NAME}` is one part of any text.
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    pub(super) params: &'static [Param],
    pub(super) kind: &'static str,
    /// It hands out records: it is recorded, and counted.
    pub(super) reads: bool,
    /// Only for roles that may read what is personal.
    pub(super) personal: bool,
}

const RUN: Param = text("run", "A run's id, the start of one, or `last`");
const SINCE: Param = text("since", "Only what was since: a time that passed (2d, 1h30m), a day or a moment");
const LIMIT: Param = number("limit", "The most rows");
const JSON: &str = "application/json";

/// Everything that can be asked.
pub(super) const ROWS: &[Row] = &[
    Row {
        route: Route::Page,
        path: "/",
        about: "The report of a run, with the data of this moment; it checks the record in the reader's browser",
        params: &[RUN, number("every", "Have the browser ask again after so many seconds, 2 to 3600")],
        kind: "text/html; charset=utf-8",
        reads: true,
        personal: true,
    },
    Row {
        route: Route::OpenApi,
        path: "/v1/openapi.json",
        about: "This document",
        params: &[],
        kind: JSON,
        reads: false,
        personal: false,
    },
    Row {
        route: Route::Health,
        path: "/v1/health",
        about: "That it answers, how much there is, and what role who asks has",
        params: &[],
        kind: JSON,
        reads: false,
        personal: false,
    },
    Row {
        route: Route::Sessions,
        path: "/v1/sessions",
        about: "Runs, the newest first, each with the verdict on its log",
        params: &[SINCE, LIMIT, text("before", "Only runs before this one: the last of the answer before")],
        kind: JSON,
        reads: true,
        personal: false,
    },
    Row {
        route: Route::Session,
        path: "/v1/sessions/{run}",
        about: "One run: what was touched, who approved it, how data moved, what was refused; its log is checked anew",
        params: &[RUN, LIMIT],
        kind: JSON,
        reads: true,
        personal: false,
    },
    Row {
        route: Route::Checkpoint,
        path: "/v1/checkpoint/{run}",
        about: "The newest head of a run's log that its stable key signed: a C2SP checkpoint",
        params: &[RUN],
        kind: "text/plain; charset=utf-8",
        reads: false,
        personal: false,
    },
    Row {
        route: Route::Query,
        path: "/v1/query",
        about: "Over all runs: who touched a path, what an approval led to, or what went to a host; just one of them",
        params: &[
            text("touched", "A path; `*`, `?` and `[…]` within a name, `**` through folders"),
            text(
                "approved_by",
                "The id of a grant, a request, a denial or a decision, or an event as RUN:NUMBER",
            ),
            text("host", "A host; `*.` in front means every name below"),
            SINCE,
            LIMIT,
            text("prove", "1 adds the proof of an event to each row"),
        ],
        kind: JSON,
        reads: true,
        personal: false,
    },
    Row {
        route: Route::Proof,
        path: "/v1/proof/{run}/{index}",
        about: "One event with its C2SP tlog-proof; it holds the event whole",
        params: &[RUN, number("index", "The event's number")],
        kind: JSON,
        reads: true,
        personal: false,
    },
    Row {
        route: Route::Export,
        path: "/v1/export",
        about: "Events of one run or of all, a line each; the header `next` names the event to go on behind",
        params: &[
            text("format", "jsonl, ocsf, cef, ecs or otlp"),
            RUN,
            text("after", "Go on behind this event, RUN:NUMBER"),
            LIMIT,
        ],
        kind: "application/x-ndjson",
        reads: true,
        personal: false,
    },
];

/// The row that a path means, with what stands for its names.
pub(super) fn find(path: &[String]) -> Option<(&'static Row, Vec<(&'static str, String)>)> {
    ROWS.iter().find_map(|row| {
        let parts: Vec<&str> = row.path.split('/').filter(|part| !part.is_empty()).collect();
        if parts.len() != path.len() {
            return None;
        }
        let mut named = Vec::new();
        for (part, given) in parts.iter().zip(path) {
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => named.push((name, given.clone())),
                None if part == given => {}
                None => return None,
            }
        }
        Some((row, named))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_parts_and_nothing_else_is() {
        let find = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            find(&path).map(|(row, named)| (row.route, named.len()))
        };
        assert_eq!(find(&[]), Some((Route::Page, 0)));
        assert_eq!(find(&["v1", "sessions"]), Some((Route::Sessions, 0)));
        assert_eq!(find(&["v1", "proof", "last", "3"]), Some((Route::Proof, 2)));
        for none in [&["v1"][..], &["v2", "sessions"], &["v1", "sessions", "a", "b"], &["V1", "health"]] {
            assert_eq!(find(none), None, "{none:?}");
        }
    }
}
