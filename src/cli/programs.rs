//! Programs of a plan before anything runs: their content is what the profile says, who is asked about them says yes, and
//! none can come from memory.
//!
//! Never starts what is known to be bad, or what could not be asked about.

use super::person;
use super::record::reopened;
use super::reputation::Asking;
use crate::audit::access::ProgramCheck;
use crate::audit::{Event, SharedLog};
use crate::base::Source;
use crate::crypto::sha256_file;
use crate::plan::Plan;
use crate::plan::programs::Questioned;
use crate::profile::{Compare, Condition, FilterAction, FilterFile, FilterRule, Unknown, Width};
use crate::sys::Errno;
use crate::wire::reputation::Standing;
use std::os::fd::AsFd;

/// Reads every pinned program through the descriptor that its Landlock rule is made from, without a cache.
/// # Errors
/// The first whose content is another, in words.
pub(super) fn check(plan: &Plan) -> Result<(), String> {
    for pinned in &plan.pinned {
        let told = |why: String| format!("program {}: {why} ({})", pinned.path, pinned.asked);
        let file = reopened(&pinned.object)
            .ok_or_else(|| told("cannot be read, so its digest is not known".into()))?;
        let found = sha256_file(file.as_fd()).map_err(|error| told(format!("read it: {error}")))?.to_string();
        if found != pinned.sha256 {
            return Err(told(format!("its SHA-256 is {found}, not {}", pinned.sha256)));
        }
    }
    Ok(())
}

/// Asks about every program that is to be asked about: first who knows programs, then, where nobody does, a person.
/// Each answer is recorded.
/// # Errors
/// The first no, in words.
pub(super) fn question(plan: &Plan, log: &SharedLog) -> Result<(), String> {
    let mut asking = None;
    for program in &plan.questioned {
        let told = |why: String| format!("program {}: {why} ({})", program.path, program.asked);
        let file = reopened(&program.object)
            .ok_or_else(|| told("cannot be read, so nobody can be asked about it".into()))?;
        let digest =
            sha256_file(file.as_fd()).map_err(|error| told(format!("read it: {error}")))?.to_string();
        let mut standing = Standing::Unknown;
        if let Some(reputation) = &plan.profile.programs.reputation {
            let asking = match &mut asking {
                Some(asking) => asking,
                empty => empty.insert(Asking::start(reputation).map_err(told)?),
            };
            let size = file.metadata().map_or(0, |facts| facts.len());
            let answer = asking.ask(&digest, &program.object.canonical.to_string(), size);
            standing = answer.standing;
            let reason = crate::base::escape(answer.reason.as_bytes());
            record(log, program, &digest, (answer.by, standing.word(), answer.reason)).map_err(told)?;
            if matches!(standing, Standing::Bad | Standing::Failed) {
                return Err(told(format!("its reputation is: {} {reason}", standing.word())));
            }
        }
        match (standing, program.named, plan.profile.programs.unknown) {
            (Standing::Good, true, _) | (_, _, Unknown::Allow) => {}
            (_, _, Unknown::Ask) => {
                let yes = person::allows(plan, program, &digest).map_err(told)?;
                let word = if yes { "yes" } else { "no" };
                record(log, program, &digest, ("terminal".into(), word, String::new())).map_err(told)?;
                if !yes {
                    return Err(told("the person said no".into()));
                }
            }
            (_, _, Unknown::Deny) => return Err(told("it is not known (`programs.unknown`)".into())),
        }
    }
    Ok(())
}

/// No record, no yes.
fn record(
    log: &SharedLog,
    program: &Questioned,
    digest: &str,
    (by, answer, reason): (String, &str, String),
) -> Result<(), String> {
    let event = Event::ProgramCheck(ProgramCheck {
        request: None,
        path: program.object.canonical.to_string(),
        sha256: Some(digest.to_owned()),
        by,
        answer: answer.to_owned(),
        reason,
    });
    log.append(&event).map_err(|error| error.to_string())
}

/// MFD_NOEXEC_SEAL of linux/memfd.h (Linux 6.3): the file can never be executed.
const MFD_NOEXEC_SEAL: u64 = 8;

/// Landlock does not judge files in memory (memfd_create(2)), so only those are made that can never be executed.
pub(super) fn without_programs_in_memory(file: &FilterFile) -> FilterFile {
    let bare_memory =
        Condition { arg: 1, op: Compare::MaskedEq(MFD_NOEXEC_SEAL), value: 0, width: Width::Low32 };
    let mut file = file.clone();
    file.rules.insert(
        0,
        FilterRule {
            calls: vec!["memfd_create"],
            action: FilterAction::Errno(Errno::EACCES),
            when: vec![vec![bare_memory]],
            otherwise: None,
            comment: "A program in memory is in no list; with MFD_NOEXEC_SEAL it is no program.".into(),
            asked: Source::built_in("programs.allow"),
        },
    );
    file
}
