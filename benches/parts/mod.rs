//! Parts of a bench: which of them run, and how often each does what it measures.

/// A part: its name, and what it does.
pub(crate) type Part = (&'static str, fn());

/// Runs the parts that are named, or all. What begins with `-` is for the harness.
pub(crate) fn run(parts: &[Part], words: &[String]) {
    let named: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    for word in &named {
        assert!(parts.iter().any(|(name, _)| name == word), "no part {word}");
    }
    for (name, part) in parts {
        if named.is_empty() || named.iter().any(|word| *word == name) {
            println!("\n== {name}");
            part();
        }
    }
}

/// How often something is done: often, or a few times when only a look is wanted (`AISANDBOX_BENCH_QUICK=1`).
pub(crate) fn turns(often: usize, few: usize) -> usize {
    let quick = std::env::var_os("AISANDBOX_BENCH_QUICK").is_some_and(|value| value == "1");
    if quick { few } else { often }
}
