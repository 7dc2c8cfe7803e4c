//! The head of a request as text for role `dlp`, and what it changes there.
//!
//! Never changes a name, a method or a path: what must not leave there stops the request.

use super::super::reason;
use super::encode::percent;
use super::heads;
use super::judge::Judge;
use super::login::LOGINS;
use super::refuse::Refusal;
use super::scan::{Scan, Step};
use super::signed;
use crate::wire::dlp::Edit;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::ops::Range;

/// Headers whose values say nothing of the agent's, or were checked already.
pub(super) const PLAIN: [&str; 6] =
    ["host", "content-length", "accept-encoding", "connection", "transfer-encoding", "te"];

/// What a range of the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Query,
    /// The header at this place.
    Value(usize),
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    parts: Vec<(Range<usize>, Part)>,
}

impl Text {
    fn part(&mut self, bytes: &[u8], part: Part) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.parts.push((start..self.bytes.len(), part));
    }
}

/// Lets role `dlp` read a head, before any secret is in it, and changes it as that says.
/// # Errors
/// 403 `dlp` or `dlp-unscannable`.
pub(super) async fn read_head(
    judge: &Judge,
    method: &Method,
    target: &mut PathAndQuery,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    if judge.scanner.is_none() {
        return Ok(());
    }
    let lines: Vec<(HeaderName, HeaderValue)> =
        headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut text = Text::default();
    text.bytes.extend_from_slice(format!("{method} {}", target.path()).as_bytes());
    if let Some(query) = target.query() {
        text.bytes.push(b'?');
        text.part(query.as_bytes(), Part::Query);
    }
    let mut logins = Text::default();
    for (place, (name, value)) in lines.iter().enumerate() {
        if PLAIN.contains(&name.as_str()) {
            continue;
        }
        // A credential belongs into a login; one that must not leave still does not.
        let text = if LOGINS.contains(&name.as_str()) { &mut logins } else { &mut text };
        text.bytes.extend_from_slice(format!("\n{name}: ").as_bytes());
        text.part(value.as_bytes(), Part::Value(place));
    }
    let edits = read(judge, &text.bytes, false).await?;
    if !logins.bytes.is_empty() {
        read(judge, &logins.bytes, true).await?;
    }
    if !edits.is_empty() {
        if signed::is_head(headers) {
            let why = "the head of the request holds something that must not leave, and is signed";
            return Err(Refusal::new(403, reason::SIGNED, why).by(&judge.rule));
        }
        edit(judge, &text, edits, target, lines, headers)?;
    }
    heads::read(judge, target, headers).await
}

/// Makes the edits.
fn edit(
    judge: &Judge,
    text: &Text,
    edits: Vec<Edit>,
    target: &mut PathAndQuery,
    mut lines: Vec<(HeaderName, HeaderValue)>,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    for edit in edits.iter().rev() {
        let range = usize::try_from(edit.start).unwrap_or(usize::MAX)..usize::try_from(edit.end).unwrap_or(0);
        if let Some(bytes) = text.bytes.get(range).filter(|_| edit.token) {
            judge.tokens.keep(&edit.with, bytes);
        }
        change(text, edit, target, &mut lines).ok_or_else(|| stuck(judge))?;
    }
    headers.clear();
    headers.extend(lines.into_iter().map(|(name, value)| (Some(name), value)));
    Ok(())
}

fn stuck(judge: &Judge) -> Refusal {
    Refusal::new(403, "dlp", "the head of the request holds something that must not leave").by(&judge.rule)
}

/// Lets the text be read whole. Of logins only what must never leave counts.
async fn read(judge: &Judge, text: &[u8], logins: bool) -> Result<Vec<Edit>, Refusal> {
    let Some(mut scan) = judge.open("message/http").await? else { return Ok(Vec::new()) };
    let text = judge.keys.mask(text);
    let mut pieces = text.chunks(Scan::MOST).peekable();
    let mut edits = Vec::new();
    while let Some(piece) = pieces.next() {
        let step = scan.feed(piece, pieces.peek().is_none()).await;
        let mut step = step.map_err(|unread| judge.unread(unread))?;
        if logins {
            step =
                Step { findings: step.findings.into_iter().filter(|found| found.critical).collect(), ..step };
            step.edits.clear();
        }
        if judge.judge(&step).await? {
            return Ok(edits);
        }
        edits.extend(step.edits);
    }
    Ok(edits)
}

/// Makes one edit; `None` where it cannot be made.
fn change(
    text: &Text,
    edit: &Edit,
    target: &mut PathAndQuery,
    lines: &mut [(HeaderName, HeaderValue)],
) -> Option<()> {
    let (start, end) = (usize::try_from(edit.start).ok()?, usize::try_from(edit.end).ok()?);
    let (range, part) = text.parts.iter().find(|(range, _)| range.start <= start && end <= range.end)?;
    let within = start - range.start..end - range.start;
    match part {
        Part::Value(place) => {
            let (_, value) = lines.get_mut(*place)?;
            let mut bytes = value.as_bytes().to_vec();
            splice(&mut bytes, within, edit.with.as_bytes())?;
            *value = HeaderValue::from_bytes(&bytes).ok()?;
        }
        Part::Query => {
            let mut query = target.query()?.as_bytes().to_vec();
            splice(&mut query, within, &percent(edit.with.as_bytes()))?;
            let whole = [target.path().as_bytes(), b"?", &query].concat();
            *target = PathAndQuery::try_from(whole.as_slice()).ok()?;
        }
    }
    Some(())
}

fn splice(bytes: &mut Vec<u8>, within: Range<usize>, with: &[u8]) -> Option<()> {
    bytes.get(within.clone())?;
    bytes.splice(within, with.iter().copied());
    Some(())
}
