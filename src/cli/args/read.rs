//! Arguments of what reads profiles and records: `profile …`, `audit …`.

use super::{Forward, Hold, Mirror, Question, Redact, Retain, Serve, Since};
use crate::audit::export::Format;
use clap::Subcommand;
use std::path::PathBuf;

/// `profile …`
#[derive(Debug, Subcommand)]
pub enum Profile {
    /// List the profiles that can be named
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a profile, merged with what it extends
    Show {
        /// Name or file
        profile: String,
        /// Print the file as written
        #[arg(long, conflicts_with = "json")]
        raw: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check profiles; every error is printed with file and line
    Validate {
        /// Names or files
        #[arg(required = true)]
        profiles: Vec<String>,
    },
    /// Print the JSON Schema of the format, for editors
    Schema,
    /// Compare what two profiles come to
    Diff {
        /// Name or file
        left: String,
        /// Name or file
        right: String,
    },
}

/// `audit export`
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Run ids, starts of them, `last`, or folders
    #[arg(required_unless_present_any = ["last", "all"])]
    pub runs: Vec<String>,
    /// The last run
    #[arg(long, conflicts_with_all = ["runs", "all"])]
    pub last: bool,
    /// Every run, oldest first
    #[arg(long, conflicts_with = "runs")]
    pub all: bool,
    /// The form: `jsonl`, `ocsf`, `cef`, `ecs` or `otlp`
    #[arg(long, default_value = "jsonl")]
    pub format: Format,
    /// Go on behind this event of an export that broke off
    #[arg(long, value_name = "RUN:INDEX")]
    pub after: Option<String>,
    /// Write to a new file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `audit detect`
#[derive(Debug, clap::Args)]
pub struct Detect {
    /// Run ids, starts of them, `last`, or folders
    #[arg(required_unless_present = "all")]
    pub runs: Vec<String>,
    /// Every run of this user, oldest first
    #[arg(long, conflicts_with = "runs")]
    pub all: bool,
    /// The rules of this folder instead of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List the runs
    List {
        /// Only those that began since
        #[command(flatten)]
        since: Since,
        /// The most runs, the newest of them; 0 for all
        #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What records say.
    #[command(flatten)]
    Question(Question),
    /// Print the record of a run, or one event of it
    Show {
        /// Run id, the start of one, `last`, or a folder; with `:NUMBER`, one event
        run: String,
        /// The most events; 0 for all
        #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
        limit: usize,
        /// Of one event: check it, and add its proof
        #[arg(long)]
        prove: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that a record is what was written: 0 sealed, 1 tampered with, 2 truncated, 3 open
    Verify {
        /// Run id, the start of one, `last`, or a folder
        #[arg(required_unless_present_any = ["all", "proof"])]
        run: Option<String>,
        /// Check every run, and what the device has of them
        #[arg(long, conflicts_with_all = ["run", "proof"])]
        all: bool,
        /// Check a proof that `audit prove` made
        #[arg(long, value_name = "FILE", conflicts_with = "run")]
        proof: Option<PathBuf>,
        /// A cosigned head of the run, as a collector gives it out
        #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "proof"])]
        cosigned: Option<PathBuf>,
        /// The identity of the device that must have signed, 64 hex digits
        #[arg(long, value_name = "HEX")]
        root: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the proof of one event, for somebody who has nothing else of the record
    Prove {
        /// The run and the event's number, as RUN:NUMBER
        event: String,
    },
    /// Print what events there are, or one with its fields: who may read them, and what other systems call it
    Schema {
        /// The event's name
        event: Option<String>,
        /// Print the JSON Schema of records, as `audit show --json` and `audit export` print them
        #[arg(long, conflicts_with = "event")]
        json: bool,
        /// The JSON Schema of the leaves of a log instead
        #[arg(long, requires = "json")]
        leaf: bool,
    },
    /// Print records for other systems, a line each: 0 sealed, 1 tampered with, 2 truncated, 3 open
    Export(Export),
    /// Look for what rules find in records: 0 nothing, 4 something, 1 tampered with, 2 truncated
    Detect(Detect),
    /// Send records to the systems that a file names, and go on as they come
    Forward(Forward),
    /// Make sealed records small, a fifth of their size; they are read as before
    Pack {
        /// Run ids, the start of one, `last`, or folders
        #[arg(required_unless_present = "all")]
        runs: Vec<String>,
        /// Every sealed record of this user
        #[arg(long, conflicts_with = "runs")]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Answer questions about records over sockets, for reading only
    Serve(Serve),
    /// Send records to a collector, which checks them and cosigns their heads
    Mirror(Mirror),
    /// Withhold personal fields for good; records go on being verified: 0, or 1 when nothing was or something could not be
    Redact(Redact),
    /// Withhold personal fields and remove records as they become old; for a timer
    Retain(Retain),
    /// Hold a record: nothing of it is withheld or removed
    Hold(Hold),
    /// Copy a record with a program that checks it anywhere
    Bundle {
        /// Run id, the start of one, `last`, or a folder
        run: String,
        /// The folder to make
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}
