//! The system call filter of a launch, found and compiled: for `exec`, `explain`, `why` and `doctor` alike.

use crate::base::Source;
use crate::plan::{self, Program};
use crate::profile::{Arch, FoundFilter, Named};

/// Finds a filter and gives its program; a shipped one was compiled when this program was built.
/// # Errors
/// Every error of the file, in words.
pub(super) fn compiled(named: &Named) -> Result<(FoundFilter, Program), String> {
    let found = crate::profile::find_filter(named)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let program = plan::filter_program(&found, Arch::host()).map_err(|error| error.to_string())?;
    Ok((found, program))
}

/// The same filter where only listed programs can be executed. It is compiled anew: such a profile is rare.
/// # Errors
/// When the program would be too long.
pub(super) fn narrowed(found: &FoundFilter) -> Result<Program, String> {
    let words = |errors: Vec<crate::profile::ProfileError>| {
        errors.iter().map(ToString::to_string).collect::<String>()
    };
    let file = super::programs::without_programs_in_memory(&*found.file().map_err(words)?);
    plan::compile(&file, Arch::host()).map_err(|error| error.to_string())
}

/// The filter that agents get when nothing else is said.
pub(super) fn agent() -> Named {
    Named { value: "agent".into(), asked: Source::built_in("the agents' filter") }
}
