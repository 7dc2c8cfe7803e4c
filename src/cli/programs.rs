//! Programs of a plan before anything runs: their content is what the profile says, and none can come from memory.

use super::record::reopened;
use crate::base::Source;
use crate::crypto::sha256_file;
use crate::plan::Plan;
use crate::profile::{Compare, Condition, FilterAction, FilterFile, FilterRule, Width};
use crate::sys::Errno;
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
