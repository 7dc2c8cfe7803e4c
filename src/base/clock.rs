//! Two clocks: the wall for people and records, boot time for durations (it counts sleep and never jumps).

use nix::time::{ClockId, clock_gettime};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A moment of CLOCK_REALTIME, in nanoseconds since 1970 (UTC). People read it; nothing measures with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(pub i128);

impl WallTime {
    /// Now. The epoch itself where the clock cannot be read, which Linux never does (clock_gettime(2)).
    pub fn now() -> Self {
        Self(read(ClockId::CLOCK_REALTIME).map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0)))
    }

    /// Milliseconds since 1970; 0 before it.
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or(0)
    }

    /// Seconds since 1970; 0 before it.
    pub fn unix_seconds(self) -> u64 {
        self.unix_millis() / 1000
    }
}

impl fmt::Display for WallTime {
    /// RFC 3339 in UTC with microseconds: `2026-11-24T21:25:33.000001Z`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.div_euclid(1000);
        let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

/// The text is no moment in UTC: a day, or a day and a time of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATime;

impl FromStr for WallTime {
    type Err = NotATime;

    /// `2026-11-24`, `2026-11-24T21:25`, with seconds and a fraction of them, with `Z` or without: always UTC.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        moment(text).ok_or(NotATime)
    }
}

fn moment(text: &str) -> Option<WallTime> {
    let (day, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let mut fields = day.splitn(3, '-').map(|field| number(field, 2));
    let year = number(day.split('-').next()?, 4)?;
    let (month, day) = (fields.nth(1)??, fields.next()??);
    let days = days_of(year, month, day);
    if civil(days) != (year, month, day) {
        return None;
    }
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut fields = clock.split(':').map(|field| number(field, 2));
    let (hour, minute, second) = (fields.next()??, fields.next()??, fields.next().unwrap_or(Some(0))?);
    if fields.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: i128 = if digits { format!("{fraction:0<9}").parse().ok()? } else { return None };
    Some(WallTime((days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000_000 + fraction))
}

fn number(text: &str, digits: usize) -> Option<i128> {
    let whole = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole { text.parse().ok() } else { None }
}

/// The way back of [`civil`], for a month from 1 to 12.
fn days_of(year: i128, month: i128, day: i128) -> i128 {
    let year = year - i128::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Days since 1970-01-01 as year, month, day of the proleptic Gregorian calendar. A year that begins in March makes
/// the leap day its last, so that every month has a fixed place in it.
fn civil(days: i128) -> (i128, i128, i128) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    (year, month, day)
}

/// A moment of CLOCK_BOOTTIME: counts while the machine sleeps, never set by anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// Now.
    pub fn now() -> Self {
        Self(read(ClockId::CLOCK_BOOTTIME).unwrap_or_default())
    }

    /// How long ago it was; zero for a moment that is still to come.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }

    /// Time since the machine started.
    pub fn since_boot(self) -> Duration {
        self.0
    }
}

/// How long this thread has been at work: time in which others had the processor does not count.
pub fn thread_time() -> Duration {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap_or_default()
}

fn read(clock: ClockId) -> Option<Duration> {
    clock_gettime(clock).ok().map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_rfc_3339() {
        assert_eq!(WallTime(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(WallTime(1_709_164_800_123_456_789).to_string(), "2024-02-29T00:00:00.123456Z");
        assert_eq!(WallTime(1_798_761_599_000_000_000).to_string(), "2026-12-31T23:59:59.000000Z");
    }

    #[test]
    fn a_moment_comes_back_from_its_text_and_what_is_none_does_not() {
        for day in (0..60_000).step_by(97) {
            let moment = WallTime(i128::from(day) * 86_400_000_000_000 + 45_296_123_456_000);
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
        let same = ["2024-02-29", "2024-02-29T00:00", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.0"];
        same.iter()
            .for_each(|text| assert_eq!(text.parse(), Ok(WallTime(1_709_164_800_000_000_000)), "{text}"));
        for text in [
            "",
            "2024",
            "2024-02",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "24-01-01",
            "2024-1-1",
            "2024-01-01T",
            "2024-01-01T24:00",
            "2024-01-01T1:00",
            "2024-01-01T01:00:00.",
            "2024-01-01T01:00:00+01:00",
            "2024-01-01 x",
        ] {
            assert_eq!(text.parse::<WallTime>(), Err(NotATime), "{text}");
        }
    }
}
