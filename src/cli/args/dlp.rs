//! Arguments of `dlp …`.

use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

/// `dlp …`
#[derive(Debug, Subcommand)]
pub enum Dlp {
    /// Look for credentials and personal data: 0 when there is nothing, 1 when something was found
    Scan {
        /// Files; `-` is stdin
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print one line of JSON for each finding
        #[arg(long)]
        json: bool,
        /// The files hold one JSON record a line, `{"id": …, "text": …}`; print one line for each
        #[arg(long, conflicts_with = "json")]
        jsonl: bool,
        /// Print the values too, for tests
        #[arg(long)]
        show_values: bool,
        /// Rule files (TOML) beside the shipped rules
        #[arg(long, value_name = "FILE")]
        rules: Vec<PathBuf>,
    },
    /// List, try and translate rules
    Rules {
        /// What to do with rules.
        #[command(subcommand)]
        command: DlpRules,
    },
}

/// `dlp rules …`
#[derive(Debug, Subcommand)]
pub enum DlpRules {
    /// List the shipped rules, or those of files
    List {
        /// Rule files (TOML)
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Try each rule on its own examples: 0 when all pass, 1 when one fails
    Test {
        /// Rule files (TOML); the shipped ones when none is given
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Read rules of another program, try them, and say which can be used
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Whose rules they are
        #[arg(long, value_enum)]
        from: DlpFormat,
        /// Look for them in this file
        #[arg(long, value_name = "FILE")]
        scan: Option<PathBuf>,
    },
}

/// Whose rules a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DlpFormat {
    /// TOML of gitleaks
    Gitleaks,
    /// YAML of kingfisher
    Kingfisher,
}
