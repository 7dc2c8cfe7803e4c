//! Rights by action: what an entry of the view lets the agent do, before it becomes bits of Landlock.
//!
//! Never knows an ABI; `launch::ruleset` turns actions into the bits that this kernel has.

use crate::profile::Access;
use std::fmt;

/// One kind of thing an agent may do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// Read files.
    Read = 1,
    /// List folders.
    List = 2,
    /// Write to and truncate files that exist.
    Write = 4,
    /// Make files, folders, links, sockets and pipes, and move them between folders.
    Create = 8,
    /// Remove files and folders.
    Delete = 16,
    /// Run programs.
    Execute = 32,
    /// ioctl on device files (terminals).
    Device = 64,
}

/// Every action with its name, in the order people read them.
pub const ACTIONS: [(Action, &str); 7] = [
    (Action::Read, "read"),
    (Action::List, "list"),
    (Action::Write, "write"),
    (Action::Create, "create"),
    (Action::Delete, "delete"),
    (Action::Execute, "execute"),
    (Action::Device, "device"),
];

/// A set of actions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions(u8);

impl Actions {
    /// These actions.
    pub const fn of(actions: &[Action]) -> Self {
        let mut bits = 0;
        let mut rest = actions;
        while let [first, tail @ ..] = rest {
            bits |= *first as u8;
            rest = tail;
        }
        Self(bits)
    }

    /// Whether the action is one of them.
    pub const fn has(self, action: Action) -> bool {
        self.0 & action as u8 != 0
    }

    /// These and those.
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// The same without this one.
    pub const fn without(self, action: Action) -> Self {
        Self(self.0 & !(action as u8))
    }

    /// The names, in order.
    pub fn names(self) -> Vec<&'static str> {
        ACTIONS.iter().filter(|(action, _)| self.has(*action)).map(|(_, name)| *name).collect()
    }

    /// What an access means. Symlinks have no rights of their own: what they lead to has.
    pub fn of_access(access: &Access, noexec: bool) -> Self {
        use Action::{Create, Delete, Device, Execute, List, Read, Write};
        let full = Self::of(&[Read, List, Write, Create, Delete, Execute]);
        let all = match access {
            Access::Ro => Self::of(&[Read, List, Execute]),
            Access::Rw | Access::Tmpfs { .. } => full,
            Access::Dev => Self::of(&[Read, Write, Device]),
            Access::DevFs => Self::of(&[Read, List, Write, Device]),
            Access::Proc => Self::of(&[Read, List, Write]),
            Access::Dir | Access::File { .. } => Self::of(&[Read, List]),
            Access::Mask | Access::Symlink { .. } | Access::Stage | Access::Ask(_) => Self(0),
        };
        if noexec { all.without(Execute) } else { all }
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.names().join(","))
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_entry_gives_neither_write_nor_create() {
        let rights = Actions::of_access(&Access::Ro, false);
        assert!(rights.has(Action::Read) && rights.has(Action::Execute));
        assert!(!rights.has(Action::Write) && !rights.has(Action::Create) && !rights.has(Action::Delete));
    }

    #[test]
    fn noexec_takes_execute_away() {
        assert!(Actions::of_access(&Access::Rw, false).has(Action::Execute));
        assert!(!Actions::of_access(&Access::Rw, true).has(Action::Execute));
    }
}
