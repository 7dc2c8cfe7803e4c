//! `exec` inside a sandbox: asks the Guardian to start another sandbox beside this one, with less, and passes the streams on.
//!
//! Never makes a sandbox itself, and knows only flags that take away: the Guardian has the profile. When this process ends,
//! the Guardian ends what it started.

use super::args::{self, Exec};
use super::beside;
use super::broker::Broker;
use super::output::complain;
use crate::profile::parse_duration;
use crate::wire::broker::{Less, Op};
use std::path::{Path, PathBuf};

/// Whether this is a sandbox with a Guardian.
pub(super) fn applies() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some();
    set("AISANDBOX_RUN") && (set(super::broker::DOOR) || set(super::broker::PATH))
}

/// Runs the command in a sandbox beside this one; gives the exit code.
pub(super) fn run(exec: &Exec) -> u8 {
    match wanted(exec).and_then(start) {
        Ok(code) => code,
        Err((message, hint)) => {
            complain(&message, hint);
            125
        }
    }
}

type Refusal = (String, Option<&'static str>);

fn refused(message: impl Into<String>) -> Refusal {
    (message.into(), Some("inside: --read-only, --hide, --no-network, --no-requests, --timeout, --chdir"))
}

/// The call for these arguments.
fn wanted(exec: &Exec) -> Result<Op, Refusal> {
    if let Some(flag) = args::beyond_less(exec) {
        return Err(refused(format!(
            "{flag}: inside a sandbox an agent is started with less, never with more"
        )));
    }
    let here = std::env::current_dir().map_err(|error| refused(format!("the working folder: {error}")))?;
    let places =
        |paths: &[PathBuf]| paths.iter().map(|path| place(&here, path)).collect::<Result<Vec<_>, _>>();
    let text = |word: &std::ffi::OsString| word.clone().into_string();
    let argv: Result<Vec<String>, _> = exec.command.iter().map(text).collect();
    let seconds = exec.shape.timeout.as_deref().map(|text| parse_duration(text).ok_or(text)).transpose();
    let seconds = seconds.map_err(|text| refused(format!("--timeout: `{}` is no duration", safe(text))))?;
    let chdir = exec.shape.chdir.as_deref().unwrap_or(&here);
    Ok(Op::Spawn {
        argv: argv.map_err(|_| refused("the command is not UTF-8, which a request must be"))?,
        chdir: Some(place(&here, chdir)?),
        less: Less {
            read_only: places(&exec.shape.less.read_only)?,
            hidden: places(&exec.shape.less.hide)?,
            no_network: exec.shape.less.no_network,
            no_requests: exec.shape.less.no_requests,
            seconds: seconds.map(|time| time.as_secs()),
        },
    })
}

fn safe(text: &str) -> String {
    crate::base::escape(text.as_bytes())
}

fn place(here: &Path, path: &Path) -> Result<String, Refusal> {
    let full = here.join(path);
    let plain = full.components().collect::<PathBuf>();
    let text = plain.into_os_string().into_string();
    text.map_err(|path| refused(format!("{} is not UTF-8", crate::base::escape(path.as_encoded_bytes()))))
}

fn start(op: Op) -> Result<u8, Refusal> {
    let begun =
        Broker::connect().map_err(|error| error.to_string()).and_then(|broker| beside::run(broker, op));
    begun.map_err(|why| (format!("start an agent beside this one: {why}"), None))
}
