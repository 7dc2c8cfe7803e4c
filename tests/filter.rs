//! The shipped filters, compiled, against their own words.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/dice.rs"]
mod dice;

use aisandbox::base::Source;
use aisandbox::plan::{CallData, Decision, MAX_INSTRUCTIONS, Program, compile, decide};
use aisandbox::profile::{
    Arch, Compare, Condition, FilterAction, FilterFile, FilterRule, ShippedFilter, Width, call_name,
    call_names, call_number,
};
use aisandbox::sys::Errno;
use dice::Dice;

fn read(filter: ShippedFilter) -> FilterFile {
    filter.file().unwrap_or_else(|errors| panic!("{}: {errors:#?}", filter.name()))
}

fn all() -> Vec<(FilterFile, Arch, Program)> {
    let files = ShippedFilter::ALL.map(read).into_iter();
    files.flat_map(|file| Arch::ALL.map(|arch| (file.clone(), arch, compile(&file, arch).unwrap()))).collect()
}

fn ask(program: &Program, number: u32, args: [u64; 6]) -> Decision {
    decide(&program.instructions, &CallData { number, audit_arch: program.arch.audit(), args })
}

fn ask_call(program: &Program, call: &str, args: [u64; 6]) -> Decision {
    ask(program, call_number(call, program.arch).unwrap_or_else(|| panic!("{call}")), args)
}

fn decision(action: FilterAction) -> Decision {
    match action {
        FilterAction::Allow => Decision::Allow,
        FilterAction::Errno(errno) => Decision::Errno(errno as u16),
        FilterAction::Succeed => Decision::Errno(0),
        FilterAction::Kill => Decision::Kill,
    }
}

const EPERM: Decision = Decision::Errno(1);
const ENOSYS: Decision = Decision::Errno(38);
const EPROTONOSUPPORT: Decision = Decision::Errno(93);
const EAFNOSUPPORT: Decision = Decision::Errno(97);

/// Values that tell comparisons apart: every value and mask a rule names, its neighbours, and high bits on top.
fn telling_values(file: &FilterFile) -> Vec<u64> {
    let conditions = file.rules.iter().flat_map(|rule| rule.when.iter().flatten());
    let mut values: Vec<u64> = conditions.map(|condition| condition.value).collect();
    values.extend([0, 1, 2, 17, 0x80, 0x2_0000, 0x1000_0011, u64::from(u32::MAX)]);
    values =
        values.iter().flat_map(|value| [*value, value ^ 1, value.wrapping_add(1), value | 1 << 35]).collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn pick(dice: &mut Dice, values: &[u64]) -> u64 {
    let at = usize::try_from(dice.next() % values.len() as u64).unwrap();
    values[at]
}

#[test]
fn the_program_decides_what_the_file_says_for_every_number() {
    for (file, arch, program) in all() {
        for number in (0..1024).chain([0x3FFF_FFFF, u32::MAX]) {
            let expected = decision(file.answer(number, arch, &[0; 6]).0);
            assert_eq!(ask(&program, number, [0; 6]), expected, "{} {arch:?} {number}", file.name);
        }
    }
}

#[test]
fn the_program_decides_what_the_file_says_for_any_arguments() {
    let mut random = Dice(0x9E37_79B9_7F4A_7C15);
    for (file, arch, program) in all() {
        let values = telling_values(&file);
        let by_argument: Vec<u32> = (0..1024)
            .filter(|number| {
                file.rules.iter().any(|rule| {
                    !rule.when.is_empty()
                        && call_name(*number, arch).is_some_and(|call| rule.calls.contains(&call))
                })
            })
            .collect();
        assert!(by_argument.len() >= 5);
        for number in by_argument {
            for _ in 0..1000 {
                let args = std::array::from_fn(|_| {
                    if random.next().is_multiple_of(8) { random.next() } else { pick(&mut random, &values) }
                });
                let expected = decision(file.answer(number, arch, &args).0);
                assert_eq!(
                    ask(&program, number, args),
                    expected,
                    "{} {arch:?} {number} {args:x?}",
                    file.name
                );
            }
        }
    }
}

/// A rule for prctl with random comparisons of few values, so that they often hold.
fn random_rule(random: &mut Dice, otherwise: bool) -> FilterRule {
    let mut condition = || {
        let bits = [0, 1, 2, 3, 1 << 31, u64::from(u32::MAX)];
        let width = if random.next().is_multiple_of(2) { Width::Low32 } else { Width::Full64 };
        let high = if width == Width::Full64 { pick(random, &[0, 1 << 32, 3 << 40]) } else { 0 };
        let value = pick(random, &bits) | high;
        let mask = pick(random, &bits) | 1 | high;
        let (op, value) = match random.next() % 7 {
            0 => (Compare::Eq, value),
            1 => (Compare::Ne, value),
            2 => (Compare::Lt, value),
            3 => (Compare::Le, value),
            4 => (Compare::Gt, value),
            5 => (Compare::Ge, value),
            _ => (Compare::MaskedEq(mask), value & mask),
        };
        Condition { arg: u8::try_from(random.next() % 6).unwrap(), op, value, width }
    };
    let when =
        vec![vec![condition()], vec![condition(), condition()], (0..60).map(|_| condition()).collect()];
    FilterRule {
        calls: vec!["prctl"],
        action: FilterAction::Succeed,
        when,
        otherwise: otherwise.then_some(FilterAction::Allow),
        comment: String::new(),
        asked: Source::built_in("test"),
    }
}

#[test]
fn any_comparisons_are_decided_as_written_also_in_rules_that_follow_each_other() {
    let mut random = Dice(42);
    let values =
        [0, 1, 2, 3, 1 << 31, u64::from(u32::MAX), 1 << 32, 1 << 32 | 1, 3 << 40, 3 << 40 | 3, u64::MAX];
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let mut rules = vec![
            random_rule(&mut random, false),
            random_rule(&mut random, false),
            random_rule(&mut random, true),
        ];
        rules[1].action = FilterAction::Kill;
        rules[2].action = FilterAction::Errno(Errno::EACCES);
        let default = FilterAction::Errno(Errno::ENOSYS);
        let file = FilterFile { name: "random".into(), description: String::new(), default, rules };
        let program = compile(&file, Arch::X86_64).unwrap();
        for _ in 0..100 {
            let args = std::array::from_fn(|_| pick(&mut random, &values));
            let expected = decision(file.answer(157, Arch::X86_64, &args).0);
            assert_eq!(ask(&program, 157, args), expected, "{args:x?} {file:#?}");
            seen.insert(format!("{expected:?}"));
        }
    }
    assert_eq!(seen.len(), 4, "every answer was seen: {seen:?}");
}

