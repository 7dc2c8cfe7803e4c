//! Commands for use inside a sandbox, and flags that only take away.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `request …`
#[derive(Debug, Subcommand)]
pub enum Request {
    /// Ask to read a file or folder
    Read(ReadWish),
    /// Ask to read and change a file, or all in a folder
    Write(Wish),
    /// Ask to add to the end of a file
    Append(Wish),
    /// Ask to change what a file holds, and nothing else
    Overwrite(Wish),
    /// Ask to make a file or folder
    Create(Wish),
    /// Ask to remove a file or folder
    Delete(Wish),
    /// Ask to start a program
    Exec(Wish),
    /// Ask to connect to HOST:PORT
    Connect(Wish),
    /// List what is granted and what can be asked for
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Explain a denial by its id, or a reason by its word
    Explain {
        /// The id of a denial, or a word such as `ceiling`
        denial: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A wish with its reason.
#[derive(Debug, Args)]
pub struct Wish {
    /// A path, or HOST:PORT
    pub resource: String,
    /// Why it is needed; a person reads it
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// Wait at most this long for the answer, such as 2m
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// The W3C trace context it belongs to; else TRACEPARENT, where that is one
    #[arg(long, value_name = "TRACEPARENT")]
    pub traceparent: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `request read`.
#[derive(Debug, Args)]
pub struct ReadWish {
    /// The wish.
    #[command(flatten)]
    pub wish: Wish,
    /// When it is granted, print what the file holds
    #[arg(long, conflicts_with = "json")]
    pub print: bool,
}

/// What is taken away; the flags that `exec` knows inside a sandbox too.
#[derive(Debug, Default, Args)]
pub struct Less {
    /// Let nothing at or below a path be changed
    #[arg(long, value_name = "PATH")]
    pub read_only: Vec<PathBuf>,
    /// Let a path, with all below it, not be there
    #[arg(long, value_name = "PATH")]
    pub hide: Vec<PathBuf>,
    /// No network, not even a loopback
    #[arg(long)]
    pub no_network: bool,
    /// Let nobody be asked for more
    #[arg(long)]
    pub no_requests: bool,
}
