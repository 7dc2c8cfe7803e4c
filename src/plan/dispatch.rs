//! From a call's number to its answer by halving: about seven comparisons instead of a walk past every known call.
//!
//! Never decides what an answer is. The kernel also runs a new filter once for every number, to learn which calls it
//! always allows (Linux 5.11), so a short way to each answer makes a shorter launch too.

use super::bpf::{AT_ARCH, AT_NUMBER, IF_EQ, IF_GE, JUMP, LOAD, MAX_INSTRUCTIONS, RETURN, branch, plain};
use crate::profile::Arch;
use crate::sys::seccomp::Instruction;
use std::collections::BTreeMap;

/// The answer to one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// This value of `SECCOMP_RET_*`.
    Return(u32),
    /// What these instructions return. They jump nowhere outside themselves and end in a return.
    Run(Vec<Instruction>),
}

/// Lays out a program. A call of another machine (i386, 32-bit Arm) or of x32 gets `foreign`, a number in `answers`
/// its answer, every other number `default`. `None` when it is longer than [`MAX_INSTRUCTIONS`].
pub(super) fn lay_out(
    arch: Arch,
    foreign: u32,
    default: u32,
    answers: &BTreeMap<u32, Answer>,
) -> Option<Vec<Instruction>> {
    let mut program = vec![
        plain(LOAD, AT_ARCH),
        branch(IF_EQ, arch.audit(), 1, 0),
        plain(RETURN, foreign),
        plain(LOAD, AT_NUMBER),
    ];
    let mut bodies = Vec::new();
    let tree = halve(&runs(arch, foreign, default, answers), 0, &mut bodies)?;
    program.extend(link(tree, &bodies)?);
    (program.len() <= MAX_INSTRUCTIONS).then_some(program)
}

/// The answer to all numbers from `first` up to the next run's first.
struct Run<'a> {
    first: u32,
    leaf: Leaf<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf<'a> {
    Return(u32),
    Body(&'a [Instruction]),
}

/// The bit that x32 sets in a number (asm/unistd.h). -1 is not x32: a tracer gives it to skip a call.
const X32_BIT: u32 = 0x4000_0000;

/// Every number there is, as few runs of equal answers.
fn runs(arch: Arch, foreign: u32, default: u32, answers: &BTreeMap<u32, Answer>) -> Vec<Run<'_>> {
    let mut runs = vec![Run { first: 0, leaf: Leaf::Return(default) }];
    for (number, answer) in answers.iter().filter(|(number, _)| **number < X32_BIT) {
        let leaf = match answer {
            Answer::Return(value) => Leaf::Return(*value),
            Answer::Run(body) => Leaf::Body(body),
        };
        push(&mut runs, *number, leaf);
        push(&mut runs, number + 1, Leaf::Return(default));
    }
    if arch == Arch::X86_64 {
        push(&mut runs, X32_BIT, Leaf::Return(foreign));
        push(&mut runs, u32::MAX, Leaf::Return(default));
    }
    runs
}

/// Adds a run: one that begins where the last began replaces it, and one that answers the same melts into it.
fn push<'a>(runs: &mut Vec<Run<'a>>, first: u32, leaf: Leaf<'a>) {
    runs.pop_if(|last| last.first == first);
    if runs.last().is_none_or(|last| last.leaf != leaf) {
        runs.push(Run { first, leaf });
    }
}

/// A piece of the tree; a jump to a body is not known yet and stands as the body's place in `bodies`.
enum Piece {
    Ready(Instruction),
    ToBody(usize),
}

/// The most levels; 2^16 runs are more than a program can hold.
const MAX_DEPTH: usize = 16;

