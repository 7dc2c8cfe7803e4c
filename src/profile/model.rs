//! What a profile says once it is merged and its variables are filled in: the types `plan` reads.

use super::ask::AskWish;
use super::detection::Detection;
use super::observe::Observe;
use super::policies::Policies;
use super::programs::Programs;
use super::template::Template;
use crate::base::{HostPath, InnerPath, Source};
use std::sync::Arc;
use std::time::Duration;

/// A finished profile: `extends` merged, variables replaced, every value checked by itself.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The name it was asked for by, such as `cowork`, or the file's path.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Every file that went in, parents first.
    pub origins: Vec<Origin>,
    /// The view, in the order written; later entries of one path replace earlier ones when profiles merge.
    pub filesystem: Vec<FsEntry>,
    /// The way out.
    pub network: super::Network,
    /// What of the environment reaches the agent.
    pub environment: Environment,
    /// Resource limits; `None` means none asked for.
    pub limits: Limits,
    /// The system call filter: a name of `seccomp/` or a file, with where that was said.
    pub seccomp: Named,
    /// What Landlock must be able to do here.
    pub landlock: LandlockWish,
    /// Layers whose lack the profile accepts; the lack is still recorded.
    pub degraded: Vec<(Layer, Source)>,
    /// Layers whose lack stops the launch although the profile would let it go (`--require`).
    pub required: Vec<Layer>,
    /// A time namespace of its own (the clocks start at zero offset).
    pub time_namespace: bool,
    /// Escape sequences that may reach the person's terminal.
    pub terminal: Terminal,
    /// How durable the record is.
    pub audit: AuditMode,
    /// What of its calls is observed.
    pub observe: Observe,
    /// Host name inside.
    pub hostname: String,
    /// How a person would be asked. Without effect until something asks.
    pub consent: Consent,
    /// A Guardian serves the run even when nothing asks.
    pub guardian: bool,
    /// Agents that the program may start; `None`: none.
    pub agents: Option<Agents>,
    /// Which programs can be started, and with what.
    pub programs: Programs,
    /// Rules that decide about requests.
    pub policies: Policies,
    /// Rules over what happens.
    pub detection: Detection,
    /// Wishes that this build knows and cannot fulfil, each in words; [`unsupported`](super::unsupported) refuses them.
    pub later: Vec<Named>,
}

impl Profile {
    /// Whether an entry asks.
    pub fn asks(&self) -> bool {
        self.filesystem.iter().any(|entry| matches!(entry.access, Access::Ask(_)))
    }

    /// Where it was accepted that this layer may be missing. Without namespaces nothing leaves at all, which is less than
    /// any profile allows: who accepts the one accepts that.
    pub fn accepted(&self, layer: Layer) -> Option<&Source> {
        let named = |layer| self.degraded.iter().find(|(known, _)| *known == layer).map(|(_, source)| source);
        named(layer).or_else(|| (layer == Layer::Egress).then(|| named(Layer::Namespaces)).flatten())
    }

    /// Whether a Guardian serves the run: something can be asked for, or it was wished for.
    pub fn guarded(&self) -> bool {
        self.guardian
            || self.asks()
            || self.agents.is_some()
            || self.programs != Programs::default()
            || self.policies != Policies::default()
            || !self.detection.rules.is_empty()
            || self.network.mode == NetworkMode::Filtered
    }
}

/// One file a profile was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// As shown in messages: `cowork.yaml`, or the path of a file.
    pub name: String,
    /// Its text, as read once: the record digests it.
    pub text: Arc<str>,
    /// Compiled into this program rather than read from disk.
    pub embedded: bool,
}

/// A value with the place it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The value.
    pub value: String,
    /// Where it was written.
    pub asked: Source,
}

/// One entry of `filesystem`.
#[derive(Debug, Clone)]
pub struct FsEntry {
    /// Where it appears to the agent.
    pub path: InnerPath,
    /// The host's file, where that is another path (`source:`); otherwise the same text is meant.
    pub source: Option<HostPath>,
    /// What it is.
    pub access: Access,
    /// Leave it out when the host has no such path.
    pub optional: bool,
    /// Nothing below it can be executed (MS_NOEXEC).
    pub noexec: bool,
    /// Places below it that the agent must not change or create.
    pub protect: Vec<Protect>,
    /// Where it was written.
    pub asked: Source,
}

