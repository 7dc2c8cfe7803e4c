//! Arguments of what serves and sends records: `audit serve`, `audit mirror`, `collector`.

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `audit serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The local socket; without it `aisandbox/audit.sock` in the runtime folder
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Serve HTTPS at this address as well, to clients with a certificate
    #[arg(long, value_name = "ADDR:PORT", requires_all = ["cert", "key", "client_ca", "roles"])]
    pub listen: Option<SocketAddr>,
    /// The certificates of this server, PEM
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub cert: Option<PathBuf>,
    /// Their private key, PEM
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub key: Option<PathBuf>,
    /// The authorities of clients, PEM
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub client_ca: Option<PathBuf>,
    /// Lines of a role (soc, compliance, self) and the name in a client's certificate
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub roles: Option<PathBuf>,
}

/// `audit mirror`
#[derive(Debug, Args)]
pub struct Mirror {
    /// The collector, `https://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// The authorities of the collector, PEM
    #[arg(long, value_name = "FILE")]
    pub ca: PathBuf,
    /// Our certificates, PEM
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// Their private key, PEM
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// A witness whose word counts, NAME+ID+KEY; without one, every witness's is kept
    #[arg(long, value_name = "KEY")]
    pub witness: Vec<String>,
    /// Send what there is, and end
    #[arg(long)]
    pub once: bool,
    /// Between two passes
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, conflicts_with = "once")]
    pub every: Duration,
    /// Print JSON, a line for each pass
    #[arg(long)]
    pub json: bool,
}

/// `collector`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Collector {
    /// The folder of all that is kept
    #[arg(long, value_name = "DIR", required = true)]
    pub store: Option<PathBuf>,
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", required = true)]
    pub listen: Option<SocketAddr>,
    /// The certificates of the collector, PEM
    #[arg(long, value_name = "FILE", required = true)]
    pub cert: Option<PathBuf>,
    /// Their private key, PEM
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Option<PathBuf>,
    /// The authorities of clients, PEM
    #[arg(long, value_name = "FILE", required = true)]
    pub client_ca: Option<PathBuf>,
    /// Lines of a device's identity and the name in its client's certificate
    #[arg(long, value_name = "FILE", required = true)]
    pub devices: Option<PathBuf>,
    /// The name of this witness, for a store that has no key yet
    #[arg(long)]
    pub name: Option<String>,
    /// The most that one device may fill, such as 10G
    #[arg(long, value_name = "SIZE", default_value = "10G", value_parser = size)]
    pub quota: u64,
    /// What to do instead
    #[command(subcommand)]
    pub command: Option<CollectorCommand>,
}

/// `collector …`
#[derive(Debug, Subcommand)]
pub enum CollectorCommand {
    /// Say what is kept of each device, what is missing, silent or wrong: 0 nothing, 1 tampered with, 2 missing, 3 silent
    Status {
        /// The folder of all that is kept
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// A run that goes on and of which nothing came for so long is silent
        #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
        silent: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    crate::profile::parse_duration(text).ok_or("write 90s, 30m, 2h or 1d")
}

fn size(text: &str) -> Result<u64, &'static str> {
    crate::profile::parse_size(text).ok_or("write 500M, 10G or a number of bytes")
}
