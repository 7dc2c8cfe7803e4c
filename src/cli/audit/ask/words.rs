//! Words of answers: amounts, times, names.
//!
//! Never lets a text of a record through unescaped.

use crate::audit::index::{Acts, Kind};
use crate::audit::log::State;
use crate::base::{WallTime, escape};
use crate::cli::audit::text::state_word;
use crate::profile::parse_duration;

/// A number of bytes, in the unit that gives two or three digits.
pub(in crate::cli) fn bytes(count: u64) -> String {
    let mut unit = 0;
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut scale = 1u64;
    while count / scale >= 1000 && unit + 1 < units.len() {
        (scale, unit) = (scale.saturating_mul(1000), unit + 1);
    }
    let name = units.get(unit).copied().unwrap_or_default();
    let (whole, tenth) = (count / scale, (count % scale).saturating_mul(10) / scale);
    if unit == 0 || whole >= 100 { format!("{whole} {name}") } else { format!("{whole}.{tenth} {name}") }
}

/// One of something, or so many.
pub(in crate::cli) fn many(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// A time as the index gives it, to the second.
pub(in crate::cli) fn moment(text: &str) -> String {
    let short = text.split_once('.').map_or(text, |(seconds, _)| seconds);
    format!("{}Z", escape(short.trim_end_matches('Z').replace('T', " ").as_bytes()))
}

/// From when to when: the day stands once where it is the same.
pub(in crate::cli) fn span(began: Option<&str>, ended: Option<&str>) -> String {
    match (began.map(moment), ended.map(moment)) {
        (None, None) => "not known when".to_owned(),
        (Some(one), None) => format!("from {one}"),
        (None, Some(other)) => format!("to {other}"),
        (Some(one), Some(other)) => {
            let day = one.split(' ').next().unwrap_or_default();
            let end = other.strip_prefix(day).map_or(other.as_str(), str::trim_start);
            format!("{} to {end}", one.trim_end_matches('Z'))
        }
    }
}

/// A name of a record in one line: a path below the home with `~`, and no longer than a few lines.
pub(in crate::cli) fn name(text: &str) -> String {
    const MOST: usize = 300;
    let home = std::env::var("HOME").ok().filter(|home| home.len() > 1);
    let below = home.and_then(|home| text.strip_prefix(home.trim_end_matches('/')).map(str::to_owned));
    let short = below.filter(|rest| rest.starts_with('/')).map(|rest| format!("~{rest}"));
    let mut shown = escape(short.as_deref().unwrap_or(text).as_bytes());
    if let Some((end, _)) = shown.char_indices().nth(MOST) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// Names, the first few of many.
pub(in crate::cli) fn names<'a>(told: impl Iterator<Item = &'a str>, all: u64) -> String {
    let told: Vec<String> = told.map(name).collect();
    let more = all.saturating_sub(told.len() as u64);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", told.join(", "))
}

/// Actions in words.
pub(in crate::cli) fn acts(acts: Acts) -> String {
    acts.words().join(", ")
}

/// What kind of thing it is, in one word.
pub(in crate::cli) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Host => "host",
        Kind::Program => "program",
        Kind::Device => "device",
        Kind::Run => "run",
        _ => "",
    }
}

/// A state in one word.
pub(in crate::cli) fn state(state: Option<State>, alive: bool) -> &'static str {
    match state {
        Some(State::Open) if alive => "OPEN, goes on",
        Some(state) => state_word(state),
        None => "UNREADABLE",
    }
}

/// Who or what said yes or no.
pub(in crate::cli) fn decider(by: &str, person: bool) -> String {
    match (person, by) {
        (_, "") => "nobody that the record names".to_owned(),
        (true, "approve" | "deny" | "grant") => format!("a person (aisandbox {by})"),
        (true, way) => format!("a person ({})", escape(way.as_bytes())),
        (false, "always") => "a standing answer of the person's".to_owned(),
        (false, rule) => escape(rule.as_bytes()),
    }
}

/// The name of a user of this machine.
pub(in crate::cli) fn user(uid: u32) -> String {
    let known = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    known.map_or_else(|| format!("uid {uid}"), |user| format!("{} (uid {uid})", escape(user.name.as_bytes())))
}

/// The moment that `--since` names, in microseconds since 1970.
pub(in crate::cli) fn since(text: &str) -> Result<i64, String> {
    let now = WallTime::now().0;
    let ago = parse_duration(text).map(|ago| now - i128::try_from(ago.as_nanos()).unwrap_or(i128::MAX));
    let moment = ago.or_else(|| text.parse::<WallTime>().ok().map(|moment| moment.0));
    moment.map(|nanos| i64::try_from(nanos / 1000).unwrap_or(0)).ok_or_else(|| {
        format!(
            "{}: neither a time that passed (2d, 1h30m) nor a day or moment (2026-11-30, 2026-11-30T14:00)",
            escape(text.as_bytes())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_or_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (214_300, "214 kB"),
            (1_890_000, "1.8 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_span_names_its_day_once_and_a_long_name_is_cut() {
        let one = "2026-11-30T14:02:11.000001Z";
        assert_eq!(span(Some(one), Some("2026-11-30T14:31:07.5Z")), "2026-11-30 14:02:11 to 14:31:07Z");
        assert_eq!(span(Some(one), None), "from 2026-11-30 14:02:11Z");
        let long = name(&"\u{1b}".repeat(1000));
        assert!(long.chars().count() == 301 && long.starts_with("\\x1b"), "{long}");
    }

    #[test]
    fn since_is_a_time_that_passed_or_a_moment() {
        assert_eq!(since("2024-02-29"), Ok(1_709_164_800_000_000));
        assert!(since("1h").unwrap() > since("2h").unwrap());
        assert!(since("yesterday").is_err());
    }
}
