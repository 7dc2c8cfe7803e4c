//! Guardian and the launcher of an agent that an agent started. Both ends are ours; the launcher is this program again,
//! and what it must not exceed is handed over with what it shall do.

use serde::{Deserialize, Serialize};

/// The socket to the Guardian, inside.
pub const BROKER_AT: &str = "/run/aisandbox/broker";
/// This program, inside.
pub const BINARY_AT: &str = "/run/aisandbox/aisandbox";
/// What every guarded run shows of its own Guardian; never handed down, since a started agent has another.
pub const OWN_PLACES: [&str; 3] = [BROKER_AT, BINARY_AT, super::transitions::TABLE];

/// Guardian to launcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToLauncher {
    /// A stream of the agent; the message carries it. 0, 1 and 2, in this order, first of all messages.
    Stream {},
    /// What to do. The message carries a sealed file with a [`Handed`].
    Start {},
    /// A person took back what the agent was started under. Said at any time after the others.
    TakenBack {
        /// The root of the tokens that hold no more, as hex.
        root: String,
        /// The lease that was taken back; `None`: everything.
        lease: Option<Taken>,
    },
    /// A rule froze the run above.
    Freeze {
        /// Its name.
        rule: String,
    },
    /// A person lets the run above go on.
    Resume {},
}

/// A lease that a person took back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// What it allowed.
    pub actions: Vec<super::subject::Action>,
    /// The path it was for, as agents see it.
    pub path: String,
}

/// Launcher to Guardian: one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromLauncher {
    /// The record is written and the agent goes.
    Started {
        /// It has a Guardian, which hears what is taken back.
        guarded: bool,
    },
    /// Nothing runs.
    Failed {
        /// For people and agents.
        why: String,
    },
}

/// All a launcher is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handed {
    /// The new run's id.
    pub run: String,
    /// Runs above it, nearest first.
    pub chain: Vec<String>,
    /// The profile's name.
    pub name: String,
    /// The profile: the one of the run above, narrowed, as text with every variable replaced.
    pub profile: String,
    /// Layers that must be in force, beyond those of the profile.
    pub require: Vec<String>,
    /// The command, as [`words`](super::words) have it.
    pub argv: String,
    /// The working folder inside: one word, in the same way.
    pub chdir: Option<String>,
    /// The program, when it is one of a transition.
    pub transition: Option<Beside>,
    /// Placeholders of `credentials` above: the same secret has the same one in both.
    pub placeholders: Vec<Placeholder>,
    /// What the run above has.
    pub parent: Outline,
    /// The token it was asked for under.
    pub under: Under,
    /// The trace of the run above, as hex.
    pub trace: String,
}

/// What stands for a secret inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placeholder {
    /// The credential's name in the profile.
    pub name: String,
    /// What agents have in its place.
    pub text: String,
}

/// A program that is started beside the one that called it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// Its path inside, whatever the command's first word is.
    pub program: String,
    /// The device number of its file.
    pub dev: u64,
    /// The inode number of its file.
    pub ino: u64,
    /// Lower-case hex of its SHA-256.
    pub sha256: Option<String>,
    /// The line of the profile that takes away, as [`Outline::transitions`] has it.
    pub wish: String,
    /// Its variables, as [`words`](super::words) have them.
    pub environment: super::hidden::Hidden,
}

/// What every token of a started agent goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Under {
    /// The root of the token above, as hex.
    pub root: String,
    /// How many times that one was attenuated.
    pub depth: u8,
}

/// What a plan gives, in words that can be compared with those of another plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outline {
    /// What stands where, in the order of the mounts.
    pub places: Vec<Place>,
    /// What Landlock allows where.
    pub rights: Vec<Right>,
    /// Names that do not exist and cannot be made: the folder and the rest.
    pub protected: Vec<(String, String)>,
    /// 0 none, 1 loopback, 2 filtered, 3 the host's.
    pub network: u8,
    /// TCP ports that can be connected to; `None`: as the network has it.
    pub connect: Option<Vec<u16>>,
    /// TCP ports that can be bound.
    pub bind: Option<Vec<u16>>,
    /// Memory, processes, CPU, open files, file size, core size, seconds; `None`: no limit.
    pub limits: Vec<Option<u64>>,
    /// The filter of system calls.
    pub filter: String,
    /// Layers that are in force, wholly or in part.
    pub layers: Vec<String>,
    /// Names of variables.
    pub variables: Vec<String>,
    /// Levels of agents that can still be started.
    pub depth: u64,
    /// Programs that get less, each as the profile's line of it.
    pub transitions: Vec<String>,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Where.
    pub at: String,
    /// What.
    pub shows: Shows,
}

/// What a place shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Shows {
    /// Nothing of anybody: an empty folder or file.
    Nothing {},
    /// A file or folder of the host.
    Host {
        /// Its canonical path.
        path: String,
        /// Device number.
        dev: u64,
        /// Inode number.
        ino: u64,
        /// It can be changed.
        writable: bool,
        /// It can be executed.
        executable: bool,
        /// It is a device that works.
        device: bool,
    },
    /// A filesystem in memory.
    Memory {
        /// What is in it can be executed.
        executable: bool,
    },
    /// A few devices.
    Devices {},
    /// The processes of the sandbox.
    Processes {},
    /// A file with fixed content.
    Text {
        /// Its SHA-256.
        sha256: String,
    },
    /// A link.
    Link {
        /// Where to.
        target: String,
    },
    /// A place that asks.
    Asks {
        /// The canonical path of the object.
        path: String,
        /// Its device number.
        dev: u64,
        /// Its inode number.
        ino: u64,
        /// What can be asked for.
        actions: Vec<super::subject::Action>,
    },
}

/// What Landlock allows at a place and below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// Where.
    pub at: String,
    /// Names of actions.
    pub actions: Vec<String>,
}
