//! Paths of fields: as the table writes them, and as a JSON pointer names a place in an event.

/// A JSON pointer, taken apart.
#[derive(Debug)]
pub(super) struct Segments(Vec<String>);

impl Segments {
    /// Of a pointer (RFC 6901); the first slash may be missing.
    pub(super) fn of_pointer(pointer: &str) -> Self {
        let path = pointer.strip_prefix('/').unwrap_or(pointer);
        let plain = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
        Self(if path.is_empty() { Vec::new() } else { path.split('/').map(plain).collect() })
    }

    /// The place is that of this field, or of something that the field is in.
    pub(super) fn leads_to(&self, path: &str) -> bool {
        let mut parts = parts(path);
        self.0.iter().all(|segment| match parts.next() {
            Some("[]") => !segment.is_empty() && segment.bytes().all(|digit| digit.is_ascii_digit()),
            Some("*") => true,
            Some(name) => name == segment,
            None => false,
        })
    }
}

/// The parts of a path of the table: `a.b[].c` is `a`, `b`, `[]`, `c`.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').flat_map(|step| {
        let name = step.trim_end_matches("[]");
        let elements = step.len().saturating_sub(name.len()) / 2;
        std::iter::once(name).chain(std::iter::repeat_n("[]", elements))
    })
}
