//! A question as lines for people: who, what, why, for how long, always in this order and at these columns.
//!
//! Never lets anything an agent supplied (its words, paths, names of programs) stand where a line of ours begins: each
//! line starts with our own nine columns, and the agent's words are marked on every line they take.

use super::plain::{columns, plain};
use super::words::{actions, lasting, size, warning};
use crate::wire::consent::{Object, Question};
use crate::wire::session::AlertState;
use crate::wire::subject::{Process, Resource};
use crate::wire::upload::Upload;

/// Characters of the agent's words that are kept.
pub const WHY_LETTERS: usize = 500;
/// Columns before the text of every line.
const MARGIN: usize = 9;
/// What stands there on each line of the agent's own words.
const AGENT: &str = " agent > ";
/// Lines a path or a name may take; a longer one loses its middle.
const NAME_LINES: usize = 6;
/// Lines the agent's words may take.
const WHY_LINES: usize = 10;
/// Parents that are named.
const PARENTS: usize = 8;

/// What a line is, so that a screen can give each its look, and a small one can leave out the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first line.
    Title,
    /// What a person must see to answer.
    Fact,
    /// What helps to judge it.
    Detail,
    /// Why to be careful.
    Warning,
    /// The agent's own words.
    Agent,
}

/// One line, without an end of line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: Kind,
    /// Printable text only, of no more columns than were asked for.
    pub text: String,
}

/// Says whether the object is marked as sensitive, or something that should not leave was found in it: then one touch must
/// not be enough for a yes.
pub fn is_sensitive(question: &Question) -> bool {
    question.object.as_ref().is_some_and(|object| !object.label.is_empty())
        || question.upload.as_ref().is_some_and(|upload| !upload.found.is_empty())
}

/// The question in lines of at most `width` columns (never less than 40). `now`: seconds since 1970.
pub fn lines(question: &Question, width: usize, now: u64) -> Vec<Line> {
    let mut page = Page { width: width.max(40), lines: Vec::new() };
    page.put(Kind::Title, "", &format!("aisandbox asks: {}", plain(&question.id)));
    who(&mut page, question);
    what(&mut page, question);
    why(&mut page, question);
    how_long(&mut page, question, now);
    page.lines
}

/// The question in one line, for lists: what is wanted, on what.
pub fn summary(question: &Question) -> String {
    let object = question.object.as_ref().map(|object| plain(&object.path));
    let on = object.unwrap_or_else(|| resource(&question.resource));
    let sent = question.upload.as_ref().map(|upload| format!(", {}", sent(upload))).unwrap_or_default();
    format!("{}: {on}{sent}", actions(&question.actions))
}

/// An alert in one line, printable.
pub fn alert_text(alert: &AlertState) -> String {
    let (level, title) = (plain(&alert.level), plain(&alert.title));
    format!("alert ({level}): {title} [{}]{}", plain(&alert.rule), done(alert))
}

/// What was done about it, and the way back.
fn done(alert: &AlertState) -> String {
    let run = alert.id.rsplit_once('-').map_or("", |(run, _)| run);
    match &*alert.action {
        "ask" => "; the next requests come to you".to_owned(),
        "tighten" => format!("; nothing more is granted until: aisandbox resume {}", plain(run)),
        "freeze" => format!("; all is stopped until: aisandbox resume {}", plain(run)),
        "stop" => "; the run is ended".to_owned(),
        _ => String::new(),
    }
}

/// A resource in words, as the agent sees it.
pub fn resource(resource: &Resource) -> String {
    match resource {
        Resource::File { path } | Resource::Program { path } => plain(path),
        Resource::Host { host, port } | Resource::Upload { host, port } => {
            format!("{} port {port}", plain(host))
        }
        Resource::Device { name } => plain(name),
    }
}

/// Cuts text that is plain already to so many columns; what was cut shows as `...`.
pub fn fit(text: &str, width: usize) -> String {
    if text.chars().map(columns).sum::<usize>() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(3);
    let kept: String = text
        .chars()
        .take_while(|letter| {
            let fits = columns(*letter) <= left;
            left = left.saturating_sub(columns(*letter));
            fits
        })
        .collect();
    format!("{kept}{}", ".".repeat(width.min(3)))
}

/// Lines in the making.
struct Page {
    width: usize,
    lines: Vec<Line>,
}

impl Page {
    /// Adds text behind a label, on as many lines as it takes.
    fn put(&mut self, kind: Kind, label: &str, text: &str) {
        self.put_at_most(kind, label, text, usize::MAX);
    }

    fn put_at_most(&mut self, kind: Kind, label: &str, text: &str, most: usize) {
        let margin = if kind == Kind::Title { 0 } else { MARGIN };
        let parts = wrap(text, self.width - margin);
        let left_out = parts.len().saturating_sub(most);
        let head = if left_out == 0 { parts.len() } else { most.div_ceil(2) };
        for (place, part) in parts.iter().enumerate() {
            if (head..head + left_out).contains(&place) {
                if place == head {
                    let note = format!("{:MARGIN$}{left_out} lines are left out here", " (cut)");
                    self.lines.push(Line { kind: Kind::Fact, text: fit(&note, self.width) });
                }
                continue;
            }
            let text = match kind {
                Kind::Title => part.clone(),
                Kind::Agent => format!("{AGENT}{part}"),
                _ if place == 0 => format!(" {label:<8}{part}"),
                _ => format!("{:MARGIN$}{part}", ""),
            };
            self.lines.push(Line { kind, text });
        }
    }
}

