//! Which client speaks for which device: lines of an identity and a name.

use super::super::pairs;
use crate::audit::log::Hex;

/// The most lines of the file.
const MOST_LINES: usize = 65_536;

/// Devices by the names of their clients.
#[derive(Debug, Default)]
pub(super) struct Devices {
    named: Vec<(Hex<32>, String)>,
}

impl Devices {
    /// Reads lines of an identity, 64 hex digits, and a name in a client's certificate, or `sha256:` and its digest.
    /// # Errors
    /// The first line that makes no sense.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut named: Vec<(Hex<32>, String)> = Vec::new();
        pairs::each(text, "IDENTITY NAME", |identity, name| {
            let identity = Hex::parse(identity).ok_or("an identity has 64 hex digits")?;
            if named.iter().any(|(known, _)| *known == identity) {
                return Err("this device has a client already");
            }
            named.push((identity, name));
            Ok(())
        })?;
        if named.len() > MOST_LINES {
            Err(format!("more than {MOST_LINES} devices"))
        } else {
            Ok(Self { named })
        }
    }

    /// Every name, once.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.named.iter().map(|(_, name)| name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The devices that a client speaks for.
    pub(super) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Hex<32>> {
        self.named.iter().filter(move |(_, known)| known == name).map(|(identity, _)| identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_speaks_for_the_devices_that_are_named_with_it_and_no_other() {
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let devices = Devices::read(&format!("{one} Host.example # laptop\n\n{two} host.example\n")).unwrap();
        let of = |name: &str| devices.of(name).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("host.example"), [one.clone(), two]);
        assert!(of("other.example").is_empty());
        assert_eq!(devices.names(), ["host.example"]);
        for bad in [&one[1..], &format!("{one} a b"), &format!("{one} a\n{one} b"), "x y"] {
            assert!(Devices::read(bad).is_err(), "{bad}");
        }
    }
}
