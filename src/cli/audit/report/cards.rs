//! The three answers and the refusals as a page shows them: figures, lists, and what the record could not see.
//!
//! A page counts them anew from the leaves it has checked (`packaging/audit/report/answers.js`) and compares: the same
//! words in the same order. Every text here is escaped for a reader; whoever makes markup of it escapes it once more.

use crate::audit::index::answer::Moved;
use crate::audit::index::answer::{Group as By, MovedRow, Named, Part, Summary};
use crate::cli::audit::ask::last::Answer;
use crate::cli::audit::ask::words::{acts, bytes, decider, many, name};
use serde::Serialize;

/// The most rows of a list.
pub(super) const MOST_ROWS: usize = 6;

/// One answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Card {
    pub(super) title: &'static str,
    /// A figure and its word.
    pub(super) facts: Vec<(String, &'static str)>,
    pub(super) groups: Vec<Group>,
    /// What is said where there is no group.
    pub(super) none: &'static str,
    /// What the record can say of this; may be empty.
    pub(super) seen: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
    /// How many more there are.
    pub(super) rest: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) text: String,
    pub(super) note: String,
    pub(super) under: Vec<String>,
}

/// The answers of a run, whose lists were asked for with [`MOST_ROWS`].
pub(super) fn cards(answer: &Answer) -> [Card; 4] {
    let summary = &answer.summary;
    [
        touched(summary, answer.seen.files.clone()),
        approved(summary),
        moved(&answer.moved, answer.seen.network.clone()),
        refused(summary),
    ]
}

fn row(text: String, note: String) -> Row {
    Row { text, note, under: Vec::new() }
}

fn often(count: u64) -> String {
    if count > 1 { format!("{count} ×") } else { String::new() }
}

fn group(title: &str, all: u64, rows: Vec<Row>) -> Option<Group> {
    let rest = all.saturating_sub(rows.len() as u64);
    (!rows.is_empty()).then(|| Group { title: title.to_owned(), rows, rest })
}

fn touched(summary: &Summary, seen: String) -> Card {
    let named = |title: &str, part: &Part<Named>| {
        let line = |named: &Named| row(name(&named.name), often(named.count.unsigned_abs()));
        group(title, part.all, part.told.iter().map(line).collect())
    };
    let files = &summary.files;
    Card {
        title: "What was touched",
        facts: vec![
            (files.read.to_string(), "read"),
            (files.changed.to_string(), "changed"),
            (files.deleted.to_string(), "deleted"),
            (files.sensitive.to_string(), "sensitive"),
        ],
        groups: [
            named("Sensitive", &summary.sensitive),
            named("Given", &summary.given),
            named("Programs started", &summary.programs),
        ]
        .into_iter()
        .flatten()
        .collect(),
        none: "Nothing that the record saw",
        seen,
    }
}

fn approved(summary: &Summary) -> Card {
    let persons: u64 = summary.approved.iter().filter(|by| by.person).map(|by| by.count).sum();
    let all: u64 = summary.approved.iter().map(|by| by.count).sum();
    let one = |by: &By| Group {
        title: format!("{} by {}", by.count, decider(&by.by, by.person)),
        rows: by
            .objects
            .iter()
            .map(|given| {
                let text = format!("{} {}", acts(given.acts), name(&given.name));
                row(text.trim().to_owned(), often(given.count))
            })
            .collect(),
        rest: by.count.saturating_sub(by.objects.iter().map(|given| given.count).sum()),
    };
    Card {
        title: "Who approved it",
        facts: vec![(persons.to_string(), "by a person"), ((all - persons).to_string(), "by a rule")],
        groups: summary.approved.iter().take(MOST_ROWS).map(one).collect(),
        none: "Nothing was asked for and given",
        seen: String::new(),
    }
}

fn moved(moved: &Moved, seen: String) -> Card {
    let told = moved.rows.told.iter().filter(|row| row.sent > 0 || row.by_rule || row.by_content);
    let hosts = moved.rows.all;
    Card {
        title: "How data moved",
        facts: vec![
            (bytes(moved.sent), "out"),
            (bytes(moved.received), "in"),
            (hosts.to_string(), if hosts == 1 { "host" } else { "hosts" }),
        ],
        groups: group("Sent to", hosts, told.map(sent).collect()).into_iter().collect(),
        none: "No data left, as far as the record saw",
        seen,
    }
}

fn sent(row: &MovedRow) -> Row {
    let refused = if row.denied > 0 { format!(", {} refused", row.denied) } else { String::new() };
    let mut under = Vec::new();
    let mut found: Vec<&Named> = row.found.iter().collect();
    found.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
    if !found.is_empty() {
        let each: Vec<String> =
            found.iter().map(|what| format!("{} × {}", what.count, name(&what.name))).collect();
        under.push(format!("found in it: {}", each.join(", ")));
    }
    if row.by_content {
        under.push("the content of something known was in it".to_owned());
    }
    for near in &row.near {
        let when = match near.seconds {
            0 => "while it was open".to_owned(),
            seconds => format!("{} after it was open", many(seconds, "second", "seconds")),
        };
        under.push(format!("near in time: {} [{}], {when}", name(&near.name), name(&near.label)));
    }
    let note = format!("{} out, {} in{refused}", bytes(row.sent), bytes(row.received));
    Row { text: name(&row.host), note, under }
}

fn refused(summary: &Summary) -> Card {
    let rows = summary.denied.told.iter();
    let rows =
        rows.map(|one| row(format!("{} {}", acts(one.acts), name(&one.name)), often(one.count))).collect();
    Card {
        title: "What was refused",
        facts: vec![(summary.denials.to_string(), if summary.denials == 1 { "refusal" } else { "refusals" })],
        groups: group("Most often", summary.denied.all, rows).into_iter().collect(),
        none: "Nothing",
        seen: String::new(),
    }
}
