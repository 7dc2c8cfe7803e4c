//! Filter files to BPF, the only file that names seccompiler.
//!
//! Never reads a file and never installs a filter. seccompiler knows one answer and one other answer for a whole
//! program; ours has many. So it writes the comparisons of arguments, one rule of one call at a time; each piece ends in
//! a marked answer, which is replaced by loading the number again, so that the next rule's piece follows; and
//! `dispatch` finds the first piece of a call.

use super::bpf::{AT_NUMBER, LOAD, Program, RET_ALLOW, RET_ERRNO, RET_KILL, RETURN, plain};
use super::dispatch::{Answer, lay_out};
use super::filter_compiled::compiled;
use crate::profile::{
    Arch, Compare, Condition, FilterAction, FilterContent, FilterFile, FilterRule, FoundFilter, Width,
    call_number,
};
use crate::sys::seccomp::Instruction;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Why a filter file gives no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterError {
    /// More instructions than the kernel takes.
    TooLong {
        /// The filter's name.
        filter: String,
    },
    /// seccompiler refused a rule, or wrote something this file does not know.
    Rule {
        /// The rule.
        rule: crate::base::Source,
        /// The call it was compiled for.
        call: &'static str,
        /// Why.
        why: String,
    },
}

impl fmt::Display for FilterError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { filter } => write!(
                out,
                "compile filter {}: more than 4096 instructions\nhint: say less by argument",
                filter.escape_debug()
            ),
            Self::Rule { rule, call, why } => write!(out, "compile {call}: {} ({rule})", why.escape_debug()),
        }
    }
}

impl std::error::Error for FilterError {}

/// The instructions of a filter that was found. Those of a shipped filter are in this program: reading and compiling
/// the file would take longer than all other preparations.
/// # Errors
/// As [`compile`]; never for a shipped filter.
pub fn filter_program(found: &FoundFilter, arch: Arch) -> Result<Program, FilterError> {
    match &found.content {
        FilterContent::Shipped(shipped) => {
            Ok(Program { arch, instructions: Cow::Borrowed(compiled(*shipped, arch)) })
        }
        FilterContent::Own(file) => compile(file, arch),
    }
}

/// Compiles a filter for one machine. Pure: the same file gives the same program.
/// # Errors
/// When the program would be too long, or a rule cannot be said in BPF.
pub fn compile(file: &FilterFile, arch: Arch) -> Result<Program, FilterError> {
    let mut answers = BTreeMap::new();
    for (call, rules) in by_call(file) {
        if let Some(number) = call_number(call, arch) {
            answers.insert(number, answer(file.default, call, number, &rules, arch)?);
        }
    }
    let instructions = lay_out(arch, RET_KILL, value(file.default), &answers)
        .ok_or_else(|| FilterError::TooLong { filter: file.name.clone() })?;
    Ok(Program { arch, instructions: Cow::Owned(instructions) })
}

/// The rules of each call, in the order written.
fn by_call(file: &FilterFile) -> BTreeMap<&'static str, Vec<&FilterRule>> {
    let mut calls: BTreeMap<&'static str, Vec<&FilterRule>> = BTreeMap::new();
    for rule in &file.rules {
        for call in &rule.calls {
            calls.entry(call).or_default().push(rule);
        }
    }
    calls
}

fn answer(
    default: FilterAction,
    call: &'static str,
    number: u32,
    rules: &[&FilterRule],
    arch: Arch,
) -> Result<Answer, FilterError> {
    let mut body = Vec::new();
    let mut last = default;
    for rule in rules {
        if rule.when.is_empty() {
            last = rule.action;
            break;
        }
        let piece = piece(rule, number, arch);
        body.extend(piece.map_err(|why| FilterError::Rule { rule: rule.asked.clone(), call, why })?);
        if let Some(otherwise) = rule.otherwise {
            last = otherwise;
            break;
        }
    }
    if body.is_empty() {
        return Ok(Answer::Return(value(last)));
    }
    body.push(plain(RETURN, value(last)));
    Ok(Answer::Run(body))
}

