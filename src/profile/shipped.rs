//! The profiles compiled into this program, from profiles/.
//!
//! Never read from disk at run time: `cowork` means what this build says, on every machine.

/// Name and text.
pub(super) const PROFILES: &[(&str, &str)] = &[
    ("base", include_str!("../../profiles/base.yaml")),
    ("cowork", include_str!("../../profiles/cowork.yaml")),
    ("offline", include_str!("../../profiles/offline.yaml")),
    ("readonly-docs", include_str!("../../profiles/readonly-docs.yaml")),
    ("spreadsheet-write", include_str!("../../profiles/spreadsheet-write.yaml")),
];
