//! Run ids: sortable by time, hard to guess, safe as a file name.

use std::fmt;
use std::str::FromStr;

/// Names one run of a sandbox: 26 characters of Crockford base32 (the ULID form: 48 bits of time, 80 random bits).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl RunId {
    /// Puts an id together. Only the low 48 bits of `unix_millis` and the low 80 bits of `random` count.
    pub fn from_parts(unix_millis: u64, random: u128) -> Self {
        let time = u128::from(unix_millis & 0xFFFF_FFFF_FFFF) << 80;
        Self(time | (random & ((1 << 80) - 1)))
    }

    /// When it was made, milliseconds since 1970.
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0 >> 80).unwrap_or(u64::MAX) & 0xFFFF_FFFF_FFFF
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..26).rev() {
            let digit = usize::try_from((self.0 >> (place * 5)) & 31).unwrap_or(0);
            let byte = DIGITS.get(digit).copied().unwrap_or(b'0');
            write!(out, "{}", char::from(byte))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The text is no run id: 26 characters of Crockford base32, the first at most `7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotARunId;

impl fmt::Display for NotARunId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a run id (26 letters and digits, as `aisandbox audit list` prints them)")
    }
}

impl std::error::Error for NotARunId {}

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        if text.len() != 26 || text.as_bytes().first().is_none_or(|first| *first > b'7') {
            return Err(NotARunId);
        }
        let mut value: u128 = 0;
        for byte in text.bytes() {
            let digit =
                DIGITS.iter().position(|known| *known == byte.to_ascii_uppercase()).ok_or(NotARunId)?;
            value = (value << 5) | u128::try_from(digit).map_err(|_| NotARunId)?;
        }
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_from_its_text() {
        let id = RunId::from_parts(1_700_000_000_000, 0x1234_5678_9ABC_DEF0_1122);
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert_eq!(id.unix_millis(), 1_700_000_000_000);
    }

    #[test]
    fn a_later_run_sorts_later() {
        assert!(RunId::from_parts(1, u128::MAX).to_string() < RunId::from_parts(2, 0).to_string());
    }

    #[test]
    fn a_path_is_no_run_id() {
        assert!("../../etc/passwd0000000000".parse::<RunId>().is_err());
    }
}
