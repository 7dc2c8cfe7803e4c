//! Which way a filtered network has to the proxy, told and recorded. Never silent about another than the best one.

use super::output::complain;
use super::record::Record;
use crate::audit::AuditError;
use crate::launch::Running;
use crate::launch::egress::Rung;
use crate::plan::Plan;

/// Says and records it, before the agent is let go.
/// # Errors
/// It could not be recorded.
pub(super) fn tell(running: &Running, plan: &Plan, record: &mut Record) -> Result<(), AuditError> {
    let Some((rung, fell)) = running.way_out().filter(|(rung, _)| *rung != Rung::Redirect) else {
        return Ok(());
    };
    let reasons = fell.iter().map(|(rung, errno)| format!("{}: {errno:?}: {}", rung.name(), errno.desc()));
    let reasons: Vec<String> = reasons.collect();
    let (why, by) = if reasons.is_empty() {
        (rung.text().to_owned(), "network.way of the profile")
    } else {
        (format!("{}; {}", rung.text(), reasons.join("; ")), super::record::NOT_REQUIRED)
    };
    complain(&format!("egress by {}: {why}", rung.name()), None);
    record.way_out(plan, why, by)
}
