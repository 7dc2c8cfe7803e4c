//! A report as one HTML file: the answers as text, and the record itself, which the file's own script checks where it is
//! opened.
//!
//! Nothing of a record becomes markup: text is escaped for a reader and for HTML, and the leaves stand packed as base64.
//! The file asks for nothing: no network, no storage, no other file; its script and style are named by their digests.

use super::cards::{Card, Group, MOST_ROWS, Row, cards};
use super::pack::{Packed, pack};
use crate::audit::log::{Hex, State};
use crate::audit::report::gather;
use crate::audit::{AuditError, json};
use crate::base::WallTime;
use crate::cli::audit::ask::last::{self, Answer};
use crate::cli::audit::ask::words;
use crate::cli::audit::text;
use crate::crypto::sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const STYLE: &str = include_str!("../../../../packaging/audit/report/page.css");
const SCRIPTS: [&str; 7] = [
    include_str!("../../../../packaging/audit/report/verify.js"),
    include_str!("../../../../packaging/audit/report/log.js"),
    include_str!("../../../../packaging/audit/report/record.js"),
    include_str!("../../../../packaging/audit/report/answers.js"),
    include_str!("../../../../packaging/audit/report/draw.js"),
    include_str!("../../../../packaging/audit/report/graph.js"),
    include_str!("../../../../packaging/audit/report/page.js"),
];

/// Of a run too long for one page, so many decisions and as many other events are in it.
const MOST_EVENTS: usize = 1_500;

/// What the script is told of the record.
#[derive(Serialize)]
struct Meta<'a> {
    form: u32,
    run: &'a str,
    made: &'a str,
    version: &'static str,
    home: String,
    state: State,
    why: Option<&'a str>,
    leaves: u64,
    root: Hex<32>,
    identity: Option<Hex<32>>,
    known: bool,
    seen: Seen<'a>,
    cards: &'a [Card],
    /// Bytes of the leaves and of what opens them once unpacked, and of what opens them.
    bytes: usize,
    openings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<&'a super::pack::Places>,
    left_out: &'a BTreeMap<String, u64>,
}

/// What the record can say, in words.
#[derive(Serialize)]
struct Seen<'a> {
    files: &'a str,
    network: &'a str,
}

/// A page, how many leaves of how many are in it, and the answers it has.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) held: u64,
    pub(super) all: u64,
    pub(super) answer: Answer,
}

/// The page of a run.
pub(super) fn page(dir: &Path, asked: &str, folder: &Path) -> Result<Page, AuditError> {
    let evidence = gather(dir, folder, MOST_EVENTS, &|record| record.seq)?;
    let answer = last::with(dir, asked, MOST_ROWS, Some(&evidence.verdict))?;
    let verdict = &evidence.verdict;
    let Packed { bytes, length, openings, held, places } = pack(folder, verdict, &evidence.timeline)?;
    let cards = cards(&answer);
    let made = WallTime::now().to_string();
    let home = std::env::var("HOME").unwrap_or_default();
    let meta = Meta {
        form: 2,
        run: &answer.summary.run.run,
        made: &made,
        version: env!("CARGO_PKG_VERSION"),
        home: Some(home.trim_end_matches('/')).filter(|home| home.len() > 1).unwrap_or_default().to_owned(),
        state: verdict.state,
        why: verdict.why.as_deref(),
        leaves: verdict.leaves,
        root: verdict.root,
        identity: verdict.identity,
        known: evidence.known,
        seen: Seen { files: &answer.seen.files, network: &answer.seen.network },
        cards: &cards,
        bytes: length,
        openings,
        excerpt: places.as_ref(),
        left_out: &evidence.left_out,
    };
    let text = document(&answer, &cards, &inside(&json(&meta)?), &STANDARD.encode(bytes));
    Ok(Page { text, held, all: verdict.leaves, answer })
}

/// The digest by which a browser is told to run a script or to use a style, and nothing else.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(sha256(text.as_bytes()).bytes()))
}

fn policy() -> String {
    let scripts: Vec<String> = SCRIPTS.iter().map(|script| source(script)).collect();
    format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        scripts.join(" "),
        source(STYLE)
    )
}

fn document(answer: &Answer, cards: &[Card], meta: &str, bytes: &str) -> String {
    let mut out = String::with_capacity(bytes.len() + (256 << 10));
    let row = &answer.summary.run;
    let command = text::command(&row.about.command);
    let policy = policy();
    let mut put = |text: &str| out.push_str(text);
    put("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    put(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n"));
    put("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    put(
        "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
    );
    put(&format!(
        "<title>Run {} · aisandbox</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        markup(&row.run)
    ));
    put("<header class=\"top\"><div class=\"brand\">aisandbox <span>report of a run</span></div>\n");
    put("<div id=\"badge\" class=\"badge idle\" role=\"status\"><b>Not verified</b>");
    put("<span>Nothing was checked in this browser: its script did not run.</span></div></header>\n<main>\n");
    put(&format!("<h1><bdi class=\"mono\">{}</bdi></h1>\n", markup(&shortened(&command, 400))));
    put(&facts(answer));
    put(
        "<div id=\"notice\" class=\"notice\"></div>\n<section id=\"answers\" class=\"answers\" aria-label=\"Answers\">\n",
    );
    cards.iter().for_each(|card| put(&card_markup(card)));
    put(
        "</section>\n<div id=\"tabs\" class=\"tabs\" role=\"tablist\" aria-label=\"Parts of the record\" hidden></div>\n",
    );
    put("<section id=\"panel\" class=\"panel\" role=\"tabpanel\" hidden></section>\n");
    put("<noscript><p class=\"none\">Without script this page shows the answers alone, and checks nothing. ");
    put(&format!(
        "<code>aisandbox audit verify {}</code> checks the record.</p></noscript>\n",
        markup(&row.run)
    ));
    put(
        "</main>\n<footer>The record was written by the Guardian of the run. This page asks for nothing and keeps nothing.</footer>\n",
    );
    put(&format!("<script type=\"application/json\" id=\"meta\">{meta}</script>\n"));
    put(&format!("<script type=\"text/plain\" id=\"bytes\">{bytes}</script>\n"));
    SCRIPTS.iter().for_each(|script| put(&format!("<script>{script}</script>\n")));
    put("</body>\n</html>\n");
    out
}

