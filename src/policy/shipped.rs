//! The policies compiled into this program, from policies/.
//!
//! Never read from disk at run time: `readonly-docs` means what this build says, on every machine.

use super::archive::Member;

/// The name of each with its files.
const POLICIES: &[(&str, &[(&str, &str)])] = &[
    (
        "readonly-docs",
        &[
            (".manifest", include_str!("../../policies/readonly-docs/.manifest")),
            ("readonly_docs.rego", include_str!("../../policies/readonly-docs/readonly_docs.rego")),
            ("readonly_docs_test.rego", include_str!("../../policies/readonly-docs/readonly_docs_test.rego")),
        ],
    ),
    (
        "spreadsheet-write",
        &[
            (".manifest", include_str!("../../policies/spreadsheet-write/.manifest")),
            (
                "spreadsheet_write.rego",
                include_str!("../../policies/spreadsheet-write/spreadsheet_write.rego"),
            ),
            (
                "spreadsheet_write_test.rego",
                include_str!("../../policies/spreadsheet-write/spreadsheet_write_test.rego"),
            ),
        ],
    ),
    (
        "network-allowlist",
        &[
            (".manifest", include_str!("../../policies/network-allowlist/.manifest")),
            ("data.json", include_str!("../../policies/network-allowlist/data.json")),
            (
                "network_allowlist.rego",
                include_str!("../../policies/network-allowlist/network_allowlist.rego"),
            ),
            (
                "network_allowlist_test.rego",
                include_str!("../../policies/network-allowlist/network_allowlist_test.rego"),
            ),
        ],
    ),
];

/// Their names.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|(name, _)| *name)
}

/// The files of one.
pub fn shipped(name: &str) -> Option<Vec<Member>> {
    let (_, files) = POLICIES.iter().find(|(known, _)| *known == name)?;
    let member =
        |(name, text): &(&str, &str)| Member { name: (*name).into(), bytes: text.as_bytes().to_vec() };
    Some(files.iter().map(member).collect())
}
