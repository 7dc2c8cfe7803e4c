//! Arguments of what takes something out of records, or keeps it there: `audit redact`, `retain`, `hold`.

use std::path::PathBuf;

/// `audit redact`
#[derive(Debug, clap::Args)]
pub struct Redact {
    /// Run ids, starts of them, `last`, or one event as RUN:NUMBER
    #[arg(required_unless_present = "all")]
    pub runs: Vec<String>,
    /// Every run
    #[arg(long, conflicts_with = "runs")]
    pub all: bool,
    /// Only events that name such a path; `*`, `?`, `**` as in `audit touched`
    #[arg(long, value_name = "GLOB")]
    pub path: Option<String>,
    /// Only events that name such a host
    #[arg(long, value_name = "GLOB")]
    pub host: Option<String>,
    /// The class of fields to withhold
    #[arg(long, default_value = "personal")]
    pub class: String,
    /// Only events that are older than this, as 30d or 12h
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<String>,
    /// Why; kept for good in the device's log, so nothing personal
    #[arg(long)]
    pub reason: String,
    /// Change nothing, and say what would be withheld
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `audit retain`
#[derive(Debug, clap::Args)]
pub struct Retain {
    /// The file that says how long records are kept
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Of a dry run: what would be done at that moment
    #[arg(long, value_name = "MOMENT")]
    pub now: Option<String>,
    /// Change nothing, and say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `audit hold`
#[derive(Debug, clap::Args)]
pub struct Hold {
    /// Run id, the start of one, or `last`
    pub run: String,
    /// Why; kept for good in the device's log, so nothing personal
    #[arg(long, required_unless_present = "release")]
    pub reason: Option<String>,
    /// Let go of it again
    #[arg(long)]
    pub release: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