#[test]
fn a_number_no_rule_names_does_not_exist() {
    for (file, arch, program) in all() {
        let named: Vec<u32> = (0..1024)
            .filter(|number| {
                file.rules
                    .iter()
                    .any(|rule| call_name(*number, arch).is_some_and(|call| rule.calls.contains(&call)))
            })
            .collect();
        assert!(named.len() > 250);
        let unnamed = |number: &u32| named.binary_search(number).is_err();
        for number in (0..70_000).chain([0x3FFF_FFFF, u32::MAX]).filter(unnamed) {
            assert_eq!(ask(&program, number, [u64::MAX; 6]), ENOSYS, "{} {arch:?} {number}", file.name);
        }
    }
}

#[test]
fn a_call_of_another_machine_ends_the_process() {
    for (file, arch, program) in all() {
        for audit_arch in
            [0x4000_0003, 0x4000_0028, 0, if arch == Arch::X86_64 { 0xC000_00B7 } else { 0xC000_003E }]
        {
            for number in 0..512 {
                let call = CallData { number, audit_arch, args: [0; 6] };
                assert_eq!(decide(&program.instructions, &call), Decision::Kill, "{} {number}", file.name);
            }
        }
    }
}

#[test]
fn an_x32_call_ends_the_process() {
    for (_, _, program) in all().into_iter().filter(|(_, arch, _)| *arch == Arch::X86_64) {
        for number in 0..1024 {
            assert_eq!(ask(&program, number | 0x4000_0000, [0; 6]), Decision::Kill);
        }
        assert_eq!(ask_call(&program, "read", [0; 6]), Decision::Allow);
    }
}

#[test]
fn every_known_call_is_answered_by_a_rule_of_its_own() {
    let file = read(ShippedFilter::Agent);
    for call in call_names() {
        assert!(
            file.rules.iter().any(|rule| rule.calls.contains(&call)),
            "no rule of agent.yaml names {call}"
        );
    }
}

