//! Arguments that shape a sandbox: `exec`, `explain`, `why`.

use crate::profile::{Layer, NetworkMode};
use clap::{Args, Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// What shapes a sandbox; shared by `exec` and `explain`.
#[derive(Debug, Args)]
pub struct Shape {
    /// Profile: a name (user, /etc/aisandbox, shipped) or a file
    #[arg(short, long, value_name = "NAME|FILE", default_value = "cowork")]
    pub profile: String,
    /// Show a host path read-only
    #[arg(short = 'r', long, value_name = "PATH")]
    pub ro: Vec<PathBuf>,
    /// Show a host path read and write
    #[arg(short = 'w', long, value_name = "PATH")]
    pub rw: Vec<PathBuf>,
    /// Show a host path read-only at another place
    #[arg(long, num_args = 2, value_names = ["SOURCE", "PATH"])]
    pub ro_bind: Vec<PathBuf>,
    /// Show a host path read and write at another place
    #[arg(long, num_args = 2, value_names = ["SOURCE", "PATH"])]
    pub bind: Vec<PathBuf>,
    /// Cover a path with something empty
    #[arg(long, visible_alias = "deny", value_name = "PATH")]
    pub mask: Vec<PathBuf>,
    /// Mount an empty filesystem in memory
    #[arg(long, value_name = "PATH")]
    pub tmpfs: Vec<PathBuf>,
    /// Network: none, loopback, filtered (as the profile says), or host
    #[arg(long, value_name = "MODE")]
    pub net: Option<Net>,
    /// Set a variable, or keep one from outside
    #[arg(short = 'e', long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Set a variable, as bubblewrap has it
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"])]
    pub setenv: Vec<String>,
    /// Do not pass a variable
    #[arg(long, value_name = "NAME", visible_alias = "unsetenv")]
    pub unset_env: Vec<String>,
    /// Pass no variable but HOME and those given with --env
    #[arg(long, visible_alias = "clearenv")]
    pub clear_env: bool,
    /// Working folder inside
    #[arg(short = 'C', long, value_name = "PATH", visible_alias = "workdir")]
    pub chdir: Option<PathBuf>,
    /// Most memory, such as 4G
    #[arg(short = 'm', long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Most processes and threads
    #[arg(long, value_name = "COUNT", visible_alias = "processes", value_parser = clap::value_parser!(u64).range(1..))]
    pub pids: Option<u64>,
    /// Most CPU, in cores, such as 1.5
    #[arg(long, value_name = "CORES")]
    pub cpu: Option<f64>,
    /// Most open files in one process
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub open_files: Option<u64>,
    /// Largest file that can be written
    #[arg(long, value_name = "SIZE")]
    pub file_size: Option<String>,
    /// End the run after this long, such as 30m (exit code 124)
    #[arg(short = 't', long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Host name inside
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Seccomp filter: agent, strict, or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub seccomp: Option<String>,
    /// Stop unless this layer can be enforced
    #[arg(long, value_name = "LAYER")]
    pub require: Vec<Layer>,
    /// Go on without this layer where the machine lacks it (recorded)
    #[arg(long, value_name = "LAYER")]
    pub allow_degraded: Vec<Layer>,
    /// What is taken away.
    #[command(flatten)]
    pub less: super::Less,
}

/// `exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// The shape of the sandbox.
    #[command(flatten)]
    pub shape: Shape,
    /// Print what would be done and start nothing
    #[arg(long, visible_alias = "dry-run")]
    pub explain: bool,
    /// Write the child's pid and later its exit code as JSON lines to this descriptor
    #[arg(long, value_name = "FD")]
    pub json_status_fd: Option<i32>,
    /// Write the child's pid and namespaces as JSON to this descriptor
    #[arg(long, value_name = "FD")]
    pub info_fd: Option<i32>,
    /// Pass this open descriptor, which is no folder, to the command
    #[arg(long, value_name = "FD")]
    pub pass_fd: Vec<i32>,
    /// Use no pseudo-terminal: a terminal on stdin, stdout or stderr is then replaced by /dev/null
    #[arg(long)]
    pub no_pty: bool,
    /// Accepted for bubblewrap's users: a sandbox always ends with its launcher
    #[arg(long, hide = true)]
    pub die_with_parent: bool,
    /// Accepted for bubblewrap's users: a sandbox always has a session of its own
    #[arg(long, hide = true)]
    pub new_session: bool,
    /// Say more; twice: say everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The shape of the sandbox.
    #[command(flatten)]
    pub shape: Shape,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the seccomp filter, disassembled
    #[arg(long)]
    pub filter: bool,
    /// The command and its arguments, /bin/sh when none is given
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// `why`.
#[derive(Debug, Args)]
pub struct Why {
    /// The shape of the sandbox.
    #[command(flatten)]
    pub shape: Shape,
    /// A path (with a slash), a host name or address, or the name of a system call
    pub subject: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `--net`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Net {
    /// No network at all
    None,
    /// A loopback of its own
    Loopback,
    /// By name through a proxy
    Filtered,
    /// The host's network
    Host,
}

impl From<Net> for NetworkMode {
    fn from(net: Net) -> Self {
        match net {
            Net::None => Self::None,
            Net::Loopback => Self::Loopback,
            Net::Filtered => Self::Filtered,
            Net::Host => Self::Host,
        }
    }
}

impl ValueEnum for Layer {
    fn value_variants<'a>() -> &'a [Self] {
        const LAYERS: [Layer; 10] = {
            let [a, b, c, d, e, f, g, h, i, j] = Layer::ALL;
            [a.0, b.0, c.0, d.0, e.0, f.0, g.0, h.0, i.0, j.0]
        };
        &LAYERS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

/// The arguments of `exec` for a command that does not come from a command line.
pub fn exec_of(command: Vec<OsString>, chdir: Option<PathBuf>) -> Option<Exec> {
    let words = ["exec", "--quiet", "--no-pty", "--"].map(OsString::from);
    let parsed = Alone::try_parse_from(words.into_iter().chain(command)).ok()?;
    let mut exec = parsed.exec;
    exec.shape.chdir = chdir;
    Some(exec)
}

/// `exec` by itself.
#[derive(Debug, Parser)]
struct Alone {
    #[command(flatten)]
    exec: Exec,
}

/// The first flag that does more than take away; inside a sandbox there is none of those.
pub fn beyond_less(exec: &Exec) -> Option<&'static str> {
    let shape = &exec.shape;
    let given = [
        ("--profile", shape.profile != "cowork"),
        ("--ro", !shape.ro.is_empty()),
        ("--rw", !shape.rw.is_empty()),
        ("--ro-bind", !shape.ro_bind.is_empty()),
        ("--bind", !shape.bind.is_empty()),
        ("--mask", !shape.mask.is_empty()),
        ("--tmpfs", !shape.tmpfs.is_empty()),
        ("--net", shape.net.is_some()),
        ("--env", !shape.env.is_empty()),
        ("--setenv", !shape.setenv.is_empty()),
        ("--unset-env", !shape.unset_env.is_empty()),
        ("--clear-env", shape.clear_env),
        ("--memory", shape.memory.is_some()),
        ("--pids", shape.pids.is_some()),
        ("--cpu", shape.cpu.is_some()),
        ("--open-files", shape.open_files.is_some()),
        ("--file-size", shape.file_size.is_some()),
        ("--hostname", shape.hostname.is_some()),
        ("--seccomp", shape.seccomp.is_some()),
        ("--require", !shape.require.is_empty()),
        ("--allow-degraded", !shape.allow_degraded.is_empty()),
        ("--explain", exec.explain),
        ("--json-status-fd", exec.json_status_fd.is_some()),
        ("--info-fd", exec.info_fd.is_some()),
        ("--pass-fd", !exec.pass_fd.is_empty()),
    ];
    given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
}
