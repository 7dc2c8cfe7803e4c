//! Arguments of what reads profiles and records: `profile …`, `audit …`.

use clap::Subcommand;

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

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List the runs
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the record of a run
    Show {
        /// Run id, the start of one, or `last`
        run: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that a record was not changed: 0 whole, 1 changed, 2 its end is torn
    Verify {
        /// Run id, the start of one, `last`, or a file
        run: String,
    },
}
