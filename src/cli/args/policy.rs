//! Arguments of `policy …`.

use clap::Subcommand;
use std::path::PathBuf;

/// `policy …`
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// List the policies of this machine and person, and those that are shipped
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check bundles: rules, roots, data and signature
    Check {
        /// Folders, archives, or names of shipped policies
        #[arg(required = true, value_name = "BUNDLE")]
        bundles: Vec<PathBuf>,
        /// A public key (PEM) that a signature may be by
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
        /// Refuse a bundle without a signature
        #[arg(long)]
        require_signature: bool,
    },
    /// Decide one question and print the decision as JSON
    Eval {
        /// Folders, archives, or names of shipped policies; those of this machine and person when none is given
        #[arg(value_name = "BUNDLE")]
        bundles: Vec<PathBuf>,
        /// The question as JSON; stdin when not given
        #[arg(short, long, value_name = "FILE")]
        input: Option<PathBuf>,
        /// A public key (PEM) that a signature may be by
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
        /// Print the record of the decision, masked, instead of the decision
        #[arg(long)]
        record: bool,
    },
    /// Run the tests of bundles (rules named test_…): 0 when all pass, 2 when one fails
    Test {
        /// Folders, archives, or names of shipped policies
        #[arg(required = true, value_name = "BUNDLE")]
        bundles: Vec<PathBuf>,
        /// A public key (PEM) that a signature may be by
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
