//! What programs read about a run: JSON on descriptors they gave us, in bubblewrap's form.

use super::output::complain;
use crate::sys::fd;
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// The descriptors of `--json-status-fd` and `--info-fd`.
#[derive(Debug, Default)]
pub(super) struct Status {
    lines: Option<OwnedFd>,
    info: Option<OwnedFd>,
}

impl Status {
    /// Takes the descriptors over.
    pub(super) fn open(lines: Option<RawFd>, info: Option<RawFd>) -> Result<Self, u8> {
        if lines.is_some() && lines == info {
            complain(
                "--json-status-fd and --info-fd are one descriptor",
                Some("each closes its own: give two"),
            );
            return Err(125);
        }
        Ok(Self { lines: adopt("--json-status-fd", lines)?, info: adopt("--info-fd", info)? })
    }

    /// Init's pid, once the agent may start; and its namespaces, by inode number. 0: it has none of its own.
    pub(super) fn started(&mut self, pid: i32, run: &str, namespaces: [u32; 6]) {
        if let Some(lines) = &self.lines {
            write(lines, &serde_json::json!({ "child-pid": pid, "run": run }));
        }
        if let Some(info) = self.info.take() {
            let mut about = serde_json::Map::from_iter([("child-pid".to_owned(), pid.into())]);
            let named = ["cgroup", "ipc", "mnt", "net", "pid", "uts"].into_iter().zip(namespaces);
            for (name, inode) in named.filter(|(_, inode)| *inode != 0) {
                about.insert(format!("{name}-namespace"), inode.into());
            }
            write(&info, &serde_json::Value::Object(about));
        }
    }

    /// The exit code; only written when the command was executed.
    pub(super) fn ended(&self, code: u8) {
        if let Some(lines) = &self.lines {
            write(lines, &serde_json::json!({ "exit-code": code }));
        }
    }
}

fn adopt(flag: &str, number: Option<RawFd>) -> Result<Option<OwnedFd>, u8> {
    let Some(number) = number else { return Ok(None) };
    let adopted = fd::adopt(number).and_then(|owned| {
        fd::mark_close_on_exec(number, true)?;
        Ok(owned)
    });
    adopted.map(Some).map_err(|_| {
        complain(&format!("{flag} {number}: no open descriptor above 2 has this number"), None);
        125
    })
}

fn write(to: &OwnedFd, value: &serde_json::Value) {
    let line = format!("{value}\n");
    if let Err(errno) = fd::write_all(to.as_fd(), line.as_bytes()) {
        tracing::warn!("status could not be written: {errno}");
    }
}
