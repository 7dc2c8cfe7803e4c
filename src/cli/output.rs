//! Our words to people: on stderr, each with our name, escaped, with the hint on a line of its own.

use std::io::Write;

/// An error and, where there is one, what to do about it. Nothing can be done when stderr itself is closed.
pub(super) fn complain(message: &str, hint: Option<&str>) {
    let mut text = format!("aisandbox: {}\n", lines(message));
    if let Some(hint) = hint {
        text.push_str(&format!("hint: {}\n", lines(hint)));
    }
    if std::io::stderr().lock().write_all(text.as_bytes()).is_err() {
        tracing::debug!("stderr is closed");
    }
}

/// Escaped, but for newlines, which are ours: what was quoted was escaped where it was quoted.
fn lines(text: &str) -> String {
    text.split('\n').map(one_line).collect::<Vec<String>>().join("\n")
}

/// Escaped, newlines too.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|letter| if crate::base::misleads(letter) { '?' } else { letter }).collect()
}

/// Prints to stdout. A reader that went away (`| head`) is no error.
pub(super) fn print(text: &str) -> u8 {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => 0,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            complain(&format!("write to stdout: {error}"), None);
            125
        }
    }
}
