//! Files that say two words a line: who is what.

/// Reads lines of two words, the second in lower case; `#` begins a comment. `take` judges each.
/// # Errors
/// The first line that makes no sense, with its number.
pub(super) fn each(
    text: &str,
    form: &str,
    mut take: impl FnMut(&str, String) -> Result<(), &'static str>,
) -> Result<(), String> {
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            [first, second] => {
                take(first, second.to_ascii_lowercase()).map_err(|why| format!("line {number}: {why}"))?
            }
            _ => return Err(format!("line {number}: a line is {form}")),
        }
    }
    Ok(())
}