/// The value `seccomp` programs return for an action (seccomp(2)).
fn value(action: FilterAction) -> u32 {
    match action {
        FilterAction::Allow => RET_ALLOW,
        FilterAction::Errno(errno) => RET_ERRNO | (errno as i32).unsigned_abs(),
        FilterAction::Succeed => RET_ERRNO,
        FilterAction::Kill => RET_KILL,
    }
}

/// Marks where no condition held. No filter file can say SECCOMP_RET_TRACE, so it is never an answer.
const NOTHING_HELD: SeccompAction = SeccompAction::Trace(0xFFFF);
/// What it is in a program.
const RET_NOTHING_HELD: u32 = 0x7FF0_FFFF;
/// What seccompiler begins every program with: the machine is compared, three instructions.
const PROLOGUE: usize = 3;

/// One rule's comparisons: returns its action when they hold, and otherwise runs into what follows.
///
/// Sound because seccompiler 0.5 jumps only forward and only to places before its last instruction or to it, and both
/// of its "nothing held" returns (after the call's chain, and at the end) become a load, so control falls through.
fn piece(rule: &FilterRule, number: u32, arch: Arch) -> Result<Vec<Instruction>, String> {
    let chain = rule.when.iter().map(|all| conjunction(all)).collect::<Result<Vec<_>, String>>()?;
    let rules = BTreeMap::from([(i64::from(number), chain)]);
    let filter = SeccompFilter::new(rules, NOTHING_HELD, action(rule.action), target(arch));
    let program = BpfProgram::try_from(filter.map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())?;
    let known = program.get(1).is_some_and(|compare| compare.k == arch.audit())
        && program.get(PROLOGUE).is_some_and(|load| load.code == LOAD && load.k == AT_NUMBER)
        && program.last().is_some_and(|last| last.code == RETURN && last.k == RET_NOTHING_HELD);
    if !known {
        return Err("the program does not begin or end as expected".to_owned());
    }
    let body =
        program.into_iter().skip(PROLOGUE).map(|instruction| match (instruction.code, instruction.k) {
            (RETURN, RET_NOTHING_HELD) => plain(LOAD, AT_NUMBER),
            (code, k) => Instruction { code, jt: instruction.jt, jf: instruction.jf, k },
        });
    Ok(body.collect())
}

fn conjunction(all: &[Condition]) -> Result<SeccompRule, String> {
    let conditions = all.iter().map(condition).collect::<Result<Vec<_>, String>>()?;
    SeccompRule::new(conditions).map_err(|error| error.to_string())
}

fn condition(condition: &Condition) -> Result<SeccompCondition, String> {
    let op = match condition.op {
        Compare::Eq => SeccompCmpOp::Eq,
        Compare::Ne => SeccompCmpOp::Ne,
        Compare::Lt => SeccompCmpOp::Lt,
        Compare::Le => SeccompCmpOp::Le,
        Compare::Gt => SeccompCmpOp::Gt,
        Compare::Ge => SeccompCmpOp::Ge,
        Compare::MaskedEq(mask) => SeccompCmpOp::MaskedEq(mask),
    };
    let width = match condition.width {
        Width::Low32 => SeccompCmpArgLen::Dword,
        Width::Full64 => SeccompCmpArgLen::Qword,
    };
    SeccompCondition::new(condition.arg, width, op, condition.value).map_err(|error| error.to_string())
}

fn action(action: FilterAction) -> SeccompAction {
    match action {
        FilterAction::Allow => SeccompAction::Allow,
        FilterAction::Errno(errno) => SeccompAction::Errno((errno as i32).unsigned_abs()),
        FilterAction::Succeed => SeccompAction::Errno(0),
        FilterAction::Kill => SeccompAction::KillProcess,
    }
}

fn target(arch: Arch) -> TargetArch {
    match arch {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
    }
}