impl FsEntry {
    /// One that must be there, where programs can be executed and nothing is protected.
    pub fn plain(path: InnerPath, access: Access, asked: Source) -> Self {
        Self { path, source: None, access, optional: false, noexec: false, protect: Vec::new(), asked }
    }

    /// A file of this content, which is nobody's program.
    pub fn file(path: InnerPath, content: Vec<u8>, asked: Source) -> Self {
        Self { noexec: true, ..Self::plain(path, Access::File { content }, asked) }
    }

    /// The host path behind the entry, for accesses that have one.
    pub fn host_path(&self) -> Option<HostPath> {
        match self.access {
            Access::Ro | Access::Rw | Access::Dev | Access::Stage | Access::Ask(_) => match &self.source {
                Some(source) => Some(source.clone()),
                None => HostPath::new(self.path.as_path()).ok(),
            },
            Access::Tmpfs { .. }
            | Access::Dir
            | Access::File { .. }
            | Access::Symlink { .. }
            | Access::Mask
            | Access::DevFs
            | Access::Proc => None,
        }
    }
}

/// What stands at a path. The YAML words are `ro rw dev stage ask tmpfs dir file symlink mask devfs proc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The host's file or folder, read-only.
    Ro,
    /// The host's file or folder, read and write.
    Rw,
    /// One device node of the host (`/dev/kvm`); everything else is mounted nodev.
    Dev,
    /// Copy on write. Parsed; refused at start.
    Stage,
    /// A placeholder until a person says yes.
    Ask(AskWish),
    /// Empty and in memory. `size_bytes` is its most; `mode` the permission bits (0o1777 for /tmp, 0o755 otherwise).
    Tmpfs {
        /// The most it can hold.
        size_bytes: Option<u64>,
        /// Permission bits of its root.
        mode: Option<u32>,
    },
    /// An empty folder in the new root, read-only once built.
    Dir,
    /// A read-only file with these bytes.
    File {
        /// The bytes.
        content: Vec<u8>,
    },
    /// A symbolic link with this target, as readlink(2) will give it.
    Symlink {
        /// The target text.
        target: String,
    },
    /// Whatever an outer entry shows there is covered: an empty read-only folder, or an empty file.
    Mask,
    /// A minimal /dev: null zero full random urandom tty, pts, shm, ptmx, fd links.
    DevFs,
    /// A procfs of the sandbox's own pid namespace.
    Proc,
}

/// A protected place below a `rw` entry: relative, no `..`, no wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protect {
    /// Components below the entry, such as `.git/hooks`.
    pub path: String,
    /// Protected only as a name: while it does not exist it cannot be made; an existing *file* is read-only, an
    /// existing *folder* stays writable and can be neither moved away nor replaced (`.git`, whose inside must work).
    pub name_only: bool,
    /// The group it came from (`git`), or `None` for the profile's own pattern.
    pub group: Option<&'static str>,
}

/// `network.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// A network namespace whose loopback is down.
    None,
    /// A network namespace of its own with loopback up.
    Loopback,
    /// By name through our own proxy. Parsed; refused at start.
    Filtered,
    /// The host's network. Abstract sockets stay closed by Landlock's scope (ABI 6, Linux 6.12).
    Host,
}

/// `environment:`. What is in neither list is dropped.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Names copied from outside, with `*` at the end as the only wildcard (`LC_*`).
    pub keep: Vec<String>,
    /// Names with the value they get inside; these win over `keep`.
    pub set: Vec<(String, String)>,
}

