//! The command line, by subject. The only folder that names clap.
//!
//! Never does anything: it turns words into types and prints help. Every flag here is in man/aisandbox.1 (a test looks).

mod broker;
mod dlp;
mod forward;
mod inside;
mod keep;
mod people;
mod policy;
mod question;
mod read;
mod sandbox;
mod serve;

pub use broker::{Broker, Token};
pub use dlp::{Dlp, DlpFormat, DlpRules};
pub use forward::{Forward, ForwardStatus};
pub use inside::{Less, ReadWish, Request, Wish};
pub use keep::{Hold, Redact, Retain};
pub use people::{Approve, Grant, People};
pub use policy::Policy;
pub use question::{Question, Since, Told};
pub use read::{Audit, Detect, Export, Profile};
pub use sandbox::{Exec, Explain, Net, Shape, Why, beyond_less, exec_of};
pub use serve::{Collector, CollectorCommand, Mirror, Serve};

use clap::{CommandFactory, Parser, Subcommand};

/// Runs an AI agent with exactly the access its owner gave it.
#[derive(Debug, Parser)]
#[command(name = "aisandbox", version, about, disable_help_subcommand = true, max_term_width = 110)]
#[command(
    after_help = "Start with: aisandbox exec --profile cowork -- COMMAND\nManual: aisandbox(1), aisandbox-profile(5), aisandbox-policy(7), aisandbox-broker(7), aisandbox-audit(7), aisandbox-dlp(7), aisandbox-threats(7)"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command in a sandbox
    #[command(visible_alias = "run")]
    Exec(Box<Exec>),
    /// Print what a profile will do: mounts, Landlock, seccomp, environment, stages
    Explain(Box<Explain>),
    /// Explain one decision: a path, a host or a system call
    Why(Box<Why>),
    /// Say what this machine can enforce, what it cannot, and how to fix that
    #[command(visible_alias = "check")]
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What a person may say while runs live.
    #[command(flatten)]
    People(People),
    /// List, show, check and compare profiles
    Profile {
        /// What to do with profiles.
        #[command(subcommand)]
        command: Profile,
    },
    /// List, check, try and test policies
    Policy {
        /// What to do with policies.
        #[command(subcommand)]
        command: Policy,
    },
    /// Look for credentials and personal data in files, and at the rules for that
    Dlp {
        /// What to do.
        #[command(subcommand)]
        command: Dlp,
    },
    /// Read the records of runs
    Audit {
        /// What to do with records.
        #[command(subcommand)]
        command: Audit,
    },
    /// Keep the logs of devices on another host, check them and cosign their heads
    Collector(Box<Collector>),
    /// Inside a sandbox: ask for access, and say why
    Request {
        /// What to ask.
        #[command(subcommand)]
        command: Request,
    },
    /// Inside a sandbox: serve the same as tools by the Model Context Protocol, on stdin and stdout
    Mcp,
    /// Show what a capability token says
    Token(Token),
    /// Look at the protocol between an agent and the Guardian
    Broker {
        /// What to do.
        #[command(subcommand)]
        command: Broker,
    },
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// One of our own processes; started by the launcher alone
    #[command(name = "__role", hide = true)]
    Role {
        /// Its name
        role: String,
    },
    /// The half of `audit serve` that serves; started by the other alone
    #[command(name = "__serve", hide = true)]
    Serve,
    /// The launcher of an agent that an agent started; started by the Guardian alone
    #[command(name = "__agent", hide = true)]
    Agent,
}

/// The subcommands of which a start consists. Describing all of them to the parser takes longer than many a command
/// runs, so these have a description of their own; it is the same, since every word of it stands at their types.
#[derive(Debug, Parser)]
#[command(name = "aisandbox", disable_help_subcommand = true)]
enum Start {
    #[command(alias = "run")]
    Exec(Box<Exec>),
    #[command(name = "__role")]
    Role {
        /// Its name
        role: String,
    },
}

/// Reads a command line that is one of [`Start`], and whole.
fn parse_start() -> Option<Command> {
    let word = std::env::args_os().nth(1)?;
    if !["exec", "run", "__role"].iter().any(|name| word == *name) {
        return None;
    }
    // A mistake, or a wish for help, is told by who knows all.
    Some(match Start::try_parse().ok()? {
        Start::Exec(exec) => Command::Exec(exec),
        Start::Role { role } => Command::Role { role },
    })
}

/// Reads the command line. On a mistake, or for `--help` and `--version`, gives the exit code after printing.
/// # Errors
/// The exit code: 0 after help, 125 after a mistake (so that it is never taken for the command's own); 2 for `request`,
/// where 125 means that nobody can be asked.
pub fn parse() -> Result<Cli, u8> {
    if let Some(command) = parse_start() {
        return Ok(Cli { command });
    }
    Cli::try_parse().map_err(|error| {
        let asks = std::env::args_os().nth(1).is_some_and(|word| word == "request");
        let mistake = if asks { 2 } else { 125 };
        let code = if error.use_stderr() { mistake } else { 0 };
        if error.print().is_err() { 125 } else { code }
    })
}

/// Writes a completion script to stdout.
pub fn print_completion(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Cli::command(), "aisandbox", &mut std::io::stdout());
}

/// Every subcommand a person may use with its long flags, for the test that holds the man page to them.
pub fn flags() -> Vec<(String, Vec<String>)> {
    fn walk(command: &clap::Command, above: &str, out: &mut Vec<(String, Vec<String>)>) {
        let name = format!("{above}{}", command.get_name());
        let flags = command.get_arguments().filter(|flag| !flag.is_hide_set());
        out.push((name.clone(), flags.filter_map(|flag| flag.get_long()).map(str::to_owned).collect()));
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            walk(inner, &format!("{name} "), out);
        }
    }
    let mut out = Vec::new();
    walk(&Cli::command(), "", &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_start_consists_of_is_described_twice_and_alike() {
        let (all, start) = (Cli::command(), Start::command());
        assert_eq!(start.get_subcommands().count(), 2);
        for short in start.get_subcommands() {
            let whole = all.find_subcommand(short.get_name()).unwrap();
            let words = |command: &clap::Command| {
                command.get_arguments().map(|one| format!("{one:?}")).collect::<Vec<_>>()
            };
            assert_eq!(words(short), words(whole), "{}", short.get_name());
            assert_eq!(
                short.get_all_aliases().collect::<Vec<_>>(),
                whole.get_all_aliases().collect::<Vec<_>>()
            );
        }
    }
}
