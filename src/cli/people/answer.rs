//! `approve` and `deny`: the person's answer to one request.

use super::words::{actions, left};
use super::{Failure, carry_out, find};
use crate::base::WallTime;
use crate::cli::args::Approve;
use crate::consent::plain;
use crate::consent::text::resource;
use crate::guardian::session::Listed;
use crate::wire::consent::{Answer, Question};
use crate::wire::session::{Command, Reply};
use crate::wire::subject::Scope;

/// `approve`.
pub(super) fn approve(listed: &Listed, wish: &Approve) -> Result<String, Failure> {
    let (run, question) = find::request(listed, &wish.id)?;
    let answer = Answer::Allow { scope: scope(wish, question) };
    let command = Command::Answer { id: question.id.clone(), answer };
    let (reply, line) = carry_out(run, &command, question, wish.json)?;
    if wish.json {
        return Ok(line);
    }
    let lease = match &reply {
        Reply::Done { grant: Some(grant), .. } => {
            format!(
                ", grant {}, holds for {}",
                plain(&grant.id),
                left(grant.until, WallTime::now().unix_seconds())
            )
        }
        _ => String::new(),
    };
    let always = if wish.always { "; your policy says so from now on" } else { "" };
    Ok(format!("approved {}: {}{lease}{always}\n", plain(&question.id), what(question)))
}

/// What the flags say; else what the question says.
fn scope(wish: &Approve, question: &Question) -> Scope {
    match (wish.seconds.or(question.lease_s), wish) {
        (_, Approve { once: true, .. }) => Scope::Once {},
        (None, Approve { session: false, always: false, .. }) if question.upload.is_some() => Scope::Once {},
        (_, Approve { always: true, .. }) => Scope::Always {},
        (_, Approve { session: true, .. }) | (None, _) => Scope::Session {},
        (Some(seconds), _) => Scope::For { seconds },
    }
}

/// `deny`.
pub(super) fn deny(listed: &Listed, id: &str, always: bool, json: bool) -> Result<String, Failure> {
    let (run, question) = find::request(listed, id)?;
    let answer = if always { Answer::Never {} } else { Answer::Deny {} };
    let command = Command::Answer { id: question.id.clone(), answer };
    let (_, line) = carry_out(run, &command, question, json)?;
    if json {
        return Ok(line);
    }
    let always = if always { "; it is never asked again" } else { "" };
    Ok(format!("denied {}: {}{always}\n", plain(&question.id), what(question)))
}

fn what(question: &Question) -> String {
    format!(
        "{} {} for run {}",
        actions(&question.actions),
        resource(&question.resource),
        plain(&question.run)
    )
}
