//! Arguments of the person's commands to runs: what waits, what holds, and what becomes of it.

use crate::wire::subject::Action;
use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// What a person may say while runs live.
#[derive(Debug, Subcommand)]
pub enum People {
    /// List the runs that live
    Ps {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List what agents ask for
    Requests {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Go on, and print again after every change
        #[arg(long)]
        watch: bool,
    },
    /// Show what agents ask for, what they have and what was refused, and answer by keys
    Ui,
    /// Say yes to a request
    Approve(Approve),
    /// Say no to a request
    Deny {
        /// The request's id, or as much of its start or end as names one
        id: String,
        /// Never ask this again
        #[arg(long)]
        always: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List what was granted and still holds
    Grants {
        /// Only of this run
        run: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Grant a path before anybody asks, within what the profile allows
    Grant(Grant),
    /// Take a grant back, or all of a run
    Revoke {
        /// The grant's id; with --all the run's
        what: String,
        /// Everything this run was granted
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a run go on that a rule froze, or in which it stopped what can be granted
    Resume {
        /// The run's id, or as much of its start or end as names one
        run: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a grant last so long from now
    Extend {
        /// The grant's id, or as much of its start or end as names one
        id: String,
        /// Such as 30m or 2h
        #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
        seconds: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `approve`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope"))]
pub struct Approve {
    /// The request's id, or as much of its start or end as names one
    pub id: String,
    /// For this one request
    #[arg(long, group = "scope")]
    pub once: bool,
    /// Until the run ends
    #[arg(long, group = "scope")]
    pub session: bool,
    /// For so long, such as 30m or 2h
    #[arg(long = "for", group = "scope", value_name = "DURATION", value_parser = seconds)]
    pub seconds: Option<u64>,
    /// This run, and later ones by a line in your policy
    #[arg(long, group = "scope")]
    pub always: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `grant`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("actions").required(true).multiple(true))]
pub struct Grant {
    /// The run's id, or as much of its start or end as names one
    pub run: String,
    /// The path as the agent sees it
    pub path: PathBuf,
    /// Read it
    #[arg(long, group = "actions")]
    pub read: bool,
    /// Read and change it in every way: overwrite, append, create, delete
    #[arg(long, group = "actions")]
    pub write: bool,
    /// Add to its end
    #[arg(long, group = "actions")]
    pub append: bool,
    /// Make new names in it
    #[arg(long, group = "actions")]
    pub create: bool,
    /// Run what is in it
    #[arg(long, group = "actions")]
    pub execute: bool,
    /// For so long, such as 30m or 2h; without it until the run ends
    #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
    pub seconds: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Grant {
    /// What the flags allow, each once.
    pub fn actions(&self) -> Vec<Action> {
        [
            (Action::Read, self.read || self.write),
            (Action::Append, self.append || self.write),
            (Action::Overwrite, self.write),
            (Action::Create, self.create || self.write),
            (Action::Delete, self.write),
            (Action::Execute, self.execute),
        ]
        .into_iter()
        .filter_map(|(action, wanted)| wanted.then_some(action))
        .collect()
    }
}

fn seconds(text: &str) -> Result<u64, &'static str> {
    crate::profile::parse_duration(text).map(|time| time.as_secs()).ok_or("write 90s, 30m, 2h or 1d")
}