#[test]
fn the_terminal_cannot_be_typed_into_even_with_high_bits_set() {
    for (_, _, program) in all() {
        for request in [0x5412_u64, 0x541C, 0x5423] {
            assert_eq!(ask_call(&program, "ioctl", [0, request, 0, 0, 0, 0]), EPERM);
            assert_eq!(ask_call(&program, "ioctl", [0, request | 1 << 32, 0, 0, 0, 0]), EPERM);
            assert_eq!(ask_call(&program, "ioctl", [0, request | 0xFFFF_FFFF << 32, 0, 0, 0, 0]), EPERM);
        }
        assert_eq!(ask_call(&program, "ioctl", [0x5412, 0x5413, 0x5412, 0, 0, 0]), Decision::Allow);
    }
}

#[test]
fn no_ioctl_makes_a_name_on_a_filesystem() {
    let btrfs = [0x5000_9401_u64, 0x5000_940E, 0x5000_9417, 0x5000_9418];
    for (_, _, program) in all() {
        for request in btrfs.into_iter().chain([0x4018_6F04, 0x4020_BC10]) {
            assert_eq!(ask_call(&program, "ioctl", [3, request, 0, 0, 0, 0]), EPERM);
            assert_eq!(ask_call(&program, "ioctl", [3, request | 7 << 32, 0, 0, 0, 0]), EPERM);
        }
        assert_eq!(ask_call(&program, "ioctl", [3, 0x4004_9409, 4, 0, 0, 0]), Decision::Allow); // FICLONE
    }
}

#[test]
fn no_new_namespace_comes_from_clone_or_unshare() {
    for (file, _, program) in all() {
        for bit in [0x2_0000_u64, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
            assert_eq!(ask_call(&program, "clone", [bit | 17, 0, 0, 0, 0, 0]), EPERM, "{bit:x}");
            assert_eq!(ask_call(&program, "unshare", [bit, 0, 0, 0, 0, 0]), EPERM, "{bit:x}");
        }
        assert_eq!(ask_call(&program, "unshare", [0x80, 0, 0, 0, 0, 0]), EPERM);
        assert_eq!(ask_call(&program, "clone3", [0; 6]), ENOSYS);
        assert_eq!(ask_call(&program, "setns", [3, 0, 0, 0, 0, 0]), EPERM);
        // Controls: a thread of the C library, fork, and a child with an uncommon exit signal.
        for flags in [0x003D_0F00_u64, 0x0120_0011, 0x80] {
            assert_eq!(ask_call(&program, "clone", [flags, 0, 0, 0, 0, 0]), Decision::Allow, "{flags:x}");
        }
        let files = ask_call(&program, "unshare", [0x400, 0, 0, 0, 0, 0]);
        assert_eq!(files, if file.name == "agent" { Decision::Allow } else { EPERM });
    }
}

#[test]
fn an_agent_has_local_and_internet_sockets_and_routes_to_read_only() {
    let file = read(ShippedFilter::Agent);
    for arch in Arch::ALL {
        let program = compile(&file, arch).unwrap();
        let socket = |family, kind, protocol| ask_call(&program, "socket", [family, kind, protocol, 0, 0, 0]);
        for (family, kind, protocol) in
            [(1, 1, 0), (1, 5, 0), (2, 1, 6), (2, 2, 17), (10, 0x80801, 262), (2, 2, 1), (16, 3, 0)]
        {
            assert_eq!(socket(family, kind, protocol), Decision::Allow, "{family} {kind} {protocol}");
        }
        for protocol in [4, 9, 15, 16] {
            assert_eq!(socket(16, 3, protocol), EAFNOSUPPORT);
        }
        for family in (0..64).filter(|family| ![1, 2, 10, 16].contains(family)) {
            assert_eq!(socket(family, 1, 0), EAFNOSUPPORT, "{family}");
        }
        for protocol in [33, 115, 132, 136, 256] {
            assert_eq!(socket(2, 1, protocol), EPROTONOSUPPORT);
        }
        assert_eq!(socket(10, 5 | 0x80000, 0), EPROTONOSUPPORT);
    }
}

#[test]
fn a_process_cannot_hide_from_its_supervisor_and_does_not_notice() {
    for (_, _, program) in all() {
        assert_eq!(ask_call(&program, "prctl", [4, 0, 0, 0, 0, 0]), Decision::Errno(0));
        assert_eq!(ask_call(&program, "prctl", [4 | 1 << 32, 0, 0, 0, 0, 0]), Decision::Errno(0));
        assert_eq!(ask_call(&program, "prctl", [35, 8, 0, 0, 0, 0]), EPERM);
        assert_eq!(ask_call(&program, "prctl", [15, 0, 0, 0, 0, 0]), Decision::Allow);
    }
}

