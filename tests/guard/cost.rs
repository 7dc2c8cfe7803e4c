//! What the guard costs: printed, not judged; run with `--ignored --nocapture` and a release build.

use crate::harness::{Folder, c, close, guarded, native};
use std::time::Instant;

/// The median microseconds of a body that creates; its undoing is not counted.
fn measure(body: fn(&str), undo: fn(&str)) -> String {
    const TURNS: u32 = 20_000;
    let names: Vec<String> = (0..TURNS).map(|turn| format!("f{}", turn % 100)).collect();
    let one = |name: &String| {
        let start = Instant::now();
        body(name);
        let spent = start.elapsed().as_nanos();
        undo(name);
        spent
    };
    let mut spent: Vec<u128> = names.iter().map(one).collect();
    spent.sort_unstable();
    format!("{:.1}", spent[spent.len() / 2] as f64 / 1000.0)
}

fn open_new(name: &str) {
    // SAFETY: a NUL-terminated path and integers.
    close(unsafe { libc::open(c(name).as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o644) });
}

fn unlink(name: &str) {
    std::fs::remove_file(name).unwrap();
}

#[test]
#[ignore = "a measurement"]
fn cost_of_each_call() {
    type Act = fn(&str);
    let rows: [(&str, Act, Act); 5] = [
        ("create", open_new, unlink),
        (
            "create by a path",
            |name| open_new(&format!("a/b/c/../c/{name}")),
            |name| unlink(&format!("a/b/c/{name}")),
        ),
        ("open what is there", |_| open_new("there"), |_| ()),
        ("mkdir", |name| std::fs::create_dir(name).unwrap(), |name| std::fs::remove_dir(name).unwrap()),
        (
            "rename",
            |_| std::fs::rename("there", "here").unwrap(),
            |_| std::fs::rename("here", "there").unwrap(),
        ),
    ];
    for (name, body, undo) in rows {
        let run = move || {
            std::fs::create_dir_all("a/b/c").unwrap();
            std::fs::write("there", "").unwrap();
            measure(body, undo)
        };
        let free = Folder::new("cost-free");
        let held = Folder::new("cost");
        let plan = held.plan(&[".git/hooks", ".git/config", ".bashrc", ".vscode/tasks.json"]);
        println!(
            "{name}: {} native, {} guarded (µs)",
            native(&free, run).output,
            guarded(&held, &plan, run).output
        );
    }
}
