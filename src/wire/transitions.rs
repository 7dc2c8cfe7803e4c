//! The table by which a stand-in knows which program it stands for. The launcher writes it into the view, read-only.
//!
//! It decides nothing: whoever calls the Guardian with another name gets what the profile says of that one.

use serde::{Deserialize, Serialize};

/// Where the table stands inside.
pub const TABLE: &str = "/run/aisandbox/transitions";
/// The most bytes it is read for.
pub const MOST_TABLE: usize = 1 << 20;

/// One place of the view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandsFor {
    /// Where a stand-in is.
    pub at: String,
    /// The program's path, as the profile names it.
    pub program: String,
}

/// The table's file.
pub fn to_bytes(table: &[StandsFor]) -> Vec<u8> {
    serde_json::to_vec(table).unwrap_or_default()
}

/// The program that is stood for at a place.
pub fn program_at(table: &[u8], at: &str) -> Option<String> {
    let table: Vec<StandsFor> = super::codec::decode(table).ok()?;
    table.into_iter().find(|row| row.at == at).map(|row| row.program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_in_its_table_alone() {
        let row = |at: &str, program: &str| StandsFor { at: at.into(), program: program.into() };
        let table = to_bytes(&[row("/usr/bin/a", "/bin/a"), row("/b\n\"", "/b")]);
        assert_eq!(program_at(&table, "/usr/bin/a").as_deref(), Some("/bin/a"));
        assert_eq!(program_at(&table, "/b\n\"").as_deref(), Some("/b"));
        assert_eq!(program_at(&table, "/bin/a"), None);
        assert_eq!(program_at(b"", "/bin/a"), None);
        assert_eq!(program_at(b"[{\"at\":\"/x\",\"program\":\"/y\",\"more\":1}]", "/x"), None);
    }
}
