//! Arguments of what is about the Guardian's protocol: `token`, `broker …`.

use clap::{Args, Subcommand};

/// `token`.
#[derive(Debug, Args)]
pub struct Token {
    /// The token, or - to read it from stdin
    #[arg(value_name = "TOKEN|-", allow_hyphen_values = true)]
    pub token: String,
    /// Check the signature with this Ed25519 public key (64 hexadecimal digits), and the time
    #[arg(long, value_name = "HEX")]
    pub public_key: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `broker …`
#[derive(Debug, Subcommand)]
pub enum Broker {
    /// Print the JSON Schema of the messages between an agent and the Guardian
    Schema,
}