fn who(page: &mut Page, question: &Question) {
    let process = &question.asker.process;
    page.put_at_most(Kind::Fact, "Who", &name(process), NAME_LINES);
    let digest = process.sha256.as_deref().map(|digest| format!("sha256 {}", short(digest)));
    page.put(Kind::Detail, "", &digest.unwrap_or_else(|| "its file was not read".into()));
    let parents: Vec<String> = question.asker.parents.iter().take(PARENTS).map(name).collect();
    if !parents.is_empty() {
        page.put_at_most(Kind::Detail, "", &format!("started by {}", parents.join(", by ")), NAME_LINES);
    }
    let above: Vec<String> = question.chain.iter().map(|run| plain(run)).collect();
    let chain =
        if above.is_empty() { String::new() } else { format!(", started by run {}", above.join(", ")) };
    let run = format!("run {}{chain}, profile {}", plain(&question.run), plain(&question.profile));
    page.put(Kind::Detail, "", &run);
}

fn name(process: &Process) -> String {
    let program = match process.program.as_str() {
        "" => "a program that is gone".to_owned(),
        program => plain(program),
    };
    if process.pid == 0 { program } else { format!("{program} (process {})", process.pid) }
}

/// Enough of a digest to compare by eye; the record has all of it.
fn short(digest: &str) -> String {
    plain(&digest.chars().take(16).collect::<String>())
}

fn what(page: &mut Page, question: &Question) {
    let inside = resource(&question.resource);
    page.put(Kind::Fact, "Wants", &format!("{}:", actions(&question.actions)));
    let Some(object) = &question.object else {
        page.put_at_most(Kind::Fact, "", &inside, NAME_LINES);
        return uploading(page, question);
    };
    let path = plain(&object.path);
    page.put_at_most(Kind::Fact, "", &path, NAME_LINES);
    page.put(Kind::Fact, "", &about(object));
    if path != inside {
        page.put_at_most(Kind::Detail, "", &format!("the agent sees it as {inside}"), NAME_LINES);
    }
    if let Some(digest) = &object.sha256 {
        page.put(Kind::Detail, "", &format!("sha256 {}", short(digest)));
    }
    if let Some(warning) = warning(&object.label) {
        page.put(Kind::Warning, "CAREFUL", &format!("{} ({})", warning, plain(&object.label)));
    }
}

fn uploading(page: &mut Page, question: &Question) {
    let Some(upload) = &question.upload else { return };
    let request = format!("by {}", plain(&upload.request));
    page.put_at_most(Kind::Fact, "", &request, NAME_LINES);
    page.put_at_most(Kind::Fact, "", &sent(upload), NAME_LINES);
    if !upload.found.is_empty() {
        let warning = "What is sent holds what rules of your profile look for.";
        page.put(Kind::Warning, "CAREFUL", warning);
    }
}

/// How much would be sent, and what was found in it.
fn sent(upload: &Upload) -> String {
    let length = upload.bytes.map_or_else(|| "a length that nobody said".to_owned(), size);
    if upload.found.is_empty() {
        return length;
    }
    let found = upload.found.iter().map(|found| format!("{} {}", found.count, plain(&found.kind)));
    format!("{length}, found in it: {}", found.collect::<Vec<_>>().join(", "))
}

fn about(object: &Object) -> String {
    let kind = plain(&object.kind);
    match (kind.as_str(), object.size) {
        ("folder", _) => "a folder, with everything below it".into(),
        (_, Some(bytes)) => format!("a {kind} of {}", size(bytes)),
        (_, None) => format!("a {kind}"),
    }
}

fn why(page: &mut Page, question: &Question) {
    if let Some(policy) = &question.policy {
        page.put_at_most(Kind::Detail, "Policy", &plain(policy), NAME_LINES);
    }
    let Some(words) = question.why.as_deref().filter(|words| !words.trim().is_empty()) else {
        return page.put(Kind::Detail, "Why", "the agent gave no reason");
    };
    page.put(Kind::Detail, "Why", "in the agent's own words, which nobody has checked:");
    let kept: String = words.chars().take(WHY_LETTERS).collect();
    page.put_at_most(Kind::Agent, "", &plain(kept.trim()), WHY_LINES);
    if kept.len() < words.len() {
        page.put(Kind::Detail, "(cut)", "the agent said more than fits here");
    }
}

fn how_long(page: &mut Page, question: &Question, now: u64) {
    let lease = match &question.upload {
        Some(_) => "for this one".to_owned(),
        None => question.lease_s.map_or_else(|| "until the run ends".into(), lasting),
    };
    page.put(Kind::Fact, "Lasts", &format!("{lease}, unless you say otherwise"));
    if let Some(upload) = &question.upload {
        let size = match (upload.large, upload.bytes) {
            (true, Some(bytes)) => format!(" of up to {}", size(bytes)),
            (true, None) => " of any length".to_owned(),
            (false, _) => String::new(),
        };
        let kinds = if upload.found.is_empty() { "" } else { " with findings of these kinds" };
        let wide = format!("longer: for every upload to this host{size}{kinds}");
        page.put(Kind::Detail, "", &wide);
    }
    let left = lasting(question.until.saturating_sub(now));
    page.put(Kind::Fact, "Answer", &format!("within {left}; no answer means no"));
}

/// Lines of at most `width` columns. Breaks behind a space or a slash where one is near the end; a mark stays with its
/// letter.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let wide = columns(letter);
        if used + wide > width && !line.is_empty() && wide > 0 {
            let at = line.rfind([' ', '/']).map(|at| at + 1).filter(|at| *at * 2 > line.len());
            let tail = line.split_off(at.unwrap_or(line.len()));
            parts.push(std::mem::replace(&mut line, tail));
            used = line.chars().map(columns).sum();
        }
        line.push(letter);
        used += wide;
    }
    parts.push(line);
    parts
}

#[cfg(test)]
#[path = "text_tests.rs"]
pub(super) mod tests;
