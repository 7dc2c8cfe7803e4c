//! Api: questions about the records of one user, by GET alone.
//!
//! Never answers before the reading is recorded, never hands out what the client's role may not read, and has no route that
//! changes anything.

mod answers;
mod link;
mod openapi;
mod rate;
mod roles;
mod routes;
mod serve;

pub use serve::serve;

use super::asked::{Answer, Asked, Peer};
use super::http::Service;
use crate::audit::AuditError;
use crate::wire::serve::FromServer;
use answers::{Books, Named, Reply, Told};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use link::Link;
use rate::Rate;
use roles::{Role, Roles};
use routes::{Route, Row};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The most runs that a reading names.
const MOST_NAMED: usize = 64;
/// The header that names the event to go on behind.
const NEXT: HeaderName = HeaderName::from_static("next");

/// What is put in words elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The page of a run in the folder of the logs.
    pub page: fn(&Path, &str) -> Result<String, AuditError>,
    /// The answers about a run, with so many rows of each list.
    pub session: fn(&Path, &str, usize) -> Result<Value, AuditError>,
}

/// Why there is no answer.
#[derive(Debug)]
enum Failed {
    Bad(&'static str),
    Role(&'static str),
    None(&'static str),
    Audit(AuditError),
}

impl From<AuditError> for Failed {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

impl Failed {
    fn answer(self, role: Role) -> Answer {
        match self {
            Self::Bad(why) => Answer::refusal(StatusCode::BAD_REQUEST, why),
            Self::Role(why) => Answer::refusal(StatusCode::FORBIDDEN, why),
            Self::None(why) => Answer::refusal(StatusCode::NOT_FOUND, why),
            // Words of an error name paths.
            Self::Audit(error) if role == Role::Own => {
                Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
            Self::Audit(_) => Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the record cannot be read"),
        }
    }
}

/// What answers.
struct Api {
    runs: PathBuf,
    home: Option<String>,
    words: Words,
    roles: Roles,
    rate: Rate,
    link: Link,
}

impl Service for Api {
    fn most_body(&self, _: &http::request::Parts) -> usize {
        0
    }

    fn answer(&self, asked: Asked) -> Answer {
        let Some(role) = self.roles.of(&asked.peer) else {
            return Answer::refusal(StatusCode::FORBIDDEN, "this client has no role here");
        };
        if asked.method != Method::GET {
            let answer = Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, "records are for reading: GET");
            return answer.with(header::ALLOW, HeaderValue::from_static("GET"));
        }
        let Some((row, in_path)) = routes::find(&asked.path) else {
            return Answer::refusal(
                StatusCode::NOT_FOUND,
                "there is nothing at this path; see /v1/openapi.json",
            );
        };
        let mut named: Named = asked.query.clone();
        let known = |name: &String| {
            row.params.iter().any(|param| param.name == name) && !in_path.iter().any(|(part, _)| part == name)
        };
        if !named.keys().all(known) {
            return Answer::refusal(
                StatusCode::BAD_REQUEST,
                "there is no such parameter here; see /v1/openapi.json",
            );
        }
        named.extend(in_path.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self.reading(&asked, role, row, &named).unwrap_or_else(|failed| failed.answer(role))
    }
}

impl Api {
    fn reading(&self, asked: &Asked, role: Role, row: &Row, named: &Named) -> Result<Answer, Failed> {
        if row.personal && !role.reads_personal() {
            return Err(Failed::Role("this holds personal values"));
        }
        if row.route == Route::OpenApi {
            return Ok(Answer::json(&openapi::document()));
        }
        if !self.rate.may(client(&asked.peer)) {
            let answer = Answer::refusal(StatusCode::TOO_MANY_REQUESTS, "too many questions of this client");
            return Ok(answer.with(header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        let books = Books { dir: &self.runs, home: self.home.as_deref(), words: &self.words, role };
        let [runs, leaves, checked] = books.ask(&mut |index| index.size())?;
        if row.route == Route::Health {
            let version = env!("CARGO_PKG_VERSION");
            let told = json!({ "ok": true, "version": version, "role": role.word(), "runs": runs, "leaves": leaves });
            return Ok(Answer::json(&told));
        }
        let tag = format!("\"{}-{runs}-{leaves}-{checked}\"", role.word());
        if asked.unless.as_ref().is_some_and(|unless| unless.split(',').any(|one| one.trim() == tag)) {
            let answer = Answer { status: StatusCode::NOT_MODIFIED, ..Answer::of(row.kind, "") };
            return Ok(answer.with(header::ETAG, tag));
        }
        let told = books.answer(row.route, named)?;
        if row.reads
            && let Err(why) = self.note(&asked.peer, role, row, &told)
        {
            tracing::debug!("a reading could not be recorded: {why}");
            let why = "it cannot be recorded that this is read";
            return Ok(Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        Ok(answered(row, told.reply, named).with(header::ETAG, tag))
    }

    /// Has the reading recorded.
    fn note(&self, peer: &Peer, role: Role, row: &Row, told: &Told) -> Result<(), String> {
        let (client, uid) = match peer {
            Peer::Local { uid } => (None, Some(*uid)),
            Peer::Certified { name } => (Some(name.clone()), None),
        };
        self.link.note(&FromServer::Note {
            client,
            uid,
            role: role.word().to_owned(),
            form: row.path.to_owned(),
            runs: told.runs.iter().take(MOST_NAMED).cloned().collect(),
            all: told.runs.len() as u64,
        })
    }
}

fn client(peer: &Peer) -> &str {
    match peer {
        Peer::Local { .. } => "",
        Peer::Certified { name } => name,
    }
}

fn answered(row: &Row, reply: Reply, named: &Named) -> Answer {
    match reply {
        Reply::Json(value) => Answer::json(&value),
        Reply::Lines(text, next) => {
            let answer = Answer::of(row.kind, text);
            match next {
                Some(next) => answer.with(NEXT, next),
                None => answer,
            }
        }
        Reply::Text(text) => {
            let answer = Answer::of(row.kind, text);
            let every = named.get("every").and_then(|text| text.parse::<u32>().ok());
            match every.filter(|every| (2..=3600).contains(every)) {
                Some(every) => answer.with(header::REFRESH, every.to_string()),
                None => answer,
            }
        }
    }
}
