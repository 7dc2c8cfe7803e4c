//! Random calls on random paths: the same sequence leaves the same tree and the same answers with and without a guard.

use crate::harness::{Folder, c, close, guarded, native, said, shell};
use std::fmt::Write;

/// A sequence that is the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides
    }

    fn path(&mut self) -> String {
        const PARTS: &[&str] =
            &["a", "b", "c", "a", "b", "dir", "l", "m", ".", "", "up", "abs", "deep/er", "A", "\u{17f}"];
        let mut path = String::new();
        for _ in 0..=self.roll(4) {
            path += PARTS[self.roll(PARTS.len())];
            path += "/";
        }
        if self.roll(5) != 0 {
            path.pop();
        }
        // No `..` and nothing absolute: random calls stay in the folder of the test.
        if path.starts_with('/') { format!("dir{path}") } else { path }
    }
}

fn one_call(dice: &mut Dice) -> (String, i32) {
    const OPEN: &[i32] = &[
        libc::O_RDONLY,
        libc::O_RDWR | libc::O_EXCL,
        libc::O_WRONLY | libc::O_TRUNC,
        libc::O_RDWR | libc::O_NOFOLLOW,
        libc::O_RDWR | libc::O_NONBLOCK,
        libc::O_PATH,
    ];
    let (first, second) = (dice.path(), dice.path());
    let (one, two) = (c(&first), c(&second));
    let (a, b, cwd) = (one.as_ptr(), two.as_ptr(), libc::AT_FDCWD);
    let (call, number) = (dice.roll(9), dice.roll(OPEN.len()));
    // SAFETY: NUL-terminated paths and integers, whichever call it is.
    let rc = unsafe {
        match call {
            0..=2 => libc::open(a, OPEN[number] | libc::O_CREAT, 0o666),
            3 => libc::mkdir(a, 0o777),
            4 => libc::symlink(a, b),
            5 => libc::linkat(cwd, a, cwd, b, [0, libc::AT_SYMLINK_FOLLOW][number % 2]),
            6 => libc::syscall(libc::SYS_renameat2, cwd, a, cwd, b, number % 3) as i32,
            7 => libc::mknod(a, 0o666, 0),
            _ => [libc::unlink, libc::rmdir][number % 2](a),
        }
    };
    (format!("{call} {number} {first:?} {second:?}: {}", said(rc)), if call <= 2 { rc } else { -1 })
}

fn sequence(seed: u64) -> String {
    let mut dice = Dice(seed);
    shell("mkdir -p dir/deep/er a; ln -s \"$PWD\" dir/up; ln -s \"$PWD/dir\" abs; ln -s b l; ln -s l m")();
    let mut out = String::new();
    for _ in 0..1500 {
        let (said, raw) = one_call(&mut dice);
        close(raw);
        writeln!(out, "{said}").unwrap();
    }
    out + &shell("find . -printf '%p %M %n %l\\n' | sed \"s#$PWD#.#\" | LC_ALL=C sort")()
}

#[test]
fn random_calls_are_alike() {
    let both_wrong =
        |line: &str| line.rsplit(": ").next().is_some_and(|word| word != "ok") && line.contains(": E");
    for seed in 1..=12 {
        let (free, held) = (Folder::new("random-free"), Folder::new("random-held"));
        let control = native(&free, move || sequence(seed));
        let ran = guarded(&held, &held.plan(&["forbidden"]), move || sequence(seed));
        assert!(
            control.output.lines().filter(|line| line.ends_with(": ok")).count() > 50,
            "{}",
            control.output
        );
        for (left, right) in control.output.lines().zip(ran.output.lines()) {
            // Two faults in one call may be found in either order.
            assert!(
                left == right || both_wrong(left) && both_wrong(right),
                "seed {seed}\n- {left}\n+ {right}"
            );
        }
        assert_eq!(control.output.lines().count(), ran.output.lines().count());
    }
}
