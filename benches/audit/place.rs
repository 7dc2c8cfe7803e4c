//! A folder for logs, an event of the usual length, and the clocks.

use aisandbox::audit::access::{Seen, What, Who};
use aisandbox::audit::log::Log;
use aisandbox::audit::{Event, access, new_run_id};
use aisandbox::base::RunId;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

/// A private folder, removed at the end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        let above = std::env::var_os("AISANDBOX_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = above.join(format!("aisandbox-bench-{}", new_run_id().unwrap()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.0
    }

    pub(crate) fn begin(&self) -> (PathBuf, Log) {
        let run: RunId = new_run_id().unwrap();
        let runs = self.0.join("runs");
        (runs.join(run.to_string()), Log::create(&runs, run).unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// An event whose leaf has about 440 bytes.
pub(crate) fn event(number: usize) -> Event {
    let process = Seen { pid: 4711, program: "/usr/bin/python3.12".into(), ..Seen::default() };
    Event::Denial(Box::new(access::Denial {
        denial: format!("01KB00000000000000{number:08}"),
        request: None,
        who: Who { process, parents: Vec::new() },
        what: What {
            actions: vec!["read".into()],
            resource: "file /home/alice/Documents/finance/report-q3.xlsx".into(),
            path: Some("/home/alice/Documents/finance/report-q3.xlsx".into()),
            label: "finance".into(),
            upload: None,
        },
        reason: "not_in_ceiling".into(),
        detail: "no entry".into(),
        by: None,
        shown_ms: None,
        count: 1,
    }))
}

/// Time of all processors that this process took.
pub(crate) fn cpu() -> Duration {
    let used = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let time =
        |at: nix::sys::time::TimeVal| Duration::new(at.tv_sec().cast_unsigned(), at.tv_usec() as u32 * 1000);
    time(used.user_time()) + time(used.system_time())
}

/// The value below which this part of the sorted values lies.
pub(crate) fn quantile(values: &mut [Duration], part: f64) -> Duration {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * part) as usize]
}