/// `limits:`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory of the whole sandbox (cgroup v2), or RLIMIT_DATA of each process where no cgroup is delegated.
    pub memory_bytes: Option<u64>,
    /// Processes and threads (cgroup v2 pids.max; RLIMIT_NPROC of the user namespace, Linux 5.14).
    pub processes: Option<u64>,
    /// CPU in thousandths of one core (cgroup v2 cpu.max).
    pub cpu_millis: Option<u64>,
    /// RLIMIT_NOFILE.
    pub open_files: Option<u64>,
    /// RLIMIT_FSIZE, bytes.
    pub file_size_bytes: Option<u64>,
    /// RLIMIT_CORE, bytes; 0 unless said otherwise.
    pub core_size_bytes: Option<u64>,
    /// The run is ended after this long (CLOCK_BOOTTIME; time asleep counts).
    pub wall_time: Option<Duration>,
}

/// `landlock.require`: what must be enforceable, or the launch stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LandlockWish {
    /// Rights by action on files (ABI 1, Linux 5.13; all we use need ABI 3, Linux 6.2, for truncate).
    pub filesystem: bool,
    /// TCP ports (ABI 4, Linux 6.7).
    pub network: bool,
    /// Signals and abstract sockets stay inside (ABI 6, Linux 6.12).
    pub scopes: bool,
}

/// A layer of confinement, as `--require`, `--allow-degraded`, `doctor` and the record name it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// User, mount, pid, net, ipc, uts and cgroup namespaces with the filesystem view in them.
    Namespaces,
    /// Landlock rights on files.
    LandlockFilesystem,
    /// Landlock TCP ports.
    LandlockNetwork,
    /// Landlock scopes.
    LandlockScopes,
    /// The system call filter.
    Seccomp,
    /// Names that do not exist yet cannot be created (needs a seccomp listener).
    ProtectNew,
    /// Memory, process and CPU limits of the whole sandbox by cgroup v2.
    Cgroup,
    /// Places that ask at their first touch (FUSE in a user namespace, MOVE_MOUNT_BENEATH).
    AskMounts,
    /// A filtered network: connections reach our proxy, and nothing else.
    Egress,
    /// What files are opened and changed, and what is executed, is observed (needs a seccomp listener).
    Observe,
}

impl Layer {
    /// Every layer with its name in flags, profiles and records, in the order they are told.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Namespaces, "namespaces"),
        (Self::LandlockFilesystem, "landlock-filesystem"),
        (Self::LandlockNetwork, "landlock-network"),
        (Self::LandlockScopes, "landlock-scopes"),
        (Self::Seccomp, "seccomp"),
        (Self::ProtectNew, "protect-new"),
        (Self::Cgroup, "cgroup"),
        (Self::AskMounts, "ask-mounts"),
        (Self::Egress, "egress"),
        (Self::Observe, "observe"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(layer, _)| *layer == self).map_or("", |(_, name)| name)
    }
}

/// `terminal:`. What is not allowed is taken out of the agent's output, when that goes through our pseudo-terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// OSC 52 may set the clipboard.
    pub clipboard: bool,
    /// OSC 0, 1, 2 may set the title.
    pub title: bool,
}

/// `consent:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent {
    /// Ways to reach a person, in order.
    pub channels: Vec<&'static str>,
    /// No answer after this long means no.
    pub timeout: Option<Duration>,
    /// Flows approved in advance.
    pub templates: Vec<Template>,
    /// How much may be asked.
    pub rates: Rates,
}

/// `consent.rates`. `None`: as the Guardian has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// New questions of a run in a minute.
    pub per_minute: Option<u64>,
    /// New questions of one process in a minute.
    pub per_process: Option<u64>,
    /// Questions that wait at once.
    pub waiting: Option<u64>,
    /// How long a refusal stands.
    pub refusal: Option<Duration>,
}

/// `agents:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agents {
    /// How many may run at one time.
    pub most: u64,
    /// How many levels of agents below this run.
    pub depth: u64,
}

/// `audit.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditMode {
    /// The start record is on disk (fdatasync) before the agent runs.
    Durable,
    /// The start record is written before the agent runs; the kernel syncs it when it likes.
    Buffered,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_has_one_name_everywhere() {
        for (layer, name) in Layer::ALL {
            assert_eq!(serde_json::to_value(layer).unwrap(), name);
            assert_eq!(layer.name(), name);
        }
    }
}
