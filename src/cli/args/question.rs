//! Arguments of the questions to records: `audit last`, `touched`, `who-approved`, `moved`, `explain`, `tail`, `stats`,
//! `report`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `audit …`, as far as it asks what records say.
#[derive(Debug, Subcommand)]
pub enum Question {
    /// Say of a run what was touched, who approved it and how data moved; the last one where none is named
    Last {
        /// Run id, the start of one, `last`, or a folder
        #[arg(default_value = "last")]
        run: String,
        /// How it is told
        #[command(flatten)]
        how: Told,
    },
    /// Say which runs touched, were given or were refused a path
    Touched {
        /// A path; `*`, `?` and `[…]` within a name, `**` through folders; a word without a slash is a name anywhere
        glob: String,
        /// Only what was since
        #[command(flatten)]
        since: Since,
        /// Whether it is proven
        #[command(flatten)]
        checked: Checked,
        /// How it is told
        #[command(flatten)]
        how: Told,
    },
    /// Say who approved or refused something, and what came of it
    WhoApproved {
        /// The id of a grant, a request, a denial or a policy's decision, or an event as RUN:NUMBER
        id: String,
        /// Whether it is proven
        #[command(flatten)]
        checked: Checked,
        /// How it is told
        #[command(flatten)]
        how: Told,
    },
    /// Say where data went: of a run, to a host, or of all runs to every host
    Moved {
        /// Run id, the start of one, `last`; or a host, `*.` in front means every name below
        what: Option<String>,
        /// Only what was since
        #[command(flatten)]
        since: Since,
        /// Whether it is proven
        #[command(flatten)]
        checked: Checked,
        /// How it is told
        #[command(flatten)]
        how: Told,
    },
    /// Say why something was decided as it was, and what would change it
    Explain {
        /// An event as RUN:NUMBER, an id as of `who-approved`, or a run: then every kind of refusal in it
        what: String,
        /// How it is told
        #[command(flatten)]
        how: Told,
    },
    /// Print the last events of a run, one a line
    Tail {
        /// Run id, the start of one, `last`, or a folder
        #[arg(default_value = "last")]
        run: String,
        /// Go on as the run does, until it ends
        #[arg(long, short)]
        follow: bool,
        /// So many
        #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10)]
        lines: usize,
        /// Print JSON, an event a line
        #[arg(long)]
        json: bool,
    },
    /// Count runs, events, refusals and approvals
    Stats {
        /// Only what was since
        #[command(flatten)]
        since: Since,
        /// How it is told
        #[command(flatten)]
        how: Told,
    },
    /// Report on a run: the three answers, timeline, processes, flows, refusals and the proof
    Report {
        /// Run id, the start of one, `last`, or a folder
        #[arg(default_value = "last")]
        run: String,
        /// Write one HTML file that checks the record by itself where it is opened
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        html: Option<PathBuf>,
        /// The most rows of each list; a page has bounds of its own
        #[arg(long, value_name = "NUMBER", default_value_t = 200)]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// From when on.
#[derive(Debug, Clone, Args)]
pub struct Since {
    /// Only what was since: a time that passed (`2d`, `1h30m`), or a day or moment in UTC (`2026-11-30`)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
}

/// Whether the index is believed.
#[derive(Debug, Clone, Args)]
pub struct Checked {
    /// Read each event that is told of from its record, check it, and with --json add its proof
    #[arg(long)]
    pub prove: bool,
}

/// How an answer is told.
#[derive(Debug, Clone, Args)]
pub struct Told {
    /// The most rows of each list
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub limit: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
