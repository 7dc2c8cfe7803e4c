//! Trace: what this program says about its own doing, on stderr, for `exec -v` and `-vv`. The only file that names
//! tracing-subscriber.
//!
//! Never starts a thread, never writes from the child, and never lets a byte reach a terminal unescaped. What is not
//! asked for costs one comparison where it would be said.

use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, Subscriber as Printer};
use tracing_subscriber::registry::LookupSpan;

/// Says warnings; with one `-v` what was decided, with two every step; with `-q` errors alone.
pub(super) fn begin(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, _) => Level::TRACE,
    };
    let printer =
        Printer::builder().with_max_level(level).with_writer(std::io::stderr).event_format(Line).finish();
    // One that is there already was put there by a caller of this library, and keeps its place.
    if tracing::subscriber::set_global_default(printer).is_err() {}
}

/// One event, one line: our name, the level, the words.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut words = Words::default();
        event.record(&mut words);
        writeln!(out, "aisandbox: {}: {}", level(*event.metadata().level()), words.0)
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = super::output::one_line(&format!("{value:?}"));
        match field.name() {
            "message" => self.0.insert_str(0, &value),
            name => self.0.push_str(&format!(" {name}={value}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_cannot_bring_a_second_line_or_an_escape_sequence() {
        #[derive(Clone, Default)]
        struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl std::io::Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let printer = Printer::builder().event_format(Line).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(printer, || tracing::info!(count = 2, "a\nb\u{1b}[31m"));
        assert_eq!(
            String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(),
            "aisandbox: info: a?b?[31m count=2\n"
        );
    }
}
