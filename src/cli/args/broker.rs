//! Arguments of what is about the Guardian's protocol: `token`, `broker …`.

use clap::{Args, Subcommand};

/// `token`.
#[derive(Debug, Args)]
pub struct Token {
    /// The token, or - to read it from stdin
    #[arg(value_name = "TOKEN|-", allow_hyphen_values = true, required_unless_present = "export")]
    pub token: Option<String>,
    /// Make one: a signed statement of this grant, which holds now, for who is named by --audience
    #[arg(long, value_name = "GRANT", requires = "audience", conflicts_with_all = ["token", "public_key"])]
    pub export: Option<String>,
    /// Check the signature with this Ed25519 public key (64 hexadecimal digits), and the time
    #[arg(long, value_name = "HEX")]
    pub public_key: Option<String>,
    /// For whom a statement is made; with --public-key, for whom it must have been made
    #[arg(long, value_name = "NAME")]
    pub audience: Option<String>,
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
