//! The name of a host below a wildcard, which the agent chose: it is looked up outside, so it is sent as a request is.

use super::refuse::Refusal;
use super::scan::Scanner;
use super::way::Way;
use crate::wire::dlp::Act;
use crate::wire::egress::{Host, Rule};
use std::sync::Arc;

/// Lets role `dlp` read the name, before it is looked up.
/// # Errors
/// 403 `dlp` or `dlp-unscannable`.
pub(super) async fn read(way: &Arc<dyn Way>, scanner: Option<&Arc<Scanner>>) -> Result<(), Refusal> {
    let rules = way.rules();
    let chosen = |rule: &&Arc<Rule>| rule.dlp && matches!(rule.host, Host::Below { .. });
    let Some(rule) = rules.iter().find(chosen) else { return Ok(()) };
    let nobody =
        || Refusal::new(403, "dlp-unscannable", "nobody is there to read the name of the host").by(rule);
    let scanner = scanner.ok_or_else(nobody)?;
    let joined = way.host().replace('.', "");
    // Names are in lower case, and base32 is read in capitals.
    let text = format!("{}\n{joined}\n{}\n", way.host(), joined.to_ascii_uppercase());
    let mut scan = scanner.open(way.host(), "text/plain", false).await.map_err(|_| nobody())?;
    let step = scan.feed(text.as_bytes(), true).await.map_err(|_| nobody())?;
    let held = |act: Act| !matches!(act, Act::Allow | Act::Log);
    match step.findings.iter().find(|found| found.critical || held(found.act)) {
        None => Ok(()),
        Some(found) => {
            let refused =
                Refusal::new(403, "dlp", "the name of the host holds something that must not leave").by(rule);
            Err(if found.critical { refused.alarming() } else { refused })
        }
    }
}