/// Who, what, when, and what the record was found to be where the page was made.
fn facts(answer: &Answer) -> String {
    let (row, about) = (&answer.summary.run, &answer.summary.run.about);
    let mut all =
        vec![("Run", row.run.clone()), ("When", words::span(row.began.as_deref(), row.ended.as_deref()))];
    let shown = |text: &str| crate::base::escape(text.as_bytes());
    all.extend(about.outcome.as_deref().map(|outcome| ("Outcome", shown(outcome))));
    all.extend(about.profile.as_deref().map(|profile| ("Profile", shown(profile))));
    all.extend(about.uid.map(|uid| ("User", words::user(uid))));
    all.extend(about.cwd.as_deref().map(|cwd| ("Folder", words::name(cwd))));
    all.extend(about.chain.first().map(|above| ("Started by run", shown(above))));
    if !about.degraded.is_empty() {
        let layers = words::names(about.degraded.iter().map(String::as_str), about.degraded.len() as u64);
        all.push(("Less than whole", layers));
    }
    all.extend(row.verdict.as_ref().map(|verdict| ("Record, when made", text::verdict(verdict))));
    let each = all.iter().fold(String::new(), |mut out, (title, value)| {
        write!(out, "<div><dt>{title}</dt><dd><bdi>{}</bdi></dd></div>", markup(value)).unwrap_or_default();
        out
    });
    format!("<dl class=\"facts\">{each}</dl>\n")
}

/// A card, as `cardOf` in the page's script makes it.
fn card_markup(card: &Card) -> String {
    let figures = card.facts.iter().map(|(figure, word)| {
        format!("<div class=\"figure\"><b>{}</b><span>{word}</span></div>", markup(figure))
    });
    let (figures, groups): (String, String) =
        (figures.collect(), card.groups.iter().map(group_markup).collect());
    let none = if groups.is_empty() { format!("<p class=\"none\">{}</p>", card.none) } else { String::new() };
    let seen = if card.seen.is_empty() {
        String::new()
    } else {
        format!("<p class=\"seen\">Seen: {}</p>", markup(&card.seen))
    };
    let title = card.title;
    format!(
        "<article class=\"card\"><h2>{title}</h2><div class=\"figures\">{figures}</div>{groups}{none}{seen}</article>\n"
    )
}

fn group_markup(group: &Group) -> String {
    let rows: String = group.rows.iter().map(row_markup).collect();
    let rest = if group.rest > 0 {
        format!("<li class=\"rest\">and {} more</li>", group.rest)
    } else {
        String::new()
    };
    format!("<div class=\"group\"><h3>{}</h3><ul>{rows}{rest}</ul></div>", markup(&group.title))
}

fn row_markup(row: &Row) -> String {
    let note = if row.note.is_empty() {
        String::new()
    } else {
        format!("<span class=\"note\">{}</span>", markup(&row.note))
    };
    let under: String =
        row.under.iter().map(|line| format!("<div class=\"under\">{}</div>", markup(line))).collect();
    format!("<li><bdi class=\"mono\">{}</bdi>{note}{under}</li>", markup(&row.text))
}

/// Text that is escaped for a reader, as text of HTML.
fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// JSON that can stand in an element: what could end or open one is written as `\uXXXX`, which is the same string.
fn inside(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_markup_is_none() {
        assert_eq!(
            markup("</script><img src='x' onerror=\"y\">&"),
            "&lt;/script&gt;&lt;img src=&#39;x&#39; onerror=&quot;y&quot;&gt;&amp;"
        );
        let text = "</script><!--<script>&\u{2028}";
        let written = inside(&json(&text).unwrap());
        assert!(!written.contains(['<', '>', '&', '\u{2028}']), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }

    /// One it does not know is counted by the usual names, which may be less than the index makes of it.
    #[test]
    fn the_page_knows_every_event_that_there_is() {
        let rules = SCRIPTS[2];
        for event in crate::audit::schema::events() {
            let name = event.name;
            let told = [format!("\n  {name}(data, facts)"), format!("\"{name}\"")];
            assert!(name.contains('.') || told.iter().any(|word| rules.contains(word)), "{name}");
        }
    }

    #[test]
    fn no_part_of_the_page_ends_the_element_it_stands_in_or_makes_markup_of_text() {
        for script in SCRIPTS {
            let lower = script.to_lowercase();
            for word in [
                "</script",
                "<!--",
                "innerhtml",
                "outerhtml",
                "insertadjacent",
                "document.write",
                "eval(",
                "new function",
            ] {
                assert!(!lower.contains(word), "{word}");
            }
            for word in [
                "fetch(",
                "xmlhttprequest",
                "websocket",
                "localstorage",
                "sessionstorage",
                "indexeddb",
                "cookie",
                "import(",
            ] {
                assert!(!lower.contains(word), "{word}");
            }
        }
        assert!(
            !STYLE.to_lowercase().contains("</style")
                && !STYLE.contains("url(")
                && !STYLE.contains("@import")
        );
        assert!(!policy().contains("unsafe"), "{}", policy());
    }
}
