//! A filter file of seccomp/: which system calls are allowed, refused or answered, each rule with its reason.
//!
//! Never makes instructions: `plan::filter` compiles a [`FilterFile`] for one machine.

use super::calls::{Arch, call_name};
use crate::base::Source;
use crate::sys::Errno;
use std::fmt;

/// A finished filter: `extends` merged, names known, and every call answered whatever its arguments are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFile {
    /// The name it was asked for by, such as `agent`, or its path.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// The answer to every call that no rule names.
    pub default: FilterAction,
    /// Rules in the order written, a parent's first. Several may name one call: the first that holds answers.
    pub rules: Vec<FilterRule>,
}

/// One entry of `rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterRule {
    /// Names of calls; one that a machine does not have is passed over there.
    pub calls: Vec<&'static str>,
    /// The answer when `when` holds, or always where `when` is empty.
    pub action: FilterAction,
    /// Holds when all conditions of any one inner list hold.
    pub when: Vec<Vec<Condition>>,
    /// The answer when `when` does not hold; `None` leaves it to the next rule that names the call.
    pub otherwise: Option<FilterAction>,
    /// Why the rule is there, and who makes these calls.
    pub comment: String,
    /// Where it was written.
    pub asked: Source,
}

/// What a call gets for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterAction {
    /// The kernel carries it out.
    Allow,
    /// It fails with this errno and nothing is done.
    Errno(Errno),
    /// It returns 0 and nothing is done.
    Succeed,
    /// The process ends (SIGSYS, not to be caught).
    Kill,
}

impl fmt::Display for FilterAction {
    /// The word a filter file uses.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => out.write_str("allow"),
            Self::Errno(errno) => write!(out, "{errno:?}"),
            Self::Succeed => out.write_str("ok"),
            Self::Kill => out.write_str("kill"),
        }
    }
}

/// One comparison of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// The argument's place, 0 to 5.
    pub arg: u8,
    /// How it is compared; unsigned.
    pub op: Compare,
    /// With what. Fits the width.
    pub value: u64,
    /// How much of the argument counts.
    pub width: Width,
}

/// How an argument is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Equal in the bits of this mask.
    MaskedEq(u64),
}

/// How much of an argument the kernel looks at: it drops the upper half of what is an int to it (CVE-2019-10063).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// The low 32 bits.
    Low32,
    /// All 64.
    Full64,
}

impl Condition {
    /// Whether it holds for these arguments.
    pub fn holds(&self, args: &[u64; 6]) -> bool {
        let whole = args.get(usize::from(self.arg)).copied().unwrap_or(0);
        let seen = match self.width {
            Width::Low32 => whole & u64::from(u32::MAX),
            Width::Full64 => whole,
        };
        match self.op {
            Compare::Eq => seen == self.value,
            Compare::Ne => seen != self.value,
            Compare::Lt => seen < self.value,
            Compare::Le => seen <= self.value,
            Compare::Gt => seen > self.value,
            Compare::Ge => seen >= self.value,
            Compare::MaskedEq(mask) => seen & mask == self.value & mask,
        }
    }
}

impl FilterFile {
    /// What the file says about a call, by its words alone, and the rule that says it (`None`: the default).
    pub fn answer(&self, number: u32, arch: Arch, args: &[u64; 6]) -> (FilterAction, Option<&FilterRule>) {
        let Some(call) = call_name(number, arch) else { return (self.default, None) };
        for rule in self.rules.iter().filter(|rule| rule.calls.contains(&call)) {
            let holds = rule.when.is_empty()
                || rule.when.iter().any(|all| all.iter().all(|condition| condition.holds(args)));
            match (holds, rule.otherwise) {
                (true, _) => return (rule.action, Some(rule)),
                (false, Some(otherwise)) => return (otherwise, Some(rule)),
                (false, None) => {}
            }
        }
        (self.default, None)
    }
}

impl FilterRule {
    /// Whether no later rule is reached for its calls.
    pub fn is_final(&self) -> bool {
        self.when.is_empty() || self.otherwise.is_some()
    }
}
