//! Text of bounded length with a NUL at its end, on the stack: paths of a caller and names of /proc entries.

use crate::sys::{Errno, Sys};
use std::ffi::CStr;
use std::fmt::{self, Write};

/// A path: at most PATH_MAX bytes with its NUL.
pub(super) type PathText = Text<4096>;

/// At most `N` bytes with the NUL.
pub(super) struct Text<const N: usize> {
    room: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    const fn empty() -> Self {
        Self { room: [0; N], length: 0 }
    }

    /// Takes what `fill` writes up to its first NUL; `fill` says how many bytes it wrote.
    /// # Errors
    /// `ENAMETOOLONG` when all is full without a NUL, `EFAULT` when `fill` stopped before one.
    pub(super) fn read(fill: impl FnOnce(&mut [u8]) -> Sys<usize>) -> Sys<Self> {
        let mut text = Self::empty();
        let filled = fill(&mut text.room)?;
        let end = text.room.iter().take(filled).position(|byte| *byte == 0);
        let full = if filled >= N { Errno::ENAMETOOLONG } else { Errno::EFAULT };
        text.length = end.ok_or(full)?;
        Ok(text)
    }

    /// Copies bytes.
    /// # Errors
    /// `ENAMETOOLONG` when they do not fit, `EINVAL` for a NUL among them.
    pub(super) fn of_bytes(bytes: &[u8]) -> Sys<Self> {
        let mut text = Self::empty();
        if bytes.contains(&0) {
            return Err(Errno::EINVAL);
        }
        text.append(bytes).map_err(|fmt::Error| Errno::ENAMETOOLONG)?;
        Ok(text)
    }

    /// Formats.
    /// # Errors
    /// As [`Self::of_bytes`].
    pub(super) fn of(arguments: fmt::Arguments<'_>) -> Sys<Self> {
        let mut text = Self::empty();
        text.write_fmt(arguments).map_err(|fmt::Error| Errno::ENAMETOOLONG)?;
        Ok(text)
    }

    fn append(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.length + bytes.len();
        if end >= N {
            return Err(fmt::Error);
        }
        self.room.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    /// Without the NUL.
    pub(super) fn bytes(&self) -> &[u8] {
        self.room.get(..self.length).unwrap_or_default()
    }

    /// As C wants it.
    pub(super) fn c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.room).unwrap_or_default()
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.append(text.as_bytes())
    }
}

/// The value behind a label in the text of a /proc file, up to the first byte that is no digit.
pub(super) fn number_after(text: &[u8], label: &[u8], radix: u32) -> Option<u32> {
    let start = text.windows(label.len()).position(|window| window == label)? + label.len();
    let rest = text.get(start..)?;
    let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    number(rest.get(..length)?, radix)
}

/// A number written in nothing but digits.
pub(super) fn number(text: &[u8], radix: u32) -> Option<u32> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(bytes: &'static [u8]) -> Sys<Text<8>> {
        Text::read(|room| {
            room[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        })
    }

    #[test]
    fn a_text_ends_at_its_first_nul() {
        assert_eq!(filled(b"ab\0cd").unwrap().bytes(), b"ab");
    }

    #[test]
    fn memory_that_ends_before_the_nul_is_a_fault() {
        assert_eq!(filled(b"abc").err(), Some(Errno::EFAULT));
        assert_eq!(filled(b"abcdefgh").err(), Some(Errno::ENAMETOOLONG));
        assert!(filled(b"abcdefg\0").is_ok());
    }

    #[test]
    fn a_number_is_found_behind_its_label() {
        let status = b"Name:\tx\nUmask:\t0027\nState:\tS\nTgid:\t41\n";
        assert_eq!(number_after(status, b"\nUmask:\t", 8), Some(0o27));
        assert_eq!(number_after(status, b"\nTgid:\t", 10), Some(41));
        assert_eq!(number_after(status, b"\nPid:\t", 10), None);
    }

    #[test]
    fn a_sign_is_no_digit() {
        assert_eq!(number(b"+1", 10), None);
        assert_eq!(number(b"", 10), None);
    }
}