#[test]
fn strict_never_allows_what_agent_refuses() {
    let (agent, strict) = (read(ShippedFilter::Agent), read(ShippedFilter::Strict));
    let values = telling_values(&strict);
    let mut random = Dice(7);
    for arch in Arch::ALL {
        for number in (0..512).filter(|number| call_name(*number, arch).is_some()) {
            for _ in 0..300 {
                let args = std::array::from_fn(|_| pick(&mut random, &values));
                if strict.answer(number, arch, &args).0 == FilterAction::Allow {
                    assert_eq!(
                        agent.answer(number, arch, &args).0,
                        FilterAction::Allow,
                        "{number} {args:x?}"
                    );
                }
            }
        }
        let program = compile(&strict, arch).unwrap();
        assert_eq!(ask_call(&program, "socket", [2, 1, 0, 0, 0, 0]), EAFNOSUPPORT);
        assert_eq!(ask_call(&program, "ptrace", [0; 6]), EPERM);
    }
}

#[test]
fn a_shipped_program_is_short() {
    for (file, arch, program) in all() {
        println!("{} {arch:?}: {} instructions", file.name, program.instructions.len());
        assert!(program.instructions.len() < MAX_INSTRUCTIONS / 4);
    }
}

/// The text of src/plan/filter_compiled.rs.
fn compiled_source() -> String {
    let mut text = concat!(
        "//! The shipped filters as instructions. Written by `BLESS=1 cargo test --test filter`, which also compares.\n",
        "//!\n//! Never edited by hand: a filter is changed in seccomp/.\n\n",
        "use crate::profile::{Arch, ShippedFilter};\nuse crate::sys::seccomp::Instruction;\n\n",
        "/// The instructions of a shipped filter for one machine.\n",
        "pub(super) fn compiled(filter: ShippedFilter, arch: Arch) -> &'static [Instruction] {\n",
        "    match (filter, arch) {\n",
    )
    .to_owned();
    let mut tables = String::new();
    for filter in ShippedFilter::ALL {
        for arch in Arch::ALL {
            let name = format!("{}_{}", filter.name(), arch.name()).to_uppercase();
            text += &format!("        (ShippedFilter::{filter:?}, Arch::{arch:?}) => &{name},\n");
            let program = compile(&read(filter), arch).unwrap();
            let words = program.instructions.iter().map(|one| {
                let head = u64::from(one.code) << 48 | u64::from(one.jt) << 40 | u64::from(one.jf) << 32;
                format!("{:#018x},", head | u64::from(one.k))
            });
            let words: Vec<String> = words.collect();
            let lines: Vec<String> =
                words.chunks(5).map(|line| format!("    {}\n", line.join(" "))).collect();
            let count = words.len();
            tables += &format!(
                "\n#[rustfmt::skip]\nstatic {name}: [Instruction; {count}] = unpack([\n{}]);\n",
                lines.concat()
            );
        }
    }
    text += concat!(
        "    }\n}\n\n/// One instruction is one number here: 16 bits code, 8 bits each jump, 32 bits operand.\n",
        "#[expect(clippy::indexing_slicing, reason = \"runs in the compiler, where a wrong index is an error\")]\n",
        "const fn unpack<const N: usize>(packed: [u64; N]) -> [Instruction; N] {\n",
        "    let mut program = [Instruction { code: 0, jt: 0, jf: 0, k: 0 }; N];\n",
        "    let mut at = 0;\n    while at < N {\n",
        "        let [c1, c0, jt, jf, k3, k2, k1, k0] = packed[at].to_be_bytes();\n",
        "        let (code, k) = (u16::from_be_bytes([c1, c0]), u32::from_be_bytes([k3, k2, k1, k0]));\n",
        "        program[at] = Instruction { code, jt, jf, k };\n",
        "        at += 1;\n    }\n    program\n}\n",
    );
    text + &tables
}

#[test]
fn the_instructions_in_this_program_are_those_of_the_files() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/filter_compiled.rs");
    let wanted = compiled_source();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == wanted, "src/plan/filter_compiled.rs is old: BLESS=1 cargo test --test filter");
}
