//! The system call filters of a launch, loaded and compiled: for `exec`, `explain`, `why` and `doctor` alike.

use crate::base::Source;
use crate::plan::{self, Program};
use crate::profile::{Arch, FilterFile, Named};

/// The machine filters are compiled for.
/// # Errors
/// In words, on a machine without a table of its system calls.
pub(super) fn arch() -> Result<Arch, String> {
    Arch::host().ok_or_else(|| "no table of system calls for this machine: x86_64 and aarch64 have one".to_owned())
}

/// Loads a filter and compiles it.
/// # Errors
/// Every error of the file, in words.
pub(super) fn compiled(named: &Named) -> Result<(FilterFile, Program), String> {
    let file = crate::profile::load_filter(named).map_err(|errors| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    let program = plan::compile(&file, arch()?).map_err(|error| error.to_string())?;
    Ok((file, program))
}

/// The filter that agents get when nothing else is said.
pub(super) fn agent() -> Named {
    Named { value: "agent".into(), asked: Source::built_in("the agents' filter") }
}
