//! What a person is asked about one request or message: that it is large, and what was found in it. As long as nothing of
//! it goes out the questions are gathered, and put as one.
//!
//! Never puts a value, or a path as it stands, into a question; and never takes a yes to a few findings for one to many.

use super::judge::Judge;
use super::refuse::Refusal;
use crate::wire::upload::{Found, MOST_KIND, MOST_KINDS, MOST_REQUEST, OTHER_KINDS, Upload};
use http::Method;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was agreed to is asked about again when there is more than so many times of it.
const MORE: u64 = 2;
/// The longest part of a path that is told as it is.
const LONGEST_WORD: usize = 24;

/// The questions of one upload. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    request: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Option<u64>,
    /// Something of it may be on its way: what comes up is asked at once.
    begun: bool,
    large: Answer,
    found: BTreeMap<String, u64>,
    agreed: BTreeMap<String, u64>,
    grant: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Answer {
    #[default]
    NotNeeded,
    Wanted,
    Given,
}

impl Asking {
    /// For a request of this method and path. Nothing of it goes out before [`Asking::begin`].
    pub(super) fn new(method: &Method, path: &str) -> Self {
        Self { request: template(method, path).into(), state: Arc::default() }
    }

    /// For one message of what this request began.
    pub(super) fn message(&self, bytes: Option<u64>) -> Self {
        let state = State { bytes, begun: true, ..State::default() };
        Self { request: self.request.clone(), state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes were announced.
    pub(super) fn announced(&self, bytes: Option<u64>) {
        self.state().bytes = bytes;
    }

    /// The lease of the last yes.
    pub(super) fn grant(&self) -> Option<String> {
        self.state().grant.clone()
    }

    /// It is larger than what goes out unasked.
    pub(super) fn is_large(&self) {
        let mut state = self.state();
        if state.large == Answer::NotNeeded {
            state.large = Answer::Wanted;
        }
    }

    /// Something was found that a person is asked about.
    pub(super) fn found(&self, kind: &str) {
        let mut state = self.state();
        let mut kind = kind.get(..kind.floor_char_boundary(MOST_KIND)).unwrap_or_default().to_owned();
        if state.found.len() >= MOST_KINDS - 1 && !state.found.contains_key(&kind) {
            kind = OTHER_KINDS.to_owned();
        }
        *state.found.entry(kind).or_default() += 1;
    }

    /// Asks what is still to be asked, unless more may come before anything goes out.
    /// # Errors
    /// 403 with the reason of the answer.
    pub(super) async fn settle(&self, judge: &Judge) -> Result<(), Refusal> {
        let question = {
            let state = self.state();
            if state.begun { self.question(&state) } else { None }
        };
        let Some(upload) = question else { return Ok(()) };
        let told = upload.found.clone();
        let large = upload.large;
        let answer = judge.way.ask_upload(upload).await;
        let grant = answer.map_err(|denied| {
            let why = if large { "a person did not allow so large an upload" } else { NOT_SENT };
            Refusal::new(403, denied.reason, why).by(&judge.rule)
        })?;
        let mut state = self.state();
        state.grant = Some(grant);
        if large {
            state.large = Answer::Given;
        }
        state.agreed.extend(told.into_iter().map(|found| (found.kind, found.count)));
        Ok(())
    }

    /// From here on something may go out: what is gathered is asked now.
    /// # Errors
    /// As [`Asking::settle`].
    pub(super) async fn begin(&self, judge: &Judge) -> Result<(), Refusal> {
        self.state().begun = true;
        self.settle(judge).await
    }

    fn question(&self, state: &State) -> Option<Upload> {
        let more = |(kind, count): (&String, &u64)| {
            state.agreed.get(kind).is_none_or(|agreed| *count > agreed.saturating_mul(MORE))
        };
        if state.large != Answer::Wanted && !state.found.iter().any(more) {
            return None;
        }
        let found = state.found.iter().map(|(kind, count)| Found { kind: kind.clone(), count: *count });
        let large = state.large != Answer::NotNeeded;
        let request = (*self.request).to_owned();
        Some(Upload { request, bytes: state.bytes, large, found: found.collect() })
    }
}

/// Refuses a body of so many bytes, or has a person asked about it.
/// # Errors
/// 413 `limit-body`.
pub(super) fn check_size(judge: &Judge, bytes: u64) -> Result<(), Refusal> {
    let limits = &judge.rule.limits;
    if limits.request_body.is_some_and(|most| bytes > most) {
        return Err(
            Refusal::new(413, "limit-body", "the body is larger than the rule allows").by(&judge.rule)
        );
    }
    if limits.ask_above.is_some_and(|most| bytes > most) {
        judge.asking.is_large();
    }
    Ok(())
}

const NOT_SENT: &str = "a person did not allow this to be sent";

/// Method and path, in which what could be a name, a number or a secret is a star.
fn template(method: &Method, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').map(|part| if is_word(part) { part } else { "*" }).collect();
    let mut text = format!("{method} {}", parts.join("/"));
    text.truncate(text.floor_char_boundary(MOST_REQUEST));
    text
}

/// A word of a program's interface: `files`, `chat-completions`, `v1`, `index.html`; or nothing.
fn is_word(part: &str) -> bool {
    let version = part.strip_prefix(['v', 'V']).is_some_and(|number| {
        (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    let letter = |byte: u8| byte.is_ascii_lowercase() || b"-_.".contains(&byte);
    version || part.len() <= LONGEST_WORD && part.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_by_its_words_alone() {
        for (path, told) in [
            ("/", "PUT /"),
            ("/v1/chat/completions", "PUT /v1/chat/completions"),
            ("/upload/2026/report.pdf", "PUT /upload/*/report.pdf"),
            ("/u/AKIAIOSFODNN7EXAMPLE", "PUT /u/*"),
            ("/u/%1b[31m/\u{e4}", "PUT /u/*/*"),
            ("/abcdefghijklmnopqrstuvwxyz", "PUT /*"),
        ] {
            assert_eq!(template(&Method::PUT, path), told);
        }
        assert!(template(&Method::PUT, &"/a".repeat(900)).len() <= MOST_REQUEST);
    }

    #[test]
    fn more_of_a_kind_is_asked_again_and_a_few_more_are_not() {
        let asking = Asking::new(&Method::POST, "/");
        let question = || asking.question(&asking.state());
        assert_eq!(question(), None);
        asking.found("email");
        assert_eq!(question().unwrap().found, [Found { kind: "email".into(), count: 1 }]);
        asking.state().agreed.insert("email".into(), 1);
        assert_eq!(question(), None);
        asking.found("email");
        assert_eq!(question(), None, "two are not more than twice one");
        asking.found("email");
        assert_eq!(question().unwrap().found[0].count, 3);
        asking.state().agreed.insert("email".into(), 3);
        asking.found("card");
        assert!(question().is_some(), "another kind");
        for kind in 0..40 {
            asking.found(&format!("kind-{kind}"));
        }
        assert_eq!(question().unwrap().found.len(), MOST_KINDS);
    }

    #[test]
    fn what_is_large_is_asked_once() {
        let asking = Asking::new(&Method::POST, "/");
        asking.announced(Some(9));
        asking.is_large();
        let asked = asking.question(&asking.state()).unwrap();
        assert_eq!((asked.large, asked.bytes), (true, Some(9)));
        asking.state().large = Answer::Given;
        asking.is_large();
        assert_eq!(asking.question(&asking.state()), None);
        assert_eq!(asking.message(Some(3)).question(&asking.state()), None);
    }
}
