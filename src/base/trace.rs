//! W3C trace context: the ids by which the systems of others join what belongs together.
//!
//! Never takes more than the one form of version 00, and says nothing of whose word an id is: who keeps one says that.

use super::hex::{to_hex, unhex};
use std::fmt;
use std::str::FromStr;

/// The id of a trace: not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// Of bytes; `None` where all are zero, which stands for no trace.
    pub fn of(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

/// The text is no trace context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATrace;

impl fmt::Display for NotATrace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            "a traceparent is 00-TRACE-SPAN-FLAGS: 32, 16 and 2 digits of lower-case hex, no id all zero",
        )
    }
}

impl std::error::Error for NotATrace {}

impl FromStr for TraceId {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok()).ok_or(NotATrace)?;
        Self::of(bytes).ok_or(NotATrace)
    }
}

/// What a `traceparent` says: a trace, and the span in it that what follows belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    span: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// The span, as 16 digits of hex.
    pub fn span(&self) -> String {
        to_hex(&self.span)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "00-{}-{}-{:02x}", self.trace, self.span(), self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(NotATrace);
        let (version, trace, span, flags) = (next()?, next()?, next()?, next()?);
        if version != "00" || parts.next().is_some() {
            return Err(NotATrace);
        }
        let span: [u8; 8] = unhex(span).and_then(|bytes| bytes.try_into().ok()).ok_or(NotATrace)?;
        let [flags]: [u8; 1] = unhex(flags).and_then(|bytes| bytes.try_into().ok()).ok_or(NotATrace)?;
        if span == [0; 8] { Err(NotATrace) } else { Ok(Self { trace: trace.parse()?, span, flags }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_comes_back_letter_by_letter() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert_eq!(parent.to_string(), GOOD);
        assert_eq!(
            (parent.trace.to_string().as_str(), parent.span().as_str()),
            (&GOOD[3..35], &GOOD[36..52])
        );
    }

    #[test]
    fn whatever_is_not_that_one_form_is_none() {
        let zero =
            |from: usize, to: usize| format!("{}{}{}", &GOOD[..from], "0".repeat(to - from), &GOOD[to..]);
        let wrong = [
            String::new(),
            GOOD.to_uppercase(),
            format!("{GOOD}-00"),
            format!("{GOOD}\n"),
            format!(" {GOOD}"),
            GOOD.replacen("00-", "ff-", 1),
            GOOD.replacen("00-", "01-", 1),
            zero(3, 35),
            zero(36, 52),
            GOOD[..54].to_owned(),
            GOOD.replace('-', "_"),
            format!("00-{}", "a".repeat(1 << 20)),
            GOOD.replace('f', "\u{fb00}"),
        ];
        for text in wrong {
            assert_eq!(text.parse::<TraceParent>(), Err(NotATrace), "{text:.80}");
        }
    }
}