fn halve<'a>(runs: &[Run<'a>], depth: usize, bodies: &mut Vec<&'a [Instruction]>) -> Option<Vec<Piece>> {
    if let [run] = runs {
        return Some(vec![leaf(run.leaf, bodies)]);
    }
    let (low, high) = runs.split_at_checked(runs.len() / 2)?;
    let first = high.first().filter(|_| depth < MAX_DEPTH)?.first;
    let below = halve(low, depth + 1, bodies)?;
    let mut pieces = match u8::try_from(below.len()) {
        Ok(skip) => vec![Piece::Ready(branch(IF_GE, first, skip, 0))],
        Err(_) => vec![
            Piece::Ready(branch(IF_GE, first, 0, 1)),
            Piece::Ready(plain(JUMP, u32::try_from(below.len()).ok()?)),
        ],
    };
    pieces.extend(below);
    pieces.extend(halve(high, depth + 1, bodies)?);
    Some(pieces)
}

fn leaf<'a>(leaf: Leaf<'a>, bodies: &mut Vec<&'a [Instruction]>) -> Piece {
    match leaf {
        Leaf::Return(value) => Piece::Ready(plain(RETURN, value)),
        Leaf::Body(body) => {
            bodies.push(body);
            Piece::ToBody(bodies.len() - 1)
        }
    }
}

/// Puts the bodies behind the tree, in order, and the jumps to them in place.
fn link(tree: Vec<Piece>, bodies: &[&[Instruction]]) -> Option<Vec<Instruction>> {
    let length = tree.len();
    let start_of =
        |body: usize| Some(length + bodies.get(..body)?.iter().map(|body| body.len()).sum::<usize>());
    let mut program = Vec::with_capacity(length);
    for (at, piece) in tree.into_iter().enumerate() {
        program.push(match piece {
            Piece::Ready(instruction) => instruction,
            Piece::ToBody(body) => plain(JUMP, u32::try_from(start_of(body)?.checked_sub(at + 1)?).ok()?),
        });
    }
    program.extend(bodies.iter().copied().flatten());
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::super::bpf::{CallData, Decision, RET_ALLOW, RET_ERRNO, RET_KILL, decide};
    use super::*;

    fn ask(program: &[Instruction], number: u32) -> Decision {
        decide(program, &CallData { number, audit_arch: Arch::X86_64.audit(), args: [0; 6] })
    }

    #[test]
    fn every_number_finds_its_own_answer_even_past_a_short_jump() {
        let answers: BTreeMap<u32, Answer> = (0..400)
            .map(|number| {
                let value = RET_ERRNO | (number + 1);
                let body = vec![plain(LOAD, AT_NUMBER), plain(RETURN, value)];
                (number * 2, if number % 3 == 0 { Answer::Run(body) } else { Answer::Return(value) })
            })
            .collect();
        let program = lay_out(Arch::X86_64, RET_KILL, RET_ALLOW, &answers).unwrap();
        for number in 0..400_u16 {
            assert_eq!(ask(&program, u32::from(number) * 2), Decision::Errno(number + 1));
            assert_eq!(ask(&program, u32::from(number) * 2 + 1), Decision::Allow);
        }
    }

    #[test]
    fn x32_numbers_are_foreign_and_minus_one_is_not() {
        let program = lay_out(Arch::X86_64, RET_KILL, RET_ERRNO | 38, &BTreeMap::new()).unwrap();
        assert_eq!(ask(&program, 0x3FFF_FFFF), Decision::Errno(38));
        assert_eq!(ask(&program, 0x4000_0000), Decision::Kill);
        assert_eq!(ask(&program, 0xFFFF_FFFE), Decision::Kill);
        assert_eq!(ask(&program, 0xFFFF_FFFF), Decision::Errno(38));
    }

    #[test]
    fn a_program_longer_than_the_kernel_takes_is_refused() {
        let body = |number| Answer::Run(vec![plain(RETURN, number); 50]);
        let answers = |count: u32| (0..count).map(|number| (number, body(number))).collect();
        assert!(lay_out(Arch::Aarch64, RET_KILL, RET_ALLOW, &answers(70)).is_some());
        assert!(lay_out(Arch::Aarch64, RET_KILL, RET_ALLOW, &answers(90)).is_none());
    }
}
