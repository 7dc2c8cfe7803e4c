//! The stages of a launch, in their order, and the eight bytes in which the child reports a failure.
//!
//! The order written here is the one `explain` prints and aisandbox.1 documents; a test compares them.

use crate::sys::Errno;

macro_rules! stages {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// One stage between clone and exec.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Stage { $($(#[$doc])* $name,)+ }

        impl Stage {
            /// Every stage, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Whether it is left out where there are no namespaces.
            pub fn needs_namespaces(self) -> bool {
                matches!(
                    self,
                    Self::MapIds | Self::NewRoot | Self::Entry | Self::Pivot | Self::SealRoot | Self::Loopback
                        | Self::Egress
                        | Self::HostName | Self::InnerUser | Self::ForbidNamespaces
                )
            }

            /// What people read: a verb and its object.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

stages! {
    /// clone3 with every namespace; the only stage of the parent.
    Clone = "make namespaces",
    /// uid_map, gid_map and setgroups of the outer user namespace.
    MapIds = "map ids",
    /// PDEATHSIG. A launcher that ended before it is noticed at the release: its socket is closed.
    TieToParent = "tie to the launcher",
    /// A new root on tmpfs.
    NewRoot = "make the new root",
    /// One entry of the view.
    Entry = "build the view",
    /// pivot_root and detaching the old root.
    Pivot = "leave the old root",
    /// The new root becomes read-only.
    SealRoot = "make the root read-only",
    /// Loopback up.
    Loopback = "bring loopback up",
    /// Addresses, routes, the packet filter and the sockets of a filtered network.
    Egress = "lay the way to the proxy",
    /// The host name.
    HostName = "set the host name",
    /// A session keyring of its own.
    Keyring = "make a session keyring",
    /// A pseudo-terminal from the new devpts.
    Terminal = "open a pseudo-terminal",
    /// An inner user namespace: the mounts belong to the outer one, out of the agent's reach.
    InnerUser = "enter the inner user namespace",
    /// No user namespace can be made from here on, proved by trying.
    ForbidNamespaces = "forbid further user namespaces",
    /// Every capability, the bounding set too, and securebits locked.
    DropCaps = "drop capabilities",
    /// no_new_privs.
    NoNewPrivs = "set no_new_privs",
    /// Landlock rules for what exists only inside.
    Rules = "add Landlock rules",
    /// Landlock in force.
    Landlock = "enter the Landlock ruleset",
    /// The system call filter in force.
    Filter = "install the seccomp filter",
    /// The finished sandbox is probed from inside.
    Probe = "probe the sandbox",
    /// The record of the start is durable and the parent says go.
    Release = "wait for the record",
    /// The agent's process, its session and its standard descriptors.
    Agent = "start the agent's process",
    /// The listener for creating calls.
    Guard = "guard protected names",
    /// Limits of the agent's processes; init has none of them.
    Limits = "set limits",
    /// The working folder inside.
    Chdir = "enter the working folder",
    /// execve.
    Exec = "execute the command",
}

/// What failed, as it crosses the pipe: stage, entry, errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageFailure {
    /// Which stage.
    pub stage: Stage,
    /// Which step of the view, or which probe; 0 elsewhere.
    pub entry: u16,
    /// Why.
    pub errno: Errno,
}

impl StageFailure {
    /// The eight bytes.
    pub fn to_bytes(self) -> [u8; 8] {
        let [s0, s1] = (self.stage as u16).to_ne_bytes();
        let [e0, e1] = self.entry.to_ne_bytes();
        let [n0, n1, n2, n3] = (self.errno as i32).to_ne_bytes();
        [s0, s1, e0, e1, n0, n1, n2, n3]
    }

    /// Reads the eight bytes; `None` for a stage that does not exist.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        let [s0, s1, e0, e1, n0, n1, n2, n3] = bytes;
        let stage = *Stage::ALL.get(usize::from(u16::from_ne_bytes([s0, s1])))?;
        let errno = Errno::from_raw(i32::from_ne_bytes([n0, n1, n2, n3]));
        Some(Self { stage, entry: u16::from_ne_bytes([e0, e1]), errno })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_pipe() {
        for stage in Stage::ALL {
            let failure = StageFailure { stage: *stage, entry: 513, errno: Errno::EPERM };
            assert_eq!(StageFailure::from_bytes(failure.to_bytes()), Some(failure));
        }
    }

    #[test]
    fn bytes_that_name_no_stage_are_refused() {
        assert_eq!(StageFailure::from_bytes([0xFF; 8]), None);
    }
}
