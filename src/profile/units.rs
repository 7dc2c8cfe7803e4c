//! Amounts as people write them: `512M`, `1h30m`, `"1777"`, `1.5` cores.
//!
//! Never rounds and never wraps: what does not fit is an error.

use super::decode::{Decode, Decoder, schema, shown};
use super::parse::{Node, Value};
use std::time::Duration;

/// Bytes: a whole number, or one with K, M, G or T (powers of 1024; `KiB` and `KB` mean the same).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// Bytes of memory, more than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) u64);

/// A time that passes: numbers with d, h, m, s, the greater first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lasting(pub(crate) Duration);

/// Permission bits in octal, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) u32);

/// Thousandths of a CPU core, written as cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cores(pub(crate) u64);

/// How many, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

/// The bytes a text such as `4KiB` means.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.trim_start();
    let shift = match unit {
        "" | "B" => 0,
        "K" | "k" | "KiB" | "KB" => 10,
        "M" | "MiB" | "MB" => 20,
        "G" | "GiB" | "GB" => 30,
        "T" | "TiB" | "TB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The time a text such as `1h30m` means: more than nothing, each unit once, the greater first.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    let mut least = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let mut letters = tail.chars();
        let unit = match letters.next()? {
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        if unit >= least {
            return None;
        }
        least = unit;
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = letters.as_str();
    }
    // A century: beyond it, clocks and timers of the kernel begin to differ in what they take.
    (1..=3_155_760_000).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn octal(text: &str) -> Option<u32> {
    let valid = (3..=5).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    u32::from_str_radix(text, 8).ok().filter(|mode| valid && *mode <= 0o7777)
}

impl Decode for Memory {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let line = node.line;
        match Bytes::decode(node, decoder)? {
            Bytes(0) => decoder.refuse(line, "no program runs in no memory", None),
            Bytes(bytes) => Some(Self(bytes)),
        }
    }
}

impl Decode for Bytes {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let found = match &node.value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::Str(text) => parse_size(text),
            _ => None,
        };
        let hint = || Some("write bytes, or 512M, 4G (powers of 1024)".into());
        found
            .map(Self)
            .or_else(|| decoder.refuse(node.line, format!("not a size: {}", shown(&node.value)), hint()))
    }
}

impl Decode for Lasting {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let found = match &node.value {
            Value::Str(text) => parse_duration(text),
            _ => None,
        };
        let hint = || Some("write 90s, 5m, 8h, 2d or 1h30m".into());
        found
            .map(Self)
            .or_else(|| decoder.refuse(node.line, format!("not a time: {}", shown(&node.value)), hint()))
    }
}

impl Decode for Mode {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let found = match &node.value {
            Value::Str(text) => octal(text),
            _ => None,
        };
        let hint = || Some("write octal digits in quotes: \"0755\", \"1777\"".into());
        found
            .map(Self)
            .or_else(|| decoder.refuse(node.line, format!("not a mode: {}", shown(&node.value)), hint()))
    }
}

impl Decode for Cores {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let cores = match &node.value {
            Value::Int(number) => u32::try_from(*number).map_or(0.0, f64::from),
            Value::Float(number) => *number,
            _ => 0.0,
        };
        let thousandths = (cores * 1000.0).round();
        if (1.0..=65_536_000.0).contains(&thousandths) {
            // In range and whole, so the cast changes nothing.
            return Some(Self(thousandths as u64));
        }
        let hint = Some("write CPU cores, such as 2 or 0.5".into());
        decoder.refuse(node.line, format!("not a number of cores: {}", shown(&node.value)), hint)
    }
}

impl Decode for Count {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Int(number @ 1..) => u64::try_from(*number).ok().map(Self),
            other => decoder.refuse(
                node.line,
                format!("must be a whole number from 1, not {}", shown(other)),
                None,
            ),
        }
    }
}

schema!(Bytes, { "type": ["string", "integer"], "minimum": 0, "pattern": "^[0-9]+ *(B|[Kk]|KiB|KB|[MGT]|[MGT]iB|[MGT]B)?$" });
schema!(Memory, { "type": ["string", "integer"], "minimum": 1, "pattern": "^0*[1-9][0-9]* *(B|[Kk]|KiB|KB|[MGT]|[MGT]iB|[MGT]B)?$" });
schema!(Lasting, { "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2 });
schema!(Mode, { "type": "string", "pattern": "^[0-7]{3,5}$" });
schema!(Cores, { "type": "number", "minimum": 0.001, "maximum": 65536 });
schema!(Count, { "type": "integer", "minimum": 1 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size("512M"), Some(512 << 20));
        assert_eq!(parse_size("1G"), Some(1 << 30));
        assert_eq!(parse_size("4KiB"), Some(4096));
        assert_eq!(parse_size("4 KiB"), Some(4096));
        assert_eq!(parse_size("17"), Some(17));
    }

    #[test]
    fn what_is_no_size_or_does_not_fit_is_refused() {
        for text in ["", "M", "-1", "1.5G", "1Q", "1G2M", "99999999999T", "18446744073709551616", "１G"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn times_add_up() {
        assert_eq!(parse_duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("2d"), Some(Duration::from_secs(172_800)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "5", "m", "0s", "5m1h", "5m5m", "1.5h", "-5m", "99999999999999999999s", "9999999999d"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(octal("1777"), Some(0o1777));
        assert_eq!(octal("0755"), Some(0o755));
        for text in ["", "7", "888", "+755", "17777", "077777"] {
            assert_eq!(octal(text), None, "{text}");
        }
    }

    #[test]
    fn no_memory_at_all_is_refused() {
        use super::super::decode::Decode;
        let decoded = |value| {
            let mut decoder = Decoder::new("x.yaml");
            Memory::decode(Node { line: 3, value }, &mut decoder)
        };
        assert_eq!(decoded(Value::Str("1M".into())), Some(Memory(1 << 20)));
        assert_eq!(decoded(Value::Int(0)), None);
        assert_eq!(decoded(Value::Str("0G".into())), None);
    }
}
