//! Level `strict`: no sensitive place is shown from the start, so that all of it comes by requests.

use crate::cli::egress::known;
use crate::plan::Plan;
use crate::profile::Observe;

/// What stands against the level, for people; nothing where it holds or was not asked for.
pub(in crate::cli) fn shown_from_the_start(plan: &Plan) -> Option<String> {
    let shown = if plan.profile.observe == Observe::Strict { known::all_lines(plan) } else { Vec::new() };
    (!shown.is_empty()).then(|| {
        format!("audit.observe is strict, and these places are shown without asking: {}", shown.join(", "))
    })
}
