//! Arguments of `audit forward`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `audit forward`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Forward {
    /// What else there is.
    #[command(subcommand)]
    pub command: Option<ForwardStatus>,
    /// The file that names the sinks [default: /etc/aisandbox/forward.yaml, else ~/.config/aisandbox/forward.yaml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Send what is there and end: 0 all of it arrived, 1 a record was changed, 2 not all of it arrived
    #[arg(long)]
    pub once: bool,
    /// With --once: how long to try a sink that takes nothing, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "once")]
    pub wait: u64,
    /// Check the file, certificates and secrets, and send nothing
    #[arg(long, conflicts_with = "once")]
    pub check: bool,
    /// With --once: print JSON
    #[arg(long, requires = "once")]
    pub json: bool,
}

/// `audit forward …`
#[derive(Debug, Subcommand)]
pub enum ForwardStatus {
    /// Say how far each sink is: 0 all of them have all, 1 one is behind or in trouble
    Status {
        /// As of `audit forward`
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
