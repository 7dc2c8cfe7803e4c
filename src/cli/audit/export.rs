//! `aisandbox audit export`: records for other systems, from logs that hold.
//!
//! Never gives out what does not hold: of a log that was changed, what stands before the change, and the verdict as exit
//! code. Never writes over a file.

use super::{event_of, exit_code, text};
use crate::audit::export::{Exported, Format, run};
use crate::audit::log::Judge;
use crate::audit::{AuditError, find, runs_dir, with_logs};
use crate::base::RunId;
use crate::cli::args::Export;
use crate::cli::output::complain;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is exported, and how.
#[derive(Debug)]
pub struct Wish<'a> {
    /// Words for runs; none: every run.
    pub runs: &'a [String],
    /// The form.
    pub format: Format,
    /// Go on behind this event, `RUN:INDEX`.
    pub after: Option<&'a str>,
}

/// Runs the command, to standard output or a new file, and gives the exit code.
pub(super) fn to_place(wish: &Export) -> u8 {
    let last = ["last".to_owned()];
    let asked = if wish.last { &last[..] } else { &wish.runs };
    let what = Wish { runs: asked, format: wish.format, after: wish.after.as_deref() };
    let done = runs_dir().and_then(|dir| match &wish.output {
        None => {
            export(&dir, &what, &mut BufWriter::new(io::stdout().lock()), &mut |told| complain(told, None))
        }
        Some(path) => {
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let file = made.map_err(|error| AuditError::io("make the file", path, &error))?;
            export(&dir, &what, &mut BufWriter::new(file), &mut |told| complain(told, None))
        }
    });
    done.unwrap_or_else(|error| {
        complain(&error.to_string(), None);
        125
    })
}

/// Writes the runs that are asked for, in order, each event a line; the verdict on each is told beside. The exit code is
/// that of `audit verify`, of the worst log.
/// # Errors
/// When a run is not there or cannot be read, or `out` cannot be written. A reader that went away is no error.
pub fn export(
    dir: &Path,
    wish: &Wish<'_>,
    out: &mut dyn Write,
    tell: &mut dyn FnMut(&str),
) -> Result<u8, AuditError> {
    let after = wish.after.map(place).transpose()?;
    let (mut codes, mut judges) = (Vec::new(), BTreeMap::new());
    let folders = folders(dir, wish.runs)?;
    let word = Format::ALL.iter().find(|(format, _)| *format == wish.format).map_or("", |(_, word)| word);
    super::reading::note(dir, ("export", word), &folders, tell);
    for folder in folders {
        let named: Option<RunId> = folder.file_name().and_then(|name| name.to_str()?.parse().ok());
        let behind = match (after, named) {
            (Some((run, _)), Some(this)) if this < run => continue,
            (Some((run, index)), Some(this)) if this == run => Some(index),
            _ => None,
        };
        let place = folder.parent().unwrap_or(dir);
        let judge = judges.entry(place.to_owned()).or_insert_with(|| Judge::new(place, None));
        let Exported { verdict, lines, written } = run(judge, &folder, wish.format, behind, out)?;
        codes.push(exit_code(verdict.state));
        let name =
            crate::base::Escaped(folder.file_name().unwrap_or_default().as_encoded_bytes()).to_string();
        tell(&format!("{name}: {lines} events; {}", text::verdict(&verdict)));
        match written.and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(AuditError::io("write to", Path::new("the output"), &error)),
        }
    }
    Ok([1, 2, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0))
}

/// The folders of the runs, oldest first, each once.
fn folders(dir: &Path, asked: &[String]) -> Result<Vec<PathBuf>, AuditError> {
    if asked.is_empty() {
        return Ok(with_logs(dir)?.iter().map(|run| dir.join(run.to_string())).collect());
    }
    let mut found: Vec<PathBuf> = asked.iter().map(|word| find(dir, word)).collect::<Result<_, _>>()?;
    found.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    found.dedup();
    Ok(found)
}

/// `RUN:INDEX`, with the whole id of the run.
fn place(text: &str) -> Result<(RunId, u64), AuditError> {
    let parsed = event_of(text).and_then(|(run, index)| Some((run.parse().ok()?, index)));
    let why = "an event is RUN:INDEX, with the whole id of the run";
    parsed.ok_or_else(|| AuditError::NoSuchRun { asked: text.to_owned(), why: why.to_owned() })
}
