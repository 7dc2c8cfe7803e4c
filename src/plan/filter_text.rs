//! A program as text for people: `aisandbox explain` prints it.
//!
//! Never decides anything; what it cannot name it prints as the number it is.

use super::bpf::{
    AND, AT_ARCH, AT_ARGS, AT_NUMBER, Decision, IF_EQ, IF_GE, IF_GT, IF_SET, JUMP, LOAD, Program, RETURN,
    decision,
};
use crate::profile::{Arch, call_name};
use crate::sys::Errno;
use crate::sys::seccomp::Instruction;
use std::fmt;

/// One line for each instruction: its place, what it does, and where it goes on.
pub fn disassemble(program: &Program) -> Vec<String> {
    let held = held(&program.instructions);
    let lines = program.instructions.iter().zip(held).enumerate();
    lines
        .map(|(at, (instruction, held))| format!("{at:4}  {}", line(at, instruction, held, program.arch)))
        .collect()
}

/// What the accumulator holds before an instruction.
type Held = Option<u32>;

/// The offset loaded last on the way to each instruction. Jumps go forward only, so one pass is enough.
fn held(instructions: &[Instruction]) -> Vec<Held> {
    let mut before: Vec<Held> = vec![None; instructions.len()];
    for (at, instruction) in instructions.iter().enumerate() {
        let here = before.get(at).copied().flatten();
        let after = if instruction.code == LOAD { Some(instruction.k) } else { here };
        for next in next(at, instruction) {
            if let Some(slot) = before.get_mut(next) {
                *slot = after;
            }
        }
    }
    before
}

/// Where control can go.
fn next(at: usize, instruction: &Instruction) -> Vec<usize> {
    match instruction.code {
        RETURN => Vec::new(),
        JUMP => vec![target(at, instruction.k)],
        IF_EQ | IF_GT | IF_GE | IF_SET => {
            vec![target(at, u32::from(instruction.jt)), target(at, u32::from(instruction.jf))]
        }
        _ => vec![at + 1],
    }
}

fn target(at: usize, skip: u32) -> usize {
    at.saturating_add(1).saturating_add(usize::try_from(skip).unwrap_or(usize::MAX))
}

fn line(at: usize, instruction: &Instruction, held: Held, arch: Arch) -> String {
    let k = instruction.k;
    let branch = |sign: &str| {
        let (yes, no) = (target(at, u32::from(instruction.jt)), target(at, u32::from(instruction.jf)));
        let go = match (yes == at + 1, no == at + 1) {
            (true, false) => format!("else go to {no}"),
            (false, true) => format!("go to {yes}"),
            _ => format!("go to {yes} else {no}"),
        };
        format!("if {} {sign} {}: {go}", place(held), operand(k, held, arch))
    };
    match instruction.code {
        LOAD => format!("load {}", place(Some(k))),
        AND => format!("and {k:#x}"),
        JUMP => format!("go to {}", target(at, k)),
        IF_EQ => branch("=="),
        IF_GT => branch(">"),
        IF_GE => branch(">="),
        IF_SET => branch("has a bit of"),
        RETURN => format!("return {}", decision(k)),
        code => format!("unknown instruction {code:#x} {k:#x}"),
    }
}

/// The field of `seccomp_data` at an offset.
fn place(offset: Held) -> String {
    match offset {
        Some(AT_NUMBER) => "number".to_owned(),
        Some(AT_ARCH) => "machine".to_owned(),
        Some(offset) if offset >= AT_ARGS => {
            let half = if offset % 8 == 0 { "low" } else { "high" };
            format!("argument {} {half}", (offset - AT_ARGS) / 8)
        }
        Some(offset) => format!("word {offset}"),
        None => "accumulator".to_owned(),
    }
}

fn operand(k: u32, held: Held, arch: Arch) -> String {
    match held {
        Some(AT_NUMBER) => match call_name(k, arch) {
            Some(call) => format!("{k} ({call})"),
            None => format!("{k:#x}"),
        },
        Some(AT_ARCH) if k == arch.audit() => arch.name().to_owned(),
        _ => format!("{k:#x}"),
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => out.write_str("allow"),
            Self::Errno(0) => out.write_str("ok (0, nothing done)"),
            Self::Errno(errno) => write!(out, "{:?}", Errno::from_raw(i32::from(*errno))),
            Self::Notify => out.write_str("ask the supervisor"),
            Self::Kill => out.write_str("kill the process"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trap::trap_filter;
    use super::*;

    #[test]
    fn a_program_reads_as_words() {
        let lines = disassemble(&trap_filter(Arch::X86_64, crate::profile::Observe::Deny));
        assert_eq!(lines[0], "   0  load machine");
        assert_eq!(lines[1], "   1  if machine == x86_64: go to 3");
        assert_eq!(lines[2], "   2  return allow");
        assert_eq!(lines[3], "   3  load number");
        assert!(lines.iter().any(|line| line.contains("number >= 257 (openat)")), "{lines:#?}");
        assert!(
            lines.iter().any(|line| line.contains("if argument 2 low has a bit of 0x40: else go to")),
            "{lines:#?}"
        );
        assert!(lines.iter().any(|line| line.ends_with("return ask the supervisor")));
        assert!(lines.iter().any(|line| line.ends_with("return ENOSYS")));
    }
}
